"""Changes of entities as the sandbox's Port publishes them by `scripts.port_definitions`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from slipway.health.automations import automation_of, end_runs
from slipway.health.changes import Change, automation_run, read_change
from slipway.health.subscriptions import (
    HEALTH,
    Subscription,
    health_subscription,
    subscriptions_for,
)

from sandbox.testing import OWN_ROUTES
from scripts import port_setup
from scripts.port_definitions import automation, conditions
from tests.port_server import PortServer
from tests.unit.test_health_page import BLOCKS, mapped, sent

pytestmark = pytest.mark.waits

OTHERS: list[dict[str, Any]] = [
    {"name": "replicas", "filter": {"blueprint": "service", "changed": ["replicas", "$title"]}},
    {"name": "created", "filter": {"blueprint": "service", "changed": ["$created"]}},
    {
        "name": "production",
        "filter": {
            "blueprint": "service",
            "properties": {"environment": ["Production", "Staging"]},
            "own_writes": True,
        },
    },
]
TABLE = (
    health_subscription("remediation", "service"),
    *(Subscription(state_machine="m", **entry) for entry in OTHERS),
)


class Changes:
    """A Port organisation with automations and one entity at a time."""

    def __init__(self, server: PortServer) -> None:
        self.server = server
        self._count = 0
        self._seen = 0
        self.name = ""

    def make(self, **properties: Any) -> None:
        self._count += 1
        self.begin(f"s{self._count}")
        self.write(**{"health_status": "Healthy", "environment": "Test", **properties})
        self.published()

    def begin(self, name: str) -> None:
        self.name, self._seen = name, 0

    def write(self, title: str = "Shop", **properties: Any) -> None:
        body = {"identifier": self.name, "title": title, "properties": properties}
        self.server.client.upsert_entity("service", body)

    def published(self) -> dict[str, dict[str, Any]]:
        """Return the new messages about the entity by subscription."""
        params: dict[str, Any] = {"topic": "org_sandbox.runs", "limit": 100}
        url = f"{self.server.url}/_sandbox/messages"
        answer = requests.get(url, params=params, headers=OWN_ROUTES, timeout=300)
        found = answer.json()["messages"]
        values = [json.loads(message["value"]) for message in found]
        mine = [v for v in values if v["context"]["entity"] == self.name]
        fresh = mine[: len(mine) - self._seen]
        self._seen = len(mine)
        return {self._subscription(value): value for value in fresh}

    def _subscription(self, value: dict[str, Any]) -> str:
        run_id = automation_run(value)
        assert run_id
        action = self.server.client.get_run(run_id).action
        return next(entry.name for entry in TABLE if automation_of(entry) == action)


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changes]:
    with PortServer(tmp_path_factory.mktemp("port")) as server:
        for entry in TABLE[1:]:
            server.client.request("POST", "/v1/actions", json=automation(entry))
        yield Changes(server)


def test_published_change_is_read_unchanged(changes: Changes) -> None:
    changes.make(replicas=1)

    changes.write(health_status="Degraded", replicas=2)

    found = changes.published()
    assert found.keys() == {HEALTH, "replicas"}
    for value in found.values():
        change = read_change(value)
        assert isinstance(change, Change)
        assert (change.blueprint, change.entity) == ("service", changes.name)
        assert change.changed == {"health_status", "replicas"}
        assert change.properties["replicas"] == 2
        assert not change.own


@pytest.mark.parametrize(
    ("write", "names"),
    [
        ({"health_status": "Degraded"}, {HEALTH}),
        ({"health_status": "Progressing"}, {HEALTH}),
        ({"health_status": "Missing"}, set()),
        ({"health_status": "Degraded", "health_check_id": "x"}, set()),
        ({"owner": "dee@acme.example"}, set()),
        ({"title": "New"}, {"replicas"}),
        ({"replicas": 5, "health_check_id": "x"}, set()),
        ({"environment": "Production"}, {"production"}),
        ({"environment": "Staging", "health_check_id": "x"}, {"production"}),
    ],
    ids=str,
)
def test_port_publishes_subscribed_changes(
    changes: Changes, write: dict[str, Any], names: set[str]
) -> None:
    changes.make()

    changes.write(**write)

    found = changes.published()
    assert found.keys() == names
    for value in found.values():
        change = read_change(value)
        assert isinstance(change, Change)
        fitting = subscriptions_for(change, TABLE)
        assert isinstance(fitting, tuple)
        assert {entry.name for entry in fitting} == names


def test_created_entity_is_published(changes: Changes) -> None:
    changes.begin("made")
    changes.write(health_status="Degraded")

    found = changes.published()

    assert found.keys() == {HEALTH, "created", "replicas"}
    change = read_change(found["created"])
    assert isinstance(change, Change)
    assert "$created" in change.changed


def test_deleted_entity_is_not_published(changes: Changes) -> None:
    changes.make(environment="Production")

    changes.server.client.delete_entity("service", changes.name)

    assert changes.published() == {}


def test_automation_run_is_open_until_it_is_ended(changes: Changes) -> None:
    changes.make()
    changes.write(health_status="Degraded")
    run_id = automation_run(changes.published()[HEALTH])
    assert run_id
    client = changes.server.client
    assert not client.get_run(run_id).ended

    assert end_runs([run_id], frozenset({automation_of(TABLE[0])}), client, 60) == 1

    assert client.get_run(run_id).status == "SUCCESS"
    assert changes.published() == {}


def test_automation_of_an_unknown_blueprint_names_the_fix(changes: Changes) -> None:
    entry = Subscription.model_validate(
        {"name": "gone", "state_machine": "m", "filter": {"blueprint": "gone"}}
    )
    (step,) = port_setup.plan(changes.server.client, [("action", automation(entry))])

    with pytest.raises(port_setup.SetupError, match="automation gone_changes.*'subscriptions'"):
        port_setup.apply(changes.server.client, step)


def test_condition_values_contain_no_jq_keyword() -> None:
    entry = Subscription.model_validate(
        {
            "name": "odd",
            "state_machine": "m",
            "filter": {"blueprint": "b", "properties": {'a"b': ['x" or true', None, 1, True]}},
        }
    )

    assert conditions(entry.filter)[2] == (
        '.diff.after.properties."a\\"b" == "x\\" or true" or .diff.after.properties."a\\"b" == null'
        ' or .diff.after.properties."a\\"b" == 1 or .diff.after.properties."a\\"b" == true'
    )


def test_health_that_argo_cd_writes_is_published(changes: Changes) -> None:
    (rule,) = json.loads(BLOCKS["port-webhook-mapping.json"])
    body = mapped(rule["entity"], {"body": sent()})
    changes.begin(body["identifier"])

    changes.server.client.upsert_entity(rule["blueprint"], body)

    change = read_change(changes.published()[HEALTH])
    assert isinstance(change, Change)
    assert change.entity == "pay.billing.invoices.qa"
    assert change.properties["sync_status"] == "Synced"
