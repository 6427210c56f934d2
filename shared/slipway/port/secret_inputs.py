"""Decrypt inputs that Port encrypted with the organisation's secret.

base64(IV of 16 bytes ‖ ciphertext ‖ tag of 16 bytes), AES-256-GCM; the key is the first 32 bytes of
the secret. Client-side encryption, for which an organisation has its own RSA key pair, is not
supported.
https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-ui-for-action/user-inputs/secret
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

from slipway.errors import InvalidInput
from slipway.observability import register_secret

_IV_BYTES = 16
_TAG_BYTES = 16
_KEY_BYTES = 32


def decrypt(value: str, client_secret: str) -> str:
    """Decrypt one input.

    Raises:
        ValueError: the value is malformed, or was encrypted with another secret.
    """
    # Imported when first needed: few actions have secret inputs, and OpenSSL loads slowly.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(value, validate=True)
    key = client_secret.encode()[:_KEY_BYTES]
    if len(raw) < _IV_BYTES + _TAG_BYTES or len(key) < _KEY_BYTES:
        raise ValueError("the value or the key is too short")
    try:
        return AESGCM(key).decrypt(raw[:_IV_BYTES], raw[_IV_BYTES:], None).decode()
    except InvalidTag:
        raise ValueError("the value was encrypted with another secret, or changed") from None


def decrypt_inputs(
    inputs: dict[str, Any], censored: Iterable[str], secrets: Iterable[str]
) -> dict[str, Any]:
    """Decrypt the inputs in `censored`, and mask them in all later logs.

    Args:
        inputs: the form's values.
        censored: names of the encrypted inputs. Empty ones are skipped.
        secrets: client secrets to try, the current one first.

    Returns:
        A new dictionary. A decrypted JSON object becomes an object.

    Raises:
        InvalidInput: a value cannot be decrypted.
    """
    tried = list(secrets)
    opened = dict(inputs)
    for field in censored:
        if inputs.get(field) in (None, ""):
            continue
        text = _open(field, inputs[field], tried)
        register_secret(text)
        opened[field] = _object_or_text(text)
        _register_members(opened[field])
    return opened


def _open(field: str, value: object, secrets: list[str]) -> str:
    for secret in secrets:
        try:
            return decrypt(str(value), secret)
        except ValueError:
            continue
    raise InvalidInput(
        field,
        "could not be decrypted. If Port's client secret was rotated, run the action again. "
        "If the input uses client-side encryption, the platform team must change it to "
        "Port-managed encryption ('aes256-gcm'): Slipway does not have the private key",
    )


def _object_or_text(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _register_members(value: object) -> None:
    """Also mask the values of an object, which may be logged without it."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as members:
                waiting.extend(members.values())
            case list() as items:
                waiting.extend(items)
            case str() as text:
                register_secret(text)
            case bool() | None:
                pass
            case number:
                register_secret(json.dumps(number))
