"""Which events start which workflows: the filters of `on`.

https://docs.github.com/actions/reference/events-that-trigger-workflows
"""

import re
from collections.abc import Callable, Iterable

from sandbox.github.runner.workflow import Trigger

# The activity types that count when `types` names none.
_DEFAULT_TYPES = {"opened", "synchronize", "reopened"}


def matches(pattern: str, text: str) -> bool:
    """Match GitHub's filter pattern: `*` within a folder, `**` across, `?` and `+` as in regex.

    https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#filter-pattern-cheat-sheet
    """
    out, position = "", 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            out, step = out + "(?:.*/)?", 3
        elif rest.startswith("**"):
            out, step = out + ".*", 2
        elif rest[0] == "*":
            out, step = out + "[^/]*", 1
        elif rest[0] in "?+":
            # A quantifier of what stands before it.
            out, step = out + (rest[0] if out else re.escape(rest[0])), 1
        elif group := re.match(r"\[[\w-]+\]", rest):
            out, step = out + group.group(), group.end()
        elif rest[0] == "\\" and len(rest) > 1:
            out, step = out + re.escape(rest[1]), 2
        else:
            out, step = out + re.escape(rest[0]), 1
        position += step
    try:
        return re.fullmatch(out, text) is not None
    except re.error:
        return False


def passes(patterns: Iterable[str], text: str) -> bool:
    """Whether the last pattern that matches lets the text in; `!` begins one that keeps it out."""
    verdict = False
    for pattern in patterns:
        if matches(pattern.removeprefix("!"), text):
            verdict = not pattern.startswith("!")
    return verdict


def starts(
    trigger: Trigger,
    event: str,
    action: str | None,
    ref: str,
    changed: Callable[[], list[str]],
) -> bool:
    """Whether an event passes a trigger's filters.

    Args:
        trigger: the rules under `on` for this event.
        event: the event's name.
        action: its activity type.
        ref: for pushes the full reference, for pull requests the base branch.
        changed: gives the paths that changed; asked only if a filter wants them.
    """
    if event in {"pull_request", "pull_request_target"}:
        if action not in (trigger.types or _DEFAULT_TYPES):
            return False
    elif event == "repository_dispatch":
        return trigger.types is None or passes(trigger.types, action or "")
    elif event == "workflow_dispatch":
        return True
    return _ref_passes(trigger, ref) and _paths_pass(trigger, changed)


def _ref_passes(trigger: Trigger, ref: str) -> bool:
    if ref.startswith("refs/tags/"):
        wanted, ignored, name = trigger.tags, trigger.tags_ignore, ref.removeprefix("refs/tags/")
        other = trigger.branches is not None or trigger.branches_ignore is not None
    else:
        wanted, ignored = trigger.branches, trigger.branches_ignore
        name = ref.removeprefix("refs/heads/")
        other = trigger.tags is not None or trigger.tags_ignore is not None
    if wanted is None and ignored is None:
        # With filters for branches only, tags start nothing; and the other way round.
        return not other
    if wanted is not None and not passes(wanted, name):
        return False
    return not (ignored is not None and passes(ignored, name))


def _paths_pass(trigger: Trigger, changed: Callable[[], list[str]]) -> bool:
    if trigger.paths is not None:
        return any(passes(trigger.paths, path) for path in changed())
    if trigger.paths_ignore is not None:
        return any(not passes(trigger.paths_ignore, path) for path in changed())
    return True
