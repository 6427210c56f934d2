"""The signature inside a message's body."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slipway.errors import SignatureRejected
from slipway.port.signature import sign, verify

SECRET = "the-current-secret-of-more-than-32-bytes"
OLD = "the-secret-before-the-last-rotation-12345"
WHEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def signed(text: str = '{"a":1,"headers":{}}', secret: str = SECRET, at: datetime = WHEN) -> str:
    """Add the two signature headers to a message, and change nothing else."""
    timestamp = int(at.timestamp())
    header = json.dumps(
        {"X-Port-Signature": sign(text, secret, timestamp), "X-Port-Timestamp": timestamp}
    )
    return text.replace('"headers":{}', f'"headers":{header}')


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"headers":{}}',
        '{"headers":{},"after":[1e-7,0.000001,1E400,-0.0,123456789012345678901234567890]}',
        '{"é":"日本","headers":{},"lone":"\\ud800","line":"\\u2028"}',
    ],
)
def test_signature_is_valid_for_any_number_format(
    text: str,
) -> None:
    assert verify(signed(text), [SECRET], WHEN, required=True)


def test_signature_covers_the_other_headers() -> None:
    timestamp = int(WHEN.timestamp())
    headers: dict[str, Any] = {"Custom": "x"}
    signature = sign(json.dumps({"headers": headers}, separators=(",", ":")), SECRET, timestamp)
    both = {"X-Port-Signature": signature, "X-Port-Timestamp": str(timestamp)}

    assert verify(json.dumps({"headers": {**headers, **both}}), [SECRET], WHEN, required=True)
    with pytest.raises(SignatureRejected):
        verify(json.dumps({"headers": {"Custom": "y", **both}}), [SECRET], WHEN, required=True)


def test_signature_of_the_previous_secret_is_valid() -> None:
    assert verify(signed(secret=OLD), [SECRET, OLD], WHEN, required=True)


def test_verification_stops_at_the_first_matching_secret() -> None:
    def secrets() -> Iterator[str]:
        yield SECRET
        pytest.fail("the first secret matched")

    assert verify(signed(), secrets(), WHEN, required=True)


@pytest.mark.parametrize("headers", ["{}", "null", "5", '{"x":1}'])
def test_unsigned_message_is_accepted_when_not_required(headers: str) -> None:
    assert not verify(f'{{"headers":{headers}}}', [SECRET], WHEN, required=False)


def test_unsigned_message_is_rejected_when_required() -> None:
    with pytest.raises(SignatureRejected, match="not signed"):
        verify("{}", [SECRET], WHEN, required=True)


def test_wrong_signature_is_rejected_when_not_required() -> None:
    with pytest.raises(SignatureRejected, match="does not match"):
        verify(signed().replace('"a":1', '"a":2'), [SECRET], WHEN, required=False)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_signature_is_accepted_within_five_minutes(minutes: int) -> None:
    assert verify(signed(), [SECRET], WHEN + timedelta(minutes=minutes), required=True)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_signature_is_rejected_after_five_minutes(seconds: int) -> None:
    with pytest.raises(SignatureRejected, match="more than five minutes apart"):
        verify(signed(), [SECRET], WHEN + timedelta(seconds=seconds), required=True)


@pytest.mark.parametrize("timestamp", ["null", "[]", '"x"', '"nan"', "1e400", '"9e99"', "true"])
def test_malformed_timestamp_is_rejected(timestamp: str) -> None:
    body = f'{{"headers":{{"X-Port-Signature":"v1,AA==","X-Port-Timestamp":{timestamp}}}}}'

    with pytest.raises(SignatureRejected, match="malformed"):
        verify(body, [SECRET], WHEN, required=True)


def test_deeply_nested_message_is_rejected() -> None:
    headers = {"X-Port-Signature": "v1,AA==", "X-Port-Timestamp": str(int(WHEN.timestamp()))}
    deep = "[" * 5000 + "]" * 5000

    with pytest.raises(SignatureRejected, match="too deeply"):
        verify(f'{{"headers":{json.dumps(headers)},"a":{deep}}}', [SECRET], WHEN, required=False)


def test_gitlab_message_headers_are_not_signed() -> None:
    body: dict[str, Any] = {"payload": {"action": {"invocationMethod": {"type": "GITLAB"}}}}
    timestamp = int(WHEN.timestamp())
    both = {
        "X-Port-Signature": sign(json.dumps(body), SECRET, timestamp),
        "X-Port-Timestamp": timestamp,
    }

    assert verify(json.dumps({**body, "headers": both}), [SECRET], WHEN, required=True)


def test_signature_that_is_not_ascii_is_rejected() -> None:
    headers = {"X-Port-Signature": "v1,\ud800é", "X-Port-Timestamp": str(int(WHEN.timestamp()))}

    with pytest.raises(SignatureRejected, match="does not match"):
        verify(json.dumps({"headers": headers}), [SECRET], WHEN, required=True)


def test_message_with_reordered_keys_is_rejected() -> None:
    swapped = signed('{"a":1,"b":2,"headers":{}}').replace('"a":1,"b":2', '"b":2,"a":1')

    with pytest.raises(SignatureRejected, match="does not match"):
        verify(swapped, [SECRET], WHEN, required=True)
