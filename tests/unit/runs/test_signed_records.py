"""Signatures of records: which ones count, and what happens to the others."""

from typing import Any

import pytest

from tests.unit.runs.consuming import DONE, NOW, Scene, event, message, signed

pytestmark = pytest.mark.waits


def test_signed_message_is_accepted_when_signatures_are_required(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")

    scene.consume(event(signed(message(), NOW)))

    assert len(scene.acted) == 1


@pytest.mark.parametrize(
    "value",
    [
        message(),
        signed(message(), NOW, secret="another-secret-of-more-than-32-bytes"),
        {**signed(message(), NOW), "status": "CHANGED"},
        signed(message(), NOW - 301_000),
        signed(message(), NOW + 301_000),
        {**message(), "headers": {"X-Port-Signature": 5, "X-Port-Timestamp": []}},
    ],
    ids=["missing", "other secret", "changed body", "too old", "too new", "malformed"],
)
def test_invalid_signature_is_rejected_with_a_security_log(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: dict[str, Any],
) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")

    assert scene.consume(event(value)) == DONE

    assert not scene.acted
    assert not scene.port.requests
    assert '"security":true' in scene.log.getvalue()
    assert '"SignatureRejected"' in capsys.readouterr().out


def test_old_record_signature_counts_when_delivered_hours_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")
    hours_ago = NOW - 5 * 3_600_000

    scene.consume(event(signed(message(), hours_ago), timestamp=hours_ago))

    assert len(scene.acted) == 1
