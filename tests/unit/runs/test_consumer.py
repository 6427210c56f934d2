"""The processing of records: Port is a real HTTP server, AWS is moto."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import time_machine
from slipway.errors import GitHubUnavailable, RecordsFailed, UserError
from slipway.observability import logger, metrics
from slipway.port.message import parse
from slipway.runs import clients, later
from slipway.runs.ledger import Ledger
from slipway.runs.run import ActiveRun

from tests.releases import RELEASES, ROOT, fill, read_machine
from tests.scripted import NO_ANSWER, Answer
from tests.unit.conftest import RUN_ID
from tests.unit.runs.consuming import (
    DONE,
    FUNCTION,
    NOW,
    RUN,
    SECRET,
    TOPIC,
    UNKNOWN,
    Scene,
    event,
    message,
    row,
    set_run,
)

pytestmark = pytest.mark.waits

CURRENT = ROOT / "terraform/modules/deliver_later/definition.asl.json"
DEFINITIONS = [*(release / "deliver_later.asl.json" for release in RELEASES), CURRENT]


def test_consumed_message_reaches_the_function(scene: Scene) -> None:
    assert scene.consume(event(message())) == DONE

    assert [run.run_id for run in scene.acted] == [RUN_ID]
    assert scene.acted[0].message.action == "create_service"
    assert scene.logs() == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"not json", "Foreign"),
        (b"\xff\xfe", "Foreign"),
        (b"", "Foreign"),
        (b"[" * 100_000, "Foreign"),
        ([1, 2], "Foreign"),
        ("text", "Foreign"),
        ({"resourceType": "entity", "diff": {}}, "Foreign"),
        (message(context={"runId": "wfnr_1"}), "Foreign"),
        (message(action="restart_database"), "Foreign"),
        (message(context={}), "RunNotFound"),
        (message(context={"runId": 5}), "RunNotFound"),
        (message(context={"runId": "../../x"}), "RunNotFound"),
    ],
)
def test_foreign_message_is_skipped_once_and_counted(
    scene: Scene, capsys: pytest.CaptureFixture[str], value: object, reason: str
) -> None:
    assert scene.consume(event(value)) == DONE

    out = scene.log.getvalue()
    assert not scene.acted
    assert not scene.port.requests
    assert out.count("Message skipped") == 1
    assert f'"reason":"{reason}"' in out
    assert '"MessageSkipped"' in capsys.readouterr().out


@pytest.mark.parametrize(("ago", "age"), [(90_000, 90), (-3_600_000, 0)])
def test_record_age_is_measured(
    scene: Scene, capsys: pytest.CaptureFixture[str], ago: int, age: int
) -> None:
    metrics.clear_metrics()

    with time_machine.travel(NOW / 1000, tick=False):
        scene.consume(event(message(), timestamp=NOW - ago))

    metrics.flush_metrics()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert next(line["RecordAge"] for line in lines if "RecordAge" in line) == pytest.approx([age])


def test_old_run_is_skipped_when_port_does_not_know_it(scene: Scene) -> None:
    scene.port.script(f"GET {RUN}", UNKNOWN)

    assert scene.consume(event(message(), timestamp=NOW - 3_600_000)) == DONE
    assert not scene.acted
    assert not scene.writes()
    assert row("runs", run_id=RUN_ID) is None


def test_new_run_is_retried_later_when_port_does_not_know_it_yet(
    scene: Scene,
) -> None:
    just_now = int(time.time() * 1000)
    scene.port.script(f"GET {RUN}", UNKNOWN)
    scene.port.script(f"POST {RUN}/logs", UNKNOWN, (201, {"ok": True, "runLog": {}}, {}))

    assert scene.consume(event(message(), timestamp=just_now)) == DONE

    assert not scene.acted
    waiting = row("runs", run_id=RUN_ID)
    assert waiting
    assert waiting["postponed"] == 1

    set_run(scene)
    assert scene.consume({"schema_version": 1, "deliver": {"run_id": RUN_ID}})
    assert [run.run_id for run in scene.acted] == [RUN_ID]


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "DECLINED"])
def test_redelivered_message_does_not_touch_an_ended_run(scene: Scene, status: str) -> None:
    set_run(scene, status=status)

    assert scene.consume(event(message())) == DONE
    assert not scene.acted
    assert not scene.writes()


def test_message_is_skipped_when_port_names_another_action(
    scene: Scene,
) -> None:
    set_run(scene, action={"identifier": "delete_service"})

    assert scene.consume(event(message())) == DONE
    assert not scene.acted
    assert not scene.writes()


def test_repeated_message_runs_the_function_once(
    scene: Scene,
) -> None:
    scene.consume(event(message(), message()))
    scene.consume(event(message()))

    assert len(scene.acted) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trigger": {"by": {"userId": "u"}}}, "'trigger.at' of Port's message is wrong"),
        ({"trigger": 5}, "'trigger' of Port's message"),
        ({"payload": {"action": {"trigger": "CREATE"}}}, "'payload.properties' of Port's message"),
        (
            {"payload": {"action": {"trigger": "BREAK"}, "properties": {}}},
            "'payload.action.trigger' of Port's message",
        ),
    ],
)
def test_run_fails_with_the_name_of_a_missing_or_invalid_field(
    scene: Scene, changes: dict[str, Any], said: str
) -> None:
    assert scene.consume(event(message(**changes))) == DONE

    assert not scene.acted
    assert said in scene.logs()[0]
    assert scene.updates()[0]["status"] == "FAILURE"


def test_refused_run_ends_with_failure_as_the_last_write(
    scene: Scene,
) -> None:
    def refuse(run: ActiveRun) -> None:
        with run.lock("shop"):
            raise UserError("Choose another name.")

    scene.act = refuse

    assert scene.consume(event(message())) == DONE
    assert scene.logs()[-1] == "Choose another name."
    assert scene.writes()[-1] == f"PATCH {RUN}"
    assert scene.updates() == [
        {"status": "FAILURE", "statusLabel": "Failed", "summary": "Choose another name."}
    ]
    assert row("locks", service="shop") is None
    assert (row("runs", run_id=RUN_ID) or {})["outcome"] == "FAILURE"


def test_throttled_run_is_retried_later_and_shows_when(
    scene: Scene,
) -> None:
    retry_at = datetime(2099, 1, 1, tzinfo=UTC)

    def throttle(run: ActiveRun) -> None:
        raise GitHubUnavailable("GitHub asks to wait.", retry_at)

    scene.act = throttle

    assert scene.consume(event(message())) == DONE
    body = scene.port.bodies(f"POST {RUN}/logs")[-1]
    assert body["message"] == "GitHub asks to wait."
    assert body["statusLabel"].startswith("Waiting until ")
    assert (row("runs", run_id=RUN_ID) or {})["function_arn"] == FUNCTION
    stored = boto3.client("s3").get_object(Bucket="records", Key=f"later/{RUN_ID}.json")
    assert json.loads(stored["Body"].read())["topic"] == TOPIC


@pytest.mark.parametrize("file", DEFINITIONS, ids=[file.parent.name for file in DEFINITIONS])
def test_released_machine_delivers_a_stored_record(scene: Scene, file: Path) -> None:
    (sent,) = read_machine(file).payloads.values()

    def throttle(run: ActiveRun) -> None:
        raise GitHubUnavailable("GitHub asks to wait.")

    scene.act = throttle
    scene.consume(event(message()))
    scene.act = lambda run: None

    answer = scene.consume({**sent, "deliver": fill(sent["deliver"], {"$.run_id": RUN_ID})})

    assert answer == {"delivered": RUN_ID}
    assert len(scene.acted) == 2


def test_run_goes_on_hold_and_fails_only_its_record_after_a_bug(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", "true")

    def crash(run: ActiveRun) -> None:
        raise ZeroDivisionError("secret-ish detail")

    scene.act = crash

    answer = scene.consume(event(b"junk", message(), b"junk"))

    assert answer == {
        "batchItemFailures": [{"itemIdentifier": {"partition": f"{TOPIC}-0", "offset": 1}}]
    }
    body = scene.port.bodies(f"POST {RUN}/logs")[-1]
    assert body["statusLabel"] == "On hold, reference no-trace"
    assert "ZeroDivisionError" not in body["message"]
    assert '"RunCrashed"' in capsys.readouterr().out
    assert not scene.updates()


def poisoned_batch(scene: Scene) -> dict[str, Any]:
    """Make an event with ten runs, of which the fourth crashes the function."""
    runs = [f"r_{number}" for number in range(10)]
    for run_id in runs:
        route = f"/v1/actions/runs/{run_id}"
        run = {"id": run_id, "status": "IN_PROGRESS", "action": {"identifier": "create_service"}}
        scene.port.script(f"GET {route}", (200, {"ok": True, "run": run}, {}))
        scene.port.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def crash(run: ActiveRun) -> None:
        if run.run_id == "r_3":
            raise ZeroDivisionError(f"a bug, and {SECRET}")

    scene.act = crash
    return event(*(message(context={"runId": run_id}) for run_id in runs))


@pytest.mark.parametrize("set_to", [None, "false"])
def test_batch_raises_when_one_record_fails_on_demand(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    set_to: str | None,
) -> None:
    if set_to:
        monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", set_to)
    batch = poisoned_batch(scene)

    with pytest.raises(RecordsFailed) as raised:
        scene.consume(batch)

    why = f"{TOPIC}-0@3: ZeroDivisionError: a bug, and *****"
    assert str(raised.value) == f"1 of 10 records failed. {why}"
    assert len(scene.acted) == 10
    assert capsys.readouterr().out.count('"Name":"RunCrashed"') == 1

    scene.act = lambda run: None
    assert scene.consume(batch) == DONE
    assert [run.run_id for run in scene.acted[10:]] == ["r_3"]


def test_batch_names_failed_record_when_provisioned(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", "true")
    batch = poisoned_batch(scene)

    answer = scene.consume(batch)

    failed = {"partition": f"{TOPIC}-0", "offset": 3}
    assert answer == {"batchItemFailures": [{"itemIdentifier": failed}]}
    assert len(scene.acted) == 10
    assert f'"record":"{TOPIC}-0@3"' in scene.log.getvalue()
    assert capsys.readouterr().out.count('"Name":"RunCrashed"') == 1


def test_batch_raises_when_every_record_fails_provisioned(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", "true")
    batch = poisoned_batch(scene)
    batch["records"] = {f"{TOPIC}-0": batch["records"][f"{TOPIC}-0"][3:4]}

    with pytest.raises(RecordsFailed, match=r"^1 of 1 records failed\."):
        scene.consume(batch)


def test_run_goes_on_hold_when_its_retries_are_used_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(run: ActiveRun) -> None:
        raise GitHubUnavailable("GitHub asks to wait.")

    scene.act = throttle
    monkeypatch.setattr(later, "MAX_POSTPONED", 0)

    with pytest.raises(RecordsFailed, match="postponed 0 times without success"):
        scene.consume(event(message()))

    body = scene.port.bodies(f"POST {RUN}/logs")[-1]
    assert body["statusLabel"] == "On hold, reference no-trace"


def test_run_is_kept_when_port_is_down(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.port.script(f"GET {RUN}", (503, {}, {"Retry-After": "600"}))
    scene.port.script(f"POST {RUN}/logs", (NO_ANSWER, None, {}))
    monkeypatch.setattr(clients.port_client(), "_retry_budget", 0.2)

    assert scene.consume(event(message())) == DONE
    assert not scene.acted
    assert row("runs", run_id=RUN_ID)


def test_run_of_an_unknown_status_is_on_hold(scene: Scene) -> None:
    set_run(scene, status="PAUSED")

    with pytest.raises(RecordsFailed, match="PAUSED"):
        scene.consume(event(message()))

    assert not scene.acted
    assert "PAUSED" in (row("runs", run_id=RUN_ID) or {})["held"]["why"]


def test_run_that_port_started_ends_with_a_reason(scene: Scene) -> None:
    by = {"byPort": True, "orgId": "org_test"}

    assert scene.consume(event(message(trigger={**message()["trigger"], "by": by}))) == DONE

    assert not scene.acted
    assert scene.updates()[-1]["summary"].startswith("Port started this run itself")


@pytest.mark.parametrize(("killed", "is_shown"), [(1, False), (2, True), (3, True)])
def test_run_shows_that_its_function_is_killed_repeatedly(
    scene: Scene, capsys: pytest.CaptureFixture[str], killed: int, is_shown: bool
) -> None:
    for _ in range(killed):
        # A killed process cannot record its end.
        Ledger("runs").open(parse(message()))

    assert scene.consume(event(message())) == DONE

    assert len(scene.acted) == 1
    text = f"interrupted {killed} times"
    assert any(text in line for line in scene.logs()) == is_shown
    assert ('"RunCrashed"' in capsys.readouterr().out) == is_shown


def test_waiting_run_is_not_shown_as_interrupted(scene: Scene) -> None:
    def throttle(run: ActiveRun) -> None:
        raise GitHubUnavailable("GitHub asks to wait.")

    scene.act = throttle
    scene.consume(event(message()))
    for _ in range(3):
        scene.consume({"schema_version": 1, "deliver": {"run_id": RUN_ID}})

    assert not any("interrupted" in line for line in scene.logs())


def test_row_of_an_older_release_counts_no_interruptions(scene: Scene) -> None:
    table = boto3.resource("dynamodb").Table("runs")
    table.put_item(Item={"run_id": RUN_ID, "action": "create_service", "deliveries": 5})

    scene.consume(event(message()))

    assert not any("interrupted" in line for line in scene.logs())


PAGE: Answer = (404, b"<!doctype html><title>Gateway</title>", {"Content-Type": "text/html"})


def test_run_is_delivered_later_after_a_404_from_a_gateway(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.port.script(f"GET {RUN}", PAGE)
    monkeypatch.setattr(clients.port_client(), "_retry_budget", 0)

    assert scene.consume(event(message(), timestamp=NOW - 3_600_000)) == DONE

    assert (row("runs", run_id=RUN_ID) or {})["postponed"] == 1
    assert "A server other than Port answered 404" in scene.logs()[-1]


def test_run_is_on_hold_when_the_base_url_is_wrong(scene: Scene) -> None:
    scene.port.script("POST /v1/auth/access_token", PAGE)

    with pytest.raises(RecordsFailed, match="answered 404"):
        scene.consume(event(message(), timestamp=NOW - 3_600_000))

    assert "port.base_url" in (row("runs", run_id=RUN_ID) or {})["held"]["why"]


def test_run_goes_on_hold_when_port_refuses_to_read_it(
    scene: Scene,
) -> None:
    scene.port.script(f"GET {RUN}", (403, {"ok": False, "error": "forbidden"}, {}))

    with pytest.raises(RecordsFailed, match="403"):
        scene.consume(event(message()))

    found = row("runs", run_id=RUN_ID) or {}
    assert (found["action"], found["open"]) == ("create_service", "yes")
    assert "403" in found["held"]["why"]


def test_secret_input_is_decrypted_for_the_function_and_masked(
    scene: Scene,
) -> None:
    encrypted = "AAECAwQFBgcICQoLDA0OD5X18dL7CSJ9vXAAuyLOreueRvsvyBQ="  # s3cr3t
    payload = {
        **message()["payload"],
        "properties": {"password": encrypted},
        "censoredProperties": ["password"],
    }
    scene.act = lambda run: logger.info(str(run.message.inputs))

    scene.consume(event(message(payload=payload)))

    assert scene.acted[0].message.inputs == {"password": "s3cr3t"}
    out = scene.log.getvalue()
    assert "*****" in out
    assert "s3cr3t" not in out
    assert SECRET not in out
    assert "token-of-port" not in out
