"""Write the texts of a remediation: properties, timeline and issue. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from slipway.health.changes import CHECK_ID
from slipway.health.finding import shown
from slipway.health.remediation import NAMES
from slipway.health.state import (
    Attempt,
    CoolDown,
    Escalate,
    Healthy,
    Leave,
    Observation,
    Off,
    State,
    Step,
    Unknown,
)
from slipway.markdown import as_text, hidden_comment

MAX_DETAIL = 1000
_MENTION = re.compile(r"@|(?<=[\w.-])#")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#&=%+-]+")
_OUTCOMES = {
    "done": "carried out",
    "failed": "failed",
    "skipped": "was skipped",
    "proposed": "waits for the merge of its pull request",
    None: "is in progress",
}


@dataclass(frozen=True)
class Event:
    """An event of a remediation.

    Attributes:
        at: when, in UTC.
        text: a sentence, parts of which may be untrusted input.
        link: a page about it; may be empty.
    """

    at: datetime
    text: str
    link: str = ""


def events(state: State, ending: Step | None = None, now: datetime | None = None) -> list[Event]:
    """List the events, oldest first. Equal findings in a row are one event.

    Args:
        state: the state of the remediation.
        ending: its last step, if it has ended.
        now: when it ended.
    """
    found = [Event(state.started_at, f"The service was reported as {state.found}.")]
    found += _observed(state)
    for attempt in state.attempts:
        found += _attempted(attempt)
    if state.decision:
        answer = "approved" if state.decision.granted else "not approved"
        text = f"The repair was {answer}. {state.decision.sentence}".rstrip()
        found.append(Event(state.decision.at, text))
    if state.limited_until:
        found.append(
            Event(state.limited_until, "The limit over all services allowed it to continue.")
        )
    if state.cooled_until:
        found.append(Event(state.cooled_until, "The service had cooled down."))
    found.sort(key=lambda event: event.at)
    if ending is not None:
        at = now or (found[-1].at if found else state.started_at)
        found.append(Event(at, ending.reason))
    return found


def timeline_lines(
    state: State, ending: Step | None = None, now: datetime | None = None
) -> list[str]:
    """Format the timeline as plain text, one short line for each event."""
    return [
        f"{_clock(event.at)} {_one_line(event.text)}" + (f" {event.link}" if event.link else "")
        for event in events(state, ending, now)
    ]


def timeline_markdown(state: State, ending: Step | None = None, now: datetime | None = None) -> str:
    """Format the timeline as a table in GitHub's Markdown."""
    rows = [
        f"| {_clock(event.at)} | {_prose(event.text)}{_link('details', event.link)} |"
        for event in events(state, ending, now)
    ]
    return "\n".join(["| When (UTC) | What |", "| --- | --- |", *rows])


def alert_title(state: State) -> str:
    """Return the title of an alert about a service."""
    return f"{shown(state.name)} ({state.environment or 'no environment'}) is unhealthy"


def issue_title(state: State) -> str:
    """Return the title of a service's issue, equal for all remediations."""
    return f"Service {shown(state.name)} is unhealthy"


def issue_body(state: State, ending: Step, now: datetime, entity_url: str) -> str:
    """Return the body of the issue that escalates a service.

    Args:
        state: the state of the remediation.
        ending: its last step.
        now: when it ended.
        entity_url: the service's page in Port.
    """
    return (
        f"Slipway could not repair service {as_text(state.name)} "
        f"({as_text(state.environment or 'no environment')})."
        f"{_link('The service in Port', entity_url)}\n\n"
        f"{_prose(ending.reason)}\n\n"
        f"### What happened\n\n{timeline_markdown(state, ending, now)}\n\n"
        "### What to do\n\n"
        "Find the cause and fix it. Then set the service's health status in Port to Progressing, "
        "so that Slipway checks it again. Close this issue.\n\n"
        f"{hidden_comment(issue_marker(state))}\n"
    )


def issue_marker(state: State) -> dict[str, Any]:
    """Return the content of the issue's hidden comment, which identifies it."""
    return {"schema_version": 1, "kind": "remediation", "identifier": state.service}


def entity_properties(step: Step, check_id: str, now: datetime) -> dict[str, Any]:
    """Return the properties to write to the entity for a step; may be empty.

    Args:
        step: the step.
        check_id: new for each write, so that `health_checker` recognises Slipway's own writes.
        now: the time, in UTC.
    """
    match step:
        case Off() | Leave():
            return {}
        case Healthy(synced=True):
            state = {"health_status": "Healthy", "sync_status": "Synced"}
        case Healthy():
            state = {"health_status": "Healthy"}
        case Unknown():
            state = {"health_status": "Unknown"}
        case Escalate() | CoolDown():
            state = {"health_status": "Degraded"}
        case _:
            state = {}
    return {
        **state,
        "last_health_check": now.astimezone(UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z"),
        "health_detail": _one_line(step.reason),
        CHECK_ID: check_id,
    }


def _observed(state: State) -> list[Event]:
    found = []
    for _, row in groupby(state.observations, key=lambda seen: _sameness(state, seen)):
        seen = list(row)
        times = f" ({len(seen)} times until {_clock(seen[-1].at)})" if len(seen) > 1 else ""
        found.append(Event(seen[0].at, f"{seen[0].finding.sentence}{times}"))
    return found


def _sameness(state: State, seen: Observation) -> tuple[object, ...]:
    # Findings before and after a repair are never merged.
    repairs = sum(attempt.began_at < seen.at for attempt in state.attempts)
    return repairs, seen.finding.state, seen.finding.sentence


def _attempted(attempt: Attempt) -> list[Event]:
    found = [Event(attempt.began_at, attempt.repair.reason)]
    if attempt.ended_at:
        name = NAMES[attempt.repair.step].capitalize()
        text = f"{name} {_OUTCOMES[attempt.outcome]}. {attempt.detail}".rstrip()
        found.append(Event(attempt.ended_at, text, attempt.link))
    return found


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 1] + "…"


def _prose(text: str) -> str:
    """Escape untrusted sentences for GitHub's Markdown, without mentions.

    GitHub never reads a character reference as Markdown or HTML. But it looks for mentions, and for
    references to other repositories' issues, in the rendered text. A zero-width space separates
    these. `#12` alone stays a reference to this repository.
    """
    apart = _MENTION.sub(lambda found: found[0] + "\u200b", _one_line(text))
    return "".join(
        c if c.isascii() and (c.isalnum() or c == " ") else f"&#{ord(c)};" for c in apart
    )


def _link(name: str, url: str) -> str:
    return f" [{name}]({url})" if _URL.fullmatch(url) else ""
