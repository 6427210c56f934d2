"""The automations by which Port publishes changes of entities: one for each subscription.

Port filters by the automation's condition, so that a change which starts nothing makes no run and
no message. The condition is never narrower than the subscription's filter, which
`health_checker` applies again.
https://docs.port.io/actions-and-automations/define-automations/setup-trigger
"""

import json
from collections.abc import Mapping
from typing import Any

from slipway.errors import ConfigurationError
from slipway.health.automations import automation_of
from slipway.health.changes import CHECK_ID
from slipway.health.subscriptions import Filter, Subscription, health_subscription, read_table

Json = dict[str, Any]
# The envelope of the change log, with the automation's own run, which `health_checker` ends.
PAYLOAD: Json = {
    "action": "{{ .event.action }}",
    "resourceType": "entity",
    "status": "SUCCESS",
    "trigger": "{{ .event.trigger }}",
    "context": {
        "entity": "{{ .event.context.entityIdentifier }}",
        "blueprint": "{{ .event.context.blueprintIdentifier }}",
        "automationRunId": "{{ .run.id }}",
    },
    "diff": {"before": "{{ .event.diff.before }}", "after": "{{ .event.diff.after }}"},
}


def uses_change_log(settings: Mapping[str, str]) -> bool:
    """Whether the installation reads changes from `ORG_ID.change.log`.

    Raises:
        ConfigurationError: CHANGES_SOURCE has another value.
    """
    source = settings.get("CHANGES_SOURCE") or "automations"
    if source not in {"automations", "change_log"}:
        raise ConfigurationError(
            "CHANGES_SOURCE must be 'automations' or 'change_log', as Terraform's 'changes.source'."
        )
    return source == "change_log"


def automations(settings: Mapping[str, str]) -> list[Json]:
    """The automations of an installation, as Port takes them.

    Args:
        settings: SUBSCRIPTIONS holds the table of Terraform's variable `subscriptions` as JSON,
            HEALTH_BLUEPRINTS the blueprints whose health Slipway looks after.

    Raises:
        ConfigurationError: the table cannot be used.
    """
    blueprints = json.loads(settings.get("HEALTH_BLUEPRINTS") or "[]")
    own = tuple(health_subscription("remediation", one) for one in blueprints)
    table = read_table(own, settings.get("SUBSCRIPTIONS", ""))
    return [automation(entry) for entry in table]


def is_change_automation(definition: Json) -> bool:
    """Whether a definition is one of those that this module makes."""
    automatic = definition["trigger"]["type"] == "automation"
    return automatic and str(definition["identifier"]).endswith(automation_of(""))


def automation(subscription: Subscription) -> Json:
    """The automation that publishes the changes for one subscription."""
    return {
        "identifier": automation_of(subscription.name),
        "title": f"Report changes for {subscription.name} to Slipway",
        "icon": "Microservice",
        "description": f"Starts {subscription.name} when an entity changes",
        "trigger": {
            "type": "automation",
            "event": {
                "type": "ANY_ENTITY_CHANGE",
                "blueprintIdentifier": subscription.filter.blueprint,
            },
            "condition": {
                "type": "JQ",
                "expressions": conditions(subscription.filter),
                "combinator": "and",
            },
        },
        "invocationMethod": {"type": "KAFKA", "payload": PAYLOAD},
        "publish": True,
    }


def conditions(wanted: Filter) -> list[str]:
    """A filter as jq expressions on the event, all of which must be true."""
    found = [".diff.after != null"]
    if not wanted.own_writes:
        found.append(f"{_before(CHECK_ID)} == {_after(CHECK_ID)}")
    found += [
        " or ".join(f"{_after(name)} == {json.dumps(value)}" for value in values)
        for name, values in sorted(wanted.properties.items())
    ]
    if wanted.changed:
        found.append(" or ".join(map(_differs, sorted(wanted.changed))))
    return found


def _before(name: str) -> str:
    return f".diff.before.properties.{json.dumps(name)}"


def _after(name: str) -> str:
    return f".diff.after.properties.{json.dumps(name)}"


def _differs(name: str) -> str:
    """A property, or `$title` and the like for what an entity has beside its properties."""
    if name == "$created":
        return ".diff.before == null"
    if name.startswith("$"):
        quoted = json.dumps(name.removeprefix("$"))
        return f".diff.before.{quoted} != .diff.after.{quoted}"
    return f"{_before(name)} != {_after(name)}"
