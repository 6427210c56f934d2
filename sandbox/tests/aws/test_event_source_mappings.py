"""Event source mappings for Kafka, as Terraform makes, reads, changes and deletes them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws

PATTERN = '{"value": {"action": ["create_service"]}}'
BUCKET = "arn:aws:s3:::failed-records"


@pytest.fixture
def function(aws: RunningAws) -> str:
    return aws.function("def handler(event, context):\n    return {}\n")


def self_managed(aws: RunningAws, **more: Any) -> dict[str, Any]:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:kafka-AbCdEf"
    return {
        "Topics": [aws.name("org_sandbox.runs")],
        "StartingPosition": "TRIM_HORIZON",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [aws.kafka]}},
        "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": secret}],
        "Enabled": False,
        **more,
    }


def test_every_parameter_is_answered_as_it_was_given(aws: RunningAws, function: str) -> None:
    parameters = self_managed(
        aws,
        SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "org_sandbox.slipway"},
        BatchSize=7,
        MaximumBatchingWindowInSeconds=2,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=3,
        MaximumRecordAgeInSeconds=3600,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": PATTERN}]},
        DestinationConfig={"OnFailure": {"Destination": BUCKET}},
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 2},
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    client = aws.client("lambda")

    made = client.create_event_source_mapping(FunctionName=function, **parameters)

    read = client.get_event_source_mapping(UUID=made["UUID"])
    expected = {name: value for name, value in parameters.items() if name != "Enabled"}
    assert {name: read.get(name) for name in expected} == expected
    assert read["State"] == "Disabled"
    listed = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == [made["UUID"]]


def test_what_is_not_given_has_lambdas_defaults(aws: RunningAws, function: str) -> None:
    made = aws.client("lambda").create_event_source_mapping(
        FunctionName=function, **self_managed(aws)
    )

    assert made["BatchSize"] == 100
    assert made["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}
    assert made["DestinationConfig"] == {"OnFailure": {}}
    assert "FilterCriteria" not in made


def test_msk_mapping_has_its_own_consumer_group_setting(aws: RunningAws, function: str) -> None:
    cluster = aws.client("kafka").create_cluster_v2(
        ClusterName=aws.name("cluster"),
        Serverless={
            "VpcConfigs": [{"SubnetIds": ["subnet-1"]}],
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
        },
    )

    made = aws.client("lambda").create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=cluster["ClusterArn"],
        Topics=["runs"],
        StartingPosition="LATEST",
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "org_sandbox.slipway"},
        Enabled=False,
    )

    assert made["EventSourceArn"] == cluster["ClusterArn"]
    group = made["AmazonManagedKafkaEventSourceConfig"]["ConsumerGroupId"]
    assert group == "org_sandbox.slipway"
    assert "SelfManagedKafkaEventSourceConfig" not in made


def test_update_changes_and_takes_away(aws: RunningAws, function: str) -> None:
    client = aws.client("lambda")
    made = client.create_event_source_mapping(
        FunctionName=function,
        **self_managed(
            aws,
            FilterCriteria={"Filters": [{"Pattern": PATTERN}]},
            ProvisionedPollerConfig={"MinimumPollers": 1},
        ),
    )

    client.update_event_source_mapping(
        UUID=made["UUID"],
        Enabled=False,
        BatchSize=3,
        FilterCriteria={},
        ProvisionedPollerConfig={},
    )

    read = client.get_event_source_mapping(UUID=made["UUID"])
    assert read["BatchSize"] == 3
    assert "FilterCriteria" not in read
    assert "ProvisionedPollerConfig" not in read
    assert read["LastModified"] > made["LastModified"]


CONTROLS: dict[str, Any] = {
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumRecordAgeInSeconds": 60,
    "MaximumRetryAttempts": 0,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_create_refuses_error_control_when_on_demand(
    aws: RunningAws, function: str, control: str
) -> None:
    client = aws.client("lambda")
    parameters = self_managed(aws, **{control: CONTROLS[control]})

    with pytest.raises(ClientError) as refused:
        client.create_event_source_mapping(FunctionName=function, **parameters)

    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": f"Unsupported '{control[0].lower()}{control[1:]}' parameter for given event "
        "source mapping type.",
    }
    assert client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"] == []


@pytest.mark.parametrize("control", CONTROLS)
def test_update_refuses_error_control_when_on_demand(
    aws: RunningAws, function: str, control: str
) -> None:
    client = aws.client("lambda")
    uuid = client.create_event_source_mapping(FunctionName=function, **self_managed(aws))["UUID"]

    with pytest.raises(ClientError, match=f"(?i)Unsupported '{control}'"):
        client.update_event_source_mapping(UUID=uuid, **{control: CONTROLS[control]})

    read = client.get_event_source_mapping(UUID=uuid)
    assert read.get(control) in (None, [], False, -1)


def test_update_keeps_pollers_when_controls_would_be_left(aws: RunningAws, function: str) -> None:
    client = aws.client("lambda")
    pollers = {"MinimumPollers": 1, "MaximumPollers": 2}
    parameters = self_managed(aws, ProvisionedPollerConfig=pollers, **CONTROLS)
    uuid = client.create_event_source_mapping(FunctionName=function, **parameters)["UUID"]

    # What Terraform's provider sends: retries and age stay.
    with pytest.raises(ClientError, match="Unsupported"):
        client.update_event_source_mapping(
            UUID=uuid, BisectBatchOnFunctionError=False, ProvisionedPollerConfig={}
        )

    assert client.get_event_source_mapping(UUID=uuid)["ProvisionedPollerConfig"] == pollers


def test_deleted_while_disabled_it_can_be_made_again(aws: RunningAws, function: str) -> None:
    client = aws.client("lambda")
    parameters = self_managed(aws)
    made = client.create_event_source_mapping(FunctionName=function, **parameters)

    client.delete_event_source_mapping(UUID=made["UUID"])

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_event_source_mapping(UUID=made["UUID"])
    again = client.create_event_source_mapping(FunctionName=function, **parameters)
    assert again["UUID"] != made["UUID"]


def test_mapping_without_a_source_leaves_nothing_behind(aws: RunningAws, function: str) -> None:
    client = aws.client("lambda")

    with pytest.raises(ClientError):
        client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:b:1"
        )

    assert wait_for(
        lambda: (
            client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"] == []
        )
    )
