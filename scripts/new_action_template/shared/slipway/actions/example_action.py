"""What *Example Action* wants done: what was typed, in a file."""

import json

from slipway.changes.edit import edit
from slipway.changes.proposal import NothingToDo, Proposal
from slipway.changes.service_folder import service_of
from slipway.changes.situation import Situation
from slipway.errors import InvalidInput, UserError
from slipway.github.models import service_folder
from slipway.port.message import RunMessage

ACTION = "example_action"
FILE = "example_action.json"
FILES = frozenset({FILE})
LONGEST = 200  # characters; the form says so, too


def plan(message: RunMessage, situation: Situation) -> Proposal | NothingToDo:
    """Decide what the request wants done.

    Args:
        message: the request.
        situation: the service's folder with the texts of `FILES`.

    Raises:
        InvalidInput: what was typed is no text, or too long.
        UserError: the file is there and is none of UTF-8 text.
    """
    service = service_of(message)
    value = _read_value(message.inputs.get("value"))
    path = f"{service_folder(service)}/{FILE}"
    before = situation.folder.texts.get(path)
    if before is None and path in situation.folder.files:
        raise UserError(
            f"Slipway cannot change {path}: it is not a file of UTF-8 text, or too large. Mend it "
            "on the base branch, then start this action again."
        )
    after = json.dumps({"value": value}, indent=2, ensure_ascii=False) + "\n"
    if after == before:
        return NothingToDo(service=service, reason=f"Nothing to do: {path} says so already.")
    return edit(
        message,
        situation,
        {path: after},
        title=f"Example Action: {service}",
        summary=f"{FILE} {'written' if before is None else 'changed'}",
        wish="*Example Action*",
        facts={"Value": value},
        consequence="Merging this pull request ends the run with success. Closing it without a "
        "merge ends the run with failure; nothing changes.",
    )


def _read_value(typed: object) -> str:
    if not isinstance(typed, str) or not typed.strip():
        raise InvalidInput("value", "must be a text")
    if len(typed) > LONGEST or not typed.isprintable():
        raise InvalidInput("value", f"must be one line of up to {LONGEST} characters")
    return typed
