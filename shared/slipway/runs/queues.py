"""Send messages to the functions' SQS queues, and read them in the form of Kafka records.

A message's body is Port's request body in base64, as in a Kafka record. A body that is too large
for SQS is in the records bucket, and an attribute of the message names its key.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from slipway import aws
from slipway.kafka import Delivery, KafkaRecord, RecordOutcome
from slipway.observability import logger
from slipway.runs.records import get_record, put_record

# Terraform writes the queues' URLs there, because a function's environment is limited to 4 KB.
KEY = "policy/queues.json"
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_LARGEST = 256 * 1024
# Reserved for a message's attributes.
_RESERVED = 1024
_STORED = "stored"
_BY_QUEUE = "webhook"
_AT_ONCE = 10
# So that a sweep ends, even if a queue fills faster than the sweep empties it.
_MOST_BATCHES = 50


class Queues(BaseModel):
    """The queues of an installation.

    Attributes:
        runs: a message's `action` → URL of its function's queue.
        entities: URL of the queue for changes of entities; None: it does not exist.
        dead_letters: URL of each dead-letter queue → name of its function.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    runs: Mapping[str, str] = {}
    entities: str | None = None
    dead_letters: Mapping[str, str] = {}

    def route(self, value: object) -> str | None:
        """Return the URL of a message's queue; None: the message is not for Slipway."""
        match value:
            case {"resourceType": "entity"}:
                return self.entities
            case {"resourceType": "run", "action": str(action)}:
                return self.runs.get(action)
        return None


def read_queues(bucket: str) -> Queues:
    """Read the queues of the installation."""
    return Queues.model_validate(get_record(bucket, KEY))


def send(queue_url: str, body: bytes, value: object, bucket: str) -> None:
    """Send Port's message to a queue.

    Args:
        queue_url: the queue's URL.
        body: the body of Port's request.
        value: the parsed body.
        bucket: the records bucket, for a body that is too large for SQS.
    """
    text = base64.b64encode(body).decode()
    digest = hashlib.sha256(body).hexdigest()
    optional: dict[str, Any] = {}
    if len(text) > _LARGEST - _RESERVED:
        key = f"webhook/{digest}.json"
        put_record(bucket, key, {"value": text}, replace=True)
        optional["MessageAttributes"] = {_STORED: {"DataType": "String", "StringValue": key}}
        text = _STORED
    if queue_url.endswith(".fifo"):
        # SQS keeps the changes of an entity in order, and drops duplicates.
        optional["MessageGroupId"] = _group(value)
        optional["MessageDeduplicationId"] = digest
    aws.sqs().send_message(QueueUrl=queue_url, MessageBody=text, **optional)


def _group(value: object) -> str:
    match value:
        case {"context": {"blueprint": blueprint, "entity": entity}}:
            return hashlib.sha256(f"{blueprint}/{entity}".encode(errors="replace")).hexdigest()
    return "other"


class QueueBatch:
    """Messages of one invocation by an SQS event source mapping.

    The mapping reads partial batch responses. SQS delivers failed messages again, and moves them to
    the dead-letter queue after the last try.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Args:
        event: Lambda's event.
        bucket: the records bucket.
    """

    delivery: ClassVar[Delivery] = "first"

    def __init__(self, event: Mapping[str, Any], bucket: str) -> None:
        self._messages = event["Records"]
        self._bucket = bucket

    @staticmethod
    def fits(event: Mapping[str, Any]) -> bool:
        """Return whether an event comes from SQS."""
        return "Records" in event

    def records(self) -> Sequence[KafkaRecord]:
        """Return the messages as Kafka records."""
        return [
            KafkaRecord.read(
                _record(
                    message["eventSourceARN"].rpartition(":")[2],
                    message["messageId"],
                    message["body"],
                    message["attributes"],
                    (message.get("messageAttributes", {}).get(_STORED) or {}).get("stringValue"),
                    self._bucket,
                )
            )
            for message in self._messages
        ]

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return a partial batch response."""
        failed = [each for each in outcomes if each.outcome == "failed"]
        if failed:
            logger.error("Records failed", extra={"failed": [each.shown() for each in failed]})
        named = [{"itemIdentifier": each.record.raw["message_id"]} for each in failed]
        return {"batchItemFailures": named}


def keep_dead_letters(queue_url: str, function_name: str, bucket: str) -> int:
    """Move dead letters to the failed records, which an operator replays or discards.

    Args:
        queue_url: a dead-letter queue.
        function_name: the queue's function.
        bucket: the records bucket.

    Returns:
        The number of messages.
    """
    client, kept = aws.sqs(), 0
    for _ in range(_MOST_BATCHES):
        answer = client.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=_AT_ONCE,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        for message in messages:
            record = _record(
                queue_url.rpartition("/")[2],
                message["MessageId"],
                message["Body"],
                message["Attributes"],
                (message.get("MessageAttributes", {}).get(_STORED) or {}).get("StringValue"),
                bucket,
            )
            key = f"held/{function_name}/{message['MessageId']}.json"
            put_record(bucket, key, {**record, "function_name": function_name}, replace=True)
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            kept += 1
        if not messages:
            break
    return kept


def _record(
    queue: str,
    message_id: str,
    body: str,
    attributes: Mapping[str, str],
    stored: str | None,
    bucket: str,
) -> dict[str, Any]:
    """Return a message as a record. SQS assigns offset and time, so producers cannot forge them."""
    sent_at = int(attributes["SentTimestamp"])
    return {
        "topic": queue,
        "partition": 0,
        "offset": int(attributes.get("SequenceNumber", sent_at)),
        "timestamp": sent_at,
        "value": get_record(bucket, stored)["value"] if stored else body,
        "source": _BY_QUEUE,
        "message_id": message_id,
    }
