"""Serve Amazon MSK's API: clusters are ACTIVE at once.

Their brokers are the sandbox's broker.

Operations and shapes: https://docs.aws.amazon.com/msk/1.0/apireference/ and
https://docs.aws.amazon.com/MSK/2.0/APIReference/. Of a cluster that is made, only Kafka version,
configuration, SCRAM secrets and tags can be changed; that is done at once, too.

What MSK refuses, and its models do not say:

* subnets of other than two or three zones, in us-west-1 two; in the zone use1-az3; brokers that do
  not divide evenly: https://docs.aws.amazon.com/msk/latest/developerguide/msk-create-cluster.html,
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-msk-cluster-brokernodegroupinfo.html
* to delete a configuration that a cluster uses:
  https://github.com/hashicorp/terraform-provider-aws/issues/16691
* two configurations of one name: https://github.com/hashicorp/terraform-provider-aws/issues/8898
* to change between ZooKeeper and KRaft:
  https://docs.aws.amazon.com/msk/latest/developerguide/metadata-management.html
"""

import re
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, aws_provider
from moto.ec2.models import ec2_backends

from sandbox.aws.settings import current

Request = Mapping[str, Any]
Answer = dict[str, Any]

# The member of GetBootstrapBrokers for each way in, and whether a provisioned cluster has it.
_BROKER_MEMBERS = {
    "BootstrapBrokerStringSaslScram": ("Sasl", "Scram"),
    "BootstrapBrokerStringSaslIam": ("Sasl", "Iam"),
    "BootstrapBrokerStringTls": ("Tls",),
    "BootstrapBrokerString": ("Unauthenticated",),
}


def _error(status: int, name: str, message: str) -> CommonServiceException:
    return CommonServiceException(name, message, status_code=status)


def _not_found(what: str, arn: str) -> CommonServiceException:
    return _error(404, "NotFoundException", f"The {what} {arn} does not exist.")


def _bad_request(message: str) -> CommonServiceException:
    return _error(400, "BadRequestException", message)


class Msk:
    """The clusters and configurations of all accounts and regions, by ARN.

    Args:
        brokers: `host:port` of the broker that every cluster has.
    """

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._clusters: dict[str, Answer] = {}
        self._configurations: dict[str, list[Answer]] = {}
        self._operations: dict[str, Answer] = {}
        self._scram: dict[str, list[str]] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.RLock()

    def operations(self) -> dict[str, Callable[[RequestContext, Request], Answer]]:
        """LocalStack's dispatch table: what is not in it is answered as not implemented."""
        table: dict[str, Callable[[RequestContext, Request], Answer]] = {
            "CreateCluster": lambda context, request: self._create(
                context, request["ClusterName"], {"Provisioned": request}, request.get("Tags")
            ),
            "CreateClusterV2": lambda context, request: self._create(
                context, request["ClusterName"], request, request.get("Tags")
            ),
            "DescribeCluster": self._describe,
            "DescribeClusterV2": self._describe_v2,
            "ListClustersV2": self._list_v2,
            "DeleteCluster": self._delete,
            "UpdateClusterConfiguration": self._update,
            "UpdateClusterKafkaVersion": self._update,
            "DescribeClusterOperation": self._describe_operation,
            "GetBootstrapBrokers": self._bootstrap_brokers,
            "BatchAssociateScramSecret": self._associate,
            "BatchDisassociateScramSecret": self._disassociate,
            "ListScramSecrets": self._list_secrets,
            "CreateConfiguration": self._create_configuration,
            "UpdateConfiguration": self._update_configuration,
            "DescribeConfiguration": self._describe_configuration,
            "DescribeConfigurationRevision": self._describe_revision,
            "DeleteConfiguration": self._delete_configuration,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }
        return {name: self._locked(operation) for name, operation in table.items()}

    def _locked(
        self, operation: Callable[[RequestContext, Request], Answer]
    ) -> Callable[[RequestContext, Request], Answer]:
        def locked(context: RequestContext, request: Request) -> Answer:
            with self._lock:
                return operation(context, request)

        return locked

    # Clusters

    def _create(
        self, context: RequestContext, name: str, request: Request, tags: dict[str, str] | None
    ) -> Answer:
        if any(
            cluster["ClusterName"] == name and _is_in(context, arn)
            for arn, cluster in self._clusters.items()
        ):
            raise _error(409, "ConflictException", f"A cluster named {name} exists already.")
        arn = _arn(context, "cluster", name)
        kind = "Serverless" if request.get("Serverless") else "Provisioned"
        if kind == "Provisioned":
            _check_brokers(context, request[kind])
        self._clusters[arn] = {
            "ClusterArn": arn,
            "ClusterName": name,
            "ClusterType": kind.upper(),
            "CreationTime": datetime.now(UTC),
            "CurrentVersion": _version(),
            "State": "ACTIVE",
            kind: _SHAPES[kind](request[kind], context),
        }
        self._tags[arn] = dict(tags or {})
        answer = {"ClusterArn": arn, "ClusterName": name, "State": "ACTIVE"}
        return answer | {"ClusterType": kind.upper()}

    def _cluster(self, arn: str) -> Answer:
        if arn not in self._clusters:
            raise _not_found("cluster", arn)
        return self._clusters[arn] | {"Tags": self._tags[arn]}

    def _describe(self, _context: RequestContext, request: Request) -> Answer:
        cluster = self._cluster(request["ClusterArn"])
        if "Serverless" in cluster:
            raise _bad_request("This operation cannot be performed on serverless.")
        return {"ClusterInfo": _version_1(cluster)}

    def _describe_v2(self, _context: RequestContext, request: Request) -> Answer:
        return {"ClusterInfo": self._cluster(request["ClusterArn"])}

    def _list_v2(self, context: RequestContext, request: Request) -> Answer:
        prefix = request.get("ClusterNameFilter") or ""
        kind = request.get("ClusterTypeFilter")
        return {
            "ClusterInfoList": [
                self._cluster(arn)
                for arn, cluster in self._clusters.items()
                if _is_in(context, arn)
                and cluster["ClusterName"].startswith(prefix)
                and kind in (None, cluster["ClusterType"])
            ]
        }

    def _delete(self, _context: RequestContext, request: Request) -> Answer:
        arn = request["ClusterArn"]
        self._cluster(arn)
        for store in (self._clusters, self._scram, self._tags):
            store.pop(arn, None)
        return {"ClusterArn": arn, "State": "DELETING"}

    def _update(self, context: RequestContext, request: Request) -> Answer:
        """Change the Kafka version, the configuration or both."""
        arn = request["ClusterArn"]
        cluster = self._cluster(arn)
        if request["CurrentVersion"] != cluster["CurrentVersion"]:
            raise _bad_request("This operation cannot be performed on an old version.")
        software = dict(cluster["Provisioned"]["CurrentBrokerSoftwareInfo"])
        if version := request.get("TargetKafkaVersion"):
            if version.endswith(".kraft") != software["KafkaVersion"].endswith(".kraft"):
                raise _bad_request("A cluster cannot change between ZooKeeper and KRaft.")
            software["KafkaVersion"] = version
        if configuration := request.get("ConfigurationInfo"):
            software |= self._software(configuration)
        self._clusters[arn] = self._clusters[arn] | {
            "CurrentVersion": _version(),
            "Provisioned": cluster["Provisioned"] | {"CurrentBrokerSoftwareInfo": software},
        }
        operation = _arn(context, "cluster-operation", cluster["ClusterName"])
        self._operations[operation] = {
            "ClusterArn": arn,
            "CreationTime": datetime.now(UTC),
            "EndTime": datetime.now(UTC),
            "OperationArn": operation,
            "OperationState": "UPDATE_COMPLETE",
        }
        return {"ClusterArn": arn, "ClusterOperationArn": operation}

    def _describe_operation(self, _context: RequestContext, request: Request) -> Answer:
        arn = request["ClusterOperationArn"]
        if arn not in self._operations:
            raise _not_found("cluster operation", arn)
        return {"ClusterOperationInfo": self._operations[arn]}

    def _software(self, configuration: Request) -> Answer:
        self._revisions(configuration["Arn"])
        return {
            "ConfigurationArn": configuration["Arn"],
            "ConfigurationRevision": configuration["Revision"],
        }

    def _bootstrap_brokers(self, _context: RequestContext, request: Request) -> Answer:
        cluster = self._cluster(request["ClusterArn"])
        if "Serverless" in cluster:
            return {"BootstrapBrokerStringSaslIam": self._brokers}
        ways = cluster["Provisioned"].get("ClientAuthentication") or {}
        return {
            member: self._brokers
            for member, path in _BROKER_MEMBERS.items()
            if _enabled(ways, path, cluster["Provisioned"]["EncryptionInfo"])
        }

    # SCRAM secrets

    def _associate(self, _context: RequestContext, request: Request) -> Answer:
        arn = request["ClusterArn"]
        self._cluster(arn)
        unprocessed = [
            {
                "SecretArn": secret,
                "ErrorCode": "InvalidSecretArn",
                "ErrorMessage": "The name of the secret must start with AmazonMSK_.",
            }
            for secret in request["SecretArnList"]
            if ":secret:AmazonMSK_" not in secret
        ]
        refused = {entry["SecretArn"] for entry in unprocessed}
        known = self._scram.setdefault(arn, [])
        known += [s for s in request["SecretArnList"] if s not in refused and s not in known]
        return {"ClusterArn": arn, "UnprocessedScramSecrets": unprocessed}

    def _disassociate(self, _context: RequestContext, request: Request) -> Answer:
        arn = request["ClusterArn"]
        self._cluster(arn)
        gone = request["SecretArnList"]
        self._scram[arn] = [s for s in self._scram.get(arn, []) if s not in gone]
        return {"ClusterArn": arn, "UnprocessedScramSecrets": []}

    def _list_secrets(self, _context: RequestContext, request: Request) -> Answer:
        self._cluster(request["ClusterArn"])
        return {"SecretArnList": self._scram.get(request["ClusterArn"], [])}

    # Configurations

    def _create_configuration(self, context: RequestContext, request: Request) -> Answer:
        name = request["Name"]
        if re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z-]*", name) is None:
            raise _bad_request(f"The name {name} must consist of letters, digits and hyphens.")
        if any(
            revisions[-1]["Name"] == name and _is_in(context, arn)
            for arn, revisions in self._configurations.items()
        ):
            raise _error(409, "ConflictException", "A resource with this name already exists.")
        arn = _arn(context, "configuration", name)
        now = datetime.now(UTC)
        self._configurations[arn] = [
            {
                "Arn": arn,
                "CreationTime": now,
                "Description": request.get("Description") or "",
                "KafkaVersions": request.get("KafkaVersions") or [],
                "Name": request["Name"],
                "State": "ACTIVE",
                "ServerProperties": request["ServerProperties"],
                "Revision": 1,
                "RevisionTime": now,
            }
        ]
        return _configuration(self._configurations[arn])

    def _revisions(self, arn: str) -> list[Answer]:
        if arn not in self._configurations:
            # Not a NotFoundException; Terraform's provider goes by these words.
            raise _bad_request("Configuration ARN does not exist.")
        return self._configurations[arn]

    def _update_configuration(self, _context: RequestContext, request: Request) -> Answer:
        revisions = self._revisions(request["Arn"])
        revisions.append(
            revisions[-1]
            | {
                "Description": request.get("Description") or "",
                "ServerProperties": request["ServerProperties"],
                "Revision": len(revisions) + 1,
                "RevisionTime": datetime.now(UTC),
            }
        )
        return _configuration(revisions)

    def _describe_configuration(self, _context: RequestContext, request: Request) -> Answer:
        return _configuration(self._revisions(request["Arn"]))

    def _describe_revision(self, _context: RequestContext, request: Request) -> Answer:
        revisions = self._revisions(request["Arn"])
        number = int(request["Revision"])
        if not 1 <= number <= len(revisions):
            raise _not_found(f"revision {number} of configuration", request["Arn"])
        revision = revisions[number - 1]
        return {
            "Arn": revision["Arn"],
            "CreationTime": revision["RevisionTime"],
            "Description": revision["Description"],
            "Revision": number,
            "ServerProperties": revision["ServerProperties"],
        }

    def _delete_configuration(self, _context: RequestContext, request: Request) -> Answer:
        arn = request["Arn"]
        self._revisions(arn)
        for cluster in self._clusters.values():
            software = cluster.get("Provisioned", {}).get("CurrentBrokerSoftwareInfo", {})
            if software.get("ConfigurationArn") == arn:
                raise _bad_request(
                    f"Configuration is in use by one or more clusters: {cluster['ClusterArn']}."
                )
        del self._configurations[arn]
        return {"Arn": arn, "State": "DELETING"}

    # Tags

    def _tag(self, _context: RequestContext, request: Request) -> Answer:
        self._tags.setdefault(request["ResourceArn"], {}).update(request["Tags"])
        return {}

    def _untag(self, _context: RequestContext, request: Request) -> Answer:
        tags = self._tags.get(request["ResourceArn"], {})
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, _context: RequestContext, request: Request) -> Answer:
        return {"Tags": self._tags.get(request["ResourceArn"], {})}


def _arn(context: RequestContext, kind: str, name: str) -> str:
    unique = f"{uuid.uuid4()}-{secrets.randbelow(25) + 1}"
    return f"arn:aws:kafka:{context.region}:{context.account_id}:{kind}/{name}/{unique}"


def _is_in(context: RequestContext, arn: str) -> bool:
    return arn.split(":")[3:5] == [context.region, context.account_id]


def _version() -> str:
    return "K" + secrets.token_hex(7).upper()


def _check_brokers(context: RequestContext, request: Request) -> None:
    """See that MSK would spread the brokers of a provisioned cluster over these subnets.

    Raises:
        CommonServiceException: it would not.
    """
    known = {
        subnet.id: subnet.availability_zone_id
        for zone in ec2_backends[context.account_id][context.region].subnets.values()
        for subnet in zone.values()
    }
    subnets = request["BrokerNodeGroupInfo"]["ClientSubnets"]
    if unknown := [subnet for subnet in subnets if subnet not in known]:
        raise _bad_request(f"The subnet {unknown[0]} does not exist.")
    zones = [known[subnet] for subnet in subnets]
    if "use1-az3" in zones:
        raise _bad_request("Client subnets cannot be in the Availability Zone use1-az3.")
    numbers = [2] if context.region == "us-west-1" else [2, 3]
    if len(zones) not in numbers or len(set(zones)) != len(zones):
        wanted = " or ".join(map(str, numbers))
        raise _bad_request(f"Specify {wanted} subnets in distinct Availability Zones.")
    if request["NumberOfBrokerNodes"] % len(zones):
        raise _bad_request("The number of broker nodes must be a multiple of that of the zones.")


def _configuration(revisions: list[Answer]) -> Answer:
    latest = revisions[-1]
    revision = {
        "CreationTime": latest["RevisionTime"],
        "Description": latest["Description"],
        "Revision": latest["Revision"],
    }
    members = ("Arn", "CreationTime", "Description", "KafkaVersions", "Name", "State")
    return {name: latest[name] for name in members} | {"LatestRevision": revision}


def _provisioned(request: Request, context: RequestContext) -> Answer:
    """Return a cluster's `Provisioned` member: what was asked for, with MSK's defaults."""
    brokers = dict(request["BrokerNodeGroupInfo"])
    storage = {"EbsStorageInfo": {"VolumeSize": 100}} | (brokers.get("StorageInfo") or {})
    connectivity = {"PublicAccess": {"Type": "DISABLED"}} | (brokers.get("ConnectivityInfo") or {})
    at_rest = (request.get("EncryptionInfo") or {}).get("EncryptionAtRest")
    in_transit = (request.get("EncryptionInfo") or {}).get("EncryptionInTransit") or {}
    key = f"arn:aws:kms:{context.region}:{context.account_id}:alias/aws/kafka"
    configuration = request.get("ConfigurationInfo")
    return {
        "BrokerNodeGroupInfo": {"BrokerAZDistribution": "DEFAULT"}
        | brokers
        | {"StorageInfo": storage, "ConnectivityInfo": connectivity},
        "ClientAuthentication": request.get("ClientAuthentication") or {},
        "CurrentBrokerSoftwareInfo": {"KafkaVersion": request["KafkaVersion"]}
        | (
            {
                "ConfigurationArn": configuration["Arn"],
                "ConfigurationRevision": configuration["Revision"],
            }
            if configuration
            else {}
        ),
        "EncryptionInfo": {
            "EncryptionAtRest": at_rest or {"DataVolumeKMSKeyId": key},
            "EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True} | in_transit,
        },
        "EnhancedMonitoring": request.get("EnhancedMonitoring") or "DEFAULT",
        "LoggingInfo": request.get("LoggingInfo"),
        "NumberOfBrokerNodes": request["NumberOfBrokerNodes"],
        "OpenMonitoring": request.get("OpenMonitoring"),
        "StorageMode": request.get("StorageMode") or "LOCAL",
        "ZookeeperConnectString": "",
        "ZookeeperConnectStringTls": "",
    }


_SHAPES: dict[str, Callable[[Request, RequestContext], Answer]] = {
    "Provisioned": _provisioned,
    "Serverless": lambda request, _context: dict(request),
}


def _version_1(cluster: Answer) -> Answer:
    """Return the first API's description of a provisioned cluster.

    It has no `Provisioned` level.
    """
    outer = {k: v for k, v in cluster.items() if k not in {"Provisioned", "ClusterType"}}
    return {**outer, **cluster["Provisioned"]}


def _enabled(ways: Request, path: tuple[str, ...], encryption: Request) -> bool:
    """Return whether clients of a provisioned cluster can come in that way."""
    in_transit = encryption["EncryptionInTransit"]["ClientBroker"]
    if path == ("Unauthenticated",):
        return in_transit in {"PLAINTEXT", "TLS_PLAINTEXT"}
    if in_transit == "PLAINTEXT":
        return False
    if path == ("Tls",):
        any_sasl = any((way or {}).get("Enabled") for way in (ways.get("Sasl") or {}).values())
        open_to_all = (ways.get("Unauthenticated") or {}).get("Enabled", not any_sasl)
        return bool((ways.get("Tls") or {}).get("Enabled") or open_to_all)
    value: Any = ways
    for name in path:
        value = (value or {}).get(name)
    return bool((value or {}).get("Enabled"))


@aws_provider(api="kafka", name="default")  # type: ignore[untyped-decorator]  # LocalStack's
def kafka_service() -> Service:
    """MSK, as a service of LocalStack."""
    return Service(
        "kafka", skeleton=Skeleton(load_service("kafka"), Msk(current().kafka).operations())
    )
