"""A run that Slipway is working on, as the functions see it: read, report, end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slipway.config import GitHubConfig, LedgerConfig, PortConfig
from slipway.errors import (
    PortError,
    PortUnavailable,
    RunEnded,
    RunNotFound,
    ServiceExists,
    UserError,
)
from slipway.github.models import PullRequest
from slipway.observability import Metric, count, logger, trace_id
from slipway.port.message import RunMessage
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks

if TYPE_CHECKING:
    from slipway.port.client import PortClient


class RunConfig(PortConfig, GitHubConfig, LedgerConfig):
    """What every function that works on runs is told by Terraform."""


@dataclass(frozen=True)
class RunReporter:
    """Writes to the run's page in Port. The terminal status is always the last write.

    Attributes:
        run_id: the run.
        action: identifier of the action, for metrics.
        port: the client.
        ledger: learns of the run's end.
    """

    run_id: str
    action: str
    port: "PortClient"
    ledger: Ledger

    def received(self) -> None:
        """Say that Slipway has the run, and under which trace to look for it."""
        self.port.add_log(self.run_id, f"Slipway received the request (trace {trace_id()}).")

    def waiting_for_merge(self, pull: PullRequest) -> None:
        """Show the pull request; the run then stays in progress until it is merged or closed."""
        for note in pull.notes:
            self.port.add_log(self.run_id, note)
        self.port.add_log(
            self.run_id,
            f"Pull request #{pull.number} is open; this run ends with its merge: {pull.url}",
        )
        self.port.update_run(
            self.run_id,
            status_label=f"Waiting for the merge of pull request #{pull.number}",
            link=[pull.url],
            external_run_id=f"pull/{pull.number}",
        )
        count(Metric.RUN_PROPOSED, action=self.action)

    def waiting_until(self, moment: datetime, reason: str) -> None:
        """Say until when nothing will happen, and why."""
        until = moment.astimezone(UTC).strftime("%H:%M UTC")
        self._note(f"Waiting until {until}", reason)
        count(Metric.RUN_DELIVERED_LATER, action=self.action)

    def held(self, reference: str) -> None:
        """Say that an internal error stopped the run, and by which reference to find it."""
        self._note(
            f"Held, reference {reference}",
            "An internal error stopped this run; it is not lost. It is tried again, and if that "
            f"fails too, the platform team resumes it. Reference: {reference}.",
        )

    def fail(self, sentence: str) -> None:
        """End the run with FAILURE and a sentence that the requester can act on."""
        try:
            self.port.add_log(self.run_id, sentence)
            self.port.update_run(
                self.run_id, status="FAILURE", status_label="Failed", summary=sentence
            )
        except RunEnded:
            logger.info("The run had been ended by somebody else")
        self.ledger.close(self.run_id, "FAILURE")
        count(Metric.RUN_FAILED, action=self.action)

    def _note(self, label: str, text: str) -> None:
        """Write a log line and a label: for the reader's comfort, so a failure is only logged."""
        try:
            self.port.add_log(self.run_id, text, status_label=label)
        except (PortError, PortUnavailable, RunEnded, RunNotFound) as error:
            logger.warning("The run's page could not be updated", extra={"reason": str(error)})


@dataclass(frozen=True)
class ActiveRun:
    """A run together with all that a function needs to carry it out.

    Attributes:
        message: what was asked, by whom.
        config: this installation.
        port: Port's API.
        ledger: what Slipway itself knows of the run.
        locks: one change per service at a time.
        report: the run's page.
    """

    message: RunMessage
    config: RunConfig
    port: "PortClient"
    ledger: Ledger
    locks: ServiceLocks
    report: RunReporter

    @contextmanager
    def lock(self, service: str) -> Iterator[None]:
        """Hold the service while its change is proposed, and for as long as the change is open.

        Only a refused request frees it at once: after any other error the run goes on later.

        Raises:
            ServiceLocked: another change of the service is under way.
        """
        self.locks.take(service, self.run_id)
        try:
            yield
        except UserError:
            self.locks.release(service, self.run_id)
            raise

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.message.run_id

    def refuse_existing_entity(self, blueprint: str, service: str) -> None:
        """Refuse a name that the catalogue knows already.

        Raises:
            ServiceExists: the entity is there.
        """
        if self.port.get_entity(blueprint, service) is not None:
            raise ServiceExists(service, self.config.entity_url(blueprint, service))

    def add_entity(self, blueprint: str, body: dict[str, Any], *, volatile: frozenset[str]) -> None:
        """Put a new entity into the catalogue.

        The merge workflow may have been faster than this function. What it wrote is newer, so an
        entity that is there already only gets the properties that are not `volatile`.

        Raises:
            RunEnded: the pull request was merged or closed meanwhile, and the run with it.
        """
        try:
            self.port.create_entity(blueprint, body, run_id=self.run_id)
        except PortError as error:
            if error.code == "run_exhausted":
                raise RunEnded(f"Run {self.run_id} ended before its entity was written.") from error
            if error.code != "identifier_taken":
                raise
            lasting = {k: v for k, v in body["properties"].items() if k not in volatile}
            self.port.upsert_entity(blueprint, {**body, "properties": lasting}, run_id=self.run_id)
