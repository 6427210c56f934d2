"""Installs the blueprints, actions and automations of `port/` in a Port organisation.

Without `--apply` it shows what would change and changes nothing. What an organisation has added to
an object of ours (a property, an input, a relation) stays; what `port/` says about it is put right.
"""

import difflib
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console
from rich.text import Text
from slipway.errors import ConfigurationError, PortError, PortUnavailable, SlipwayError
from slipway.port.client import PortClient

from scripts.change_automations import automations, uses_change_log
from scripts.environment import port_client, read_settings

DEFINITIONS = Path(__file__).resolve().parent.parent / "port"
Json = dict[str, Any]
# An automation is an action that an event executes: it has the same routes.
Kind = Literal["blueprint", "action"]
_FOLDERS: dict[str, Kind] = {
    "blueprints": "blueprint",
    "actions": "action",
    "automations": "action",
}

# What may be written; the rest of an object (times, ids, authors) is the server's.
# https://docs.port.io/api-reference/create-a-blueprint
# https://docs.port.io/api-reference/create-an-action-automation
_WRITABLE: dict[Kind, frozenset[str]] = {
    "blueprint": frozenset(
        {
            "identifier", "title", "icon", "description", "schema", "calculationProperties",
            "mirrorProperties", "aggregationProperties", "relations", "ownership",
            "teamInheritance", "changelogDestination",
        }
    ),
    "action": frozenset(
        {
            "identifier", "title", "icon", "description", "trigger", "invocationMethod",
            "requiredApproval", "approvalNotification", "publish", "allowAnyoneToViewRuns",
        }
    ),
}  # fmt: skip
# Objects that are wholly ours: nothing else may stand in them.
_WHOLE = frozenset({"invocationMethod", "enumColors", "visible", "changelogDestination"})
# Port takes at most one of the two.
_EXCLUSIVE = {"steps": "order", "order": "steps"}


@dataclass(frozen=True)
class Step:
    """One object, as it is and as it has to be.

    Attributes:
        kind: what it is.
        identifier: its identifier.
        current: what Port has of it that can be written; None if Port does not have it.
        wanted: what has to be written.
    """

    kind: Kind
    identifier: str
    current: Json | None
    wanted: Json

    @property
    def name(self) -> str:
        """What people call it, as `automation upscale_service_ended`."""
        automatic = self.wanted.get("trigger", {}).get("type") == "automation"
        return f"{'automation' if automatic else self.kind} {self.identifier}"

    @property
    def change(self) -> Literal["create", "change"] | None:
        """What has to be done; None if nothing."""
        if self.current is None:
            return "create"
        return "change" if self.current != self.wanted else None


class SetupError(Exception):
    """Port refused; the text says for which object and what to do."""


def load_definitions(
    settings: Mapping[str, str] | None = None, folder: Path = DEFINITIONS
) -> list[tuple[Kind, Json]]:
    """Read all objects, in the order in which they must be installed.

    Args:
        settings: of the installation: where changes come from (CHANGES_SOURCE), and what
            subscribes to them (SUBSCRIPTIONS).
        folder: holds the objects that every installation has.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    settings = settings or {}
    found: list[tuple[Kind, Json]] = [
        (kind, json.loads(file.read_text(encoding="utf-8")))
        for name, kind in _FOLDERS.items()
        for file in sorted((folder / name).glob("*.json"))
    ]
    if not uses_change_log(settings):
        return [*found, *(("action", each) for each in automations(settings))]
    for kind, definition in found:
        if (kind, definition["identifier"]) == ("blueprint", "service"):
            definition["changelogDestination"] = {"type": "KAFKA"}
    return found


def overlay(current: Json, ours: Json) -> Json:
    """`current` with everything that `ours` says, and with what only `current` has.

    An empty value counts as said by its absence, as servers leave such fields out.
    """
    merged = dict(current)
    for key, value in ours.items():
        there = current.get(key)
        if key not in current and value in (None, False, [], {}):
            continue
        if isinstance(value, dict) and isinstance(there, dict) and key not in _WHOLE:
            merged[key] = overlay(there, value)
        elif key in {"order", "required", "steps"} and isinstance(there, list):
            added = current.get("properties", {}).keys() - ours.get("properties", {}).keys()
            merge = _with_added_inputs if key == "steps" else _with_added_names
            merged[key] = merge(value, there, added)
        else:
            merged[key] = value
        if key in _EXCLUSIVE:
            merged.pop(_EXCLUSIVE[key], None)
    return merged


def _with_added_names(ours: list[str], current: list[str], added: Set[str]) -> list[str]:
    """Our names, then those of what the organisation has added to a form or a schema."""
    return [*ours, *(name for name in current if name in added)]


def _with_added_inputs(ours: list[Json], current: list[Json], added: Set[str]) -> list[Json]:
    """Our steps of a form, with added inputs where they were: in one of them, or in their own."""
    extra = {step["title"]: _with_added_names([], step["order"], added) for step in current}
    merged = [{**s, "order": [*s["order"], *extra.pop(s["title"], [])]} for s in ours]
    return merged + [{**s, "order": extra[s["title"]]} for s in current if extra.get(s["title"])]


def plan(client: PortClient, definitions: list[tuple[Kind, Json]]) -> list[Step]:
    """Compare Port's objects with ours. Writes nothing.

    Raises:
        SetupError: Port refused to show an object.
        PortUnavailable: Port does not answer.
    """
    return [_compare(client, kind, ours) for kind, ours in definitions]


def apply(client: PortClient, step: Step) -> None:
    """Write one object.

    Raises:
        SetupError: Port refused it.
        PortUnavailable: Port does not answer.
    """
    collection = f"/v1/{step.kind}s"
    try:
        if step.change == "create":
            client.request("POST", collection, json=step.wanted)
        elif step.change == "change":
            path = f"{collection}/{quote(step.identifier, safe='')}"
            client.request("PUT", path, json=step.wanted)
    except PortError as error:
        raise _explained(error, step.name) from error


def difference(step: Step) -> list[str]:
    """The change as lines of a unified diff."""
    before = [] if step.current is None else _lines(step.current)
    return list(difflib.unified_diff(before, _lines(step.wanted), lineterm="", n=2))[2:]


def _compare(client: PortClient, kind: Kind, ours: Json) -> Step:
    identifier = str(ours["identifier"])
    try:
        answer = client.request("GET", f"/v1/{kind}s/{quote(identifier, safe='')}")
    except PortError as error:
        if error.not_found:
            return Step(kind, identifier, None, ours)
        raise _explained(error, f"{kind} {identifier}") from error
    current = {k: v for k, v in answer[kind].items() if k in _WRITABLE[kind]}
    return Step(kind, identifier, current, overlay(current, ours))


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
        "compare it with the file in port/: the type of a property cannot be changed.",
    }.get(error.status, "")
    return SetupError(f"{what}: {error} {cure}".strip())


def _show(console: Console, step: Step) -> None:
    verb = {"create": "would be created", "change": "would be changed"}[str(step.change)]
    console.print(Text(f"{step.name} {verb}", style="bold"))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference(step):
        console.print(Text(f"  {line}", style=styles.get(line[:1], "")), soft_wrap=True)


def _run(console: Console, settings: Mapping[str, str], *, write: bool) -> None:
    client, definitions = port_client(settings), load_definitions(settings)
    done = 0
    # An action needs its blueprint, so each object is written before the next one is looked at.
    for kind, ours in definitions:
        step = _compare(client, kind, ours)
        if step.change is None:
            continue
        done += 1
        if write:
            apply(client, step)
            past = "created" if step.change == "create" else "changed"
            console.print(Text(f"{step.name} {past}", style="green"))
        else:
            _show(console, step)
    if not done:
        console.print("Nothing to change.")
    elif not write:
        console.print(f"\n{done} of {len(definitions)} objects. Write them: --apply")


def main(
    *,
    write: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Write the changes, or only show them.")
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option(help="File with PORT_BASE_URL and so on, as .sandbox/env.")
    ] = None,
) -> None:
    """Install the blueprints, actions and automations of port/ in a Port organisation."""
    errors = Console(stderr=True, highlight=False)
    try:
        _run(Console(highlight=False), read_settings(env_file), write=write)
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
    typer.run(main)
