"""What the sweep does to a run. Each deed can be repeated after a crash at any point.

A run is ended in Port first and cleared up after. What is cut short in between is a run that has
ended with an open row, which the next sweep clears up.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from slipway.approvals.function import ApprovalFunction
from slipway.changes.change import request_key
from slipway.errors import SlipwayError
from slipway.github.ended import EndedPulls
from slipway.github.models import PullRequest, retargeted, run_branch
from slipway.github.pull_requests import PullRequests
from slipway.port.models import Run
from slipway.reports.report import Reports
from slipway.reports.settings import DeployedConfig
from slipway.runs.later import LaterDelivery
from slipway.runs.ledger import Ledger
from slipway.runs.models import Execution
from slipway.runs.records import delete_record
from slipway.runs.run import RunConfig, RunReporter
from slipway.sweep.decide import Deed, Limits

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient


@dataclass(frozen=True)
class Case:
    """A run with what a deed needs to know of it.

    Attributes:
        run: as Port has it.
        service: the service that it is about; None if it did not get that far.
        execution: status of its approval's execution.
        pull: its pull request.
        reference: of its record among the failed ones.
        encrypted: whether its action has encrypted inputs.
    """

    run: Run
    service: str | None = None
    execution: Execution | None = None
    pull: PullRequest | None = None
    reference: str = ""
    encrypted: bool = False


class DeedsConfig(RunConfig, DeployedConfig):
    """What carrying out a deed needs to know of the installation."""


@dataclass(frozen=True)
class Deeds:
    """Carries out what `slipway.sweep.decide.judge` has decided.

    Attributes:
        config: this installation.
        limits: named in what people read.
        port: Port's API.
        ledger: what Slipway itself knows of runs.
        repository: the services repository.
    """

    config: DeedsConfig
    limits: Limits
    port: "PortClient"
    ledger: Ledger
    repository: "ServicesRepository"

    def do(self, deed: Deed, case: Case) -> None:
        """Carry a deed out.

        Raises:
            RunEnded: somebody ended the run meanwhile.
        """
        match deed:
            case Deed.LEAVE:
                pass
            case Deed.HOLD:
                self._hold(case)
            case Deed.END_NEVER_RECEIVED:
                self._end(case.run.id, "Never received", self._never_received(case))
            case Deed.END_STOPPED:
                self.end_stopped(case.run.id, aborted=case.execution == "ABORTED")
            case Deed.END_HELD:
                self._end_held(case.run.id)
            case Deed.REMIND:
                self._remind(case, _pull_of(case))
            case Deed.CLOSE:
                self._close(case, self._unmerged())
            case Deed.CLOSE_RETARGETED:
                to, base = _pull_of(case).retargeted_to, self.config.services_base_branch
                self._close(case, retargeted(to, base))
            case Deed.REPORT:
                self._report(case, _pull_of(case))

    def end_stopped(self, run_id: str, *, aborted: bool) -> None:
        """End a run whose execution waits for nobody any more, and withdraw its request."""
        how = "was stopped by an operator" if aborted else "took too long"
        self._end(
            run_id,
            "Stopped",
            f"Waiting for the approval {how}. Start the action again if the change is still "
            "wanted.",
        )
        ApprovalFunction().clear_up(run_id)

    def clear_up(self, run_id: str) -> str | None:
        """Clear up after a run that somebody ended.

        Its pull request may have been merged at the same moment. Nobody looks whether that was
        reported, so the catalogue is brought up to date.

        Returns:
            Its action; None if there is nothing to clear up.
        """
        run, row = self.port.get_run(run_id), self.ledger.get(run_id) or {}
        if run.ended and "service" in row and "outcome" not in row:
            branch = run_branch(run.action, run_id)
            pull = self.repository.find(branch, number=row.get("pr_number"))
            if pull and pull.state == "merged":
                self._reports.report_run(run, str(row["service"]), pull.number)
        return ApprovalFunction().clear_up(run_id)

    def _hold(self, case: Case) -> None:
        """Say what the function could not: it failed before it knew the run."""
        why = "The function ended before it took the run on; its log says why."
        report = RunReporter(case.run.id, case.run.action, self.port, self.ledger)
        report.held(case.reference, why)

    def _never_received(self, case: Case) -> str:
        within = _duration(self.limits.never_received)
        why = "Slipway then asked for it again, but it was not carried out."
        if case.encrypted:
            why = "It has encrypted inputs, which Slipway cannot ask for again."
        return (
            f"Slipway did not receive this request within {within}. {why} Nothing was changed. "
            "Start the action again; if that ends the same, tell the platform team: its messages "
            "do not arrive."
        )

    def _end_held(self, run_id: str) -> None:
        self._end(
            run_id,
            "Held for too long",
            "An internal error stopped this run, and nobody has resumed it within "
            f"{_duration(self.limits.held)}. Nothing waits for it any more. Start the action again "
            "if the change is still wanted.",
        )
        LaterDelivery(self.config, self.ledger).discard(run_id)
        delete_record(self.config.records_bucket, request_key(run_id))
        ApprovalFunction().clear_up(run_id)

    def _remind(self, case: Case, pull: PullRequest) -> None:
        day = f"{pull.opened_at + self.limits.pull_request:%d %B %Y, %H:%M UTC}"
        self._pulls.remind(
            pull.number,
            f"This pull request is still open. Slipway closes it on {day}, which ends its "
            f"[run]({self.config.run_url(case.run.id)}), unless somebody merges or closes it "
            "before.",
        )
        self.ledger.record_reminder(case.run.id)

    def _close(self, case: Case, why: str) -> None:
        """The end of the run is then reported as for any pull request that is closed."""
        branch = run_branch(case.run.action, case.run.id)
        self.repository.close(branch, why, number=_pull_of(case).number)

    def _unmerged(self) -> str:
        return (
            f"This pull request was not merged within {_duration(self.limits.pull_request)}, so "
            "Slipway closes it. Start the action again in Port if the change is still wanted."
        )

    def _report(self, case: Case, pull: PullRequest) -> None:
        """Do what the workflow of the services repository did not ask for."""
        self._reports.report_run(case.run, case.service or "", pull.number)
        ApprovalFunction().clear_up(case.run.id)

    def _end(self, run_id: str, label: str, sentence: str) -> None:
        self.port.add_log(run_id, sentence)
        self.port.update_run(run_id, status="FAILURE", status_label=label, summary=sentence)

    @property
    def _pulls(self) -> PullRequests:
        return PullRequests(self.repository)

    @property
    def _reports(self) -> Reports:
        return Reports(
            EndedPulls(self.repository),
            self.port,
            self.ledger,
            self.config.deployed_service,
            self.config.services_base_branch,
        )


def _pull_of(case: Case) -> PullRequest:
    if case.pull is None:  # Only runs that have one are judged so.
        raise SlipwayError(f"Run {case.run.id} has no pull request.")
    return case.pull


def _duration(limit: timedelta) -> str:
    """A limit in the largest unit that fits: `30 days`, `15 minutes`."""
    seconds = round(limit.total_seconds())
    units = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
    unit, length = next(found for found in units.items() if seconds % found[1] == 0)
    return f"{seconds // length} {unit}{'s' * (seconds != length)}"
