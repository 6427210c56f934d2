"""Published test vectors of Port's signature and of its secret inputs."""

import json
from datetime import UTC, datetime

from slipway.port.secret_inputs import decrypt
from slipway.port.signature import sign, verify

SECRET = "0123456789abcdef0123456789abcdefEXTRA"
SIGNED_AT = 1_700_000_000
TEXT = (
    '{"action":"create_service","resourceType":"run","status":"TRIGGERED",'
    '"context":{"entity":null,"blueprint":"service","runId":"r_0123456789abcdef"},'
    '"payload":{"entity":null,"action":{"invocationMethod":{"type":"KAFKA"},"trigger":"CREATE"},'
    '"properties":{"name":"café","replicas":2},"censoredProperties":[]},"headers":{}}'
)
SIGNATURE = "v1,g6mnmmQ8bNcgrdA6lgOHAixiAknUWZ5IUHw/X0pteCc="


def test_signature_of_the_vector_is_that_of_port() -> None:
    assert sign(TEXT, SECRET, SIGNED_AT) == SIGNATURE


def test_signed_vector_verifies() -> None:
    message = json.loads(TEXT)
    message["headers"] = {"X-Port-Signature": SIGNATURE, "X-Port-Timestamp": SIGNED_AT}
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":"))

    assert verify(body, [SECRET], datetime.fromtimestamp(SIGNED_AT, UTC), required=True)


def test_encrypted_vector_is_decrypted() -> None:
    assert decrypt("AAECAwQFBgcICQoLDA0OD5X18dL7CSJ9vXAAuyLOreueRvsvyBQ=", SECRET) == "s3cr3t"
