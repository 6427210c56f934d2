"""Read a service's health settings, and assess several probes. Pure.

One probe is not reliable, so an assessment needs several equal ones in a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway.errors import UserError
from slipway.health.finding import MAX_VALUE, Expectation, Finding, JsonPath, shown

Assessment = Literal["Healthy", "Unhealthy", "Undecided"]


class Window(BaseModel):
    """How many probes an assessment takes.

    Attributes:
        probes: the maximum.
        interval_seconds: from one to the next.
        healthy_after: how many healthy ones in a row make it "Healthy".
        unhealthy_after: how many unhealthy ones in a row make it "Unhealthy".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: int = Field(5, ge=1, le=60)
    interval_seconds: int = Field(10, ge=1, le=600)
    healthy_after: int = Field(2, ge=1)
    unhealthy_after: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Window":
        if max(self.healthy_after, self.unhealthy_after) > self.probes:
            raise ValueError("healthy_after and unhealthy_after must not exceed probes")
        return self


def assess(findings: Sequence[Finding], window: Window) -> Assessment:
    """Assess the findings so far, oldest first.

    The first sufficient series of equal findings decides. If the window is full without one, a
    service that failed once is unhealthy, because an unreliable service is of no use. It is
    "Undecided" if a probe was inconclusive: then the prober's own network may have caused the
    other failures.
    """
    sent = findings[: window.probes]
    for state, row in groupby(sent, key=lambda finding: finding.state):
        length = len(list(row))
        if state == "healthy" and length >= window.healthy_after:
            return "Healthy"
        if state == "unhealthy" and length >= window.unhealthy_after:
            return "Unhealthy"
    full = len(sent) == window.probes
    states = {finding.state for finding in sent}
    return (
        "Unhealthy" if full and "unhealthy" in states and "unknown" not in states else "Undecided"
    )


@dataclass(frozen=True)
class HealthSettings:
    """How to probe a service, by its entity.

    Attributes:
        url: the health URL, unchecked; None: there is none.
        expectation: the answer of a healthy service.
        notes: faults of the settings and the values used instead, as sentences.
    """

    url: str | None
    expectation: Expectation
    notes: tuple[str, ...] = ()


def read_settings(properties: Mapping[str, Any], url: object) -> HealthSettings:
    """Read an entity's properties, which are untrusted input.

    Args:
        properties: of the entity in Port.
        url: the health URL that they name; if it is not text, there is nothing to probe.

    ========================  ===================================  ================================
    property                  what counts                          otherwise, with a note
    ========================  ===================================  ================================
    `health_expected_status`  200-299 or 400-599 (a redirect is    any 2xx
                              never healthy)
    `health_json_path`        see `JsonPath`                       the body is not looked at
    `health_json_value`       text of at most 200 characters; a    the body is not looked at
                              number or true/false as JSON
    ========================  ===================================  ================================
    """
    notes: list[str] = []
    if not isinstance(url, str) or not url.strip():
        url = None
        notes.append(
            "The service has no health URL, so its health is unknown. Add a health URL, then set "
            "its health status to Progressing."
        )
    status, note = _status(properties.get("health_expected_status"))
    notes += note
    path, value, note = _json_setting(
        properties.get("health_json_path"), properties.get("health_json_value")
    )
    notes += note
    return HealthSettings(url and url.strip(), Expectation(status, path, value), tuple(notes))


def _status(value: object) -> tuple[int | None, list[str]]:
    if value is None:
        return None, []
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (200 <= value < 300 or 400 <= value < 600)
        and value == int(value)
    ):
        return int(value), []
    return None, [
        f"The expected status {_quoted(value)} is not in 200-299 or 400-599, so any 2xx counts."
    ]


def _json_setting(path: object, value: object) -> tuple[JsonPath | None, str, list[str]]:
    if _empty(path):
        note = "The health JSON value is ignored, because the health JSON path is missing."
        return None, "", [] if _empty(value) else [note]
    wanted = _as_text(value)
    if not wanted or len(wanted) > MAX_VALUE:
        note = "The health JSON path is ignored: the health JSON value must be a text of 1 "
        return None, "", [f"{note}to {MAX_VALUE} characters."]
    try:
        return JsonPath(path if isinstance(path, str) else repr(path)), wanted, []
    except UserError as error:
        return None, "", [f"The answer's body is ignored. {error}"]


def _as_text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float() if -1e15 < value < 1e15:
            return repr(value)
    return ""


def _empty(value: object) -> bool:
    return value is None or value == ""


def _quoted(value: object) -> str:
    # Python refuses to format integers of thousands of digits.
    return shown(repr(value)) if isinstance(value, str | float | bool) else "of the entity"


def not_probed(settings: HealthSettings) -> Finding:
    """Return the finding for a service without a health URL."""
    return Finding(state="unknown", kind="no_url", sentence=" ".join(settings.notes[:1]))
