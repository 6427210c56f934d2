"""The producer: one message at a time, acknowledged by the broker, topics made when needed."""

import logging

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.port.outbox import PublishError

_LOG = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 5
_ADMIN_TIMEOUT_SECONDS = 3
_PERMANENT = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE)


class KafkaPublisher:
    """Publishes to a Kafka cluster without encryption or credentials.

    The sandbox's broker is such a cluster.

    Args:
        bootstrap_servers: `host:port`, several with commas.
        topics: made at once if the broker answers, else before the first message.
    """

    def __init__(self, bootstrap_servers: str, topics: tuple[str, ...] = ()) -> None:
        config = {"bootstrap.servers": bootstrap_servers, "log_level": 2}
        self._admin = AdminClient(config)
        self._producer = Producer(
            {
                **config,
                "acks": "all",
                "max.in.flight.requests.per.connection": 1,
                "message.timeout.ms": _TIMEOUT_SECONDS * 1000,
                "message.max.bytes": 2_000_000,
            }
        )
        self._known: set[str] = set()
        for topic in topics:
            try:
                self._ensure(topic, timeout=1)
            except PublishError as error:
                _LOG.warning("topic %s: %s", topic, error)
                break

    def publish(self, topic: str, value: bytes | None) -> None:
        """Send one message without a key and wait until the broker has it.

        Raises:
            PublishError: it does not have it.
        """
        self._ensure(topic)
        outcome: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            outcome.append(error)

        try:
            self._producer.produce(topic, value=value, on_delivery=delivered)
        except KafkaException as error:
            raise _refused(error.args[0]) from error
        self._producer.flush(_TIMEOUT_SECONDS + 1)
        if not outcome:
            # Else it could still be sent, behind messages that come after it.
            self._producer.purge()
            self._producer.flush(1)
            raise PublishError("The broker does not answer.")
        if outcome[0] is not None:
            raise _refused(outcome[0])

    def _ensure(self, topic: str, timeout: float = _ADMIN_TIMEOUT_SECONDS) -> None:
        """Make the topic, with the one partition that Port's topics are known to have."""
        if topic in self._known:
            return
        new = NewTopic(topic, num_partitions=1, replication_factor=1)
        created = self._admin.create_topics([new], request_timeout=timeout)[topic]
        try:
            created.result(timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _refused(error.args[0]) from error
        except TimeoutError as error:
            raise PublishError("The broker does not answer.") from error
        self._known.add(topic)


def _refused(error: KafkaError) -> PublishError:
    return PublishError(str(error), permanent=error.code() in _PERMANENT)
