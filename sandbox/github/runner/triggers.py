"""Which events start which workflows: the filters of `on`.

https://docs.github.com/actions/reference/events-that-trigger-workflows
"""

import re

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


def starts(trigger: Trigger, event: str, action: str | None) -> bool:
    """Return whether an event passes a trigger's filter.

    Args:
        trigger: the rules under `on` for this event.
        event: the event's name.
        action: its activity type.
    """
    if event in {"pull_request", "pull_request_target"}:
        return action in (trigger.types or _DEFAULT_TYPES)
    return True
