"""Encryption of secret inputs: AES-256-GCM under the organisation's client secret.

https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-ui-for-action/user-inputs/secret
"""

import base64
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.port.settings import KEY_BYTES
from sandbox.port.signature import stringify

_IV_BYTES = 16


def encrypt(value: Any, client_secret: str, iv: bytes | None = None) -> str:
    """Encrypt an input: base64 of IV (16 bytes), ciphertext and tag (16 bytes).

    Args:
        value: a string, or an object, which becomes JSON text.
        client_secret: its first 32 bytes are the key.
        iv: for tests; random otherwise.
    """
    text = value if isinstance(value, str) else stringify(value)
    iv = iv or os.urandom(_IV_BYTES)
    sealed = AESGCM(client_secret.encode()[:KEY_BYTES]).encrypt(iv, text.encode(), None)
    return base64.b64encode(iv + sealed).decode()
