"""Install the catalog's blueprints, actions and automations in Port.

Without `--apply`, the command shows what would change. What an organisation added to an object of
ours (a property, an input, a value of an enum) stays. Values that the definitions set are restored.
Port keeps a record of the last installation, as an entity of blueprint `slipway_setup`.
Recorded objects without a definition are removed.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import typer
from rich.console import Console
from rich.text import Text
from slipway.errors import ConfigurationError, PortError, PortUnavailable, SlipwayError
from slipway.port.client import PortClient

from scripts.cli import CatalogFolder, start
from scripts.environment import port_client, read_settings
from scripts.invocation import invoked
from scripts.port_definitions import (
    CATALOG,
    Definitions,
    Json,
    Kind,
    identifier_prefix,
    is_change_automation,
    load_definitions,
    uses_change_log,
)
from scripts.port_overlay import additions, overlay

# Definitions by kind and identifier, for example `action upscale_service`.
Record = dict[str, Json]

# The server's part of a blueprint. Port describes blueprints as open to further fields, so other
# fields (for example `includeInGlobalSearch`) are written back unchanged.
# https://docs.port.io/api-reference/create-a-blueprint
_AUTHORSHIP = frozenset({"id", "createdAt", "createdBy", "updatedAt", "updatedBy"})
# An action accepts these fields and no others.
# https://docs.port.io/api-reference/create-an-action-automation
_OF_ACTIONS = frozenset(
    {
        "identifier", "title", "icon", "description", "trigger", "invocationMethod",
        "requiredApproval", "approvalNotification", "publish", "allowAnyoneToViewRuns",
    }
)  # fmt: skip
# Where it is kept what was installed last: an entity for each installation of the organisation.
_RECORD, _RECORD_ENTITY = "slipway_setup", "installed"
# Objects that were installed before the record existed.
_UNRECORDED: Record = {"blueprint service": {"changelogDestination": {"type": "KAFKA"}}}


@dataclass(frozen=True)
class Step:
    """One object in its current and its wanted form.

    Attributes:
        kind: what it is.
        identifier: its identifier.
        current: its writable fields in Port; None if Port does not have it.
        wanted: what will be written; None: it was ours and is not needed any more.
        ours: what the definition says.
    """

    kind: Kind
    identifier: str
    current: Json | None
    wanted: Json | None
    ours: Json

    @property
    def name(self) -> str:
        """Its name for people, for example `automation upscale_service_ended`."""
        automatic = self.ours.get("trigger", {}).get("type") == "automation"
        return f"{'automation' if automatic else self.kind} {self.identifier}"

    @property
    def change(self) -> Literal["create", "change", "delete"] | None:
        """The change to make; None if there is none."""
        if self.wanted is None:
            return None if self.current is None else "delete"
        if self.current is None:
            return "create"
        return "change" if self.current != self.wanted else None


_PAST = {"create": "created", "change": "changed", "delete": "deleted"}


class SetupError(Exception):
    """Port refused; the text names the object and the fix."""


def wanted_definitions(
    record: Mapping[str, Json], settings: Mapping[str, str], catalog: Path = CATALOG
) -> Definitions:
    """Return the objects that the installation should have in Port.

    The result depends on what was installed before. Without SUBSCRIPTIONS, the wanted automations
    of subscriptions are unknown, so they stay unchanged.

    Raises:
        ConfigurationError: a setting is wrong, or the catalog has faults.
    """
    return invoked(_defined(record, settings, catalog), settings, record)


def _defined(record: Mapping[str, Json], settings: Mapping[str, str], catalog: Path) -> Definitions:
    definitions = load_definitions(settings, catalog)
    if "SUBSCRIPTIONS" in settings or uses_change_log(settings):
        return definitions
    defined = _as_record(definitions)
    return definitions + [
        ("action", before)
        for name, before in record.items()
        if name.startswith("action ") and is_change_automation(before) and name not in defined
    ]


def plan(client: PortClient, definitions: Definitions, prefix: str = "") -> list[Step]:
    """Compare Port's objects with an installation's. Writes nothing.

    Raises:
        SetupError: Port refused to show an object.
        PortUnavailable: Port does not answer.
    """
    return list(_steps(client, definitions, read_record(client, prefix)))


def _steps(client: PortClient, definitions: Definitions, record: Record) -> Iterator[Step]:
    for kind, ours in definitions:
        yield _compare(client, kind, ours, record.get(f"{kind} {ours['identifier']}"))
    defined = _as_record(definitions)
    for name, before in record.items():
        # A blueprint stays: deleting it would delete its entities.
        if name not in defined and name.startswith("action "):
            step = _compare(client, "action", before, before)
            yield replace(step, wanted=None)


def read_record(client: PortClient, prefix: str = "") -> Record:
    """Read what the installation with this prefix installed last."""
    entity = client.get_entity(_RECORD, f"{prefix}{_RECORD_ENTITY}")
    if entity is None and prefix:
        return {}
    found: Record = entity.properties["definitions"] if entity else _UNRECORDED
    return found


def recorded_installation(client: PortClient, prefix: str) -> str:
    """Return the installation that owns these actions; empty if none."""
    entity = client.get_entity(_RECORD, f"{prefix}{_RECORD_ENTITY}")
    return str(entity.properties.get("installation") or "") if entity else ""


def recorded_installations(client: PortClient) -> list[str]:
    """Return all installations that have recorded actions in Port."""
    rule = {"property": "$blueprint", "operator": "=", "value": _RECORD}
    query = {"combinator": "and", "rules": [rule]}
    found = client.request("POST", "/v1/entities/search", json=query)["entities"]
    names = {str(entity["properties"].get("installation") or "") for entity in found}
    return sorted(names - {""})


def write_record(
    client: PortClient, definitions: Definitions, prefix: str = "", installation: str = ""
) -> None:
    """Record what the installation with this prefix has installed.

    Raises:
        PortError: Port refused it.
    """
    properties = {"definitions": _as_record(definitions), "installation": installation}
    entity = f"{prefix}{_RECORD_ENTITY}"
    body = {"identifier": entity, "title": "Installed", "properties": properties}
    # Without `merge`, which may merge the two records.
    path = f"/v1/blueprints/{_RECORD}/entities"
    client.request("POST", path, params={"upsert": "true"}, json=body)


def _as_record(definitions: Definitions) -> Record:
    return {f"{kind} {ours['identifier']}": ours for kind, ours in definitions}


def apply(client: PortClient, step: Step) -> None:
    """Write one object.

    Raises:
        SetupError: Port refused it.
        PortUnavailable: Port does not answer.
    """
    collection = f"/v1/{step.kind}s"
    path = f"{collection}/{quote(step.identifier, safe='')}"
    try:
        if step.change == "create":
            # Port creates a page for each new blueprint, which the record does not need.
            hidden = {"create_catalog_page": "false"} if step.identifier == _RECORD else None
            client.request("POST", collection, params=hidden, json=step.wanted)
        elif step.change == "change":
            client.request("PUT", path, json=step.wanted)
        elif step.change == "delete":
            client.request("DELETE", path)
    except PortError as error:
        raise _explained(error, step.name) from error


def difference(step: Step) -> list[str]:
    """Return the change as lines of a unified diff."""
    before, after = ([] if side is None else _lines(side) for side in (step.current, step.wanted))
    return list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]


def _compare(client: PortClient, kind: Kind, ours: Json, base: Json | None) -> Step:
    identifier = str(ours["identifier"])
    try:
        answer = client.request("GET", f"/v1/{kind}s/{quote(identifier, safe='')}")
    except PortError as error:
        if error.not_found:
            return Step(kind, identifier, None, ours, ours)
        raise _explained(error, f"{kind} {identifier}") from error
    found: Json = answer[kind]
    writable = _OF_ACTIONS if kind == "action" else found.keys() - _AUTHORSHIP
    current = {key: value for key, value in found.items() if key in writable}
    return Step(kind, identifier, current, overlay(current, ours, base), ours)


def _lines(value: Json) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _explained(error: PortError, what: str) -> SetupError:
    cure = {
        401: "Port refused these credentials. Check PORT_CLIENT_ID and PORT_CLIENT_SECRET "
        "(Port: … → Credentials), and that PORT_BASE_URL is your organisation's region.",
        403: "These credentials may not do this: their role must be Admin.",
        404: "It refers to a blueprint that is not in Port. Install that blueprint first, or "
        "remove "
        "the subscription that needs it from Terraform's variable 'subscriptions'.",
        422: "Port refused this definition. If an object of this name existed before, "
        "compare it with the catalog's file: the type of a property cannot be changed.",
    }.get(error.status, "")
    return SetupError(f"{what}: {error} {cure}".strip())


def _show(console: Console, step: Step) -> None:
    if step.change:
        console.print(Text(f"{step.name} would be {_PAST[step.change]}", style="bold"))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference(step) if step.change else ():
        console.print(Text(f"  {line}", style=styles.get(line[:1], "")), soft_wrap=True)
    if step.current and step.wanted and (kept := list(additions(step.wanted, step.ours))):
        text = f"{step.name} keeps what your organisation has added: {', '.join(kept)}"
        console.print(Text(text, style="dim"), soft_wrap=True)


def _run(
    console: Console,
    settings: Mapping[str, str],
    catalog: Path,
    *,
    write: bool,
    take_over: bool,
) -> None:
    client, prefix = port_client(settings), identifier_prefix(settings)
    record, owner = read_record(client, prefix), recorded_installation(client, prefix)
    installation = settings.get("INSTALLATION") or owner
    if owner not in {"", installation} and not take_over:
        raise SetupError(
            f"These actions belong to the installation {owner}, and this one is {installation}. "
            "Both would run each request. Give one of them another identifier_prefix in "
            "Terraform. If the other one is gone, add --take-over."
        )
    definitions = wanted_definitions(record, settings, catalog)
    done = 0
    # An action needs its blueprint, so the command writes each object before it compares the next.
    for step in _steps(client, definitions, record):
        done += step.change is not None
        if not write:
            _show(console, step)
        elif step.change:
            apply(client, step)
            console.print(Text(f"{step.name} {_PAST[step.change]}", style="green"))
    if write and (record, owner) != (_as_record(definitions), installation):
        write_record(client, definitions, prefix, installation)
    if not done:
        console.print("Nothing to change.")
    elif not write:
        console.print(
            f"\n{done} of {len(definitions)} objects would change. To write them, add --apply."
        )


def main(
    *,
    write: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Write the changes, or only show them.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take over actions of a removed installation.")
    ] = False,
    catalog: CatalogFolder = CATALOG,
    env_file: Annotated[
        Path | None, typer.Option(help="Environment file (KEY=value), for example .sandbox/env.")
    ] = None,
) -> None:
    """Install the catalog's blueprints, actions and automations in Port."""
    errors = Console(stderr=True, highlight=False)
    try:
        settings, console = read_settings(env_file), Console(highlight=False)
        _run(console, settings, catalog, write=write, take_over=take_over)
    except ConfigurationError as error:
        errors.print(Text(f"port_setup: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(2) from None
    except PortError as error:  # of the token request
        errors.print(Text(f"port_setup: {_explained(error, 'sign in')}", "red"), soft_wrap=True)
        raise typer.Exit(1) from None
    except PortUnavailable as error:
        text = (
            f"port_setup: {error} Check PORT_BASE_URL, then run the command again. "
            "No object is partly written."
        )
        errors.print(Text(text, style="red"), soft_wrap=True)
        raise typer.Exit(1) from None
    except (SetupError, SlipwayError) as error:
        errors.print(Text(f"port_setup: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "--apply")
