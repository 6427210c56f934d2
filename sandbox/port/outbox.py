"""Store messages with the change that causes them, and send them later.

So no message is lost, and their order is kept. A message can be sent twice if the server stops
after the broker's acknowledgement and before it is recorded. Port also delivers at least once.
"""

import logging
import threading
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.port.naming import timestamp
from sandbox.port.store import OutboxMessage, Store

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class PublishError(Exception):
    """The broker did not take a message.

    Args:
        message: what happened.
        permanent: whether it will never take it.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Publisher(Protocol):
    """Where messages go."""

    def publish(self, topic: str, value: bytes | None) -> None:
        """Send one message without a key and wait until the broker has it.

        Raises:
            PublishError: it does not have it.
        """


class Sender(Protocol):
    """What sends the requests of webhooks."""

    def send(self, request: dict[str, Any], body: bytes) -> None:
        """Send a request, once.

        Raises:
            PublishError: permanently: it was not taken.
        """


def enqueue(
    db: Session,
    topic: str,
    value: bytes | None,
    run_id: str | None = None,
    request: dict[str, Any] | None = None,
) -> None:
    """Store a message to be sent after the transaction.

    Args:
        db: the transaction.
        topic: the topic; for a request its address.
        value: the message, or the request's body.
        run_id: the run that it is of.
        request: `url`, `method` and `headers` of a webhook's request.
    """
    message = OutboxMessage(topic=topic, value=value, run_id=run_id, created_at=timestamp())
    message.request = request
    db.add(message)


class Outbox:
    """Sends what is stored, in a thread of its own.

    Args:
        store: holds the messages.
        publisher: takes those of Kafka.
        sender: sends those of webhooks.
    """

    def __init__(self, store: Store, publisher: Publisher, sender: Sender) -> None:
        self._store = store
        self._publisher = publisher
        self._sender = sender
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the message that is being sent. The rest is sent by the next server."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._wake.set()

    def drain(self) -> None:
        """Send everything that is stored, now.

        Raises:
            PublishError: the broker does not take it for the moment.
        """
        with self._sending:
            while not self._stopping and (message := self._next()):
                error = None
                try:
                    if message.request is None:
                        self._publisher.publish(message.topic, message.value)
                    else:
                        self._sender.send(message.request, message.value or b"")
                except PublishError as refused:
                    if not refused.permanent:
                        raise
                    # It must not stand in the way of all others for ever.
                    error = str(refused)
                    _LOG.error("message %d is dropped: %s", message.number, refused)
                self._note(message.number, error)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            self._wake.clear()
            try:
                self.drain()
                pause = _FIRST_PAUSE
                self._wake.wait()
            except PublishError as error:
                _LOG.warning("messages wait for the broker: %s", error)
                self._wake.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _next(self) -> OutboxMessage | None:
        unsent = select(OutboxMessage).where(OutboxMessage.sent_at.is_(None))
        with self._store.transaction() as db:
            return db.scalars(unsent.order_by(OutboxMessage.number).limit(1)).first()

    def _note(self, number: int, error: str | None) -> None:
        with self._store.transaction() as db:
            message = db.get_one(OutboxMessage, number)
            message.sent_at, message.error = timestamp(), error
