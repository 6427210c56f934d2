"""Every AWS call of a function is recorded with what names its resource."""

import json
from typing import Any

from sandbox.tests.waiting import wait_for
from tests.tools.iam import check

from .conftest import ACCOUNT, REGION, RunningAws


def calls_of(aws: RunningAws, function: str) -> list[dict[str, Any]]:
    return [call for call in aws.calls() if call["role"].endswith(f":role/{function}")]


def test_calls_are_recorded_for_their_function(aws: RunningAws) -> None:
    table = aws.name("runs")
    aws.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    secret = aws.client("secretsmanager").create_secret(Name=table, SecretString="hush-hush")["ARN"]
    function = aws.function(
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    key = {'run_id': {'S': 'r_1'}}\n"
        "    table = boto3.client('dynamodb')\n"
        "    table.put_item(TableName=event['table'], Item=key)\n"
        "    table.get_item(TableName=event['table'], Key=key)\n"
        "    secrets = boto3.client('secretsmanager')\n"
        "    secrets.put_secret_value(SecretId=event['table'], SecretString='very-hush')\n"
        "    try:\n"
        "        boto3.client('s3').put_object(Bucket='no-such', Key='k', Body=b'x' * 10)\n"
        "    except Exception as error:\n"
        "        return str(error)\n"
    )

    assert "NoSuchBucket" in aws.invoke(function, {"table": table})

    calls = [call for call in calls_of(aws, function) if call["function"] == function]
    assert [(call["service"], call["operation"]) for call in calls] == [
        ("dynamodb", "PutItem"),
        ("dynamodb", "GetItem"),
        ("secretsmanager", "PutSecretValue"),
        ("s3", "PutObject"),
    ]
    assert {call["account"] for call in calls} == {ACCOUNT}
    assert {call["region"] for call in calls} == {REGION}
    assert calls[1]["parameters"] == {"TableName": table, "Key": {"run_id": {"S": "r_1"}}}
    assert calls[2]["resource"] == secret
    assert calls[2]["parameters"]["SecretString"] == "<sensitive>"
    assert calls[3]["parameters"]["Body"] == "<blob>"
    assert (calls[3]["status"], calls[3]["error"]) == (404, "NoSuchBucket")
    assert "hush" not in json.dumps(calls)


def test_key_that_a_call_goes_through_is_recorded(aws: RunningAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = aws.name("own-key")
    aws.client("secretsmanager").create_secret(Name=name, SecretString="x", KmsKeyId=key)
    aws.client("secretsmanager").create_secret(Name=f"{name}-managed", SecretString="x")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    function = aws.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    secrets = boto3.client('secretsmanager')\n"
        "    secrets.get_secret_value(SecretId=event)\n"
        "    secrets.get_secret_value(SecretId=event + '-managed')\n"
        "    boto3.client('s3').put_object(Bucket=event, Key='k', Body=b'x')\n"
        "    boto3.client('s3').get_object(Bucket=event, Key='k')\n"
    )

    aws.invoke(function, name)

    calls = [call for call in calls_of(aws, function) if call["function"] == function]
    assert [call["kms_key"] for call in calls] == [key, None, key, key]


def test_deletion_of_a_secret_is_recorded(aws: RunningAws) -> None:
    name = aws.name("gone")
    secret = aws.client("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"]
    function = aws.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    secrets = boto3.client('secretsmanager')\n"
        "    secrets.delete_secret(SecretId=event, ForceDeleteWithoutRecovery=True)\n"
    )

    aws.invoke(function, name)

    (call,) = (call for call in calls_of(aws, function) if call["function"] == function)
    assert (call["operation"], call["resource"]) == ("DeleteSecret", secret)
    assert (call["kms_key"], call["error"]) == (None, None)


def test_lambda_service_calls_are_recorded_without_a_function(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    return 1\n")

    aws.invoke(function)

    def delivered() -> list[dict[str, Any]]:
        return [c for c in calls_of(aws, function) if c["operation"] == "PutLogEvents"]

    call = wait_for(delivered)[0]
    assert call["function"] is None
    assert call["parameters"]["logGroupName"] == f"/aws/lambda/{function}"


def test_recorded_calls_can_be_held_against_a_policy(aws: RunningAws) -> None:
    queue = aws.name("alerts")
    url = aws.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
    function = aws.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('sqs').send_message(QueueUrl=event, MessageBody='hello')\n"
    )
    aws.invoke(function, url)
    calls = [call for call in calls_of(aws, function) if call["function"] == function]

    def policy(action: str) -> dict[str, Any]:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
        return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": arn}]}

    assert check(calls, [policy("sqs:SendMessage")]) == ([], [])
    violations, unused = check(calls, [policy("sqs:ReceiveMessage")])
    assert [violation.action for violation in violations] == ["sqs:SendMessage"]
    assert unused == ["policy 0 statement 0"]
