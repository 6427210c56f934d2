"""The sandbox's AWS refuses what AWS refuses, in front of every service."""

import json

import pytest
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, REGION, RunningAws


def test_request_beyond_its_model_is_refused(aws: RunningAws) -> None:
    with pytest.raises(ClientError, match="RoleName has a length of 65") as refused:
        aws.client("iam").create_role(RoleName="r" * 65, AssumeRolePolicyDocument="{}")

    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_request_beyond_a_rule_is_refused(aws: RunningAws) -> None:
    bucket = aws.name("bucket")
    aws.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    tags = "&".join(f"k{number}=v" for number in range(11))

    with pytest.raises(ClientError, match="cannot be greater than 10") as refused:
        aws.client("s3").put_object(Bucket=bucket, Key="k", Tagging=tags)

    assert refused.value.response["Error"]["Code"] == "BadRequest"


def test_environment_of_more_than_4_kb_is_refused(aws: RunningAws) -> None:
    with pytest.raises(ClientError, match="exceeded the 4KB limit"):
        aws.function("", Environment={"Variables": {"LONG": "x" * 4_096}})


def test_role_takes_inline_policies_of_10240_characters(aws: RunningAws) -> None:
    iam, role = aws.client("iam"), aws.name("role")
    trust = '{"Version":"2012-10-17","Statement":[]}'
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    arns = ",".join(f'"arn:aws:s3:::{number:064}"' for number in range(80))
    document = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",'
        f'"Resource":[{arns}]}}]}}'
    )
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=document)

    with pytest.raises(ClientError, match="Maximum policy size of 10240 bytes exceeded"):
        iam.put_role_policy(RoleName=role, PolicyName="other", PolicyDocument=document)


def test_log_group_needs_a_key_for_logs(aws: RunningAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]

    with pytest.raises(ClientError, match="is not allowed to be used with Arn"):
        aws.client("logs").create_log_group(logGroupName=aws.name("group"), kmsKeyId=key)


def test_queue_mapping_needs_a_role_that_may_poll(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    return 1\n", Timeout=60)
    sqs, queue = aws.client("sqs"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:{function}"
    url = sqs.create_queue(QueueName=function, Attributes={"VisibilityTimeout": "59"})["QueueUrl"]
    iam = aws.client("iam")
    iam.create_role(RoleName=function, AssumeRolePolicyDocument='{"Statement": []}')
    lambda_ = aws.client("lambda")

    def refusal() -> str:
        with pytest.raises(ClientError) as refused:
            lambda_.create_event_source_mapping(FunctionName=function, EventSourceArn=queue)
        return str(refused.value.response["Error"]["Message"])

    assert refusal().startswith("Queue visibility timeout: 59 seconds")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    assert refusal().endswith("ReceiveMessage on SQS")
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": queue}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=function, PolicyName="queue", PolicyDocument=document)
    made = lambda_.create_event_source_mapping(FunctionName=function, EventSourceArn=queue)
    assert made["EventSourceArn"] == queue
