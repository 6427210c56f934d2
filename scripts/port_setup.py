"""Installs the catalog's blueprints, actions and automations in a Port organisation.

Without `--apply` it shows what would change and changes nothing. What an organisation has added to
an object of ours (a property, an input, a value of an enum) stays; what the definitions say about
it is corrected. What was installed last is kept in Port, as an entity of blueprint
`slipway_setup`: what is in there and is no longer defined is taken back.
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

# Definitions by kind and identifier, as `action upscale_service`.
Record = dict[str, Json]

# The server's part of a blueprint. Port describes blueprints as open to further fields, so the rest
# (as `includeInGlobalSearch`) is written as it was read.
# https://docs.port.io/api-reference/create-a-blueprint
_AUTHORSHIP = frozenset({"id", "createdAt", "createdBy", "updatedAt", "updatedBy"})
# An action takes these fields and no others.
# https://docs.port.io/api-reference/create-an-action-automation
_OF_ACTIONS = frozenset(
    {
        "identifier", "title", "icon", "description", "trigger", "invocationMethod",
        "requiredApproval", "approvalNotification", "publish", "allowAnyoneToViewRuns",
    }
)  # fmt: skip
# Where it is kept what was installed last: an entity for each installation of the organisation.
_RECORD, _RECORD_ENTITY = "slipway_setup", "installed"
# What was installed before there was such a record.
_UNRECORDED: Record = {"blueprint service": {"changelogDestination": {"type": "KAFKA"}}}


@dataclass(frozen=True)
class Step:
    """One object, as it is and as it has to be.

    Attributes:
        kind: what it is.
        identifier: its identifier.
        current: what Port has of it that can be written; None if Port does not have it.
        wanted: what has to be written; None: it was ours and is no longer needed.
        ours: what the definition says.
    """

    kind: Kind
    identifier: str
    current: Json | None
    wanted: Json | None
    ours: Json

    @property
    def name(self) -> str:
        """What people call it, as `automation upscale_service_ended`."""
        automatic = self.ours.get("trigger", {}).get("type") == "automation"
        return f"{'automation' if automatic else self.kind} {self.identifier}"

    @property
    def change(self) -> Literal["create", "change", "delete"] | None:
        """What has to be done; None if nothing."""
        if self.wanted is None:
            return None if self.current is None else "delete"
        if self.current is None:
            return "create"
        return "change" if self.current != self.wanted else None


_PAST = {"create": "created", "change": "changed", "delete": "deleted"}


class SetupError(Exception):
    """Port refused; the text says for which object and what to do."""


def wanted_definitions(
    record: Mapping[str, Json], settings: Mapping[str, str], catalog: Path = CATALOG
) -> Definitions:
    """Return what the installation should have in Port, given what was installed before.

    Without SUBSCRIPTIONS it is not known which automations of subscriptions are still wanted: they
    stay as they are.

    Raises:
        ConfigurationError: a setting is wrong, or the catalog has faults.
    """
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
    """Compare Port's objects with those of the installation with this prefix. Writes nothing.

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
        # A blueprint stays: its entities would go with it.
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
    """Return which installation has recorded these actions as its own; empty if none has said so."""
    entity = client.get_entity(_RECORD, f"{prefix}{_RECORD_ENTITY}")
    return str(entity.properties.get("installation") or "") if entity else ""


def write_record(
    client: PortClient, definitions: Definitions, prefix: str = "", installation: str = ""
) -> None:
    """Note what the installation with this prefix has installed.

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
            # Port makes a page for each new blueprint, which the record needs as little as a menu.
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
        401: "Port does not take these credentials. Check PORT_CLIENT_ID and PORT_CLIENT_SECRET "
        "(Port: … → Credentials), and that PORT_BASE_URL is your organisation's region.",
        403: "These credentials may not do this: their role must be Admin.",
        404: "A blueprint that it names is not in Port. Install that first, or remove the "
        "subscription that needs it from Terraform's variable 'subscriptions'.",
        422: "Port does not take this definition. If an object of this name was there before, "
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
            "Both would carry out each run. Give one of them another identifier_prefix in "
            "Terraform. If the other one is gone, add --take-over."
        )
    definitions = wanted_definitions(record, settings, catalog)
    done = 0
    # An action needs its blueprint, so each object is written before the next one is looked at.
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
        console.print(f"\n{done} of {len(definitions)} objects. Write them: --apply")


def main(
    *,
    write: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Write the changes, or only show them.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take actions of an installation that is gone.")
    ] = False,
    catalog: CatalogFolder = CATALOG,
    env_file: Annotated[
        Path | None, typer.Option(help="File with PORT_BASE_URL and so on, as .sandbox/env.")
    ] = None,
) -> None:
    """Install the catalog's blueprints, actions and automations in a Port organisation."""
    errors = Console(stderr=True, highlight=False)
    try:
        settings, console = read_settings(env_file), Console(highlight=False)
        _run(console, settings, catalog, write=write, take_over=take_over)
    except ConfigurationError as error:
        errors.print(Text(f"port_setup: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(2) from None
    except PortError as error:  # the token's
        errors.print(Text(f"port_setup: {_explained(error, 'sign in')}", "red"), soft_wrap=True)
        raise typer.Exit(1) from None
    except PortUnavailable as error:
        text = f"port_setup: {error} Is PORT_BASE_URL right? Nothing is half-written: run it again."
        errors.print(Text(text, style="red"), soft_wrap=True)
        raise typer.Exit(1) from None
    except (SetupError, SlipwayError) as error:
        errors.print(Text(f"port_setup: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "--apply")
