"""What an account of AWS refuses or rewrites, and LocalStack by itself does not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws

API_LOG = Path(__file__).parents[3] / "terraform/modules/approval/api_log.cfn.json"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/apigateway/rules"


def test_object_is_refused_when_it_has_eleven_tags(aws: RunningAws) -> None:
    client, bucket = aws.client("s3"), aws.name("tagged")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    tags = {f"tag-{number}": "" for number in range(11)}

    with pytest.raises(ClientError, match="cannot be greater than 10"):
        client.put_object(Bucket=bucket, Key="a", Body=b"", Tagging=urlencode(tags))

    tags.popitem()
    client.put_object(Bucket=bucket, Key="a", Body=b"", Tagging=urlencode(tags))
    many = [{"Key": f"tag-{number}", "Value": ""} for number in range(11)]
    with pytest.raises(ClientError, match="cannot be greater than 10"):
        client.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": many})


def test_reservation_is_refused_as_in_a_new_account(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    pass\n")

    with pytest.raises(ClientError, match="UnreservedConcurrentExecution below its minimum"):
        aws.client("lambda").put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=1
        )


def test_environment_is_refused_when_it_exceeds_4_kib(aws: RunningAws) -> None:
    # `{"AB":"…"}` has nine bytes around the value.
    fits = {"Variables": {"AB": "x" * (4096 - 9)}}
    function = aws.function("def handler(event, context):\n    pass\n", Environment=fits)

    with pytest.raises(ClientError, match="exceeded the 4KB limit"):
        aws.client("lambda").update_function_configuration(
            FunctionName=function, Environment={"Variables": {"AB": "x" * (4096 - 8)}}
        )


def rest_api(aws: RunningAws) -> str:
    return str(aws.client("apigateway").create_rest_api(name=aws.name("rules"))["id"])


def test_api_policy_is_answered_with_the_apis_arn(aws: RunningAws) -> None:
    client, api = aws.client("apigateway"), rest_api(aws)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    operations = [{"op": "replace", "path": "/policy", "value": policy}]
    client.update_rest_api(restApiId=api, patchOperations=operations)

    # API Gateway answers the policy with its quotes escaped.
    answered = client.get_rest_api(restApiId=api)["policy"].replace("\\", "")
    (stored,) = json.loads(answered)["Statement"]
    assert stored["Resource"] == f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/*"


@contextmanager
def without_log_role(aws: RunningAws) -> Iterator[None]:
    client = aws.client("apigateway")
    before = client.get_account()["cloudwatchRoleArn"]
    try:
        set_log_role(aws, "")
        yield
    finally:
        set_log_role(aws, before)


def set_log_role(aws: RunningAws, arn: str) -> None:
    operations = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}]
    aws.client("apigateway").update_account(patchOperations=operations)


def test_access_log_is_refused_when_the_account_has_no_role(aws: RunningAws) -> None:
    client, api = aws.client("apigateway"), rest_api(aws)
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    place = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    client.put_method(**place, authorizationType="NONE")
    client.put_integration(**place, type="MOCK")
    deployment = client.create_deployment(restApiId=api)["id"]
    client.create_stage(restApiId=api, stageName="live", deploymentId=deployment)
    operations = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": GROUP},
        {"op": "replace", "path": "/accessLogSettings/format", "value": "$context.status"},
    ]

    with (
        without_log_role(aws),
        pytest.raises(ClientError, match="CloudWatch Logs role ARN must be set"),
    ):
        client.update_stage(restApiId=api, stageName="live", patchOperations=operations)

    client.update_stage(restApiId=api, stageName="live", patchOperations=operations)


def test_log_role_survives_when_its_stack_is_deleted(aws: RunningAws) -> None:
    formation, name = aws.client("cloudformation"), aws.name("slipway-api-gateway-log")
    with without_log_role(aws):
        formation.create_stack(
            StackName=name,
            TemplateBody=API_LOG.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {
                    "ParameterKey": "PermissionsBoundary",
                    "ParameterValue": "arn:aws:iam::aws:policy/PowerUserAccess",
                }
            ],
        )
        wait_for(lambda: status(aws, name) == "CREATE_COMPLETE")
        arn = aws.client("apigateway").get_account()["cloudwatchRoleArn"]

        formation.delete_stack(StackName=name)
        wait_for(lambda: status(aws, name) == "DELETE_COMPLETE")

        assert aws.client("apigateway").get_account()["cloudwatchRoleArn"] == arn
        role = aws.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("PowerUserAccess")


def status(aws: RunningAws, stack: str) -> str:
    """The state of a stack, which is found by its name only until it is deleted."""
    stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
    return next(str(one["StackStatus"]) for one in stacks if one["StackName"] == stack)
