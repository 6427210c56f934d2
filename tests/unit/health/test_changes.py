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
    """Make a record in which properties change from `before` to `after`."""

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


def test_change_names_the_changed_property() -> None:
    read = change(DEGRADED)

    assert (read.blueprint, read.entity) == ("service", "my-service")
    assert read.properties["health_status"] == "Degraded"
    assert read.changed == {"health_status"}
    assert read.updated_at == datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
    assert not read.own


def test_record_without_changelog_destination_is_read() -> None:
    old = {name: value for name, value in DEGRADED.items() if name != "changelogDestination"}

    assert change(old) == change(DEGRADED)


def test_new_entity_counts_as_changed_completely() -> None:
    read = change(record(None, {"health_status": "Progressing", "health_check_id": None}))

    assert read.changed == {"health_status", "owner", "$created"}
    assert not read.own


def test_changed_health_check_id_marks_our_own_write() -> None:
    assert change(record({}, {"health_status": "Degraded", "health_check_id": "h2"})).own


def test_changed_title_is_part_of_the_change() -> None:
    value = record({}, {})
    value["diff"]["after"]["title"] = "Other"

    assert change(value).changed == {"$title"}


def test_record_is_skipped_when_only_time_and_author_differ() -> None:
    value = record({}, {})
    value["diff"]["after"] |= {"updatedBy": "y", "createdBy": "z", "createdAt": "later"}

    assert skipped(value) is Reason.NO_CHANGE


def test_true_differs_from_1_in_a_change() -> None:
    assert change(record({"ttl": 1}, {"ttl": True})).changed == {"ttl"}


def test_change_has_the_trigger_time_when_updated_at_is_missing() -> None:
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
def test_other_records_are_skipped_with_a_reason(value: object, reason: Reason) -> None:
    assert skipped(value) is reason


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-11-23T10:00:00", "0001-01-01T00:00:00+14:00", "", [], {}]
)
def test_record_with_an_invalid_time_has_an_unknown_shape(moment: object) -> None:
    value = record({}, {"health_status": "Degraded"})
    value["diff"]["after"]["updatedAt"] = moment

    assert skipped(value) is Reason.UNKNOWN_SHAPE


def test_record_without_a_time_has_an_unknown_shape() -> None:
    value = record({}, {"health_status": "Degraded"}, trigger={})
    value["diff"]["after"]["updatedAt"] = None

    assert skipped(value) is Reason.UNKNOWN_SHAPE


def test_deeply_nested_record_is_skipped_without_an_error() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    read = read_change(record({"x": deep}, {"x": [deep]}))

    assert isinstance(read, Skipped)
    assert "nested" in read.sentence
    # Dismantled here, because the interpreter would do it by recursion.
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


def test_merged_change_has_the_last_state_and_all_properties() -> None:
    merged = merge([at(5, health_status="Degraded"), at(7, owner="old"), at(6, owner="new")])

    assert merged.properties["owner"] == "new"
    assert merged.changed == {"owner", "health_status"}
