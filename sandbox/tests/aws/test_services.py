"""Test the services that the sandbox adds to LocalStack, or fixes: DynamoDB, MSK and EC2."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, REGION, RunningAws


@pytest.fixture
def table(aws: RunningAws) -> str:
    name = aws.name("table")
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("run_id", "open", "open_since")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open_since",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "open_since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True},
    )
    return name


def test_of_many_concurrent_conditional_puts_one_wins(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")

    def claim(owner: int) -> bool:
        try:
            client.put_item(
                TableName=table,
                Item={"run_id": {"S": "r_1"}, "owner": {"N": str(owner)}},
                ConditionExpression="attribute_not_exists(run_id)",
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(max_workers=16) as pool:
        won = list(pool.map(claim, range(48)))

    assert won.count(True) == 1
    item = client.get_item(TableName=table, Key={"run_id": {"S": "r_1"}})["Item"]
    assert item["owner"] == {"N": str(won.index(True))}


def test_table_answers_all_its_tags(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    tags = [{"Key": f"tag-{number}", "Value": "v"} for number in range(11)]

    client.tag_resource(ResourceArn=arn, Tags=tags)

    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == tags


def test_refused_put_answers_the_item_that_is_there(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")
    item = {"run_id": {"S": "r_3"}, "owner": {"S": "me"}}
    client.put_item(TableName=table, Item=item)

    with pytest.raises(ClientError) as refused:
        client.put_item(
            TableName=table,
            Item={"run_id": {"S": "r_3"}},
            ConditionExpression="attribute_not_exists(run_id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert refused.value.response["Item"] == item


def test_concurrent_updates_lose_no_count(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")

    def add(_: int) -> None:
        client.update_item(
            TableName=table,
            Key={"run_id": {"S": "r_2"}},
            UpdateExpression="ADD attempts :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(add, range(48)))

    item = client.get_item(TableName=table, Key={"run_id": {"S": "r_2"}})["Item"]
    assert item["attempts"] == {"N": "48"}


def test_sparse_index_holds_only_items_with_its_keys(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")
    client.put_item(TableName=table, Item={"run_id": {"S": "closed"}})
    client.put_item(
        TableName=table,
        Item={
            "run_id": {"S": "open"},
            "open": {"S": "yes"},
            "open_since": {"S": "2026-01-01T00:00:00Z"},
        },
    )

    found = client.query(
        TableName=table,
        IndexName="open_since",
        KeyConditionExpression="#open = :yes AND open_since < :now",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={":yes": {"S": "yes"}, ":now": {"S": "2027"}},
    )["Items"]

    assert [item["run_id"]["S"] for item in found] == ["open"]


def test_settings_that_terraform_reads_are_kept(aws: RunningAws, table: str) -> None:
    client = aws.client("dynamodb")
    client.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiration"},
    )
    client.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])

    ttl = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    description = client.describe_table(TableName=table)["Table"]

    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiration"}
    recovery = backups["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert description["TableStatus"] == "ACTIVE"
    assert description["SSEDescription"]["Status"] == "ENABLED"
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


def subnets(aws: RunningAws, *zone_ids: str) -> list[str]:
    """A subnet in each zone, of a VPC of their own."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.0.{32 * number}/27", AvailabilityZoneId=zone_id
        )
        for number, zone_id in enumerate(zone_ids)
    ]
    return [subnet["Subnet"]["SubnetId"] for subnet in made]


def provisioned(
    aws: RunningAws, *, zone_ids: tuple[str, ...] = ("euw1-az1", "euw1-az2"), **more: Any
) -> dict[str, Any]:
    return {
        "KafkaVersion": "3.8.x",
        "NumberOfBrokerNodes": 2,
        "BrokerNodeGroupInfo": {
            "ClientSubnets": subnets(aws, *zone_ids),
            "InstanceType": "kafka.t3.small",
            "SecurityGroups": ["sg-1"],
        },
        **more,
    }


def test_provisioned_cluster_is_active_with_broker_addresses(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    ways = {"Sasl": {"Scram": {"Enabled": True}, "Iam": {"Enabled": True}}}

    made = msk.create_cluster(
        ClusterName=aws.name("cluster"),
        **provisioned(aws, ClientAuthentication=ways),
        Tags={"a": "b"},
    )

    arn = made["ClusterArn"]
    assert arn.startswith(f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/")
    old = msk.describe_cluster(ClusterArn=arn)["ClusterInfo"]
    new = msk.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]
    assert (old["State"], new["State"]) == ("ACTIVE", "ACTIVE")
    assert old["BrokerNodeGroupInfo"] == new["Provisioned"]["BrokerNodeGroupInfo"]
    assert new["Tags"] == {"a": "b"}
    brokers = msk.get_bootstrap_brokers(ClusterArn=arn)
    brokers.pop("ResponseMetadata")
    assert brokers == {
        "BootstrapBrokerStringSaslScram": aws.kafka,
        "BootstrapBrokerStringSaslIam": aws.kafka,
    }


def test_cluster_without_authentication_has_tls_brokers(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    made = msk.create_cluster(ClusterName=aws.name("cluster"), **provisioned(aws))

    brokers = msk.get_bootstrap_brokers(ClusterArn=made["ClusterArn"])

    brokers.pop("ResponseMetadata")
    assert brokers == {"BootstrapBrokerStringTls": aws.kafka}


def test_serverless_cluster_is_reached_with_iam(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    name = aws.name("cluster")

    made = msk.create_cluster_v2(
        ClusterName=name,
        Serverless={
            "VpcConfigs": [{"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}],
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
        },
    )

    arn = made["ClusterArn"]
    listed = msk.list_clusters_v2(ClusterNameFilter=name)["ClusterInfoList"]
    assert [(c["ClusterArn"], c["ClusterType"], c["State"]) for c in listed] == [
        (arn, "SERVERLESS", "ACTIVE")
    ]
    assert msk.get_bootstrap_brokers(ClusterArn=arn)["BootstrapBrokerStringSaslIam"] == aws.kafka


def test_scram_secrets_are_associated_and_taken_away(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    arn = msk.create_cluster(ClusterName=aws.name("cluster"), **provisioned(aws))["ClusterArn"]
    prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
    good, bad = f"{prefix}AmazonMSK_slipway-AbCdEf", f"{prefix}slipway-AbCdEf"

    refused = msk.batch_associate_scram_secret(ClusterArn=arn, SecretArnList=[good, bad])

    assert [s["SecretArn"] for s in refused["UnprocessedScramSecrets"]] == [bad]
    assert msk.list_scram_secrets(ClusterArn=arn)["SecretArnList"] == [good]
    msk.batch_disassociate_scram_secret(ClusterArn=arn, SecretArnList=[good])
    assert msk.list_scram_secrets(ClusterArn=arn)["SecretArnList"] == []


def test_configuration_keeps_its_revisions(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    arn = msk.create_configuration(Name=aws.name("conf"), ServerProperties=b"a=1")["Arn"]

    msk.update_configuration(Arn=arn, ServerProperties=b"a=2")

    assert msk.describe_configuration(Arn=arn)["LatestRevision"]["Revision"] == 2
    revisions = [
        msk.describe_configuration_revision(Arn=arn, Revision=number)["ServerProperties"]
        for number in (1, 2)
    ]
    assert revisions == [b"a=1", b"a=2"]


def test_configuration_in_use_is_not_deleted(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    old, new = (
        msk.create_configuration(Name=aws.name("conf"), ServerProperties=b"a=1")["Arn"]
        for _ in range(2)
    )
    made = msk.create_cluster(
        ClusterName=aws.name("cluster"),
        **provisioned(aws, ConfigurationInfo={"Arn": old, "Revision": 1}),
    )

    with pytest.raises(ClientError, match="BadRequestException.*in use"):
        msk.delete_configuration(Arn=old)

    before = msk.describe_cluster_v2(ClusterArn=made["ClusterArn"])["ClusterInfo"]
    operation = msk.update_cluster_kafka_version(
        ClusterArn=made["ClusterArn"],
        CurrentVersion=before["CurrentVersion"],
        TargetKafkaVersion="3.9.x",
        ConfigurationInfo={"Arn": new, "Revision": 1},
    )["ClusterOperationArn"]
    msk.delete_configuration(Arn=old)

    done = msk.describe_cluster_operation(ClusterOperationArn=operation)["ClusterOperationInfo"]
    after = msk.describe_cluster_v2(ClusterArn=made["ClusterArn"])["ClusterInfo"]
    assert done["OperationState"] == "UPDATE_COMPLETE"
    assert after["Provisioned"]["CurrentBrokerSoftwareInfo"] == {
        "KafkaVersion": "3.9.x",
        "ConfigurationArn": new,
        "ConfigurationRevision": 1,
    }
    assert after["CurrentVersion"] != before["CurrentVersion"]


def test_configuration_name_is_taken_once(aws: RunningAws) -> None:
    msk, name = aws.client("kafka"), aws.name("conf")
    msk.create_configuration(Name=name, ServerProperties=b"a=1")

    with pytest.raises(ClientError, match="ConflictException"):
        msk.create_configuration(Name=name, ServerProperties=b"a=2")
    with pytest.raises(ClientError, match="BadRequestException"):
        msk.create_configuration(Name="slipway-3.9.x", ServerProperties=b"a=1")


def test_cluster_keeps_its_metadata_mode(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    arn = msk.create_cluster(ClusterName=aws.name("cluster"), **provisioned(aws))["ClusterArn"]
    version = msk.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["CurrentVersion"]

    with pytest.raises(ClientError, match="BadRequestException.*KRaft"):
        msk.update_cluster_kafka_version(
            ClusterArn=arn, CurrentVersion=version, TargetKafkaVersion="3.9.x.kraft"
        )


@pytest.mark.parametrize(
    ("region", "zone_ids", "brokers", "reason"),
    [
        ("us-east-1", ("use1-az1", "use1-az3"), 2, "use1-az3"),
        ("us-east-1", ("use1-az1",), 1, "2 or 3 subnets"),
        ("us-east-1", ("use1-az1", "use1-az1"), 2, "distinct"),
        ("us-west-1", ("usw1-az1", "usw1-az3", "usw1-az1"), 3, "2 subnets"),
        ("eu-west-1", ("euw1-az1", "euw1-az2"), 3, "multiple"),
    ],
)
def test_cluster_in_other_zones_is_refused(
    aws: RunningAws, region: str, zone_ids: tuple[str, ...], brokers: int, reason: str
) -> None:
    there = aws.in_region(region)
    asked = provisioned(there, zone_ids=zone_ids) | {"NumberOfBrokerNodes": brokers}

    with pytest.raises(ClientError, match=f"BadRequestException.*{reason}"):
        there.client("kafka").create_cluster(ClusterName=aws.name("cluster"), **asked)


def test_deleted_cluster_is_gone(aws: RunningAws) -> None:
    msk = aws.client("kafka")
    arn = msk.create_cluster(ClusterName=aws.name("cluster"), **provisioned(aws))["ClusterArn"]

    msk.delete_cluster(ClusterArn=arn)

    with pytest.raises(ClientError, match="NotFoundException"):
        msk.describe_cluster_v2(ClusterArn=arn)


def test_security_group_rules_keep_their_descriptions(aws: RunningAws) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    ports = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    targets = [
        {"UserIdGroupPairs": [{"GroupId": group, "Description": "a group"}]},
        {"PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"], "Description": "a list"}]},
        {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a range"}]},
    ]

    for target in targets:
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[{**ports, **target}])

    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    said = {rule.get("Description") for rule in rules["SecurityGroupRules"]}
    assert said == {None, "a group", "a list", "a range"}
