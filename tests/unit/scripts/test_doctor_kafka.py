"""Check Kafka with a mock cluster, and Port's brokers."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from scripts.checks import kafka
from scripts.checks.result import Installation
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

CREDENTIALS = "GET /v1/kafka-credentials"


@pytest.fixture
def broker() -> Iterator[tuple[Producer, str]]:
    # librdkafka's own mock cluster, which speaks the real protocol on a real socket.
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "replaced"})
    (address,) = producer.list_topics(timeout=300).brokers.values()
    yield producer, f"{address.host}:{address.port}"
    producer.purge()


PORTS = ["b-1.port:9196", "b-2.port:9196"]


@pytest.mark.parametrize(
    ("configured", "credentials", "ok"),
    [
        ("b-1.port:9196,B-2.port:9196", {"brokers": PORTS}, True),
        ("b-2.port:9196", {"brokers": PORTS}, True),
        ("b-1.port:9196,b-1.old:9196", {"brokers": PORTS}, False),
        ("b-1.port:9196", {"username": "me"}, None),
        ("b-1.port:9196", None, None),
    ],
)
def test_configured_brokers_are_compared_with_ports_brokers(
    server: ScriptedServer,
    installation: Installation,
    configured: str,
    credentials: object,
    ok: bool | None,
) -> None:
    server.script(CREDENTIALS, (200, {"ok": True, "credentials": credentials}, {}))
    settings = {**installation.settings, "KAFKA_BOOTSTRAP_SERVERS": configured}

    result = kafka.brokers(Installation(settings))

    assert result.ok is ok
    assert ("b-1.old:9196" in result.detail) == (ok is False)
    assert (PORTS[1] in result.cure) == (ok is False)


def test_brokers_of_an_msk_cluster_are_not_compared(installation: Installation) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": "msk:9098", "KAFKA_MODE": "msk"}

    assert kafka.brokers(Installation({**installation.settings, **settings})).ok is None


def test_existing_topics_are_not_a_fault(broker: tuple[Producer, str]) -> None:
    producer, servers = broker
    producer.produce("org_1.runs", b"{}")
    assert producer.flush(10) == 0

    result = kafka.topics(
        Installation({"KAFKA_BOOTSTRAP_SERVERS": servers, "PORT_ORG_ID": "org_1"})
    )

    assert result.ok, result


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("automations", "org_other.runs"),
        ("change_log", "org_other.runs, org_other.change.log"),
    ],
)
def test_missing_topics_are_named(broker: tuple[Producer, str], source: str, missing: str) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": broker[1], "PORT_ORG_ID": "org_other"}

    result = kafka.topics(Installation({**settings, "CHANGES_SOURCE": source}))

    assert result.ok is False
    assert result.detail == f"missing: {missing}"


def test_unreachable_brokers_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "TIMEOUT_SECONDS", 0.5)
    settings = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "PORT_ORG_ID": "org_1"}

    result = kafka.topics(Installation(settings))

    assert result.ok is False
    assert "KAFKA_BOOTSTRAP_SERVERS" in result.cure
