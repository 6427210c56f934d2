"""`POST /port/webhook`: accepted requests, and the queue of each."""

import base64
import json
import time
from typing import Any

import boto3
import pytest
from slipway import config
from slipway.port.signature import SIGNATURE
from slipway.runs.webhook import Webhook, webhook

from functions.receive_webhook.handler import handler
from tests.unit.port.signing import SECRET, headers_of, signed_request

pytestmark = [
    pytest.mark.usefixtures("aws"),
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]
MESSAGE = {"action": "create_service", "resourceType": "run", "context": {"runId": "r_1"}}


@pytest.fixture
def queue() -> str:
    """Provide the queue of `create_service`, and Port's secret."""
    boto3.client("secretsmanager").create_secret(
        Name="slipway/port",
        SecretString=json.dumps({"client_id": "id", "client_secret": SECRET}),
    )
    url = str(boto3.client("sqs").create_queue(QueueName="slipway-create_service")["QueueUrl"])
    queues = json.dumps({"runs": {"create_service": url}}).encode()
    boto3.client("s3").put_object(Bucket="records", Key="policy/queues.json", Body=queues)
    return url


def bodies(url: str) -> list[bytes]:
    answer = boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [base64.b64decode(message["Body"]) for message in answer.get("Messages", [])]


def body_of(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_signed_request_is_queued_and_answered_at_once(queue: str) -> None:
    body = body_of(MESSAGE)

    answer = Webhook().answer(signed_request(body))

    assert answer["statusCode"] == 202
    assert bodies(queue) == [body]


def test_signature_covers_the_body_byte_for_byte(queue: str) -> None:
    text = '{"action":"create_service","resourceType":"run","a":1e-7,"b":"café 𝄞","c": 1.0}'
    body = text.encode()

    assert Webhook().answer(signed_request(body))["statusCode"] == 202
    assert bodies(queue) == [body]


def test_base64_body_is_read(queue: str) -> None:
    event = signed_request(body_of(MESSAGE))
    event["body"] = base64.b64encode(event["body"].encode()).decode()

    assert Webhook().answer({**event, "isBase64Encoded": True})["statusCode"] == 202


def test_header_names_of_any_case_are_read(queue: str) -> None:
    event = signed_request(body_of(MESSAGE))
    event["headers"] = {name.upper(): value for name, value in event["headers"].items()}

    assert Webhook().answer(event)["statusCode"] == 202


@pytest.mark.parametrize("missing", ["x-port-signature", "x-port-timestamp"])
def test_request_without_a_header_is_unauthorized(queue: str, missing: str) -> None:
    event = signed_request(body_of(MESSAGE))
    del event["headers"][missing]

    assert Webhook().answer(event)["statusCode"] == 401
    assert bodies(queue) == []


@pytest.mark.parametrize("timestamp", ["", "soon", "nan", "inf", "1e400", "-1"])
def test_request_with_an_invalid_time_is_unauthorized(queue: str, timestamp: str) -> None:
    body = body_of(MESSAGE)
    event = {"headers": headers_of(body, timestamp), "body": body.decode()}

    assert Webhook().answer(event)["statusCode"] == 401


def test_signature_in_the_body_does_not_count(queue: str) -> None:
    body = body_of({**MESSAGE, "headers": {SIGNATURE: "v1,x"}})

    assert Webhook().answer({"headers": {}, "body": body.decode()})["statusCode"] == 401


@pytest.mark.parametrize("body", [b"not json", b"", b"[" * 100_000])
def test_signed_body_that_is_not_json_is_refused(queue: str, body: bytes) -> None:
    answer = Webhook().answer(signed_request(body))

    assert answer["statusCode"] == 400
    assert bodies(queue) == []


def test_rotated_secret_counts_within_seconds(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Webhook()
    receiver.answer(signed_request(body_of(MESSAGE)))
    renewed = json.dumps({"client_id": "id", "client_secret": "renewed-" + SECRET})
    boto3.client("secretsmanager").put_secret_value(SecretId="slipway/port", SecretString=renewed)
    now = time.monotonic() + 6
    monkeypatch.setattr("slipway.runs.webhook.time.monotonic", lambda: now)

    answer = receiver.answer(signed_request(body_of(MESSAGE), secret="renewed-" + SECRET))

    assert answer["statusCode"] == 202


def test_new_action_is_known_within_a_minute(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Webhook()
    new = body_of({**MESSAGE, "action": "restart_service"})
    assert receiver.answer(signed_request(new))["statusCode"] == 404
    queues = json.dumps({"runs": {"restart_service": queue}}).encode()
    boto3.client("s3").put_object(Bucket="records", Key="policy/queues.json", Body=queues)
    now = time.monotonic() + 61
    monkeypatch.setattr("slipway.runs.webhook.time.monotonic", lambda: now)

    assert receiver.answer(signed_request(new))["statusCode"] == 202


def test_handler_returns_an_api_gateway_response(queue: str) -> None:
    webhook.cache_clear()
    config.load.cache_clear()
    context: Any = type(
        "Context",
        (),
        {
            "function_name": "f",
            "function_version": "1",
            "memory_limit_in_mb": 128,
            "invoked_function_arn": "arn",
            "aws_request_id": "r",
        },
    )

    assert handler(signed_request(body_of(MESSAGE)), context)["statusCode"] == 202
    webhook.cache_clear()
