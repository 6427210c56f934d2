import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from slipway.errors import ConfigurationError
from slipway.health.changes import Change, Reason, Skipped
from slipway.health.subscriptions import (
    Filter,
    Subscription,
    health_subscription,
    read_table,
    subscriptions_for,
)

WHEN = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
HEALTH = health_subscription("slipway-remediation", "service")
AUDIT = {
    "name": "scale-audit",
    "state_machine": "acme-scale-audit",
    "filter": {
        "blueprint": "service",
        "properties": {"environment": ["Production"]},
        "changed": ["replicas"],
    },
}
DEGRADED = Change(
    "service",
    "my-service",
    WHEN,
    {"health_status": "Degraded", "environment": "Production"},
    frozenset({"health_status"}),
    own=False,
)


def started(change: Change, table: tuple[Subscription, ...] = (HEALTH,)) -> list[str]:
    found = subscriptions_for(change, table)
    return [] if isinstance(found, Skipped) else [entry.state_machine for entry in found]


def reason(change: Change) -> Reason:
    found = subscriptions_for(change, (HEALTH,))
    assert isinstance(found, Skipped), found
    return found.reason


@pytest.mark.parametrize("status", ["Progressing", "Degraded"])
def test_unhealthy_status_starts_the_remediation(status: str) -> None:
    change = replace(DEGRADED, properties={"health_status": status})

    assert started(change) == ["slipway-remediation"]


@pytest.mark.parametrize("status", ["Healthy", "Pending", "Unknown", "Missing", None, True, ["x"]])
def test_other_statuses_start_nothing(status: object) -> None:
    change = replace(DEGRADED, properties={"health_status": status})

    assert reason(change) is Reason.NOT_SUBSCRIBED


def test_new_owner_of_a_degraded_service_starts_nothing() -> None:
    assert reason(replace(DEGRADED, changed=frozenset({"owner"}))) is Reason.NOT_SUBSCRIBED


def test_new_health_url_of_a_degraded_service_starts_remediation() -> None:
    assert started(replace(DEGRADED, changed=frozenset({"health_url"})))


def test_own_write_starts_nothing() -> None:
    assert reason(replace(DEGRADED, own=True)) is Reason.OWN_WRITE


def test_change_of_another_blueprint_starts_nothing() -> None:
    assert reason(replace(DEGRADED, blueprint="vm")) is Reason.OTHER_BLUEPRINT


def test_team_subscription_starts_along_with_the_remediation() -> None:
    table = read_table((HEALTH,), json.dumps([AUDIT]))
    change = replace(DEGRADED, changed=frozenset({"health_status", "replicas"}))

    assert [entry.name for entry in table] == ["health", "scale-audit"]
    assert started(change, table) == ["slipway-remediation", "acme-scale-audit"]
    assert started(replace(change, changed=frozenset({"replicas"})), table) == ["acme-scale-audit"]


def test_own_writes_start_only_a_subscription_that_includes_them() -> None:
    subscribed = Subscription(
        name="subscribed",
        state_machine="subscribed",
        filter=Filter(
            blueprint="service", properties={"health_status": ("Degraded",)}, own_writes=True
        ),
    )

    assert started(replace(DEGRADED, own=True), (HEALTH, subscribed)) == ["subscribed"]


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (2, 2.0, True),
        (None, None, True),
        ("", None, False),
    ],
)
def test_values_are_compared_by_json_rules(wanted: Any, value: object, fits: bool) -> None:
    entry = Filter.model_validate({"blueprint": "service", "properties": {"x": [wanted]}})

    assert entry.fits(replace(DEGRADED, properties={"x": value})) is fits


def test_subscription_table_has_only_health_by_default() -> None:
    assert read_table((HEALTH,), "") == (HEALTH,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "the table"),
        (json.dumps([AUDIT, AUDIT]), "'scale-audit' appears twice"),
        (json.dumps([{**AUDIT, "name": "health"}]), "'health' appears twice"),
        (json.dumps([{**AUDIT, "state_machine": "arn:aws:states:x"}]), "0.state_machine"),
        (json.dumps([{**AUDIT, "filter": {}}]), "0.filter.blueprint"),
        (
            json.dumps([{**AUDIT, "filter": {"blueprint": "service", "properties": {"a": []}}}]),
            "0.filter.properties.a",
        ),
        (json.dumps([{**AUDIT, "extra": 1}]), "0.extra"),
    ],
)
def test_invalid_subscription_table_error_names_the_fault(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match="subscription table") as raised:
        read_table((HEALTH,), text)

    assert why in str(raised.value)
