"""What became of a pull request, told to Port: first the entity, then the log, the status last.

This is the only implementation of what the catalogue says after a merge. The function behind
`POST /reports` and the sweep both use it. A run that has ended is never touched; the entity is then
written alone. Only what differs is written, so that a second report changes nothing.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slipway.changes import create_service, delete_service
from slipway.changes.service_folder import PortData, read_port_data
from slipway.changes.text import BLUEPRINT
from slipway.errors import (
    NothingToReport,
    PortError,
    ReportTooEarly,
    RunEnded,
    RunNotFound,
    UserError,
)
from slipway.github.models import SERVICE_NAME, PullRequest
from slipway.github.roll_back import REPAIR_BRANCH
from slipway.observability import Metric, count, logger
from slipway.port.models import Run
from slipway.port.node_run import is_node_run
from slipway.reports.catalogue import FILES, changed_properties, read_values
from slipway.reports.deployed import DeployedService
from slipway.runs.ledger import Ledger

if TYPE_CHECKING:
    from slipway.github.ended import EndedPull, EndedPulls
    from slipway.port.client import PortClient

_RUN_BRANCH = re.compile(r"slipway/([a-z_]{1,100})/((?:r|run)_[A-Za-z0-9]{1,64})")


@dataclass(frozen=True)
class Outcome:
    """What a report has led to.

    Attributes:
        status: the run's last status; None if no run belongs to the pull request.
        label: what the run's page shows in its place.
        message: what happened, as sentences.
    """

    status: Literal["SUCCESS", "FAILURE"] | None
    label: str
    message: str


@dataclass(frozen=True)
class Reports:
    """Reports pull requests of Slipway that were merged or closed.

    Attributes:
        pulls: the services repository, whose word counts.
        port: where it is reported.
        ledger: what Slipway itself knows of runs; read only.
        deployed: what a deployed service has.
        base_branch: only a merge into this branch changes the catalogue.
    """

    pulls: "EndedPulls"
    port: "PortClient"
    ledger: Ledger
    deployed: DeployedService
    base_branch: str

    def report(self, number: int) -> Outcome:
        """Report a pull request by its number, which is all that a caller is believed.

        Raises:
            NothingToReport: it is open, or not Slipway's; the text says which.
            ReportTooEarly: the ledger does not know the run's pull request yet.
            RetryableError: Port or GitHub does not answer.
        """
        pull = self.pulls.read(number)
        if pull is None:
            raise NothingToReport(f"There is no pull request #{number}.")
        _refuse_foreign(pull)
        if REPAIR_BRANCH.fullmatch(pull.branch):
            return self._repaired(pull)
        if is_node_run(pull.branch.rpartition("/")[2]):
            # To end it, the ledger must be written, which only the sweep may do.
            later = "The sweep reports what a workflow's node has requested. Nothing was reported."
            return Outcome(None, "Workflow", later)
        run = self._run_of(pull)
        row = self.ledger.get(run.id) or {}
        if "pr_number" not in row and run.ended:
            raise NothingToReport(
                f"Run {run.id} has ended, and Slipway has noted no pull request of it. Nothing was "
                "reported."
            )
        if "pr_number" not in row:
            raise ReportTooEarly(
                f"Slipway has not noted the pull request of run {run.id} yet. Report again later."
            )
        _refuse_another(run, row, number)
        return self.end(run, str(row.get("service") or ""), pull)

    def report_run(self, run: Run, service: str, number: int) -> Outcome:
        """Report the pull request that the sweep has found for a run.

        Raises:
            NothingToReport: it is open, or not Slipway's; the text says which.
            RetryableError: Port or GitHub does not answer.
        """
        pull = self.pulls.read(number)
        if pull is None:
            raise NothingToReport(f"There is no pull request #{number}.")
        _refuse_foreign(pull)
        _refuse_another(run, self.ledger.get(run.id) or {}, number)
        return self.end(run, service, pull)

    def end(self, run: Run, service: str, pull: "EndedPull") -> Outcome:
        """Bring the entity up to date, then end the run unless it has ended.

        Args:
            run: the run that the pull request belongs to.
            service: its service, as the ledger has it; empty: as Port has it.
            pull: the pull request.

        Raises:
            NothingToReport: the run does not name a service.
        """
        service = service or _service_in_port(run)
        if not SERVICE_NAME.fullmatch(service):
            raise NothingToReport(f"Run {run.id} does not name a service. Nothing was reported.")
        if pull.state == "merged" and pull.base == self.base_branch:
            outcome = self._merged(run, service, pull)
        else:
            outcome = self._not_merged(run, service, pull)
        if not run.ended:
            self._end(run, outcome, pull.url)
            count(Metric.RUN_REPORTED, action=run.action, status=str(outcome.status))
        return outcome

    def _run_of(self, pull: "EndedPull") -> Run:
        match = _RUN_BRANCH.fullmatch(pull.branch)
        if match is None:
            raise NothingToReport(
                f"Branch {pull.branch!r} is not 'slipway/<action>/<run id>'. Nothing was reported."
            )
        try:
            run = self.port.get_run(match[2])
        except RunNotFound as error:
            raise NothingToReport(f"{error} Nothing was reported.") from None
        if run.action != match[1]:
            raise NothingToReport(
                f"Run {run.id} is of action '{run.action}', but the branch says '{match[1]}'. "
                "Nothing was reported."
            )
        return run

    # -- what the catalogue says

    def _merged(self, run: Run, service: str, pull: "EndedPull") -> Outcome:
        merged = f"{_what(pull)} was merged{_by(pull)}."
        if run.action == delete_service.ACTION:
            return self._deleted(service, pull, merged)
        return Outcome("SUCCESS", "Merged", f"{merged} {self._follow(run, service, pull)}")

    def _follow(self, run: Run | None, service: str, pull: "EndedPull") -> str:
        """Have the entity say what the service's files say now; what was done, as sentences.

        Args:
            run: None after a repair, which changes nothing but the figures.
            service: the service.
            pull: the merged pull request.
        """
        folder = self.pulls.read_service(service, pull, names=FILES)
        if not folder.files:
            return "The service has been removed since, so its entity stays as it is."
        try:
            data = read_port_data(folder)
        except UserError as error:
            again = f"The workflow 'Slipway report' can report #{pull.number} again."
            return f"The entity was left as it is. {error} {again}"
        values = read_values(folder)
        creates = run is not None and run.action == create_service.ACTION
        wanted = {**(data.reviewed if run else {}), **values.properties}
        if run and creates:
            if data.run_id != run.id:
                return "The service has been replaced since, so its entity stays as it is."
            wanted = {**self._created(service, data, pull), **wanted}
        if not self._write(run, service, wanted, creates=creates):
            return f"Port has no entity '{service}', so none was changed."
        done = "The service is being deployed." if creates else "The entity is up to date."
        return " ".join((done, *values.notes))

    def _created(self, service: str, data: PortData, pull: "EndedPull") -> dict[str, Any]:
        return {
            **self.deployed.properties(service, data.environment),
            "pr_url": pull.url,
            # Only where nothing is known yet: see `changed_properties`.
            "health_status": "Progressing",
            "sync_status": "OutOfSync",
        }

    def _deleted(self, service: str, pull: "EndedPull", merged: str) -> Outcome:
        if self.pulls.read_service(service, pull, names=frozenset()).files:
            there = "The service's folder is on the base branch, so its entity stays as it is."
            return Outcome("SUCCESS", "Merged", f"{merged} {there}")
        if remove_entity(self.port, service):
            return Outcome("SUCCESS", "Deleted", f"{merged} The service is out of the catalogue.")
        self.port.update_entity(BLUEPRINT, service, {"health_status": "Missing"})
        names = ", ".join(self.port.dependents(BLUEPRINT, service))
        return Outcome(
            "FAILURE",
            "Has dependents",
            f"{merged} The entity stays in the catalogue as Missing, because others depend on it: "
            f"{names}. Change or remove these, then run the workflow 'Slipway report' for "
            f"#{pull.number}.",
        )

    def _not_merged(self, run: Run, service: str, pull: "EndedPull") -> Outcome:
        """A pull request without a merge into the base branch has changed nothing there."""
        label, what = "Closed", f"{_what(pull)} was closed without a merge{_by(pull)}."
        if pull.state == "merged":
            label = "Merged elsewhere"
            what = (
                f"{_what(pull)} was merged into '{pull.base}'{_by(pull)}, not into "
                f"'{self.base_branch}', so nothing was changed."
            )
        elif pull.base != self.base_branch:
            label = "Retargeted"
            what = (
                f"{_what(pull)} went to '{pull.base}' instead of '{self.base_branch}' and was "
                f"closed{_by(pull)}, so nothing was changed."
            )
        if run.action != create_service.ACTION:
            return Outcome("FAILURE", label, f"{what} The service stays as it is.")
        gone = remove_pending(self.port, service, pull.url)
        left = "There is no pending service." if gone else "The service's entity stays."
        return Outcome("FAILURE", label, f"{what} {left}")

    def _repaired(self, pull: "EndedPull") -> Outcome:
        """A pull request of a remediation, whose own execution reports what came of it.

        What it deployed still belongs into the catalogue: people may merge it days later.
        """
        if pull.state != "merged" or pull.base != self.base_branch:
            ended = f"{_what(pull)} of a repair was not merged into '{self.base_branch}'."
            return Outcome(None, "Closed", f"{ended} Nothing was reported.")
        merged = f"{_what(pull)} of a repair was merged{_by(pull)}."
        service = self.pulls.service_of(pull)
        if service is None:
            return Outcome(None, "Merged", f"{merged} It is not about one service: none changed.")
        return Outcome(None, "Merged", f"{merged} {self._follow(None, service, pull)}")

    def _write(
        self, run: Run | None, service: str, wanted: dict[str, Any], *, creates: bool
    ) -> bool:
        """Write what differs; whether there is an entity afterwards."""
        entity = self.port.get_entity(BLUEPRINT, service)
        if entity is None and not creates:
            return False
        properties = changed_properties(wanted, entity.properties if entity else None)
        if properties:
            body: dict[str, Any] = {"identifier": service, "properties": properties}
            title = {"title": service} if entity is None else {}
            run_id = run.id if run and not run.ended else None
            self.port.upsert_entity(BLUEPRINT, {**body, **title}, run_id=run_id)
        return True

    def _end(self, run: Run, outcome: Outcome, url: str) -> None:
        # Links are replaced as a whole: what is there already goes along.
        link = None if url in run.link else [*run.link, url]
        try:
            self.port.add_log(run.id, outcome.message)
            self.port.update_run(
                run.id,
                status=outcome.status,
                status_label=outcome.label,
                summary=outcome.message,
                link=link,
            )
        except RunEnded:
            logger.info("The run had been ended by another report or user")


def remove_pending(port: "PortClient", service: str, url: str) -> bool:
    """Remove the entity of a service that was never created, because its pull request was closed.

    Only one that is pending and this pull request's; one that others relate to stays.

    Args:
        port: where the entity is.
        service: the service.
        url: the pull request's page.

    Returns:
        Whether it is gone.
    """
    entity = port.get_entity(BLUEPRINT, service)
    known = entity.properties if entity else {}
    if known.get("health_status") != "Pending" or known.get("pr_url") != url:
        return entity is None
    return remove_entity(port, service)


def remove_entity(port: "PortClient", service: str) -> bool:
    """Remove a service's entity; whether it is gone, which it is not if others depend on it."""
    try:
        port.delete_entity(BLUEPRINT, service)
    except PortError as error:
        if error.code != "has_dependents":
            raise
        return False
    return True


def _refuse_foreign(pull: "EndedPull") -> None:
    if not pull.from_here:
        raise NothingToReport(
            f"Pull request #{pull.number} comes from another repository: Slipway did not make it. "
            "Nothing was reported."
        )
    if pull.state == "open":
        raise NothingToReport(
            f"Pull request #{pull.number} is open. It is reported when it is merged or closed."
        )


def _refuse_another(run: Run, row: dict[str, Any], number: int) -> None:
    """A developer with push access can open another pull request from a run's branch."""
    noted = row.get("pr_number")
    if noted is not None and int(noted) != number:
        raise NothingToReport(
            f"The pull request of run {run.id} is #{noted}, not #{number}. Nothing was reported."
        )


def _service_in_port(run: Run) -> str:
    """The service of a run whose ledger row does not name it."""
    named = run.entity or run.properties.get("service_name")
    return named if isinstance(named, str) else ""


def _what(pull: "EndedPull | PullRequest") -> str:
    return f"Pull request #{pull.number}"


def _by(pull: "EndedPull") -> str:
    return f" by {pull.by}" if pull.by else ""
