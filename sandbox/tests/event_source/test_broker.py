import signal
import socket
import subprocess
import sys

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from sandbox.broker import MESSAGE_MAX_BYTES, admin_client, ensure_topics, wait_until_ready
from sandbox.ports import free_port
from sandbox.tests.event_source.harness import Topic
from sandbox.tests.waiting import LIMIT

pytestmark = pytest.mark.waits


def test_a_topic_is_made_once_with_its_partitions(broker: str) -> None:
    ensure_topics(broker, {"org_sandbox.runs": 3})
    ensure_topics(broker, {"org_sandbox.runs": 3, "org_sandbox.change.log": 1})
    topics = admin_client(broker).list_topics(timeout=LIMIT).topics
    assert len(topics["org_sandbox.runs"].partitions) == 3
    assert len(topics["org_sandbox.change.log"].partitions) == 1


def test_a_record_of_a_mebibyte_comes_through(broker: str) -> None:
    topic = Topic(broker)
    value = bytes(MESSAGE_MAX_BYTES - 200)
    topic.send(value)
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "large"})
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    message = consumer.poll(LIMIT)
    consumer.close()
    assert message is not None
    assert message.value() == value


def test_it_advertises_the_loopback_address(broker: str) -> None:
    (advertised,) = admin_client(broker).list_topics(timeout=LIMIT).brokers.values()
    assert f"{advertised.host}:{advertised.port}" == broker


def test_broker_ends_on_sigterm_and_is_named_in_its_command_line() -> None:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "sandbox.broker", "--port", str(port)])
    wait_until_ready(f"127.0.0.1:{port}", LIMIT)
    assert "sandbox.broker" in psutil.Process(process.pid).cmdline()
    process.send_signal(signal.SIGTERM)
    process.wait(LIMIT)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_named(broker: str) -> None:
    port = broker.rpartition(":")[2]
    process = subprocess.run(
        [sys.executable, "-m", "sandbox.broker", "--port", port],
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert f"cannot listen on {broker}" in process.stderr


def test_a_broker_that_is_not_there_is_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(TimeoutError, match=address):
        wait_until_ready(address, 0.2)


def test_produced_records_are_read_at_once_by_assignment(broker: str) -> None:
    topic = Topic(broker)
    Producer({"bootstrap.servers": broker}).flush()
    topic.send(b"1")
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    message = consumer.poll(LIMIT)
    assert message is not None
    consumer.commit(message, asynchronous=False)
    consumer.close()
    again = Consumer({"bootstrap.servers": broker, "group.id": "g"})
    (committed,) = again.committed([TopicPartition(topic.name, 0)], timeout=LIMIT)
    again.close()
    assert committed.offset == 1
