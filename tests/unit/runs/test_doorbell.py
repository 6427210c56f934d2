"""Runs that arrive by a queue, or by a doorbell of the sweep instead of a message."""

import base64
import json
from typing import Any

import boto3
import pytest
from slipway.runs.failed import FailedRecords

from tests.unit.conftest import RUN_ID
from tests.unit.runs import consuming
from tests.unit.runs.consuming import RUN, Scene, event, message, row, set_run

pytestmark = pytest.mark.waits
BELL = {"schema_version": 1, "doorbell": {"run_id": RUN_ID}}
DEVELOPER = {"id": "auth0|1", "email": "dev@acme.example", "status": "ACTIVE"}


def queued(*values: object) -> dict[str, Any]:
    """Make an event of the function's SQS queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": base64.b64encode(json.dumps(value).encode()).decode(),
                "attributes": {"SentTimestamp": str(consuming.NOW)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:slipway-create_service",
            }
            for number, value in enumerate(values)
        ]
    }


@pytest.fixture
def unheard(scene: Scene) -> Scene:
    """Make a run of dev@acme.example whose message never arrived."""
    set_run(
        scene,
        blueprint={"identifier": "service"},
        properties={"service_name": "shop"},
        createdBy="auth0|1",
        createdAt="2026-11-23T10:00:00.000Z",
    )
    scene.port.script("GET /v1/users", (200, {"ok": True, "users": [DEVELOPER]}, {}))
    return scene


def test_queued_message_is_carried_out(scene: Scene) -> None:
    assert scene.consume(queued(message())) == {"batchItemFailures": []}

    assert [run.run_id for run in scene.acted] == [RUN_ID]


def test_queued_message_needs_no_signature(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")

    scene.consume(queued(message()))

    assert [run.run_id for run in scene.acted] == [RUN_ID]


def test_message_is_carried_out_once_when_queued_twice(scene: Scene) -> None:
    assert scene.consume(queued(message(), message())) == {"batchItemFailures": []}
    scene.consume(queued(message()))

    assert len(scene.acted) == 1


def test_failed_queued_message_is_reported_to_sqs(scene: Scene) -> None:
    def fail(_run: object) -> None:
        raise ZeroDivisionError

    scene.act = fail

    answer = scene.consume(queued(message(action="other"), message()))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    held = row("runs", run_id=RUN_ID)
    assert held is not None
    assert "ZeroDivisionError" in held["held"]["why"]


def test_doorbell_carries_out_ports_run(unheard: Scene) -> None:
    outcome = unheard.consume(BELL)

    assert outcome["outcome"] == "done"
    (run,) = unheard.acted
    assert run.message.inputs == {"service_name": "shop"}
    assert (run.message.operation, run.message.blueprint) == ("CREATE", "service")
    assert (run.message.requester.user_id, run.message.requester.email) == (
        "auth0|1",
        "dev@acme.example",
    )
    assert f"{run.message.requested_at:%Y-%m-%d %H:%M}" == "2026-11-23 10:00"


def test_doorbell_of_a_day_2_run_names_the_entity(unheard: Scene) -> None:
    set_run(unheard, entity={"identifier": "shop"}, createdBy="auth0|1")

    unheard.consume(BELL)

    (run,) = unheard.acted
    assert (run.message.operation, run.message.entity) == ("DAY-2", "shop")


@pytest.mark.parametrize(
    "user", [{**DEVELOPER, "id": "auth0|2"}, {**DEVELOPER, "status": "DISABLED"}]
)
def test_doorbell_has_no_person_when_port_shows_none(unheard: Scene, user: dict[str, str]) -> None:
    unheard.port.script("GET /v1/users", (200, {"ok": True, "users": [user]}, {}))

    unheard.consume(BELL)

    (run,) = unheard.acted
    assert (run.message.requester.user_id, run.message.requester.email) == ("auth0|1", "")


def test_doorbell_is_not_a_security_event(unheard: Scene) -> None:
    unheard.consume(BELL)

    assert '"security"' not in unheard.log.getvalue()


def test_doorbell_needs_no_signature(unheard: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "required")

    assert unheard.consume(BELL)["outcome"] == "done"


def test_late_message_does_not_repeat_a_claimed_run(unheard: Scene) -> None:
    unheard.consume(BELL)

    unheard.consume(event(message()))

    assert len(unheard.acted) == 1


def test_doorbell_does_not_repeat_a_claimed_run(scene: Scene) -> None:
    scene.consume(event(message()))

    scene.consume(BELL)

    assert len(scene.acted) == 1


def test_doorbell_of_an_ended_run_does_nothing(unheard: Scene) -> None:
    set_run(unheard, status="FAILURE")

    assert unheard.consume(BELL)["outcome"] == "skipped"
    assert not unheard.acted
    assert not unheard.writes()


def test_doorbell_of_another_action_does_nothing(unheard: Scene) -> None:
    set_run(unheard, action={"identifier": "delete_service"})

    assert unheard.consume(BELL)["outcome"] == "skipped"
    assert not unheard.acted


def test_failed_doorbell_becomes_a_failed_record(unheard: Scene) -> None:
    def fail(_run: object) -> None:
        raise ZeroDivisionError

    unheard.act = fail

    assert unheard.consume(BELL)["outcome"] == "failed"

    found = FailedRecords("records")
    (record,) = [record for place in found.places() if (record := found.read(place))]
    assert record.function_name == "slipway-create_service"
    assert [subject.run_id for subject in record.subjects] == [RUN_ID]


def test_failed_doorbell_can_be_replayed(unheard: Scene) -> None:
    def fail(_run: object) -> None:
        raise ZeroDivisionError

    unheard.act = fail
    unheard.consume(BELL)
    unheard.act = lambda _run: None
    stored = json.loads(
        boto3.client("s3").get_object(Bucket="records", Key=f"held/{RUN_ID}.json")["Body"].read()
    )

    answer = unheard.consume({"records": {"doorbell-0": [stored]}, "replay": True})

    assert [each["outcome"] for each in answer["replayed"]] == ["done"]
    assert len(unheard.acted) == 2


def test_postponed_doorbell_is_delivered_later(unheard: Scene) -> None:
    unheard.port.script(f"GET {RUN}", consuming.UNKNOWN)

    assert unheard.consume(BELL)["outcome"] == "later"
    set_run(unheard, createdBy="auth0|1")
    unheard.consume({"schema_version": 1, "deliver": {"run_id": RUN_ID}})

    assert [run.run_id for run in unheard.acted] == [RUN_ID]
