"""Show what a function has not read of its topic or queue, and its deadline.

The brokers and SQS have both.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it re-exports them silently
    AdminClient,
    ConfigResource,
    ResourceType,
)
from slipway.config import Config, read_secret

from scripts.consumers import Consumer
from scripts.topics import iam_settings

TIMEOUT_SECONDS = 10
# Defaults of Kafka and MSK, for brokers that do not show theirs.
# https://kafka.apache.org/documentation/#brokerconfigs_offsets.retention.minutes
# https://docs.aws.amazon.com/msk/latest/developerguide/msk-default-configuration.html
DEFAULT_RETENTION = timedelta(days=7)


@dataclass(frozen=True)
class Retention:
    """How long Kafka keeps the data that a pause depends on.

    Attributes:
        records: retention of the topic's records. None: unlimited.
        offsets: retention of a group's offsets, once the group has no members.
        reported: whether the brokers reported both; otherwise they are defaults.
    """

    records: timedelta | None = DEFAULT_RETENTION
    offsets: timedelta | None = DEFAULT_RETENTION
    reported: bool = False


@dataclass(frozen=True)
class Backlog:
    """What a function has not read yet, in records of all actions.

    Attributes:
        unread: how many; None: the group has never read anything.
        oldest: when the oldest of them was written.
        lost: how many the topic dropped before they were read.
        retention: of topic and offsets.
    """

    unread: int | None
    oldest: datetime | None
    lost: int
    retention: Retention


def deadline(paused_at: datetime | None, backlog: Backlog | None) -> datetime | None:
    """Return the time by which a function must read to lose nothing.

    None: no deadline is near.

    Args:
        paused_at: when it stopped reading; None: it reads, however slowly.
        backlog: its unread records; None: unknown.
    """
    retention = backlog.retention if backlog else Retention()
    ends = []
    if paused_at and retention.offsets is not None:
        ends.append(paused_at + retention.offsets)
    if retention.records is not None:
        if backlog and backlog.oldest:
            ends.append(backlog.oldest + retention.records)
        elif paused_at and backlog is None:
            ends.append(paused_at + retention.records)
    return min(ends, default=None)


def backlog_of(consumer: Consumer) -> Backlog:
    """Ask the queue, or the brokers, what a function has not read yet.

    Raises:
        KafkaException: the brokers do not answer, or refuse.
    """
    source = str(consumer.mapping.get("EventSourceArn", ""))
    if ":sqs:" in source:
        return _queued(consumer, source.rpartition(":")[2])
    return Brokers(consumer).backlog(consumer)


def _queued(consumer: Consumer, queue: str) -> Backlog:
    """What waits in a queue, which forgets nothing that was read, but keeps messages for days."""
    client = boto3.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    unread = int(found["ApproximateNumberOfMessages"])
    kept = timedelta(seconds=int(found["MessageRetentionPeriod"]))
    # SQS does not say how old the oldest is: at most as old as the pause.
    oldest = consumer.paused_at if unread else None
    return Backlog(unread, oldest, 0, Retention(records=kept, offsets=None, reported=True))


class Brokers:
    """The brokers of one mapping's cluster.

    Args:
        consumer: its mapping has the addresses and the credentials.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._settings = _settings(consumer.mapping)

    def backlog(self, consumer: Consumer) -> Backlog:
        """Return what a function has not read yet.

        Raises:
            KafkaException: the brokers do not answer, or refuse.
        """
        topic = consumer.mapping["Topics"][0]
        client = KafkaConsumer(
            {**self._settings, "group.id": _group(consumer.mapping), "enable.auto.commit": False}
        )
        try:
            return self._backlog(client, topic)
        finally:
            client.close()

    def _backlog(self, client: KafkaConsumer, topic: str) -> Backlog:
        retention = retention_of(AdminClient(self._settings), topic)
        numbers = client.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic].partitions
        committed = client.committed(
            [TopicPartition(topic, number) for number in numbers], timeout=TIMEOUT_SECONDS
        )
        unread, lost, waiting, known = 0, 0, [], False
        for place in committed:
            first, end = client.get_watermark_offsets(
                TopicPartition(topic, place.partition), timeout=TIMEOUT_SECONDS
            )
            if place.offset < 0:  # no offset was ever committed for this partition
                continue
            known = True
            lost += max(0, first - place.offset)
            start = max(first, place.offset)
            unread += end - start
            if end > start:
                waiting.append(TopicPartition(topic, place.partition, start))
        return Backlog(unread if known else None, _oldest(client, waiting), lost, retention)


def retention_of(admin: AdminClient, topic: str) -> Retention:
    """Ask the brokers how long they keep records and offsets.

    Raises:
        KafkaException: they do not answer.
    """
    records = _described(admin, ResourceType.TOPIC, topic).get("retention.ms")
    broker = next(iter(admin.list_topics(timeout=TIMEOUT_SECONDS).brokers))
    offsets = _described(admin, ResourceType.BROKER, str(broker)).get("offsets.retention.minutes")
    if records is None and offsets is None:
        return Retention()
    return Retention(
        records=_span(records, timedelta(milliseconds=1)),
        offsets=_span(offsets, timedelta(minutes=1)),
        reported=True,
    )


def _span(text: str | None, unit: timedelta) -> timedelta | None:
    if text is None:
        return DEFAULT_RETENTION
    return int(text) * unit if int(text) >= 0 else None


def _described(admin: AdminClient, kind: ResourceType, name: str) -> dict[str, str]:
    """Return settings by name; none if the brokers hide them, as Port's do."""
    (future,) = admin.describe_configs(
        [ConfigResource(kind, name)], request_timeout=TIMEOUT_SECONDS
    ).values()
    try:
        entries = future.result(timeout=TIMEOUT_SECONDS)
    except (KafkaException, TimeoutError):
        return {}
    return {entry.name: entry.value for entry in entries.values() if entry.value is not None}


def _oldest(client: KafkaConsumer, waiting: list[TopicPartition]) -> datetime | None:
    """Return the time of the oldest unread record, one read per partition."""
    moments = []
    for place in waiting:
        client.assign([place])
        message = client.poll(TIMEOUT_SECONDS)
        if message is not None and message.error() is None:
            moments.append(datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC))
    return min(moments, default=None)


def _group(mapping: Mapping[str, Any]) -> str:
    own = mapping.get("SelfManagedKafkaEventSourceConfig") or {}
    managed = mapping.get("AmazonManagedKafkaEventSourceConfig") or {}
    return str(own.get("ConsumerGroupId") or managed.get("ConsumerGroupId") or mapping["UUID"])


class _Login(Config):
    username: str
    password: str


def _settings(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to reach the brokers as the mapping does."""
    access = mapping.get("SourceAccessConfigurations") or []
    secret = next((each["URI"] for each in access if each["Type"] == "SASL_SCRAM_512_AUTH"), None)
    servers = _servers(mapping, scram=secret is not None)
    if os.environ.get("AWS_ENDPOINT_URL"):  # The sandbox's broker does not support TLS.
        return {"bootstrap.servers": servers, "log_level": 0}
    if secret is None:
        return {**iam_settings(servers, os.environ["AWS_DEFAULT_REGION"]), "log_level": 0}
    login = read_secret(_Login, secret)
    return {
        "bootstrap.servers": servers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": login.username,
        "sasl.password": login.password,
        "log_level": 0,
    }


def _servers(mapping: Mapping[str, Any], *, scram: bool) -> str:
    own = (mapping.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    if servers := own.get("KAFKA_BOOTSTRAP_SERVERS"):
        return ",".join(servers)
    answer: Mapping[str, Any] = boto3.client("kafka").get_bootstrap_brokers(
        ClusterArn=mapping["EventSourceArn"]
    )
    return str(answer[f"BootstrapBrokerStringSasl{'Scram' if scram else 'Iam'}"])
