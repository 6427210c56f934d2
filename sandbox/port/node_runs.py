"""Runs of the KAFKA nodes of workflows: as much as a consumer of their messages meets.

Workflows themselves are not carried out: `POST /_sandbox/node-runs` stands for a node that is
reached. Port does not publish how a message is wrapped; this wrapper has the run's id where Port's
agent reads it. No route reads a node run, as none is documented.
https://docs.port.io/workflows/runs
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from sandbox.port.errors import invalid, not_found
from sandbox.port.naming import new_id
from sandbox.port.outbox import enqueue
from sandbox.port.properties import Closed
from sandbox.port.signature import stringify
from sandbox.port.store import NodeRun
from sandbox.port.work import Work

Json = dict[str, Any]


class Change(Closed):
    """What PATCH takes."""

    status: Literal["IN_PROGRESS", "COMPLETED"]
    result: Literal["SUCCESS", "FAILED", "CANCELLED"] | None = None
    output: Json | None = None

    @model_validator(mode="after")
    def _has_a_result(self) -> "Change":
        if self.status == "COMPLETED" and self.result is None:
            raise ValueError("result is required if status is COMPLETED")
        return self


class Line(Closed):
    """A line of a node run's log."""

    level: Literal["DEBUG", "INFO", "WARN", "ERROR"]
    message: str


class Lines(Closed):
    """What the log takes."""

    logs: list[Line] = Field(min_length=1)


def reach(work: Work, payload: Json | list[Any]) -> str:
    """Make a node run and publish its message; returns the run's id."""
    run = NodeRun(identifier=new_id("wfnr_"), **work.stamp_new())
    work.db.add(run)
    message = {
        "context": {"runId": run.identifier, "workflowRunId": new_id("wfr_")},
        "payload": payload,
    }
    enqueue(work.db, work.settings.runs_topic, stringify(message).encode(), run.identifier)
    return run.identifier


def view(run: NodeRun) -> Json:
    """Return the run's JSON."""
    fields = ("identifier", "status", "result", "output")
    return {name: getattr(run, name) for name in fields} | {
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
    }


def update(work: Work, identifier: str, change: Change) -> Json:
    """Change a node run.

    Raises:
        PortApiError: 404; 422 if it is completed.
    """
    run = _open(work, identifier)
    run.status, run.result = change.status, change.result
    if change.output is not None:
        run.output = change.output
    work.stamp(run)
    return view(run)


def add_logs(work: Work, identifier: str, lines: Lines) -> None:
    """Add lines to a node run's log.

    Raises:
        PortApiError: 404; 422 if it is completed.
    """
    run = _open(work, identifier)
    run.logs = [*run.logs, *(line.message for line in lines.logs)]
    work.stamp(run)


def _open(work: Work, identifier: str) -> NodeRun:
    work.caller.require_admin()
    run = work.db.get(NodeRun, identifier)
    if run is None:
        raise not_found("Node run", identifier)
    if run.status == "COMPLETED":
        raise invalid(f'Node run "{identifier}" is completed', "run_exhausted")
    return run
