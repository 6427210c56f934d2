"""Define what an installation has in Port: catalog and Slipway's own.

A generated automation for each action reports that a person ended a run. One for each subscription
reports changes of entities. Port filters changes by the automation's condition, so that a change
which starts nothing creates no run and no message. The condition is never narrower than the
subscription's filter, which `health_checker` applies again.
https://docs.port.io/actions-and-automations/define-automations/setup-trigger
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from slipway.approvals.cleanup import AUTOMATION_SUFFIX
from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.reading import read_folder
from slipway.errors import ConfigurationError
from slipway.health.automations import SUFFIX, automation_of
from slipway.health.changes import CHECK_ID
from slipway.health.subscriptions import Filter, Subscription, health_subscription, read_table

Json = dict[str, Any]
# An automation is an action that an event executes, with the same routes.
Kind = Literal["blueprint", "action"]
Definitions = list[tuple[Kind, Json]]

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "catalog"
# Objects of every installation, for any catalog.
OWN = ROOT / "port"
_PREFIX = re.compile(r"[a-z0-9_]*")
RUN_ENDED = "run_ended"
# The envelope of the change log, with the automation's own run, which `health_checker` ends.
CHANGE: Json = {
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


def load_definitions(
    settings: Mapping[str, str] | None = None, catalog: Path = CATALOG
) -> Definitions:
    """Read all objects, in the order in which they must be installed.

    Args:
        settings: of the installation, as Terraform's output `port_setup` has them. They are the
            source of changes (CHANGES_SOURCE), their subscribers (SUBSCRIPTIONS), and the prefix
            of its actions and automations (IDENTIFIER_PREFIX).
        catalog: the folder of the installation's catalog.

    Raises:
        ConfigurationError: a setting is wrong, or the catalog has faults.
    """
    settings = settings or {}
    files = read_folder(catalog)
    loaded = load_catalog(files)
    by_log = uses_change_log(settings)
    blueprints = [
        *(json.loads(files[f"{name}/blueprint.json"]) for name in sorted(loaded.kinds)),
        *_own("blueprints"),
    ]
    if by_log:
        blueprints = [_published(blueprint, loaded) for blueprint in blueprints]
    defined = {
        name: json.loads(action.definition.text)
        for kind in loaded.kinds.values()
        for name, action in kind.actions.items()
    }
    actions = [
        *(defined[name] for name in sorted(defined)),
        *_own("actions"),
        *(_ended(name, settings) for name in sorted(defined)),
        *(() if by_log else automations(settings, loaded)),
    ]
    return [
        *(("blueprint", blueprint) for blueprint in blueprints),
        *(("action", _installed(action, settings)) for action in actions),
    ]


def identifier_prefix(settings: Mapping[str, str]) -> str:
    """Return the prefix of an installation's action identifiers.

    Raises:
        ConfigurationError: Port, Kafka's filter or a branch name does not allow it.
    """
    prefix = settings.get("IDENTIFIER_PREFIX", "")
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            "IDENTIFIER_PREFIX must consist of lower-case letters, digits and '_', as Terraform's "
            "'identifier_prefix'."
        )
    return prefix


def uses_change_log(settings: Mapping[str, str]) -> bool:
    """Return whether the installation reads changes from `ORG_ID.change.log`.

    Raises:
        ConfigurationError: CHANGES_SOURCE has another value.
    """
    source = settings.get("CHANGES_SOURCE") or "automations"
    if source not in {"automations", "change_log"}:
        raise ConfigurationError(
            "CHANGES_SOURCE must be 'automations' or 'change_log', as Terraform's 'changes.source'."
        )
    return source == "change_log"


def _installed(action: Json, settings: Mapping[str, str]) -> Json:
    """Return an action or automation as this installation has it in Port.

    `scripts.invocation` decides how Port sends it.
    """
    payload = action["invocationMethod"]["payload"]
    return {
        **action,
        "identifier": f"{identifier_prefix(settings)}{action['identifier']}",
        "invocationMethod": {"type": "KAFKA", "payload": payload},
    }


def _own(folder: str) -> Iterator[Json]:
    for file in sorted((OWN / folder).glob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))


def _published(blueprint: Json, catalog: Catalog) -> Json:
    """Return a blueprint, published on the change log if a check needs it."""
    kind = catalog.kind_of(blueprint["identifier"])
    if kind is None or kind.spec.health is None:
        return blueprint
    return {**blueprint, "changelogDestination": {"type": "KAFKA"}}


# -- automations


def _ended(action: str, settings: Mapping[str, str]) -> Json:
    """Return the automation that reports that a person ended a run."""
    prefix = identifier_prefix(settings)
    return {
        "identifier": f"{action}{AUTOMATION_SUFFIX}",
        "title": f"Notify Slipway when a run of {prefix}{action} was ended",
        "icon": "Microservice",
        "description": "Withdraws its approval request and pull request, and frees its service",
        "trigger": {
            "type": "automation",
            "event": {"type": "RUN_UPDATED", "actionIdentifier": f"{prefix}{action}"},
            "condition": {
                "type": "JQ",
                "expressions": [
                    '.diff.before.status == "IN_PROGRESS"',
                    '.diff.after.status == "FAILURE"',
                ],
                "combinator": "and",
            },
        },
        "invocationMethod": {
            "payload": {
                "action": f"{prefix}{RUN_ENDED}",
                "resourceType": "run",
                "context": {
                    "runId": "{{ .event.diff.after.id }}",
                    "automationRunId": "{{ .run.id }}",
                },
            }
        },
        "publish": True,
    }


def automations(settings: Mapping[str, str], catalog: Catalog) -> list[Json]:
    """Return the automations that report changes, one per subscription.

    Args:
        settings: SUBSCRIPTIONS has the table of Terraform's variable `subscriptions` as JSON.
        catalog: its kinds with `health` have Slipway's own subscription.

    Raises:
        ConfigurationError: the table is not valid.
    """
    kinds = catalog.kinds.values()
    blueprints = sorted(kind.blueprint.identifier for kind in kinds if kind.spec.health)
    own = tuple(health_subscription("remediation", blueprint) for blueprint in blueprints)
    return [automation(entry) for entry in read_table(own, settings.get("SUBSCRIPTIONS", ""))]


def is_change_automation(definition: Json) -> bool:
    """Return whether a definition is one of those of `automations`."""
    automatic = definition["trigger"]["type"] == "automation"
    return automatic and str(definition["identifier"]).endswith(SUFFIX)


def automation(subscription: Subscription) -> Json:
    """Return the automation that publishes the changes for one subscription."""
    return {
        "identifier": automation_of(subscription),
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
        "invocationMethod": {"type": "KAFKA", "payload": CHANGE},
        "publish": True,
    }


def conditions(wanted: Filter) -> list[str]:
    """Return a filter as jq expressions on the event, joined by AND."""
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
    """Return a property, or `$title` and the like for built-in fields."""
    if name == "$created":
        return ".diff.before == null"
    if name.startswith("$"):
        quoted = json.dumps(name.removeprefix("$"))
        return f".diff.before.{quoted} != .diff.after.{quoted}"
    return f"{_before(name)} != {_after(name)}"
