"""The evaluator of policies, on recorded calls."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.iam import PolicyError, check, refusal
from tests.tools.iam.actions import Access, UnknownCallError, accesses

ACCOUNT = "000000000000"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/runs"


def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return {
        "function": "create_service",
        "role": f"arn:aws:iam::{ACCOUNT}:role/create_service",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "service": service,
        "operation": operation,
        "parameters": parameters,
        "resource": None,
    }


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


PUT = call("dynamodb", "PutItem", TableName="runs", Item={})


def test_allowed_call_is_not_a_violation_and_uses_its_statement() -> None:
    assert check([PUT], [policy(allow("dynamodb:PutItem", TABLE))]) == ([], [])


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:*", TABLE),
        (["dynamodb:Get*", "DynamoDB:put????"], TABLE),
        ("*", "*"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:*:*:table/r*s"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:*"),
    ],
)
def test_wildcards_match(action: Any, resource: Any) -> None:
    assert check([PUT], [policy(allow(action, resource))])[0] == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:Put", TABLE),
        ("dynamodb:PutItem", TABLE + "2"),
        ("dynamodb:PutItem", f"{TABLE}/index/*"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:*:table/runs"),
        ("s3:*", "*"),
    ],
)
def test_disallowed_call_is_a_violation_and_statement_is_unused(action: str, resource: str) -> None:
    violations, unused = check([PUT], [policy(allow(action, resource, Sid="Runs"))])

    assert [str(violation) for violation in violations] == [
        f"create_service: dynamodb:PutItem on {TABLE} is not allowed"
    ]
    assert unused == ["policy 0 statement 0 (Runs)"]


def test_deny_wins_over_allow() -> None:
    deny = {"Effect": "Deny", "NotAction": "dynamodb:GetItem", "Resource": "*"}

    violations, _ = check([PUT], [policy(allow("*", "*")), policy(deny)])

    assert [violation.reason for violation in violations] == ["denied"]


def test_not_resource_is_everything_else() -> None:
    statement = {"Effect": "Allow", "Action": "*", "NotResource": TABLE}
    other = call("dynamodb", "PutItem", TableName="locks")

    violations, _ = check([PUT, other], [policy(statement)])

    assert [violation.resource for violation in violations] == [TABLE]


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": ["us-east-1", "us-east-2"]}}, False),
        ({"StringLike": {"aws:PrincipalArn": "*:role/create_*"}}, True),
        ({"StringNotLike": {"AWS:principalarn": "*:role/create_*"}}, False),
        ({"StringEquals": {"s3:prefix": "later/"}}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "later/"}}, True),
        ({"StringNotEquals": {"s3:prefix": "later/"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}, True),
        ({"Null": {"s3:prefix": "true"}}, True),
        ({"Null": {"s3:prefix": "false"}}, False),
        ({"Null": {"aws:RequestedRegion": "true"}}, False),
        ({"Null": {"aws:RequestedRegion": "false"}}, True),
    ],
)
def test_condition_is_evaluated(condition: dict[str, Any], allowed: bool) -> None:
    violations, _ = check([PUT], [policy(allow("*", "*", Condition=condition))])

    assert (violations == []) is allowed


@pytest.mark.parametrize("function", ["create_service", None])
def test_source_function_is_known_only_for_its_code(function: str | None) -> None:
    # Lambda's own calls with the role name no function.
    made = {**PUT, "function": function}
    condition = {"Null": {"lambda:SourceFunctionArn": "true"}}

    violations, _ = check([made], [policy(allow("*", "*", Condition=condition))])

    assert (violations == []) is (function is None)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (allow("*", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "IpAddress"),
        (allow("*", "*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}), "aws:SourceVpc"),
        (allow("*", "arn:aws:s3:::b/${aws:username}"), "variables"),
        (allow("*", "*", Principal="*"), "Principal"),
        ({"Effect": "Allow", "Resource": "*"}, "either Action or NotAction"),
        ({"Effect": "Maybe", "Action": "*", "Resource": "*"}, "Allow or Deny"),
    ],
)
def test_unknown_element_is_refused_by_name(statement: dict[str, Any], name: str) -> None:
    with pytest.raises(PolicyError, match=name):
        check([], [policy(statement)])


@pytest.mark.parametrize(
    ("service", "operation", "name"),
    [
        ("rekognition", "DetectFaces", "service rekognition"),
        ("s3", "PutBucketAcl", "s3 PutBucketAcl"),
        ("stepfunctions", "CreateStateMachine", "stepfunctions CreateStateMachine"),
        ("dynamodb", "ListTables", "dynamodb ListTables"),
    ],
)
def test_unknown_call_is_an_error_that_names_it(service: str, operation: str, name: str) -> None:
    with pytest.raises(UnknownCallError, match=name):
        check([call(service, operation)], [])


SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:slipway/port-AbCdEf"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:deliver_later"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            call("dynamodb", "Query", TableName="runs", IndexName="open_since"),
            [("dynamodb:Query", f"{TABLE}/index/open_since")],
        ),
        (
            call(
                "dynamodb",
                "TransactWriteItems",
                TransactItems=[
                    {"Put": {"TableName": "runs"}},
                    {"ConditionCheck": {"TableName": TABLE}},
                ],
            ),
            [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
        ),
        (
            call("dynamodb", "BatchGetItem", RequestItems={"runs": {}}),
            [("dynamodb:BatchGetItem", TABLE)],
        ),
        (
            call("s3", "PutObject", Bucket="records", Key="later/r_1.json"),
            [("s3:PutObject", "arn:aws:s3:::records/later/r_1.json")],
        ),
        (
            call("s3", "HeadObject", Bucket="records", Key="a", VersionId="1"),
            [("s3:GetObjectVersion", "arn:aws:s3:::records/a")],
        ),
        (
            call("s3", "ListObjectsV2", Bucket="records"),
            [("s3:ListBucket", "arn:aws:s3:::records")],
        ),
        (
            call("secretsmanager", "GetSecretValue", SecretId="slipway/port")
            | {"resource": SECRET},
            [("secretsmanager:GetSecretValue", SECRET)],
        ),
        (
            call("secretsmanager", "GetSecretValue", SecretId=SECRET) | {"kms_key": KEY},
            [("secretsmanager:GetSecretValue", SECRET), ("kms:Decrypt", KEY)],
        ),
        (
            call("s3", "PutObject", Bucket="records", Key="a") | {"kms_key": KEY},
            [("s3:PutObject", "arn:aws:s3:::records/a"), ("kms:GenerateDataKey", KEY)],
        ),
        (
            call("stepfunctions", "StartExecution", stateMachineArn=MACHINE, name="r_1-later-1"),
            [("states:StartExecution", MACHINE)],
        ),
        (
            call("lambda", "Invoke", FunctionName="sweep_runs", Qualifier="live"),
            [
                (
                    "lambda:InvokeFunction",
                    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:sweep_runs:live",
                )
            ],
        ),
        (
            call("lambda", "GetEventSourceMapping", UUID="a-b"),
            [
                (
                    "lambda:GetEventSourceMapping",
                    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping:a-b",
                )
            ],
        ),
        (
            call("logs", "PutLogEvents", logGroupName="/aws/lambda/f", logStreamName="s"),
            [
                (
                    "logs:PutLogEvents",
                    f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/f:log-stream:s",
                )
            ],
        ),
        (
            call("sqs", "SendMessageBatch", QueueUrl=f"http://127.0.0.1:4566/{ACCOUNT}/alerts"),
            [("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:alerts")],
        ),
        (
            call("events", "PutEvents", Entries=[{"Source": "slipway"}]),
            [("events:PutEvents", f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default")],
        ),
        (
            call("kms", "Decrypt", KeyId="alias/slipway"),
            [("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/slipway")],
        ),
        (call("xray", "PutTraceSegments"), [("xray:PutTraceSegments", "*")]),
        (call("sts", "GetCallerIdentity"), []),
    ],
)
def test_call_is_mapped_to_action_and_resource(
    made: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert [(access.action, access.resource) for access in accesses(made)] == expected


def test_kms_use_counts_for_the_calling_service() -> None:
    made = call("secretsmanager", "GetSecretValue", SecretId=SECRET) | {"kms_key": KEY}
    read = allow("secretsmanager:GetSecretValue", SECRET)

    def decrypt(service: str) -> dict[str, Any]:
        via = {"StringEquals": {"kms:ViaService": f"{service}.eu-west-1.amazonaws.com"}}
        return allow("kms:Decrypt", KEY, Condition=via)

    assert check([made], [policy(read, decrypt("secretsmanager"))]) == ([], [])
    violations, _ = check([made], [policy(read, decrypt("s3"))])
    assert [violation.action for violation in violations] == ["kms:Decrypt"]


@given(st.text(alphabet="ab/-*?.[(", max_size=20))
def test_resource_without_wildcards_matches_only_itself(name: str) -> None:
    made = call("s3", "GetObject", Bucket="records", Key=name)
    literal = not set(name) & set("*?")

    violations, _ = check([made], [policy(allow("s3:GetObject", f"arn:aws:s3:::records/{name}"))])
    assert violations == []
    if literal:
        other = call("s3", "GetObject", Bucket="records", Key=name + "x")
        violations, _ = check(
            [other], [policy(allow("s3:GetObject", f"arn:aws:s3:::records/{name}"))]
        )
        assert len(violations) == 1


MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:slipway-approval"


def test_task_token_belongs_to_its_state_machine() -> None:
    known = {**call("stepfunctions", "SendTaskSuccess", taskToken="t"), "resource": MACHINE}
    unknown = call("stepfunctions", "SendTaskSuccess", taskToken="x")
    machine = allow("states:SendTaskSuccess", MACHINE)

    assert check([known], [policy(machine)]) == ([], [])
    assert check([known, unknown], [policy(allow("states:SendTaskSuccess", "*"))]) == ([], [])
    # Only the ARN of another machine, or a missing ARN, is refused.
    assert len(check([known], [policy(allow("states:SendTaskSuccess", MACHINE + "-2"))])[0]) == 1
    assert len(check([unknown], [policy(machine)])[0]) == 1


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("stepfunctions", "StartExecution", {"stateMachineArn": MACHINE}, [MACHINE]),
        ("stepfunctions", "StopExecution", {"executionArn": "arn:x"}, ["arn:x"]),
        ("stepfunctions", "DescribeExecution", {"executionArn": "arn:x"}, ["arn:x"]),
        ("sns", "Publish", {"TopicArn": "arn:t"}, ["arn:t"]),
        ("secretsmanager", "GetRandomPassword", {}, ["*"]),
        (
            "lambda",
            "Invoke",
            {"FunctionName": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:approval:live"},
            [f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:approval:live"],
        ),
    ],
)
def test_call_names_its_resource(
    service: str, operation: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert [a.resource for a in accesses(call(service, operation, **parameters))] == expected


@pytest.mark.parametrize(
    ("operation", "parameters", "actions"),
    [
        ("PutObject", {"IfNoneMatch": "*"}, ["s3:PutObject"]),
        (
            "PutObject",
            {"ObjectLockMode": "GOVERNANCE"},
            ["s3:PutObject", "s3:PutObjectRetention"],
        ),
        (
            "DeleteObject",
            {"VersionId": "1", "BypassGovernanceRetention": True},
            ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
        ),
    ],
)
def test_object_lock_accepts_valid_headers(
    operation: str, parameters: dict[str, Any], actions: list[str]
) -> None:
    found = accesses(call("s3", operation, Bucket="audit", Key="decisions/a.json", **parameters))

    assert [access.action for access in found] == actions
    assert {access.resource for access in found} == {"arn:aws:s3:::audit/decisions/a.json"}


def test_caller_may_do_what_is_allowed_and_not_denied() -> None:
    access = Access("execute-api:Invoke", "arn:aws:execute-api:eu-west-1:1:api/live/POST/a")
    allowed = policy(allow("execute-api:Invoke", "arn:aws:execute-api:*:*:api/live/POST/*"))
    denied = policy({**allow("execute-api:*", "*"), "Effect": "Deny"})

    assert refusal(access, [allowed]) is None
    assert refusal(access, []) == "not allowed"
    assert refusal(access, [allowed, denied]) == "denied"
