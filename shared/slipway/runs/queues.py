"""SQS queues of functions, whose messages become records in the shape of Kafka's.

A message's body is what Port sent, in base64, as in a Kafka record. One that SQS would not take is
in the records bucket, and an attribute names its key.
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

# Where the queues are: written by Terraform, and never into a function's environment of 4 KB.
KEY = "policy/queues.json"
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_LARGEST = 256 * 1024
# What a message's attribute takes of that.
_RESERVED = 1024
_STORED = "stored"
_BY_QUEUE = "webhook"
_AT_ONCE = 10
# So that one sweep does not spend its time on a queue that fills faster than it is emptied.
_MOST_BATCHES = 50


class Queues(BaseModel):
    """The queues of an installation.

    Attributes:
        runs: a message's `action` → URL of the queue of the function that it is for.
        entities: URL of the queue for changes of entities; None: there is none.
        dead_letters: URL of each dead-letter queue → name of the function that it is of.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    runs: Mapping[str, str] = {}
    entities: str | None = None
    dead_letters: Mapping[str, str] = {}

    def route(self, value: object) -> str | None:
        """Return the URL of the queue that a message is for; None: it is not one of ours."""
        match value:
            case {"resourceType": "entity"}:
                return self.entities
            case {"resourceType": "run", "action": str(action)}:
                return self.runs.get(action)
        return None


def read_queues(bucket: str) -> Queues:
    """Read which queues there are."""
    return Queues.model_validate(get_record(bucket, KEY))


def send(queue_url: str, body: bytes, value: object, bucket: str) -> None:
    """Put what Port sent into a queue.

    Args:
        queue_url: the queue's.
        body: what was sent.
        value: the same, read.
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
        # Changes of an entity stay in their order, and one that is sent twice is one.
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

    The mapping always reads which messages failed. SQS delivers them again, and gives them up
    to the dead-letter queue.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Args:
        event: as Lambda gives it.
        bucket: the records bucket.
    """

    delivery: ClassVar[Delivery] = "first"

    def __init__(self, event: Mapping[str, Any], bucket: str) -> None:
        self._messages = event["Records"]
        self._bucket = bucket

    @staticmethod
    def fits(event: Mapping[str, Any]) -> bool:
        """Whether an event is of SQS."""
        return "Records" in event

    def records(self) -> Sequence[KafkaRecord]:
        """Return the messages as Kafka's records."""
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
    """Move what SQS gave up to the failed records, where an operator replays or discards it.

    Args:
        queue_url: a dead-letter queue.
        function_name: of the function that it is of.
        bucket: the records bucket.

    Returns:
        How many there were.
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
    """Return a message as a record whose place and time SQS assigned, so no producer can."""
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
