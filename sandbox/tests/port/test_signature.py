import base64
import json
import math
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sandbox.port.secret_inputs import encrypt
from sandbox.port.signature import js_number, sign, stringify
from sandbox.tests.port.harness import CLIENT_SECRET

# Computed independently and published with the contract that this server follows.
SIGNED_TEXT = (
    '{"action":"create_service","resourceType":"run","status":"TRIGGERED",'
    '"context":{"entity":null,"blueprint":"service","runId":"r_0123456789abcdef"},'
    '"payload":{"entity":null,"action":{"invocationMethod":{"type":"KAFKA"},"trigger":"CREATE"},'
    '"properties":{"name":"café","replicas":2},"censoredProperties":[]},"headers":{}}'
)


def test_the_signature_is_that_of_the_vector() -> None:
    message = json.loads(SIGNED_TEXT)
    assert stringify(message) == SIGNED_TEXT
    assert sign(message, CLIENT_SECRET, 1_700_000_000)["headers"] == {
        "X-Port-Signature": "v1,g6mnmmQ8bNcgrdA6lgOHAixiAknUWZ5IUHw/X0pteCc=",
        "X-Port-Timestamp": 1_700_000_000,
    }


def test_headers_of_the_message_are_kept_and_signed() -> None:
    signed = sign({"headers": {"X-Own": "1"}, "a": 1}, CLIENT_SECRET, 1)
    assert list(signed) == ["headers", "a"]
    assert signed["headers"]["X-Own"] == "1"
    other = sign({"headers": {}, "a": 1}, CLIENT_SECRET, 1)
    assert signed["headers"]["X-Port-Signature"] != other["headers"]["X-Port-Signature"]


def test_a_secret_input_is_encrypted_as_in_the_vector() -> None:
    assert (
        encrypt("s3cr3t", CLIENT_SECRET, bytes(range(16)))
        == "AAECAwQFBgcICQoLDA0OD5X18dL7CSJ9vXAAuyLOreueRvsvyBQ="
    )


def test_a_secret_object_is_encrypted_as_json_with_a_fresh_iv() -> None:
    first, second = (encrypt({"k": "ä"}, CLIENT_SECRET) for _ in range(2))
    assert first != second
    raw = base64.b64decode(first)
    text = AESGCM(CLIENT_SECRET.encode()[:32]).decrypt(raw[:16], raw[16:], None)
    assert text.decode() == '{"k":"ä"}'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (2.0, "2"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100, "100"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (123456.789, "123456.789"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e22, "1.25e+22"),
        (-1e-10, "-1e-10"),
        (2**53, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (10**400, "null"),
    ],
)
def test_numbers_are_written_as_javascript_does(number: float, text: str) -> None:
    assert js_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(number: float) -> None:
    text = js_number(number)
    assert math.isclose(float(text), number, rel_tol=0, abs_tol=0)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_the_text_reads_back_as_the_same_value(value: Any) -> None:
    text = stringify(value)
    assert json.loads(text) == value
    text.encode()


def test_a_lone_surrogate_is_escaped() -> None:
    assert stringify("a\ud800é\x07") == '"a\\ud800é\\u0007"'
