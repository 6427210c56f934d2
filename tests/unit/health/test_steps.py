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
    ill_until_restarted,
)
from tests.unit.health.story import HEALTHY, REFUSED, UNHEALTHY, URL

FIRST, SECOND = execution_name(KEY, 1), execution_name(KEY, 2)
STATUS = "health_status"


# -- the ordinary ways


def test_given_a_deployment_that_comes_up_when_looked_at_then_it_is_healthy_and_synced(
    world: World,
) -> None:
    machine = world.become_unhealthy("Progressing")

    machine.run()

    assert (world.entity[STATUS], world.entity["sync_status"]) == ("Healthy", "Synced")
    assert world.entity["health_detail"] == "The health check passes."
    assert world.row.execution is None
    assert world.github.restarted == []


def test_given_a_service_said_to_be_degraded_that_answers_then_it_is_corrected_with_a_note(
    world: World,
) -> None:
    world.become_unhealthy().run()

    assert world.entity[STATUS] == "Healthy"
    assert "sync_status" not in world.entity
    assert "Reported as Degraded, but its health check passes" in world.entity["health_detail"]
    assert len(world.row.interventions) == 1


def test_given_an_ill_service_when_restarted_then_it_is_healthy_and_says_by_what(
    world: World,
) -> None:
    world.look = ill_until_restarted(world)

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Healthy"
    assert world.entity["health_detail"] == "The service answers again after: restart."
    assert world.github.restarted == [f"{FIRST}-1"]
    assert len(world.row.interventions) == 1
    assert machine.path.count("Repair") == 2  # The start, and a look at what came of it.
    assert world.alerts() == []


def test_given_settings_on_the_entity_when_probed_then_the_probe_is_told_them(
    world: World,
) -> None:
    world.entity.update(health_expected_status=204, health_json_path="a.b", health_json_value="ok")

    world.become_unhealthy().run()

    wanted = {"url": URL, "status": 204, "json_path": "a.b", "json_value": "ok"}
    assert world.probed == [wanted, wanted]


def test_given_all_that_was_written_then_each_write_has_an_id_of_its_own(world: World) -> None:
    world.look = ill_until_restarted(world)

    world.become_unhealthy().run()

    ids = [write["health_check_id"] for write in world.port.writes]
    assert len(set(ids)) == len(ids) > 2
    assert all(one.startswith(f"{FIRST}.") for one in ids)


def test_given_a_whole_story_when_its_writes_come_back_then_nothing_starts(world: World) -> None:
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


# -- what nobody can look at


def test_given_no_health_url_when_looked_at_then_unknown_with_a_note_and_no_loop(
    world: World,
) -> None:
    world.entity["health_url"] = None

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Unknown"
    assert "no health URL" in world.entity["health_detail"]
    assert machine.path == ["Decide", "Finish"]
    assert world.probed == []


def test_given_an_unsafe_url_when_probed_then_unknown_and_no_repair(world: World) -> None:
    world.look = lambda: REFUSED

    machine = world.become_unhealthy().run()

    assert world.entity[STATUS] == "Unknown"
    assert world.entity["health_detail"] == REFUSED.sentence
    assert machine.path == ["Decide", "Probe", "Finish"]
    assert world.github.restarted == []


def test_given_an_entity_that_is_gone_when_decided_then_done_and_the_service_is_let_go(
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
def test_given_a_service_that_somebody_has_settled_when_probed_then_it_is_left_as_it_is(
    world: World, status: str
) -> None:
    machine = world.become_unhealthy().until("Probe")
    world.change(health_status=status)

    machine.run()

    assert world.entity[STATUS] == status
    assert world.port.writes == []


def test_given_a_policy_that_says_off_when_ill_then_nothing_is_probed_or_written(
    world: World,
) -> None:
    world.set_policy(mode="off")

    machine = world.become_unhealthy().run()

    assert (machine.path, world.port.writes, world.probed) == (["Decide", "Finish"], [], [])
    assert world.entity[STATUS] == "Degraded"


@pytest.mark.parametrize("state", ["Probe", "Wait", "Repair", "Finish"])
def test_given_a_remediation_at_work_when_switched_off_then_nothing_more_is_written(
    world: World, state: str
) -> None:
    world.look = lambda: UNHEALTHY
    machine = world.become_unhealthy().until(state)
    written = len(world.port.writes)
    world.set_policy(mode="off")

    machine.run()

    assert len(world.port.writes) == written
    assert (world.github.restarted, world.github.issues) == (
        ([f"{FIRST}-1"], []) if state == "Finish" else ([], [])
    )


def test_given_a_policy_that_is_none_when_decided_then_it_says_what_to_correct(
    world: World,
) -> None:
    machine = world.become_unhealthy()
    boto3.client("s3").put_object(Bucket="records", Key="policy/remediation.json", Body=b"{}")

    with pytest.raises(ConfigurationError, match="Correct variable 'remediation'"):
        machine.advance()


# -- metrics


def test_given_a_repair_when_it_has_helped_then_its_metrics_say_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.look = ill_until_restarted(world)

    world.become_unhealthy().run()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ended = [line for line in lines if "RepairEnded" in line]
    assert [(line["strategy"], line["outcome"]) for line in ended] == [("restart", "done")]
    assert [line["ending"] for line in lines if "RemediationEnded" in line] == ["healthy"]


def test_given_probes_that_disagree_then_the_verdict_waits_for_a_row_of_them(world: World) -> None:
    answers = [UNHEALTHY, HEALTHY, HEALTHY]
    world.look = lambda: answers.pop(0)

    machine = world.become_unhealthy().run()

    assert machine.path.count("Probe") == 3
    assert world.entity[STATUS] == "Healthy"


def test_given_a_finding_when_noted_then_the_entity_says_it(world: World) -> None:
    said = Finding(
        state="unhealthy", kind="status", sentence="The health URL answered 500, not a 2xx."
    )
    world.look = lambda: said

    world.become_unhealthy().until("Probe").advance()

    assert world.entity["health_detail"] == said.sentence
    assert world.entity["last_health_check"] == "2026-11-23T10:00:00Z"
    assert world.entity[STATUS] == "Degraded"
