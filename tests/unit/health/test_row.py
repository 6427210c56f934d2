import re
from datetime import timedelta
from typing import Any

import pytest
from slipway.health.changes import Change
from slipway.health.row import (
    Admission,
    ServiceRow,
    admit,
    begun,
    closed,
    execution_name,
    read_entity,
)
from slipway.health.state import Healthy, LastStep, Leave, Repair

from tests.unit.health.story import BEGIN

LATER = BEGIN + timedelta(minutes=5)
DEGRADED = {"health_status": "Degraded", "environment": "Test", "replicas": 2}


def change(minutes: float = 0, **properties: Any) -> Change:
    known = DEGRADED | properties
    at = BEGIN + timedelta(minutes=minutes)
    return Change("service", "shop", at, known, frozenset({"health_status"}), own=False)


def at(offset: int) -> dict[str, int]:
    return {"runs-0": offset}


def admitted() -> ServiceRow:
    record, _ = admit(None, change(), at(1), BEGIN)
    return record


def test_first_remediation_begins_when_a_service_is_unhealthy() -> None:
    record, outcome = admit(None, change(), at(1), BEGIN)

    assert outcome is Admission.STARTED
    assert (record.number, record.execution) == (1, execution_name("service/shop", 1))
    assert (record.started, record.known, record.seen) == (False, None, BEGIN)
    assert (record.state.found, record.state.environment) == ("Degraded", "Test")


def test_newer_change_joins_a_running_remediation() -> None:
    before = admitted()

    record, outcome = admit(before, change(health_status="Progressing"), at(2), LATER)

    assert outcome is Admission.JOINED
    assert (record.seen, record.changes, record.offsets) == (LATER, 2, at(2))
    assert (record.execution, record.state) == (before.execution, before.state)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("at_work", [True, False])
def test_redelivered_record_leaves_the_row_unchanged(offset: int, at_work: bool) -> None:
    before = admitted() if at_work else closed(admitted(), LATER, BEGIN)

    assert admit(before, change(9), at(offset), LATER, BEGIN) == (before, Admission.REDELIVERED)


def test_known_offset_counts_when_the_entity_has_changed() -> None:
    before = closed(admitted(), LATER, BEGIN)

    assert admit(before, change(), at(0), LATER, LATER)[1] is Admission.STARTED


def test_record_of_another_partition_counts() -> None:
    before = closed(admitted(), LATER, BEGIN)

    record, outcome = admit(before, change(), {"runs-1": 0}, LATER)

    assert outcome is Admission.STARTED
    assert record.offsets == {"runs-0": 1, "runs-1": 0}


def test_next_remediation_begins_after_the_last_one_closed() -> None:
    before = closed(admitted(), LATER)

    record, outcome = admit(before, change(), at(2), LATER)

    assert outcome is Admission.STARTED
    assert (record.number, record.execution) == (2, execution_name("service/shop", 2))
    assert record.state.started_at == LATER
    assert record.state.attempts == ()


def test_closed_remediation_keeps_the_time_of_its_first_repair() -> None:
    first = Repair(step="restart", attempt=1, reason="r")
    record = admitted()
    state = record.state.began(first, LATER).ended("failed", LATER)
    state = state.began(first.model_copy(update={"attempt": 2}), LATER + timedelta(minutes=1))

    after = closed(record.changed(state=state, ending=Leave(reason="gone")), LATER)

    assert after.interventions == (LATER,)
    assert after.execution is None
    assert begun(after, DEGRADED, LATER).state.interventions == (LATER,)


@pytest.mark.parametrize(
    ("ending", "counted"),
    [
        (Healthy(reason="It answers."), 1),
        (Healthy(reason="It came up.", synced=True), 0),
        (Leave(reason="Gone."), 0),
        (None, 0),
    ],
)
def test_ending_without_a_repair_counts_only_when_a_correction(
    ending: LastStep | None, counted: int
) -> None:
    assert len(closed(admitted().changed(ending=ending), LATER).interventions) == counted


def test_next_remediation_knows_the_earlier_escalations() -> None:
    escalated = admitted().state.model_copy(update={"escalations": (LATER,)})

    after = closed(admitted().changed(state=escalated), LATER)

    assert begun(after, DEGRADED, LATER).state.escalations == (LATER,)


@pytest.mark.parametrize("ending", [Healthy(reason="a", synced=True), Leave(reason="b"), None])
def test_stored_ending_is_read_back_unchanged(ending: LastStep | None) -> None:
    record = admitted().changed(ending=ending, ended_at=LATER)

    assert ServiceRow.model_validate_json(record.model_dump_json()) == record
    assert begun(record, DEGRADED, LATER).ending is None


def test_old_interventions_and_escalations_are_dropped() -> None:
    many = tuple(BEGIN + timedelta(seconds=number) for number in range(150))
    record = admitted().changed(interventions=many, escalations=many)

    assert len(closed(record, LATER).interventions) == 100
    assert closed(record, BEGIN + timedelta(days=9)).escalations == ()


@pytest.mark.parametrize("service", ["shop", "My Service", "ü/🦆", "x" * 1000, "a\nb"])
def test_execution_names_are_valid_for_any_identifier(
    service: str,
) -> None:
    names = {execution_name(service, number) for number in (1, 2, 10, 10**9)}

    assert len(names) == 4
    assert all(
        re.fullmatch(r"[0-9a-f]{32}-[1-9][0-9]*", name) and len(name) <= 80 for name in names
    )


def test_entity_properties_of_other_types_are_ignored() -> None:
    assert read_entity({"health_status": 5, "environment": ["Test"]}) == (None, None, None)


def test_row_is_writable_when_a_property_has_a_lone_surrogate() -> None:
    record, _ = admit(None, change(environment="\ud800"), at(1), BEGIN)

    assert ServiceRow.model_validate_json(record.model_dump_json()).state.environment == "?"


def test_row_ignores_fields_of_another_release() -> None:
    stored = admitted().model_dump(mode="json") | {"of_another_release": 1}

    assert ServiceRow.model_validate(stored) == admitted()
