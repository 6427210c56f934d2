"""The steps of the remediation machine, on moto's tables, bucket, topic and Step Functions."""

import json

import boto3
import pytest
from slipway.errors import ConfigurationError
from slipway.health.finding import Finding
from slipway.health.row import execution_name

from tests.unit.health.remedy import (
    KEY,
    SERVICE,
    World,
    executions,
    unhealthy_until_restarted,
)
from tests.unit.health.story import HEALTHY, REFUSED, UNHEALTHY, URL

FIRST, SECOND = execution_name(KEY, 1), execution_name(KEY, 2)
STATUS = "health_status"


# -- normal operation


def test_deployed_service_becomes_healthy_and_synced(
    world: World,
) -> None:
    machine = world.become_unhealthy("Progressing")

    machine.run()

    assert (world.entity[STATUS], world.entity["sync_status"]) == ("Healthy", "Synced")
    assert world.entity["health_detail"] == "The health check passes."
    assert world.row.execution is None
    assert world.github.restarted == []


def test_false_degraded_status_is_corrected_with_a_note(
    world: World,
) -> None:
    world.become_unhealthy().run()

    assert world.entity[STATUS] == "Healthy"
    assert "sync_status" not in world.entity
    assert "Reported as Degraded, but its health check passes" in world.entity["health_detail"]
    assert len(world.row.interventions) == 1


def test_restarted_service_is_healthy_and_names_the_repair(
    world: World,
) -> None:
    world.look = unhealthy_until_restarted(world)

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Healthy"
    assert world.entity["health_detail"] == "The service answers again after: restart."
    assert world.github.restarted == [f"{FIRST}-1"]
    assert len(world.row.interventions) == 1
    assert machine.path.count("Repair") == 2  # The start, and a check of its result.
    assert world.alerts() == []


def test_probe_receives_the_settings_of_the_entity(
    world: World,
) -> None:
    world.entity.update(health_expected_status=204, health_json_path="a.b", health_json_value="ok")

    world.become_unhealthy().run()

    wanted = {"url": URL, "status": 204, "json_path": "a.b", "json_value": "ok"}
    assert world.probed == [wanted, wanted]


def test_every_entity_write_has_its_own_check_id(world: World) -> None:
    world.look = unhealthy_until_restarted(world)

    world.become_unhealthy().run()

    ids = [write["health_check_id"] for write in world.port.writes]
    assert len(set(ids)) == len(ids) > 2
    assert all(one.startswith(f"{FIRST}.") for one in ids)


def test_own_writes_start_no_remediation(world: World) -> None:
    world.look = lambda: UNHEALTHY
    machine = world.become_unhealthy()
    records = []
    while machine.next != "Done":
        before = dict(world.entity)
        machine.advance()
        if world.entity != before:
            after, world.port.entities[SERVICE] = world.entity, before
            records.append(world.change(**after))

    world.deliver(*records)

    assert len(records) > 2
    assert list(executions()) == [FIRST]
    assert world.row.execution is None


# -- services that cannot be probed


def test_service_without_a_health_url_becomes_unknown_once(
    world: World,
) -> None:
    world.entity["health_url"] = None

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Unknown"
    assert "no health URL" in world.entity["health_detail"]
    assert machine.path == ["Decide", "Finish"]
    assert world.probed == []


def test_service_with_an_unsafe_url_becomes_unknown_unrepaired(world: World) -> None:
    world.look = lambda: REFUSED

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Unknown"
    assert world.entity["health_detail"] == REFUSED.sentence
    assert machine.path == ["Decide", "Probe", "Finish"]
    assert world.github.restarted == []


def test_deleted_service_ends_the_remediation_and_its_lock(
    world: World,
) -> None:
    machine = world.become_unhealthy()
    world.locks.acquire(KEY, FIRST, "remediation")
    del world.port.entities[SERVICE]

    machine.run()

    assert machine.path == ["Decide", "Finish"]
    assert world.row.execution is None
    assert world.holder() is None
    assert world.port.writes == []


@pytest.mark.parametrize("status", ["Suspended", "Missing", "Healthy", "Pending"])
def test_service_is_left_alone_when_its_status_was_set_elsewhere(world: World, status: str) -> None:
    machine = world.become_unhealthy().until("Probe")
    world.change(health_status=status)

    machine.run()

    assert world.entity[STATUS] == status
    assert world.port.writes == []


def test_mode_off_probes_and_writes_nothing(
    world: World,
) -> None:
    world.set_policy(mode="off")

    machine = world.become_unhealthy().run()

    assert (machine.path, world.port.writes, world.probed) == (["Decide", "Finish"], [], [])
    assert world.entity[STATUS] == "Degraded"


@pytest.mark.parametrize("state", ["Probe", "Wait", "Repair", "Finish"])
def test_running_remediation_stops_writing_when_switched_off(world: World, state: str) -> None:
    world.look = lambda: UNHEALTHY
    machine = world.become_unhealthy().until(state)
    written = len(world.port.writes)
    world.set_policy(mode="off")

    machine.run()

    assert len(world.port.writes) == written
    assert (world.github.restarted, world.github.issues) == (
        ([f"{FIRST}-1"], []) if state == "Finish" else ([], [])
    )


def test_invalid_policy_raises_an_error_that_names_the_variable(
    world: World,
) -> None:
    machine = world.become_unhealthy()
    boto3.client("s3").put_object(Bucket="records", Key="policy/remediation.json", Body=b"{}")

    with pytest.raises(ConfigurationError, match="Correct variable 'remediation'"):
        machine.advance()


# -- metrics


def test_successful_repair_is_counted_in_its_metrics(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.look = unhealthy_until_restarted(world)

    world.become_unhealthy().run()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ended = [line for line in lines if "RepairEnded" in line]
    assert [(line["strategy"], line["outcome"]) for line in ended] == [("restart", "done")]
    assert [line["ending"] for line in lines if "RemediationEnded" in line] == ["healthy"]


def test_verdict_waits_for_consecutive_equal_probes(world: World) -> None:
    answers = [UNHEALTHY, HEALTHY, HEALTHY]
    world.look = lambda: answers.pop(0)

    machine = world.become_unhealthy().run()

    assert machine.path.count("Probe") == 3
    assert world.entity[STATUS] == "Healthy"


def test_entity_shows_the_finding_of_a_probe(world: World) -> None:
    said = Finding(
        state="unhealthy", kind="status", sentence="The health URL answered 500, not a 2xx."
    )
    world.look = lambda: said

    world.become_unhealthy().until("Probe").advance()

    assert world.entity["health_detail"] == said.sentence
    assert world.entity["last_health_check"] == "2026-11-23T10:00:00Z"
    assert world.entity[STATUS] == "Degraded"
