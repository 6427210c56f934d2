"""Mappings in a real LocalStack, on a real broker, with functions in real processes."""

import base64
import io
import json
import os
import platform
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sandbox.tests.event_source.harness import Topic
from sandbox.tests.waiting import LIMIT, free_port, wait_for

ROOT = Path(__file__).parents[3]
ACCOUNT = "000000000000"
REGION = "eu-west-1"
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
    """A running LocalStack."""

    url: str

    @cache  # noqa: B019  # one instance per session
    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id="test",
            aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(self.url)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=LIMIT) as answer:
            return json.load(answer)

    def ready(self) -> bool:
        try:
            return bool(self.get("/_localstack/health"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def seen(self, function: str) -> list[dict[str, Any]]:
        """What the function was invoked with, in no order."""
        client = self.client("s3")
        listed = client.list_objects_v2(Bucket="seen", Prefix=f"{function}/").get("Contents", [])
        keys = [one["Key"] for one in listed]
        return [json.load(client.get_object(Bucket="seen", Key=k)["Body"]) for k in keys]

    def mapping(self, uuid: str) -> Any:
        return self.client("lambda").get_event_source_mapping(UUID=uuid)

    def counters(self, uuid: str) -> dict[str, int]:
        listed = self.get("/_sandbox/event-source-mappings")["EventSourceMappings"]
        (counters,) = [one["Counters"] for one in listed if one["UUID"] == uuid] or [{}]
        return dict(counters)


@pytest.fixture(scope="session")
def aws(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    folder = tmp_path_factory.mktemp("aws")
    port = free_port()
    running = Aws(f"http://127.0.0.1:{port}")
    user = {"SANDBOX_KAFKA_USERNAME": "org_sandbox", "SANDBOX_KAFKA_PASSWORD": "right"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.aws", "--port", str(port),
             "--state-dir", str(folder / "state"), "--kafka", broker],
            cwd=ROOT, env={**os.environ, **user}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(lambda: running.ready() or process.poll() is not None, "LocalStack is ready")
        assert process.poll() is None, (folder / "log").read_text()
        for bucket in ("seen", BUCKET):
            running.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait(LIMIT)


@pytest.fixture
def function(aws: Aws, request: pytest.FixtureRequest) -> str:
    """The ARN of an alias of a new function."""
    name = request.node.name[:60]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", FUNCTION)
    machine = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.handler", Architectures=[machine],
        Role=f"arn:aws:iam::{ACCOUNT}:role/{name}", Code={"ZipFile": buffer.getvalue()},
    )  # fmt: skip
    wait_for(lambda: client.get_function_configuration(FunctionName=name)["State"] == "Active")
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


def test_a_self_managed_cluster(aws: Aws, broker: str, function: str) -> None:
    """Given a mapping with filter and destination, when records come, then AWS's rules hold."""
    topic = Topic(broker)
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


def test_an_msk_cluster(aws: Aws, broker: str, function: str) -> None:
    """Given a serverless cluster and a queue for failures, when records come, both are used."""
    topic = Topic(broker)
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
    assert seen["event"]["bootstrapServers"] == broker
    wait_for(lambda: aws.mapping(uuid).get("LastProcessingResult") == "OK")
    topic.send({"fail": True})
    wait_for(lambda: aws.counters(uuid)["sentToDestination"] == 1)
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["KafkaBatchInfo"]["eventSourceArn"] == made["ClusterArn"]
    assert "payload" not in json.loads(message["Body"])


def test_wrong_credentials_until_they_are_mended(aws: Aws, broker: str, function: str) -> None:
    topic = Topic(broker)
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


def test_disable_update_enable_delete(aws: Aws, broker: str, function: str) -> None:
    """Given a disabled mapping, when it is changed, then each change takes effect."""
    topic = Topic(broker)
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
