"""API Gateway's REST APIs: what a function is called with, who may call, throttling, access log."""

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.tests.waiting import LIMIT, wait_for

from .conftest import ACCOUNT, REGION, RunningAws

ECHO = """
import json
def handler(event, context):
    return {
        "statusCode": 201,
        "headers": {"Content-Type": "application/json", "X-Function": context.invoked_function_arn},
        "body": json.dumps(event),
    }
"""
ROOT = Credentials("test", "test")
LOG_FORMAT = json.dumps(
    {
        "method": "$context.httpMethod",
        "path": "$context.resourcePath",
        "status": "$context.status",
        "caller": "$context.identity.userArn",
        "error": "$context.error.message",
    }
)


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any


@dataclass
class Api:
    """An API with two methods as the stack has them: `decision` with AWS_IAM, `links` without."""

    aws: RunningAws
    id: str
    function: str
    log_group: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.aws.port}/_aws/execute-api/{self.id}/live"

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        credentials: Credentials | None = None,
        region: str = REGION,
        service: str = "execute-api",
        sent: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request, signed if there are credentials; `sent` is another body than signed."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method, self.url + path, headers=headers, data=body)
        if credentials:
            SigV4Auth(credentials, service, region).add_auth(request)
        plain = urllib.request.Request(
            self.url + path,
            data=(body if sent is None else sent) or None,
            headers=dict(request.headers.items()),
            method=method,
        )
        try:
            with urllib.request.urlopen(plain, timeout=LIMIT) as answer:
                return Answer(answer.status, answer.headers, json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, json.load(error))

    def decide(self, credentials: Credentials | None, **more: Any) -> Answer:
        return self.request(
            "POST", "/approvals/r_a.1/decision", b'{"decision": "APPROVE"}', credentials, **more
        )


@pytest.fixture(scope="module")
def api(aws: RunningAws) -> Api:
    function = aws.function(ECHO)
    functions = aws.client("lambda")
    version = functions.publish_version(FunctionName=function)["Version"]
    alias = functions.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    group = aws.name("/aws/apigateway/slipway")
    aws.client("logs").create_log_group(logGroupName=group)
    client = aws.client("apigateway")
    api_id = client.create_rest_api(
        name=aws.name("api"), endpointConfiguration={"types": ["REGIONAL"]}
    )["id"]
    invoke = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{alias['AliasArn']}"
    parent = root = client.get_resources(restApiId=api_id)["items"][0]["id"]
    for path, methods, authorization in (
        (["approvals", "{id}", "decision"], ["POST"], "AWS_IAM"),
        (["links", "{token}"], ["GET", "POST"], "NONE"),
    ):
        parent = root
        for part in path:
            parent = client.create_resource(restApiId=api_id, parentId=parent, pathPart=part)["id"]
        for method in methods:
            place = {"restApiId": api_id, "resourceId": parent, "httpMethod": method}
            client.put_method(**place, authorizationType=authorization)
            client.put_integration(
                **place, type="AWS_PROXY", integrationHttpMethod="POST", uri=f"{invoke}/invocations"
            )
    deployment = client.create_deployment(restApiId=api_id)["id"]
    client.create_stage(
        restApiId=api_id, stageName="live", deploymentId=deployment, tracingEnabled=True
    )
    destination = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    settings = {
        "/accessLogSettings/destinationArn": destination,
        "/accessLogSettings/format": LOG_FORMAT,
        "/*/*/throttling/rateLimit": "1000",
        "/*/*/throttling/burstLimit": "1000",
    }
    update_stage(aws, api_id, settings)
    return Api(aws, api_id, alias["AliasArn"], group)


def update_stage(aws: RunningAws, api_id: str, settings: dict[str, str]) -> None:
    operations = [
        {"op": "replace", "path": path, "value": value} for path, value in settings.items()
    ]
    aws.client("apigateway").update_stage(
        restApiId=api_id, stageName="live", patchOperations=operations
    )


def invoke_policy(resource: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def everything_of(api: Api) -> str:
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/*"


def user(aws: RunningAws, **policies: str) -> tuple[dict[str, Any], Credentials]:
    client, name = aws.client("iam"), aws.name("user")
    made = client.create_user(UserName=name)["User"]
    for policy, document in policies.items():
        client.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=document)
    key = client.create_access_key(UserName=name)["AccessKey"]
    return made, Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def session(aws: RunningAws, **policies: str) -> tuple[dict[str, Any], Credentials]:
    """A role with these policies, and the credentials of one of its sessions."""
    client, name = aws.client("iam"), aws.name("approver")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    for policy, document in policies.items():
        client.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    made = aws.client("sts").assume_role(
        RoleArn=role["Arn"], RoleSessionName="devops@acme.example"
    )["Credentials"]
    return role, Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


# What the function is called with.


def test_get_is_handed_over_as_on_aws(api: Api) -> None:
    answer = api.request("GET", "/links/a%2Bb.c_d-e?one=1&one=2&two=x%20y", X_Own="value")

    event = answer.body
    assert answer.status == 201
    assert answer.headers["X-Function"] == api.function
    assert (event["httpMethod"], event["resource"]) == ("GET", "/links/{token}")
    # A path parameter is not decoded; a query is.
    assert event["path"] == "/links/a%2Bb.c_d-e"
    assert event["pathParameters"] == {"token": "a%2Bb.c_d-e"}
    assert event["queryStringParameters"] == {"one": "2", "two": "x y"}
    assert event["multiValueQueryStringParameters"] == {"one": ["1", "2"], "two": ["x y"]}
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    assert event["headers"]["X-Own".title()] == "value"
    context = event["requestContext"]
    assert (context["resourcePath"], context["stage"]) == ("/links/{token}", "live")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userArn"] is None


def test_form_is_handed_over_as_text(api: Api) -> None:
    form = b"decision=APPROVE&comment=looks+good%21"

    event = api.request(
        "POST", "/links/abc", form, Content_Type="application/x-www-form-urlencoded"
    ).body

    assert (event["body"], event["isBase64Encoded"]) == (form.decode(), False)
    assert event["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


def test_body_of_any_type_arrives_as_it_was_sent(api: Api) -> None:
    body = b'{"a b": "%7B+"}&x'

    event = api.request(
        "POST", "/links/abc", body, Content_Type="application/x-www-form-urlencoded"
    ).body

    assert event["body"] == body.decode()


def test_body_that_is_no_text_is_in_base64(api: Api) -> None:
    event = api.request("POST", "/links/abc", b"a\xff", Content_Type="image/png").body

    assert (event["body"], event["isBase64Encoded"]) == ("Yf8=", True)


@pytest.mark.parametrize(("method", "path"), [("GET", "/other"), ("DELETE", "/links/abc")])
def test_what_is_not_there_is_answered_as_on_aws(api: Api, method: str, path: str) -> None:
    answer = api.request(method, path)

    assert (answer.status, answer.body) == (403, {"message": "Missing Authentication Token"})


# Who may call.


def test_role_session_is_known_by_its_arn(api: Api) -> None:
    role, credentials = session(api.aws, own=invoke_policy(everything_of(api)))

    answer = api.decide(credentials)

    assert answer.status == 201, answer.body
    event = answer.body
    assert event["pathParameters"] == {"id": "r_a.1"}
    assert event["body"] == '{"decision": "APPROVE"}'
    identity = event["requestContext"]["identity"]
    name = role["RoleName"]
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/devops@acme.example"
    assert identity["userArn"] == arn
    assert identity["user"] == identity["caller"] == f"{role['RoleId']}:devops@acme.example"
    assert identity["accountId"] == ACCOUNT
    assert identity["accessKey"] == credentials.access_key


def test_user_is_known_by_its_arn(api: Api) -> None:
    resource = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/live/POST/approvals/*/decision"
    made, credentials = user(api.aws, own=invoke_policy(resource))

    answer = api.decide(credentials)

    assert answer.status == 201, answer.body
    identity = answer.body["requestContext"]["identity"]
    assert identity["userArn"] == made["Arn"]
    assert identity["user"] == identity["caller"] == made["UserId"]


def test_policy_may_come_by_a_group_or_be_managed(api: Api) -> None:
    client = api.aws.client("iam")
    made, credentials = user(api.aws)
    group = api.aws.name("group")
    client.create_group(GroupName=group)
    client.add_user_to_group(GroupName=group, UserName=made["UserName"])
    assert api.decide(credentials).status == 403

    policy = client.create_policy(
        PolicyName=group, PolicyDocument=invoke_policy(everything_of(api))
    )["Policy"]
    client.attach_group_policy(GroupName=group, PolicyArn=policy["Arn"])

    assert api.decide(credentials).status == 201


def test_default_credentials_are_those_of_the_accounts_root(api: Api) -> None:
    identity = api.decide(ROOT).body["requestContext"]["identity"]

    assert identity["userArn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert identity["accountId"] == identity["user"] == ACCOUNT


def test_payload_hash_in_a_signed_header_is_understood(api: Api) -> None:
    digest = hashlib.sha256(b'{"decision": "APPROVE"}').hexdigest()

    assert api.decide(ROOT, X_Amz_Content_SHA256=digest).status == 201


def test_unsigned_request_is_refused(api: Api) -> None:
    answer = api.decide(None)

    assert (answer.status, answer.body) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_others_way_to_sign_in_is_refused(api: Api) -> None:
    answer = api.decide(None, Authorization="Bearer abc")

    assert answer.status == 403
    assert "not a valid key=value pair" in answer.body["message"]


INVALID = "The security token included in the request is invalid."


def test_unknown_access_key_is_refused(api: Api) -> None:
    answer = api.decide(Credentials("AKIAIOSFODNN7EXAMPLE", "secret"))

    assert (answer.status, answer.body) == (403, {"message": INVALID})
    assert answer.headers["x-amzn-ErrorType"] == "UnrecognizedClientException"


def test_access_key_that_is_switched_off_is_refused(api: Api) -> None:
    made, credentials = user(api.aws, own=invoke_policy("*"))
    api.aws.client("iam").update_access_key(
        UserName=made["UserName"], AccessKeyId=credentials.access_key, Status="Inactive"
    )

    assert api.decide(credentials).body == {"message": INVALID}


def test_session_without_its_token_is_refused(api: Api) -> None:
    _, credentials = session(api.aws, own=invoke_policy("*"))

    answer = api.decide(Credentials(credentials.access_key, credentials.secret_key))

    assert (answer.status, answer.body) == (403, {"message": INVALID})


@pytest.mark.parametrize("wrong", ["secret", "body"])
def test_wrong_signature_is_refused(api: Api, wrong: str) -> None:
    if wrong == "secret":
        answer = api.decide(Credentials("test", "another"))
    else:
        answer = api.decide(ROOT, sent=b'{"decision": "DECLINE"}')

    assert answer.status == 403
    assert answer.body["message"].startswith("The request signature we calculated does not match")
    assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"


@pytest.mark.parametrize("wrong", [{"region": "us-east-1"}, {"service": "lambda"}])
def test_signature_for_somewhere_else_is_refused(api: Api, wrong: dict[str, str]) -> None:
    answer = api.decide(ROOT, **wrong)

    assert answer.status == 403
    assert answer.body["message"].startswith("Credential should be scoped to")


def test_old_signature_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    then = datetime.now(UTC) - timedelta(minutes=6)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *a, **k: then)

    answer = api.decide(ROOT)

    assert answer.status == 403
    assert answer.body["message"].startswith("Signature expired")


@pytest.mark.parametrize("policies", [{}, {"other": "none"}, {"own": "all", "no": "deny"}])
def test_who_may_not_invoke_is_refused(api: Api, policies: dict[str, str]) -> None:
    documents = {
        "none": invoke_policy(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/live/GET/*"),
        "all": invoke_policy("*"),
        "deny": invoke_policy(everything_of(api), "Deny"),
    }
    role, credentials = session(api.aws, **{k: documents[v] for k, v in policies.items()})

    answer = api.decide(credentials)

    assert answer.status == 403
    assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role['RoleName']}/devops@acme.example"
    assert answer.body["Message"].startswith(
        f"User: {who} is not authorized to perform: execute-api:Invoke"
    )


# The stage.


def test_access_log_has_the_resource_and_not_the_token(api: Api) -> None:
    api.request("GET", "/links/very-secret-token")
    api.decide(None)

    def lines() -> Any:
        found = api.aws.log_lines(api.log_group)
        return found if any("403" in line for line in found) else None

    found = wait_for(lines)
    assert "very-secret-token" not in str(found)
    entries = [json.loads(line) for line in found]
    base = {"caller": "-", "error": "-"}
    assert {"method": "GET", "path": "/links/{token}", "status": "201", **base} in entries
    assert {
        "method": "POST",
        "path": "/approvals/{id}/decision",
        "status": "403",
        "caller": "-",
        "error": "Missing Authentication Token",
    } in entries


def test_too_many_requests_are_refused(api: Api) -> None:
    own = "/links/{token}/GET"
    limits = {f"{own}/throttling/rateLimit": "0.0001", f"{own}/throttling/burstLimit": "2"}
    update_stage(api.aws, api.id, limits)
    try:
        stage = api.aws.client("apigateway").get_stage(restApiId=api.id, stageName="live")
        answers = [api.request("GET", "/links/abc") for _ in range(3)]
        other = api.request("POST", "/links/abc")
    finally:
        api.aws.client("apigateway").update_stage(
            restApiId=api.id, stageName="live", patchOperations=[{"op": "remove", "path": own}]
        )

    settings = stage["methodSettings"][own[1:]]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (0.0001, 2)
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[-1].body == {"message": "Too Many Requests"}
    assert other.status == 201
    assert api.request("GET", "/links/abc").status == 201
