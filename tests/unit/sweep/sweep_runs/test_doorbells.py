"""Runs that Slipway never received: the sweep invokes their functions, then ends them."""

import base64
import json
from typing import Any

import boto3
import pytest
from slipway.aws import dynamodb_table
from slipway.errors import SweepIncomplete
from slipway.sweep.sweep import sweep

from tests.unit.conftest import POLICY, RUN_ID, set_policy
from tests.unit.sweep.sweep_runs.conftest import LIST, World, ago

pytestmark = pytest.mark.waits
SECRET_INPUT = {"type": "string", "encryption": "aes256-gcm"}


@pytest.fixture
def late(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Add a run of 16 minutes ago that is not in the ledger."""
    world.mapping(monkeypatch)
    world.run(executed=ago(minutes=16))
    return world


def doorbells() -> Any:
    item = dynamodb_table("idempotency").get_item(Key={"id": f"doorbells/{RUN_ID}"}).get("Item")
    return item and item["doorbells"]


def test_sweep_invokes_the_function_of_an_unreceived_run(late: World) -> None:
    sweep(60)

    assert late.bells() == [{"schema_version": 1, "doorbell": {"run_id": RUN_ID}}]
    assert doorbells() == 1
    assert late.updates() == []


def test_sweep_does_not_wait_for_an_invoked_function(late: World) -> None:
    sweep(60)

    (asked,) = [each for each in late.port.requests if each.route.endswith("/invocations")]
    assert asked.headers["X-Amz-Invocation-Type"] == "Event"


def test_sweep_ends_a_run_after_three_doorbells(late: World) -> None:
    for _ in range(4):
        sweep(60)

    assert len(late.bells()) == 3
    (update,) = late.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Never received")
    assert "asked for it again" in update["summary"]


def test_sweep_ends_a_run_with_encrypted_inputs(late: World) -> None:
    late.form(token=SECRET_INPUT)

    sweep(60)

    assert late.bells() == []
    (update,) = late.updates()
    assert update["statusLabel"] == "Never received"
    assert "encrypted inputs" in update["summary"]


def test_sweep_sends_no_doorbell_for_a_run_in_the_ledger(late: World) -> None:
    late.seen(at=ago(minutes=1))

    sweep(60)

    assert late.bells() == []


def test_sweep_sends_no_doorbell_to_a_paused_function(
    late: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.mapping(monkeypatch, State="Disabled")

    sweep(60)

    assert late.bells() == []


def test_sweep_sends_a_doorbell_when_the_topic_is_unreadable(
    late: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.mapping(monkeypatch, LastProcessingResult="PROBLEM: SASL authentication failed")

    sweep(60)

    assert len(late.bells()) == 1


def test_sweep_sends_no_doorbell_for_foreign_actions(late: World) -> None:
    late.listed.clear()
    late.run(action="foreign_action", executed=ago(minutes=16))

    sweep(60)

    assert late.bells() == []


def test_doorbell_refused_by_lambda_is_counted_and_named(late: World) -> None:
    for route in list(late.port.answers):
        if route.endswith("/invocations"):
            late.port.script(route, (403, {"Message": "No."}, {}))

    with pytest.raises(SweepIncomplete, match=RUN_ID):
        sweep(60)

    assert doorbells() == 1


@pytest.fixture
def automated(world: World) -> World:
    """Add runs of the automation that reports the ends of runs."""
    set_policy({**POLICY, "own_actions": {}, "own_automations": ["upscale_service_ended"]})
    return world


def test_sweep_ends_old_runs_of_automations(automated: World) -> None:
    automated.run("r_old", action="upscale_service_ended", executed=ago(days=1, minutes=1))
    automated.run("r_new", action="upscale_service_ended", executed=ago(hours=23))

    sweep(60)

    (update,) = automated.updates("r_old")
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Never received")
    assert automated.updates("r_new") == []


def test_sweep_ends_runs_of_automations_in_batches(automated: World) -> None:
    for number in range(201):
        automated.run(f"r_{number}", action="upscale_service_ended", executed=ago(days=2))

    sweep(600)

    ended = [number for number in range(201) if automated.updates(f"r_{number}")]
    assert len(ended) == 200


def test_automation_runs_are_requested_by_their_action(automated: World) -> None:
    sweep(60)

    (asked,) = [each for each in automated.port.requests if each.route == LIST]
    assert "action=upscale_service_ended" in asked.query
    assert "active=true" in asked.query


def dead_letter(bucket_body: dict[str, Any]) -> str:
    """Add a message to the dead-letter queue of `upscale_service`."""
    queue = boto3.client("sqs")
    url = queue.create_queue(QueueName="slipway-upscale_service-failed")["QueueUrl"]
    queue.send_message(
        QueueUrl=url, MessageBody=base64.b64encode(json.dumps(bucket_body).encode()).decode()
    )
    queues = json.dumps({"dead_letters": {url: "slipway-upscale_service"}}).encode()
    boto3.client("s3").put_object(Bucket="records", Key="policy/queues.json", Body=queues)
    return str(url)


def test_sweep_stores_dead_letters_and_puts_runs_on_hold(late: World) -> None:
    message = {"resourceType": "run", "action": "upscale_service", "context": {"runId": RUN_ID}}
    url = dead_letter(message)

    sweep(60)

    counts = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert counts["Attributes"]["ApproximateNumberOfMessages"] == "0"
    (kept,) = boto3.client("s3").list_objects_v2(Bucket="records", Prefix="held/")["Contents"]
    assert kept["Key"].startswith("held/slipway-upscale_service/")
    assert late.bells() == []
    assert late.row()["held"]["reference"]
