"""What an action comes to: a change to propose, with what people need to judge it; or nothing."""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.github.models import Change

# Port's and DynamoDB's limits are far above this; people stop reading long before.
LONGEST_PREVIEW = 30_000


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A change that could be made.

    Attributes:
        action: identifier of the Port action.
        service: the service's name.
        environment: the service's environment, which the approval policy asks for.
        summary: what changes, in one line.
        change: the pull request to be.
        base: touched path → blob SHA on the base branch, None where the file is new.
        preview: unified diff of all touched files.
        entity: body of the entity to create, where the action creates one.
    """

    action: str
    service: str
    environment: str
    summary: str
    change: Change
    base: Mapping[str, str | None]
    preview: str
    entity: dict[str, Any] | None = None

    @property
    def change_hash(self) -> str:
        """SHA-256 of what is changed and from what, over the touched paths only.

        Two proposals with the same hash make the same files out of the same files, so that an
        approval of one is an approval of the other.
        """
        result = {
            path: None if text is None else hashlib.sha256(text.encode()).hexdigest()
            for path, text in self.change.files.items()
        }
        bound = {
            "action": self.action,
            "service": self.service,
            "base": {path: self.base.get(path) for path in result},
            "result": result,
        }
        canonical = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class NothingToDo:
    """The service is already as asked for.

    Attributes:
        service: the service's name.
        reason: why nothing has to be done, as a sentence.
    """

    service: str
    reason: str


def preview(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> str:
    """A unified diff, cut where nobody reads on.

    Args:
        before: path → text as it is; None for a file that is not text. Missing: a new file.
        after: path → text to be; None for a file that is removed.
    """
    parts = [_diff(path, path in before, before.get(path), after[path]) for path in sorted(after)]
    text = "\n".join(parts)
    if len(text) <= LONGEST_PREVIEW:
        return text
    shown = text[:LONGEST_PREVIEW].rpartition("\n")[0]
    missing = text.count("\n") - shown.count("\n")
    return f"{shown}\n… and {missing} more lines in {len(parts)} files"


def fenced(text: str) -> str:
    """A diff as a block of Markdown that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"


def _diff(path: str, known: bool, before: str | None, after: str | None) -> str:
    old = f"a/{path}" if known else "/dev/null"
    new = "/dev/null" if after is None else f"b/{path}"
    if known and before is None:
        return f"--- {old}\n+++ {new}\nThis file is not text."
    lines = difflib.unified_diff(_lines(before), _lines(after), old, new, lineterm="")
    return "\n".join(lines) or f"--- {old}\n+++ {new}\nThis file is empty."


def _lines(text: str | None) -> list[str]:
    # Not `splitlines`: what is a line for GitHub ends with a line feed only.
    return [_visible(line) for line in (text or "").removesuffix("\n").split("\n")] if text else []


def _visible(line: str) -> str:
    """Control characters as pictures: what is approved must not look like something else."""
    return "".join(
        c
        if c == "\t" or c.isprintable()
        else chr(0x2400 + ord(c))
        if ord(c) < 0x20
        else f"\\u{ord(c):04x}"
        for c in line
    )
