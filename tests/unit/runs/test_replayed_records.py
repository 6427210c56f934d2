"""Replayed records: what the operator reads, and what a replay changes."""

from datetime import UTC, datetime

import pytest
from slipway.errors import GitHubUnavailable, RecordsFailed
from slipway.observability import metrics
from slipway.runs import later
from slipway.runs.run import ActiveRun

from tests.unit.conftest import RUN_ID
from tests.unit.runs.consuming import NOW, SECRET, TOPIC, Scene, event, message, row, signed

pytestmark = pytest.mark.waits


def replayed(scene: Scene, *values: object, timestamp: int = NOW) -> list[tuple[str, str]]:
    """Return the outcome of each record, and its reason."""
    answer = scene.consume({**event(*values, timestamp=timestamp), "replay": True})
    return [(each["outcome"], each["why"]) for each in answer["replayed"]]


def test_replay_reports_the_outcome_of_each_record(
    scene: Scene,
) -> None:
    def crash(run: ActiveRun) -> None:
        raise ZeroDivisionError(f"a bug, and {SECRET}")

    scene.act = crash
    answer = scene.consume({**event(b"junk", message()), "replay": True})

    assert [each["record"] for each in answer["replayed"]] == [f"{TOPIC}-0@0", f"{TOPIC}-0@1"]
    assert [each["outcome"] for each in answer["replayed"]] == ["skipped", "failed"]
    assert answer["replayed"][1]["why"] == "ZeroDivisionError: a bug, and *****"
    assert len(answer["batchItemFailures"]) == 1
    scene.act = lambda run: None
    assert replayed(scene, message()) == [("done", "")]


def test_ledger_records_why_a_run_is_on_hold(scene: Scene) -> None:
    def crash(run: ActiveRun) -> None:
        raise ZeroDivisionError(f"a bug, and {SECRET}")

    scene.act = crash
    with pytest.raises(RecordsFailed):
        scene.consume(event(message()))

    held = (row("runs", run_id=RUN_ID) or {})["held"]
    assert (held["reference"], held["why"]) == ("no-trace", "ZeroDivisionError: a bug, and *****")
    scene.act = lambda run: None
    replayed(scene, message())
    assert "held" not in (row("runs", run_id=RUN_ID) or {})


def test_replayed_run_gets_a_new_retry_budget(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(run: ActiveRun) -> None:
        raise GitHubUnavailable("GitHub asks to wait.")

    scene.act = throttle
    monkeypatch.setattr(later, "MAX_POSTPONED", 1)
    days_ago = NOW - 3 * 86_400_000
    scene.consume(event(message(), timestamp=days_ago))
    with pytest.raises(RecordsFailed):
        scene.consume(event(message(), timestamp=days_ago))
    before = datetime.now(UTC)

    ((outcome, why),) = replayed(scene, message(), timestamp=days_ago)

    assert (outcome, why[:20]) == ("later", "GitHub asks to wait.")
    found = row("runs", run_id=RUN_ID) or {}
    # Each execution has its own name, and the wait starts small again.
    assert found["postponed"] == 3
    resume_at = datetime.fromisoformat(found["resume_at"])
    assert 20 < (resume_at - before).total_seconds() < 60


def test_replay_reports_a_concurrent_run_and_leaves_its_log(
    scene: Scene,
) -> None:
    inner: list[tuple[str, str]] = []

    def end_concurrently(run: ActiveRun) -> None:
        scene.act = lambda run: None
        inner.extend(replayed(scene, message()))

    scene.act = end_concurrently

    assert replayed(scene, message()) == [("done", "")]
    assert inner == [("failed", "RunInProgress: Another invocation is working on this run.")]
    assert scene.logs() == []


def test_replay_reports_a_rejected_signature_as_rejected(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")
    gone = signed(message(), NOW, secret="a-secret-of-two-rotations-before")

    ((outcome, why),) = replayed(scene, gone)

    assert (outcome, why) == ("rejected", "The message's signature does not match its content.")


def test_replay_does_not_measure_the_record_age(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.clear_metrics()

    replayed(scene, message(), timestamp=NOW - 86_400_000)

    metrics.flush_metrics()
    assert "RecordAge" not in capsys.readouterr().out
