"""The outsider at `POST /port/webhook`: has no account, but may have captured a request."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from slipway import aws as clients_of_aws
from slipway.runs.queues import QueueBatch
from slipway.runs.webhook import LARGEST, Webhook

from tests.unit.port.signing import SECRET, headers_of, signed_request
from tests.unit.runs import consuming, test_doorbell

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]
scene = consuming.scene
MESSAGE = consuming.message()
BODY = json.dumps(MESSAGE).encode()


class Receiver:
    """The receiving function, its queue, and its calls to AWS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queue = boto3.client("sqs")
        self.url = self.queue.create_queue(QueueName="slipway-create_service")["QueueUrl"]
        queues = json.dumps({"runs": {"create_service": self.url}}).encode()
        boto3.client("s3").put_object(Bucket="records", Key="policy/queues.json", Body=queues)
        boto3.client("secretsmanager").create_secret(
            Name="slipway/port",
            SecretString=json.dumps({"client_id": "id", "client_secret": SECRET}),
        )
        self.calls: list[str] = []
        for service in ("secretsmanager", "s3", "sqs"):
            client = getattr(clients_of_aws, service)()
            client.meta.events.register(f"before-call.{service}", self._note)
        self.webhook = Webhook()

    def _note(self, model: Any, **_: object) -> None:
        self.calls.append(model.name)

    def send(self, request: dict[str, Any]) -> int:
        return int(self.webhook.answer(request)["statusCode"])

    def queued(self) -> list[dict[str, Any]]:
        """Return the queue's messages, as the function receives them."""
        found: list[Any] = []
        while answer := self.queue.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=43_200,  # each comes once
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += answer
        return [
            {
                "messageId": each["MessageId"],
                "body": each["Body"],
                "attributes": each["Attributes"],
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:slipway-create_service",
            }
            for each in found
        ]


@pytest.fixture
def receiver(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    caches = (clients_of_aws.secretsmanager, clients_of_aws.s3, clients_of_aws.sqs)
    for cached in caches:
        cached.cache_clear()
    yield Receiver(monkeypatch)
    for cached in caches:
        cached.cache_clear()


def unsigned(body: bytes = BODY) -> dict[str, Any]:
    return {"headers": {}, "body": body.decode()}


def test_unsigned_webhook_is_refused_without_detail(receiver: Receiver) -> None:
    answer = receiver.webhook.answer(unsigned())

    assert answer["statusCode"] == 401
    assert json.loads(answer["body"]) == {"status": "Unauthorized", "message": "Unauthorized."}
    assert receiver.queued() == []


def test_wrongly_signed_webhook_gets_the_unsigned_answer(receiver: Receiver) -> None:
    forged = {"headers": signed_request(BODY, secret="x" * 40)["headers"], "body": BODY.decode()}

    assert receiver.webhook.answer(forged) == receiver.webhook.answer(unsigned())


def test_webhook_replayed_after_five_minutes_is_refused(receiver: Receiver) -> None:
    assert receiver.send(signed_request(BODY, ago=290)) == 202
    assert receiver.send(signed_request(BODY, ago=310)) == 401
    assert receiver.send(signed_request(BODY, ago=-310)) == 401


def test_captured_webhook_with_a_new_time_is_refused(receiver: Receiver) -> None:
    captured, now = signed_request(BODY, ago=3600), signed_request(BODY)
    time = now["headers"]["x-port-timestamp"]

    changed = {**captured, "headers": {**captured["headers"], "x-port-timestamp": time}}

    assert receiver.send(changed) == 401


@pytest.mark.parametrize("kept", [0, 1, len(BODY) // 2, len(BODY) - 1])
def test_truncated_webhook_is_refused(receiver: Receiver, kept: int) -> None:
    request = signed_request(BODY)

    assert receiver.send({**request, "body": BODY[:kept].decode()}) == 401
    assert receiver.queued() == []


@pytest.mark.parametrize("encoded", [False, True])
def test_ten_megabyte_webhook_is_refused_unread(receiver: Receiver, encoded: bool) -> None:
    body = b'{"action":"' + b"x" * 10 * 1024 * 1024 + b'"}'
    text = base64.b64encode(body) if encoded else body
    request = {"headers": headers_of(body, "1"), "body": text.decode(), "isBase64Encoded": encoded}

    assert receiver.send(request) == 413
    assert receiver.calls == []


def test_largest_webhook_is_queued_as_a_pointer(receiver: Receiver) -> None:
    body = json.dumps({**MESSAGE, "padding": "x" * (LARGEST - 10_000)}).encode()

    assert receiver.send(signed_request(body)) == 202

    (message,) = receiver.queued()
    assert len(message["body"]) < 100


def test_webhook_for_an_unknown_action_is_refused(receiver: Receiver) -> None:
    body = json.dumps({**MESSAGE, "action": "drop_database"}).encode()

    assert receiver.send(signed_request(body)) == 404
    assert receiver.queued() == []


@pytest.mark.parametrize("extra", ["../create_service", "create_service\u0000", "CREATE_SERVICE"])
def test_name_that_resembles_an_action_is_refused(receiver: Receiver, extra: str) -> None:
    body = json.dumps({**MESSAGE, "action": extra}).encode()

    assert receiver.send(signed_request(body)) == 404


def test_repeated_webhook_is_carried_out_once(
    scene: consuming.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECORDS_BUCKET", "records")
    twice = test_doorbell.queued(MESSAGE, MESSAGE)

    for record in QueueBatch(twice, "records").records():
        scene.consume({"records": {"queue-0": [record.raw]}})

    assert len(scene.acted) == 1


def test_thousand_unsigned_webhooks_make_no_aws_call(receiver: Receiver) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: receiver.send(unsigned()), range(1000)))

    assert set(answers) == {401}
    assert receiver.calls == []


def test_thousand_forged_webhooks_rarely_read_secrets(receiver: Receiver) -> None:
    forged = signed_request(BODY, secret="x" * 40)

    answers = [receiver.send(forged) for _ in range(1000)]

    assert set(answers) == {401}
    # Once in five seconds, with the calls that a rotated secret needs.
    assert receiver.calls.count("GetSecretValue") < 100
    assert "SendMessage" not in receiver.calls


def test_thousand_concurrent_webhooks_are_each_queued_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto's queue would take minutes for so many messages.
    sent: list[str] = []
    monkeypatch.setattr(
        clients_of_aws.sqs(), "send_message", lambda **message: sent.append(message["MessageBody"])
    )
    bodies = [json.dumps({**MESSAGE, "number": number}).encode() for number in range(1000)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: receiver.send(signed_request(body)), bodies))

    assert set(answers) == {202}
    assert sorted(sent) == sorted(base64.b64encode(body).decode() for body in bodies)
    # Concurrent requests each read a value before it is cached.
    assert len(receiver.calls) < 100


def test_port_sees_an_error_while_the_queue_is_unreachable(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url=receiver.url)

    receiver.send(signed_request(BODY))
    monkeypatch.setattr(clients_of_aws.sqs(), "send_message", unreachable)

    answer = receiver.webhook.answer(signed_request(BODY))

    assert answer["statusCode"] == 503
    assert receiver.url not in answer["body"]


def test_port_sees_an_error_when_queues_cannot_be_found(receiver: Receiver) -> None:
    boto3.client("s3").delete_object(Bucket="records", Key="policy/queues.json")

    assert receiver.send(signed_request(BODY)) == 503
