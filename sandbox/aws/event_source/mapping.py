"""An event source mapping's configuration, as far as the poller needs it.

See https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html.
"""

from collections.abc import Mapping as Configuration
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sandbox.aws.event_source.batching import BatchLimits
from sandbox.aws.event_source.retries import RetryPolicy

DEFAULT_LIMITS = BatchLimits(records=100, window=0.5)
FOR_EVER = RetryPolicy()

# The kinds of SourceAccessConfiguration whose secret holds a username and password.
_SASL = {"SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "BASIC_AUTH"}

# The members of GetBootstrapBrokers's answer that lead to a cluster, by how Lambda logs in there.
# https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-bootstrap-brokers.html
_WITH_SASL = ("BootstrapBrokerStringSaslScram",)
_WITH_TLS = ("BootstrapBrokerStringTls",)
_WITH_ROLE = ("BootstrapBrokerStringSaslIam", "BootstrapBrokerStringTls", "BootstrapBrokerString")


class StartingPosition(StrEnum):
    """Where to begin when the consumer group has no committed offset."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"


@dataclass(frozen=True)
class Mapping:
    """One event source mapping.

    Attributes:
        group: the consumer group whose committed offsets are used.
        arn: the MSK cluster's; None for a self-managed cluster.
        endpoints: the brokers of a self-managed cluster, separated by commas.
        brokers_members: which of an MSK cluster's brokers can be used, the best first.
        secret: the ARN of the secret with the cluster's username and password, if any.
        start_at: milliseconds since the epoch, for AT_TIMESTAMP.
        patterns: FilterCriteria, each as JSON text.
        destination: the ARN for records that are given up, if any.
        item_failures: whether the function reports the records that failed.
    """

    uuid: str
    function_arn: str
    topic: str
    group: str
    arn: str | None = None
    endpoints: str = ""
    brokers_members: tuple[str, ...] = _WITH_ROLE
    secret: str | None = None
    start: StartingPosition = StartingPosition.TRIM_HORIZON
    start_at: int | None = None
    limits: BatchLimits = DEFAULT_LIMITS
    patterns: tuple[str, ...] = ()
    policy: RetryPolicy = FOR_EVER
    destination: str | None = None
    item_failures: bool = False

    @classmethod
    def of(cls, configuration: Configuration[str, Any]) -> "Mapping":
        """Read a mapping as LocalStack keeps it."""
        uuid = configuration["UUID"]
        managed = configuration.get("AmazonManagedKafkaEventSourceConfig") or {}
        own = configuration.get("SelfManagedKafkaEventSourceConfig") or {}
        endpoints = (configuration.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
        destination = _destination(configuration)
        members, secret = _access(configuration)
        criteria = configuration.get("FilterCriteria") or {}
        window = configuration.get("MaximumBatchingWindowInSeconds")
        return cls(
            uuid=uuid,
            function_arn=configuration["FunctionArn"],
            topic=configuration["Topics"][0],
            group=managed.get("ConsumerGroupId") or own.get("ConsumerGroupId") or uuid,
            arn=configuration.get("EventSourceArn"),
            endpoints=",".join(endpoints.get("KAFKA_BOOTSTRAP_SERVERS") or ()),
            brokers_members=members,
            secret=secret,
            start=StartingPosition(configuration.get("StartingPosition") or "TRIM_HORIZON"),
            start_at=_milliseconds(configuration.get("StartingPositionTimestamp")),
            limits=BatchLimits(
                records=configuration.get("BatchSize") or DEFAULT_LIMITS.records,
                window=DEFAULT_LIMITS.window if window is None else window,
            ),
            patterns=tuple(one["Pattern"] for one in criteria.get("Filters") or ()),
            policy=RetryPolicy.of(configuration, has_destination=bool(destination)),
            destination=destination,
            # An error control as those of `RetryPolicy.of`: in provisioned mode only.
            item_failures=bool(configuration.get("ProvisionedPollerConfig"))
            and "ReportBatchItemFailures" in (configuration.get("FunctionResponseTypes") or ()),
        )


def _destination(configuration: Configuration[str, Any]) -> str | None:
    on_failure = (configuration.get("DestinationConfig") or {}).get("OnFailure") or {}
    return on_failure.get("Destination") or None


def _access(configuration: Configuration[str, Any]) -> tuple[tuple[str, ...], str | None]:
    for access in configuration.get("SourceAccessConfigurations") or ():
        if access["Type"] in _SASL:
            return _WITH_SASL, access["URI"]
        if access["Type"] == "CLIENT_CERTIFICATE_TLS_AUTH":
            return _WITH_TLS, None
    return _WITH_ROLE, None


def _milliseconds(moment: datetime | float | None) -> int | None:
    if moment is None:
        return None
    seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
    return round(seconds * 1000)
