"""Untrusted input causes no crash, no path outside the folder and no live markup."""

import contextlib
import html
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from slipway.errors import ForeignMessage, InvalidInput, RunNotFound, SignatureRejected
from slipway.kafka import KafkaRecord
from slipway.markdown import as_text, hidden_comment, table
from slipway.port.message import identify, parse
from slipway.port.signature import sign, verify

SECRET = "the-current-secret-of-more-than-32-bytes"
WHEN = 1_700_000_000
TIME = datetime.fromtimestamp(WHEN, UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
KEYS = [
    "action", "resourceType", "context", "runId", "payload", "properties", "trigger", "by", "at",
    "userId", "invocationMethod", "type", "headers", "entity", "blueprint", "censoredProperties",
]  # fmt: skip
LEAVES = ["run", "create_service", "r_1", "CREATE", "KAFKA", "2026-11-23T10:00:00Z", "u", {}, []]
# Near misses of real messages: the right keys in the wrong places.
messages = st.recursive(
    st.sampled_from(LEAVES) | st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)
# JSON as it may arrive, which Python and JavaScript would write differently.
RAW_LEAVES = [
    "1e-7", "0.000001", "1E400", "-0", "-0.0", "1.0", "1e2", "12345678901234567890123", "9" * 5000,
    '"\\ud800"', '"\\ud83d\\ude00"', '"\\u2028"', '"\\u00e9"', '"é"', '"\\/"', '"\\u007f"',
    "null", "true",
]  # fmt: skip
raw_json = st.recursive(
    st.sampled_from(RAW_LEAVES) | json_values.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(st.text().map(json.dumps), inner, max_size=4).map(
            lambda members: "{" + ",".join(f"{k}:{v}" for k, v in members.items()) + "}"
        )
    ),
    max_leaves=8,
)


@given(json_values | messages)
def test_message_raises_only_documented_errors(
    value: Any,
) -> None:
    with contextlib.suppress(ForeignMessage, RunNotFound, InvalidInput):
        run_id = identify(value)
        assert re.fullmatch(r"r(un)?_[A-Za-z0-9]{1,64}", run_id)
        assert parse(value).run_id == run_id


@given(st.binary() | st.text().map(str.encode))
def test_record_is_decoded_as_json_or_foreign(raw: bytes) -> None:
    import base64

    with contextlib.suppress(ForeignMessage):
        record = KafkaRecord({"value": base64.b64encode(raw).decode()}, "org.runs-0", 0)
        assert repr(json.loads(record.text)) == repr(
            record.value
        )  # NaN does not equal itself, but its name does


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_signed_message_verifies_only_when_unchanged(
    body: dict[str, Any],
) -> None:
    unsigned = {**body, "headers": {}}
    signature = sign(json.dumps(unsigned), SECRET, WHEN)
    headers = {"X-Port-Signature": signature, "X-Port-Timestamp": WHEN}
    signed = {**unsigned, "headers": headers}

    assert verify(json.dumps(signed), [SECRET], TIME, required=True)
    with pytest.raises(SignatureRejected):
        verify(json.dumps({**signed, "added": 1}), [SECRET], TIME, required=True)
    with pytest.raises(SignatureRejected):
        verify(json.dumps(signed), [SECRET[::-1]], TIME, required=True)


def with_headers(inner: str, headers: dict[str, Any]) -> str:
    return f'{{"inner":{inner},"headers":{json.dumps(headers)},"after":1}}'


@given(raw_json, raw_json)
def test_signed_json_text_verifies_only_when_unchanged(text: str, other: str) -> None:
    signature = sign(with_headers(text, {}), SECRET, WHEN)
    headers = {"X-Port-Signature": signature, "X-Port-Timestamp": WHEN}

    assert verify(with_headers(text, headers), [SECRET], TIME, required=True)
    if tokens(text) != tokens(other):
        with pytest.raises(SignatureRejected):
            verify(with_headers(other, headers), [SECRET], TIME, required=True)


def tokens(text: str) -> str:
    """Return a JSON text without differences that disappear when it is serialised again."""
    return repr(json.loads(text, parse_int=lambda n: ("n", n), parse_float=lambda n: ("n", n)))


@given(json_values, json_values, st.booleans())
def test_invalid_signature_headers_are_rejected(
    signature: Any, timestamp: Any, required: bool
) -> None:
    headers = {"X-Port-Signature": signature, "X-Port-Timestamp": timestamp}

    with pytest.raises(SignatureRejected):
        verify(json.dumps({"headers": headers}), [SECRET], TIME, required=required)


@given(st.dictionaries(st.text(), json_values, max_size=3) | json_values, st.booleans())
def test_unsigned_message_is_accepted_unless_required(headers: Any, required: bool) -> None:
    assume(not isinstance(headers, dict) or "X-Port-Signature" not in headers)
    body = json.dumps({"headers": headers})

    if required:
        with pytest.raises(SignatureRejected):
            verify(body, [SECRET], TIME, required=True)
    else:
        assert not verify(body, [SECRET], TIME, required=False)


@given(st.text() | json_values)
def test_shown_value_has_no_live_markup(value: Any) -> None:
    shown = as_text(value)

    without_ours = shown.replace("<code>", "").replace("</code>", "").replace("<br>", "")
    assert re.fullmatch(r"(?:[A-Za-z0-9 ]|&#\d+;)*", without_ours)
    assert len(table({"Input": value}).splitlines()) == 3
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 300:
        assert html.unescape(without_ours) == value


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_hidden_comment_returns_its_data_and_cannot_end_early(
    data: dict[str, Any],
) -> None:
    comment = hidden_comment(data)

    found = re.fullmatch(r"<!-- slipway (.*) -->", comment)
    assert found
    assert not set("<>&@") & set(found.group(1))
    assert "--" not in found.group(1)
    assert json.loads(found.group(1)) == data
