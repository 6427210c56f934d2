"""Represent an action's result: a change to propose, or nothing.

A proposal includes what people need to judge it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, override

from slipway.catalog.planning import FilePlan
from slipway.catalog.request import Resource, Target
from slipway.changes.text import pull_request_body
from slipway.github.models import Change, EntityFiles, run_branch
from slipway.port.message import RunMessage

# Characters of a diff that Port shows at once; longer diffs are hard to review.
LONGEST_PREVIEW = 30_000
_CONTEXT = 3
_CODE_LENGTH = 10


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The subject of an approval.

    Attributes:
        action: the action of the catalog.
        key: the entity's key.
        environments: the environments that count.
        summary: what changes, in one line.
        preview: the details for the approvers.
    """

    action: str
    key: str
    environments: tuple[str, ...]
    summary: str
    preview: str

    @property
    def change_hash(self) -> str:
        """SHA-256 of everything that an approval binds."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Proposal(Asked):
    """A change of files that could be made.

    Attributes:
        target: the entity and the action.
        change: the planned pull request.
        base: touched path → blob SHA on the base branch, None where the file is new.
        entity: body of the entity to create, where the action creates one.
    """

    target: Target
    change: Change
    base: Mapping[str, str | None]
    entity: Mapping[str, Any] | None = None

    @property
    @override
    def change_hash(self) -> str:
        """SHA-256 of the change and its base, over the touched paths only.

        Two proposals with the same hash create the same files from the same files. So an approval
        of one also approves the other.
        """
        result = {
            path: None if text is None else hashlib.sha256(text.encode()).hexdigest()
            for path, text in self.change.files.items()
        }
        base = {path: self.base.get(path) for path in result}
        return hash_of(self, base=base, result=result)


def hash_of(asked: Asked, **bound: Any) -> str:
    """Return the SHA-256 of an action on an entity and of what it binds."""
    whole = {
        "action": asked.action,
        "entity": asked.key,
        "environments": asked.environments,
        **bound,
    }
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def propose_files(
    target: Target,
    plan: FilePlan,
    message: RunMessage,
    *,
    commit: str | None,
    run_url: str,
    reviewers: Mapping[str, list[str]],
) -> Proposal:
    """Convert a plan to the pull request that proposes it.

    Args:
        target: the entity and the action.
        plan: what changes.
        message: the request.
        commit: the commit that the plan was made from; None: not needed.
        run_url: the run's page in Port.
        reviewers: each team's reviewers, written as in `Change.reviewers`.
    """
    change = Change(
        entity=files_of(target),
        branch=run_branch(message.action, message.run_id),
        title=plan.title,
        body=pull_request_body(target, message, run_url, plan),
        files=dict(plan.files),
        base_commit=commit,
        labels=("slipway", target.action.identifier),
        reviewers=tuple(reviewers.get(plan.team, ())),
        creates=target.action.creates,
    )
    return Proposal(
        action=target.action.identifier,
        key=target.key,
        environments=plan.environments,
        summary=plan.summary,
        preview=preview(plan.before, plan.files),
        target=target,
        change=change,
        base=plan.base,
        entity=plan.entity,
    )


def files_of(resource: Resource) -> EntityFiles:
    """Return which files of its repository belong to an entity."""
    return EntityFiles(
        name=resource.name,
        folders=tuple(resource.kind.folders(resource.parts)),
        whole=resource.kind.whole_folders(resource.parts),
        owns=resource.owns,
    )


def preview(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> str:
    """Make a unified diff in plain text.

    Args:
        before: path → current text; None for a file with unknown text. Missing: a new file.
        after: path → new text; None for a removed file.
    """
    parts = [_diff(path, path in before, before.get(path), after[path]) for path in sorted(after)]
    return "\n".join(parts)


def shortened(diff: str) -> str:
    """Shorten a diff to the part that Port shows."""
    if len(diff) <= LONGEST_PREVIEW:
        return diff
    shown = diff[:LONGEST_PREVIEW].rpartition("\n")[0]
    missing = diff.count("\n") - shown.count("\n")
    lines = "line of this diff is" if missing == 1 else "lines of this diff are"
    return f"{shown}\n… {missing} more {lines} not shown."


def code_of(diff: str) -> str:
    """Return the code at the end of a full diff; empty if Port shows it all.

    An approver who decides in Port types the code, which shows that they opened the full diff.
    """
    if len(diff) <= LONGEST_PREVIEW:
        return ""
    return hashlib.sha256(diff.encode()).hexdigest()[:_CODE_LENGTH]


def with_code(diff: str) -> str:
    """Return the full diff with its code at the end, if it has one."""
    code = code_of(diff)
    return f"{diff}\n\nCode of this change: {code}" if code else diff


def fenced(text: str) -> str:
    """Return a diff as a block of Markdown that its content cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"


def _diff(path: str, known: bool, before: str | None, after: str | None) -> str:
    shown = _visible(path)
    header = [
        f"--- a/{shown}" if known else "--- /dev/null",
        "+++ /dev/null" if after is None else f"+++ b/{shown}",
    ]
    if known and before is None:
        return "\n".join([*header, "This file is not text, or too large to be shown."])
    old, new = _lines(before), _lines(after)
    return "\n".join([*header, *(_hunk(old, new) if old or new else ["This file is empty."])])


def _hunk(old: list[str], new: list[str]) -> list[str]:
    """Return the difference between two texts as one hunk.

    No action changes more than one place of a file, and for one place every diff has this form. It
    also takes no longer for texts whose lines are all alike, unlike a search for the smallest
    change.
    """
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    first = max(0, start - _CONTEXT)
    tail = old[len(old) - end :][:_CONTEXT]
    removed, added = old[start : len(old) - end], new[start : len(new) - end]
    around = start - first + len(tail)
    ranges = [
        f"{sign}{first + 1 if count else first},{count}"
        for sign, count in (("-", around + len(removed)), ("+", around + len(added)))
    ]
    marked = ((" ", old[first:start]), ("-", removed), ("+", added), (" ", tail))
    return [
        f"@@ {' '.join(ranges)} @@",
        *(f"{mark}{_shown(line)}" for mark, lines in marked for line in lines),
    ]


def _alike(old: list[str], new: list[str]) -> int:
    """Return how many lines are the same at the start of both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _lines(text: str | None) -> list[str]:
    # Not `splitlines`: GitHub ends lines at line feeds only.
    return re.findall(r"[^\n]*\n|[^\n]+", text or "")


def _shown(line: str) -> str:
    ended = line.endswith("\n")
    return _visible(line.removesuffix("\n")) + ("" if ended else "\n\\ No newline at end of file")


def _visible(line: str) -> str:
    """Show control characters as pictures, so that nothing is disguised."""
    return "".join(
        c
        if c == "\t" or c.isprintable()
        else chr(0x2400 + ord(c))
        if ord(c) < 0x20
        else f"\\u{ord(c):04x}"
        for c in line
    )
