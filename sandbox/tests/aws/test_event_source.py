"""Mappings in a real LocalStack, on a real broker, with functions in real processes."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.tests.event_source.harness import Topic
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws

BUCKET = "failed-records"
FILTER = {"Filters": [{"Pattern": json.dumps({"value": {"resourceType": ["run"]}})}]}
# Writes each event to S3; fails on request.
FUNCTION = """
import base64, json, uuid, boto3
def handler(event, context):
    boto3.client("s3").put_object(
        Bucket="seen", Key=f"{context.function_name}/{uuid.uuid4()}",
        Body=json.dumps({"arn": context.invoked_function_arn, "event": event}))
    for records in event["records"].values():
        for record in records:
            if b'"fail": true' in base64.b64decode(record["value"]):
                raise ValueError("as asked")
"""


@dataclass
class Aws:
    """A running AWS, and what happens to records in it."""

    running: RunningAws

    def client(self, service: str) -> Any:
        return self.running.client(service)

    def seen(self, function: str) -> list[dict[str, Any]]:
        """What the function was invoked with, in no order."""
        client = self.client("s3")
        listed = client.list_objects_v2(Bucket="seen", Prefix=f"{function}/").get("Contents", [])
        keys = [one["Key"] for one in listed]
        return [json.load(client.get_object(Bucket="seen", Key=k)["Body"]) for k in keys]

    def mapping(self, uuid: str) -> Any:
        return self.client("lambda").get_event_source_mapping(UUID=uuid)

    def counters(self, uuid: str) -> dict[str, int]:
        url = f"http://127.0.0.1:{self.running.port}/_sandbox/event-source-mappings"
        listed = HTTP.get(url).raise_for_status().json()["EventSourceMappings"]
        (counters,) = [one["Counters"] for one in listed if one["UUID"] == uuid] or [{}]
        return dict(counters)


@pytest.fixture(scope="module")
def aws(aws: RunningAws) -> Aws:
    for bucket in ("seen", BUCKET):
        aws.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    return Aws(aws)


@pytest.fixture
def function(aws: Aws) -> str:
    """The ARN of an alias of a new function."""
    name = aws.running.function(FUNCTION)
    client = aws.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return str(alias["AliasArn"])


def name_of(function: str) -> str:
    return function.split(":")[6]


def secret(aws: Aws, name: str, value: str) -> str:
    answer = aws.client("secretsmanager").create_secret(Name=name, SecretString=value)
    return str(answer["ARN"])


def self_managed(aws: Aws, topic: Topic, function: str, password: str, **more: Any) -> str:
    value = json.dumps({"username": "org_sandbox", "password": password})
    arn = secret(aws, f"kafka-{name_of(function)}", value)
    made = aws.client("lambda").create_event_source_mapping(
        **{
            "FunctionName": function,
            "Topics": [topic.name],
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 1,
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [topic.bootstrap]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": f"org.{topic.name}"},
            "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": arn}],
            **more,
        }
    )
    assert made["State"] in {"Creating", "Disabled"}
    return str(made["UUID"])


def test_a_self_managed_cluster(aws: Aws, function: str) -> None:
    """Given a mapping with filter and destination, when records come, then AWS's rules hold."""
    topic = Topic(aws.running.kafka)
    uuid = self_managed(
        aws, topic, function, "right", FilterCriteria=FILTER, MaximumRetryAttempts=1,
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 2},
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{BUCKET}"}},
    )  # fmt: skip
    topic.send(b"not json", {"resourceType": "entity"}, {"resourceType": "run", "n": 1})
    wait_for(lambda: aws.seen(name_of(function)))
    ((seen),) = aws.seen(name_of(function))
    assert seen["arn"] == function
    assert seen["event"]["eventSource"] == "SelfManagedKafka"
    ((record,),) = seen["event"]["records"].values()
    assert json.loads(base64.b64decode(record["value"])) == {"resourceType": "run", "n": 1}
    wait_for(lambda: aws.mapping(uuid).get("LastProcessingResult") == "OK")
    assert aws.mapping(uuid)["State"] == "Enabled"
    assert aws.counters(uuid) == {
        "polled": 3, "filtered": 2, "notJson": 1, "invoked": 1, "failed": 0, "sentToDestination": 0,
        "discarded": 0,
    }  # fmt: skip

    topic.send({"resourceType": "run", "fail": True})
    wait_for(lambda: aws.counters(uuid)["sentToDestination"])
    objects = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"aws/lambda/{uuid}/")
    (key,) = [one["Key"] for one in objects["Contents"]]
    document = json.load(aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"])
    assert document["requestContext"]["functionArn"] == function
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["responseContext"] == {
        "statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"
    }  # fmt: skip
    assert json.loads(document["payload"])["records"].keys() == {f"{topic.name}-0"}


def test_an_msk_cluster(aws: Aws, function: str) -> None:
    """Given a serverless cluster and a queue for failures, when records come, both are used."""
    topic = Topic(aws.running.kafka)
    queue = aws.client("sqs").create_queue(QueueName=topic.name)["QueueUrl"]
    made = aws.client("kafka").create_cluster_v2(
        ClusterName=topic.name,
        Serverless={"VpcConfigs": [{"SubnetIds": ["subnet-1"]}],
                    "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}}},
    )  # fmt: skip
    uuid = aws.client("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=made["ClusterArn"], Topics=[topic.name],
        StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0,
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 2},
        DestinationConfig={
            "OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{topic.name}"}
        },
    )["UUID"]  # fmt: skip
    topic.send({"n": 1})
    wait_for(lambda: aws.seen(name_of(function)))
    (seen,) = aws.seen(name_of(function))
    assert seen["event"]["eventSource"] == "aws:kafka"
    assert seen["event"]["eventSourceArn"] == made["ClusterArn"]
    assert seen["event"]["bootstrapServers"] == aws.running.kafka
    wait_for(lambda: aws.mapping(uuid).get("LastProcessingResult") == "OK")
    topic.send({"fail": True})
    wait_for(lambda: aws.counters(uuid)["sentToDestination"] == 1)
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["KafkaBatchInfo"]["eventSourceArn"] == made["ClusterArn"]
    assert "payload" not in json.loads(message["Body"])


def test_wrong_credentials_until_they_are_mended(aws: Aws, function: str) -> None:
    topic = Topic(aws.running.kafka)
    uuid = self_managed(aws, topic, function, "wrong")
    topic.send({"n": 1})
    wait_for(lambda: "SASL" in aws.mapping(uuid).get("LastProcessingResult", ""))
    assert aws.mapping(uuid)["State"] == "Enabled"
    aws.client("secretsmanager").put_secret_value(
        SecretId=f"kafka-{name_of(function)}",
        SecretString='{"username": "org_sandbox", "password": "right"}',
    )
    wait_for(lambda: aws.mapping(uuid).get("LastProcessingResult") == "OK")
    assert len(aws.seen(name_of(function))) == 1


def test_disable_update_enable_delete(aws: Aws, function: str) -> None:
    """Given a disabled mapping, when it is changed, then each change takes effect."""
    topic = Topic(aws.running.kafka)
    client = aws.client("lambda")
    uuid = self_managed(aws, topic, function, "right", Enabled=False)
    topic.send({"resourceType": "entity"}, {"resourceType": "run"}, {"resourceType": "run"})
    assert aws.mapping(uuid)["State"] == "Disabled"
    client.update_event_source_mapping(
        UUID=uuid, FilterCriteria=FILTER, BatchSize=2, MaximumBatchingWindowInSeconds=300
    )
    assert aws.mapping(uuid)["State"] == "Disabled"
    assert aws.counters(uuid)["polled"] == 0

    client.update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_for(lambda: aws.mapping(uuid).get("LastProcessingResult") == "OK")
    (seen,) = aws.seen(name_of(function))
    assert [one["offset"] for one in seen["event"]["records"][f"{topic.name}-0"]] == [1, 2]
    (listed,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    assert listed["State"] == "Enabled"

    client.update_event_source_mapping(UUID=uuid, BatchSize=1, MaximumBatchingWindowInSeconds=0)
    topic.send({"resourceType": "run"}, {"resourceType": "run"})
    wait_for(lambda: len(aws.seen(name_of(function))) == 3)
    wait_for(lambda: aws.mapping(uuid)["State"] == "Enabled")

    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_for(lambda: aws.mapping(uuid)["State"] == "Disabled")
    topic.send({"resourceType": "run"})
    client.delete_event_source_mapping(UUID=uuid)
    wait_for(lambda: uuid not in str(client.list_event_source_mappings()))
    assert aws.counters(uuid) == {}
    assert len(aws.seen(name_of(function))) == 3
