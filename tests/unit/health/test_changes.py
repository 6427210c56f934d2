import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from slipway.health.changes import Change, Reason, Skipped, merge, read_change

ENTITY: dict[str, Any] = {
    "identifier": "my-service",
    "title": "My service",
    "blueprint": "service",
    "team": [],
    "properties": {"health_status": "Healthy", "owner": "dee", "health_check_id": "h1"},
    "relations": {},
    "createdAt": "2026-11-01T10:00:00.000Z",
    "createdBy": "x",
    "updatedAt": "2026-11-23T10:00:00.000Z",
    "updatedBy": "x",
}


def record(
    before: dict[str, Any] | None = None, after: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A record in which properties change from `before` to `after`."""

    def entity(properties: dict[str, Any] | None, updated_at: str) -> dict[str, Any] | None:
        if properties is None:
            return None
        known = deepcopy(ENTITY)
        return {
            **known,
            "updatedAt": updated_at,
            "properties": {**known["properties"], **properties},
        }

    return {
        "action": "UPDATE",
        "resourceType": "entity",
        "status": "SUCCESS",
        "trigger": {
            "by": {"orgId": "org_1", "userId": "c@clients"},
            "at": "2026-11-23T10:05:00.100Z",
            "origin": "API",
        },
        "context": {"entity": "my-service", "blueprint": "service"},
        "diff": {
            "before": entity(before, "2026-11-23T10:00:00.000Z"),
            "after": entity(after, "2026-11-23T10:05:00.000Z"),
        },
        "changelogDestination": {"type": "KAFKA"},
    } | changes


PUBLISHED = Path(__file__).resolve().parents[2] / "fixtures" / "port"
DEGRADED = record({}, {"health_status": "Degraded"})


def change(value: object) -> Change:
    read = read_change(value)
    assert isinstance(read, Change), read
    return read


def skipped(value: object) -> Reason:
    read = read_change(value)
    assert isinstance(read, Skipped), read
    assert read.sentence.endswith(".")
    return read.reason


def test_published_example_is_read_as_a_change_of_health() -> None:
    found = change(json.loads((PUBLISHED / "change_log_update_2022.json").read_text()))

    assert (found.blueprint, found.entity) == ("service", "shop")
    assert found.changed == {"health_status"}


def test_given_a_changed_property_then_the_change_names_it() -> None:
    read = change(DEGRADED)

    assert (read.blueprint, read.entity) == ("service", "my-service")
    assert read.properties["health_status"] == "Degraded"
    assert read.changed == {"health_status"}
    assert read.updated_at == datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
    assert not read.own


def test_given_the_record_of_2022_without_destination_then_it_is_read_too() -> None:
    old = {name: value for name, value in DEGRADED.items() if name != "changelogDestination"}

    assert change(old) == change(DEGRADED)


def test_given_a_new_entity_then_all_of_it_has_changed() -> None:
    read = change(record(None, {"health_status": "Progressing", "health_check_id": None}))

    assert read.changed == {"health_status", "owner", "$created"}
    assert not read.own


def test_given_a_changed_health_check_id_then_the_write_was_ours() -> None:
    assert change(record({}, {"health_status": "Degraded", "health_check_id": "h2"})).own


def test_given_a_changed_title_then_the_change_says_so() -> None:
    value = record({}, {})
    value["diff"]["after"]["title"] = "Other"

    assert change(value).changed == {"$title"}


def test_given_only_the_time_and_the_author_differ_then_nothing_has_changed() -> None:
    value = record({}, {})
    value["diff"]["after"] |= {"updatedBy": "y", "createdBy": "z", "createdAt": "later"}

    assert skipped(value) is Reason.NO_CHANGE


def test_given_true_instead_of_1_then_that_is_a_change() -> None:
    assert change(record({"ttl": 1}, {"ttl": True})).changed == {"ttl"}


def test_given_no_updated_at_then_the_time_of_the_trigger_counts() -> None:
    value = record({}, {"health_status": "Degraded"})
    del value["diff"]["after"]["updatedAt"]

    assert change(value).updated_at == datetime(2026, 11, 23, 10, 5, 0, 100_000, tzinfo=UTC)


RUN = {
    "action": "create_service",
    "resourceType": "run",
    "status": "SUCCESS",
    "context": {"runId": "r_1"},
    "diff": {"before": None, "after": {"id": "r_1"}},
}
TIMER = {
    "context": {"blueprint": "service", "entity": "my-service"},
    "action": "TIMER_EXPIRED",
    "trigger": {"at": "2026-11-23T10:05:00.100Z", "by": {"byPort": True, "orgId": "org_1"}},
    "resourceType": "entity",
    "status": "SUCCESS",
}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.TOMBSTONE),
        ([], Reason.UNKNOWN_SHAPE),
        ("text", Reason.UNKNOWN_SHAPE),
        (42, Reason.UNKNOWN_SHAPE),
        ({}, Reason.UNKNOWN_SHAPE),
        ({"resourceType": 7}, Reason.UNKNOWN_SHAPE),
        (RUN, Reason.OTHER_RESOURCE),
        ({"resourceType": "integration", "action": "UPDATE"}, Reason.OTHER_RESOURCE),
        ({"action": "RESYNC", "context": {"integrationId": "i"}}, Reason.RESYNC),
        ({"action": "RESYNC", "resourceType": "integration"}, Reason.RESYNC),
        (TIMER, Reason.TIMER),
        ({**TIMER, "action": "UPDATE"}, Reason.UNKNOWN_SHAPE),
        (record({}, None, action="DELETE"), Reason.DELETED),
        (record({}, {"health_status": "Degraded"}, status="FAILURE"), Reason.FAILED),
        (record({}, {}), Reason.NO_CHANGE),
        (record({"owner": None}, {"owner": None}), Reason.NO_CHANGE),
        (record({}, {"gone": None}), Reason.NO_CHANGE),
        (record({"x": float("nan")}, {"x": float("nan")}), Reason.NO_CHANGE),
        (record({}, {"health_status": "Degraded"}, diff=None), Reason.UNKNOWN_SHAPE),
        (record({}, {"health_status": "Degraded"}, diff={"after": {}}), Reason.UNKNOWN_SHAPE),
        (record({}, {"health_status": "Degraded"}, context=None), Reason.UNKNOWN_SHAPE),
        (
            record({}, {"a": 1}, context={"entity": "other", "blueprint": "service"}),
            Reason.UNKNOWN_SHAPE,
        ),
        (
            record({}, {"a": 1}, context={"entity": "my-service", "blueprint": "vm"}),
            Reason.UNKNOWN_SHAPE,
        ),
        (
            record({}, {"a": 1}, context={"entity": "\ud800", "blueprint": "service"}),
            Reason.UNKNOWN_SHAPE,
        ),
    ],
)
def test_given_a_record_that_is_no_change_of_an_entity_then_it_is_skipped_with_a_reason(
    value: object, reason: Reason
) -> None:
    assert skipped(value) is reason


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-11-23T10:00:00", "0001-01-01T00:00:00+14:00", "", [], {}]
)
def test_given_a_time_that_is_none_then_the_shape_is_unknown(moment: object) -> None:
    value = record({}, {"health_status": "Degraded"})
    value["diff"]["after"]["updatedAt"] = moment

    assert skipped(value) is Reason.UNKNOWN_SHAPE


def test_given_no_time_at_all_then_the_shape_is_unknown() -> None:
    value = record({}, {"health_status": "Degraded"}, trigger={})
    value["diff"]["after"]["updatedAt"] = None

    assert skipped(value) is Reason.UNKNOWN_SHAPE


def test_given_a_value_nested_beyond_all_bounds_then_it_does_not_raise() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    read = read_change(record({"x": deep}, {"x": [deep]}))

    assert isinstance(read, Skipped)
    assert "nested" in read.sentence
    # Taken apart here: the interpreter would do it by recursion.
    while deep:
        deep = deep.pop()


def at(minute: int, **properties: Any) -> Change:
    changed = frozenset(properties)
    return Change(
        "service",
        "my-service",
        datetime(2026, 11, 23, 10, minute, tzinfo=UTC),
        {"health_status": "Degraded", **properties},
        changed,
        "health_check_id" in changed,
    )


def test_merged_change_has_the_last_state_and_all_that_changed() -> None:
    merged = merge([at(5, health_status="Degraded"), at(7, owner="old"), at(6, owner="new")])

    assert merged.properties["owner"] == "new"
    assert merged.changed == {"owner", "health_status"}
