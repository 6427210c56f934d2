"""Inputs that Port encrypts."""

import base64
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from slipway.errors import InvalidInput
from slipway.observability import mask
from slipway.port.secret_inputs import decrypt_inputs

SECRET = "the-current-secret-of-more-than-32-bytes"
OLD = "the-secret-before-the-last-rotation-12345"


def encrypt(text: str, secret: str = SECRET) -> str:
    iv = os.urandom(16)
    sealed = AESGCM(secret.encode()[:32]).encrypt(iv, text.encode(), None)
    return base64.b64encode(iv + sealed).decode()


def test_only_secret_inputs_are_decrypted() -> None:
    inputs = {"password": encrypt("hunter22"), "name": "shop", "empty": ""}

    opened = decrypt_inputs(inputs, ["password", "empty", "absent"], [SECRET])

    assert opened == {"password": "hunter22", "name": "shop", "empty": ""}
    assert inputs["password"] != "hunter22"


def test_decrypted_object_is_returned_as_an_object() -> None:
    opened = decrypt_inputs({"a": encrypt('{"k": 1}'), "b": encrypt("[1]")}, ["a", "b"], [SECRET])

    assert opened == {"a": {"k": 1}, "b": "[1]"}


def test_input_is_decrypted_with_the_previous_secret() -> None:
    assert decrypt_inputs({"a": encrypt("x", OLD)}, ["a"], [SECRET, OLD]) == {"a": "x"}


def test_decrypted_value_is_masked_in_logs() -> None:
    decrypt_inputs({"a": encrypt("a-very-secret-value")}, ["a"], [SECRET])

    assert mask("it is a-very-secret-value!") == "it is *****!"


def test_client_side_encryption_is_named_as_a_cause() -> None:
    # As the browser encrypts: IV, wrapped AES key, ciphertext, tag.
    public_key = rsa.generate_private_key(65537, 2048).public_key()
    key, iv = AESGCM.generate_key(256), os.urandom(12)
    padded = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = iv + public_key.encrypt(key, padded) + AESGCM(key).encrypt(iv, b"x", None)

    with pytest.raises(InvalidInput, match=r"client-side encryption.*aes256-gcm"):
        decrypt_inputs({"a": base64.b64encode(sealed).decode()}, ["a"], [SECRET])


@pytest.mark.parametrize(
    "value",
    ["not base64!", "AAEC", encrypt("x", OLD), encrypt("x")[:-8] + "AAAAAAA=", 98765, ["x"]],
    ids=["not base64", "too short", "other secret", "changed", "number", "list"],
)
def test_decryption_error_names_the_input_but_not_its_value(
    value: object,
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decrypt_inputs({"password": value}, ["password"], [SECRET])

    assert "Input 'password' could not be decrypted" in str(caught.value)
    assert str(value) not in str(caught.value)


def test_members_of_a_decrypted_object_are_masked_in_logs() -> None:
    text = '{ "user": {"passwords": ["member-secret-one"]}, "pin": 918273645, "on": true }'

    decrypt_inputs({"a": encrypt(text)}, ["a"], [SECRET])

    assert mask("it is member-secret-one, 918273645, true") == "it is *****, *****, true"


def test_decrypted_text_that_looks_like_deep_json_stays_text() -> None:
    text = "[" * 100_000

    assert decrypt_inputs({"a": encrypt(text)}, ["a"], [SECRET]) == {"a": text}


def test_decrypted_value_that_is_not_utf8_is_refused_by_name() -> None:
    iv = os.urandom(16)
    sealed = AESGCM(SECRET.encode()[:32]).encrypt(iv, b"\xff\xfe", None)

    with pytest.raises(InvalidInput, match="'a' could not be decrypted"):
        decrypt_inputs({"a": base64.b64encode(iv + sealed).decode()}, ["a"], [SECRET])


def test_decryption_fails_when_the_client_secret_is_too_short() -> None:
    with pytest.raises(InvalidInput, match="'a' could not be decrypted"):
        decrypt_inputs({"a": encrypt("x")}, ["a"], ["short"])
