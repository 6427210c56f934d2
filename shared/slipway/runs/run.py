"""Represent a run that Slipway is working on: read, report, end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from slipway.config import CatalogConfig, GitHubConfig, LedgerConfig, PolicyConfig, PortConfig
from slipway.errors import (
    EntityExists,
    PortError,
    RunEnded,
    SlipwayError,
    UserError,
)
from slipway.github.models import PullRequest
from slipway.kafka import KafkaRecord
from slipway.observability import Metric, count, logger, mask, trace_id
from slipway.port.message import RunMessage
from slipway.runs.ledger import Ledger
from slipway.runs.lock import Owner, ServiceLocks
from slipway.runs.owners import run_is_over

if TYPE_CHECKING:
    from slipway.catalog.request import Resource
    from slipway.port.client import PortClient


_WHY_LENGTH = 500


class RunConfig(PortConfig, GitHubConfig, LedgerConfig, PolicyConfig, CatalogConfig):
    """Settings of every function that works on runs."""


def service_locks(config: LedgerConfig, port: "PortClient") -> ServiceLocks:
    """Return the locks of runs of Port and executions of remediations."""

    def is_over(owner: Owner) -> bool:
        # A remediation's own last step unlocks the service, or `sweep_runs` if it has none.
        return owner.kind == "run" and run_is_over(port, owner.id)

    return ServiceLocks(config.locks_table, is_over)


@dataclass(frozen=True)
class RunReporter:
    """Writes to the run's page in Port; the terminal status comes last.

    Attributes:
        run_id: the run.
        action: identifier of the action, for metrics.
        port: the client.
        ledger: records the run's end.
    """

    run_id: str
    action: str
    port: "PortClient"
    ledger: Ledger

    def received(self) -> None:
        """Report that Slipway received a workflow node's run, which shows that Port knows it."""
        self.port.add_log(self.run_id, f"Slipway received the request (trace {trace_id()}).")

    def interrupted(self, times: int) -> None:
        """Report that the function was interrupted repeatedly."""
        self.remark(
            f"The function that works on this run was interrupted {times} times before it could "
            "finish. Slipway retries automatically. If this message appears again, ask the "
            "platform team for help: the function runs out of time or memory. Reference: "
            f"{trace_id()}."
        )
        count(Metric.RUN_CRASHED, action=self.action)

    def preview(self, summary: str, diff: str) -> None:
        """Show the planned change."""
        self.port.add_log(self.run_id, f"{summary}\n\n{diff}" if diff else summary)

    def waiting_for_approval(self, until: datetime, link: str, approvers: str) -> None:
        """Show the approval request."""
        when = _clock(until)
        self.port.add_log(self.run_id, f"Waiting until {when} for the approval of {approvers}.")
        self.port.update_run(
            self.run_id, status_label=f"Waiting for approval until {when}", link=[link]
        )

    def proposed(self, pull: PullRequest) -> None:
        """Say that the pull request is open.

        Raises:
            RunEnded: the run was ended since then. Port documents this for lines of the log alone.
        """
        self.port.add_log(
            self.run_id,
            f"Pull request #{pull.number} is open; this run ends with its merge: {pull.url} "
            f"(trace {trace_id()})",
        )

    def waiting_for_merge(self, pull: PullRequest, *, links: tuple[str, ...] = ()) -> None:
        """Show the pull request; the run stays in progress until its end.

        Args:
            pull: the pull request.
            links: further links of the run's page.

        Raises:
            RunEnded: the run was ended concurrently.
        """
        self.port.update_run(
            self.run_id,
            status_label=f"Waiting for the merge of pull request #{pull.number}",
            link=[pull.url, *links],
            external_run_id=f"pull/{pull.number}",
        )
        count(Metric.RUN_PROPOSED, action=self.action)

    def waiting_for_workflow(self, file: str, url: str) -> None:
        """Show the workflow's run; the run stays in progress until its end.

        Raises:
            RunEnded: the run was ended concurrently.
        """
        self.port.add_log(self.run_id, f"The workflow {file} was started: {url}")
        self.port.update_run(self.run_id, status_label="Workflow is running", link=[url])
        count(Metric.RUN_PROPOSED, action=self.action)

    def waiting_until(self, moment: datetime, reason: str) -> None:
        """Show until when the run waits, and why."""
        self.note(f"Waiting until {_clock(moment)}", reason)
        count(Metric.RUN_DELIVERED_LATER, action=self.action)

    def put_on_hold(self, reference: str, why: str) -> None:
        """Report an internal error, with the reference to find it.

        Args:
            reference: a trace, an execution or a failed record.
            why: the error, for operators only: the run's page does not show it.
        """
        try:
            self.ledger.put_on_hold(self.run_id, self.action, reference, mask(why)[:_WHY_LENGTH])
        except (ClientError, RunEnded) as error:
            logger.warning("The ledger could not be updated", extra={"reason": str(error)})
        self.note(
            f"On hold, reference {reference}",
            "An internal error interrupted this run. Slipway retries automatically; if that "
            f"fails, the platform team will resume it. Nothing is lost. Reference: {reference}.",
        )

    def fail(self, sentence: str, *, label: str = "Failed") -> None:
        """End the run with FAILURE and a sentence that the requester can act on."""
        self._end("FAILURE", label, sentence)
        count(Metric.RUN_FAILED, action=self.action)

    def succeed(self, sentence: str, *, label: str = "Done") -> None:
        """End the run with SUCCESS: there is nothing left to do."""
        self._end("SUCCESS", label, sentence)
        count(Metric.RUN_SUCCEEDED, action=self.action)

    def _end(self, status: Literal["SUCCESS", "FAILURE"], label: str, sentence: str) -> None:
        try:
            self.port.add_log(self.run_id, sentence)
            self.port.update_run(self.run_id, status=status, status_label=label, summary=sentence)
        except RunEnded:
            logger.info("Another user or function ended the run")
        self.ledger.close(self.run_id, status)

    def remark(self, text: str) -> None:
        """Write a log line, as best effort: a failure is only logged."""
        self._write(text, None)

    def note(self, label: str, text: str) -> None:
        """Write a log line and a label, as best effort.

        A failure is only logged.
        """
        self._write(text, label)

    def _write(self, text: str, label: str | None) -> None:
        try:
            self.port.add_log(self.run_id, text, status_label=label)
        except SlipwayError as error:
            logger.warning("The run's page could not be updated", extra={"reason": str(error)})


def _clock(moment: datetime) -> str:
    """Format a time for a label; with its day, unless that is today."""
    utc = moment.astimezone(UTC)
    return utc.strftime(
        "%H:%M UTC" if utc.date() == datetime.now(UTC).date() else "%d %b %H:%M UTC"
    )


@dataclass(frozen=True)
class ActiveRun:
    """A run with everything that a function needs to carry it out.

    Attributes:
        message: the request and its requester.
        record: the Kafka record that it came in.
        created_by: id of the user or credentials that executed it, from Port's own record.
        config: this installation.
        port: Port's API.
        ledger: Slipway's own records of runs.
        locks: one change per entity at a time.
        report: the run's page.
        impersonated_by: the machine credentials that executed it in a person's name; empty: none.
    """

    message: RunMessage
    record: KafkaRecord
    created_by: str
    config: RunConfig
    port: "PortClient"
    ledger: Ledger
    locks: ServiceLocks
    report: RunReporter
    impersonated_by: str = ""

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Lock the entity while its change is proposed and open.

        Only a refused request unlocks it at once: after any other error the run continues later.

        Raises:
            EntityLocked: another change of the entity is in progress.
        """
        self.locks.acquire(key, self.run_id)
        try:
            yield
        except UserError:
            self.locks.release(key, self.run_id)
            raise

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.message.run_id

    def refuse_existing_entity(self, resource: "Resource") -> None:
        """Refuse an identifier that Port already has.

        Raises:
            EntityExists: the entity exists.
        """
        blueprint, identifier = resource.blueprint, resource.identifier
        if self.port.get_entity(blueprint, identifier) is not None:
            raise EntityExists(resource.name, self.config.entity_url(blueprint, identifier))

    def add_entity(self, blueprint: str, body: dict[str, Any], *, volatile: frozenset[str]) -> None:
        """Add a new entity to the catalogue.

        The merge workflow may have been faster than this function. What it wrote is newer, so an
        existing entity only gets the properties that are not `volatile`.

        Raises:
            RunEnded: the pull request was merged or closed concurrently, which ended the run.
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
