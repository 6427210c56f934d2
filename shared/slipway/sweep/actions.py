"""Carry out sweep actions, each safe to repeat after a crash.

A run is ended in Port first and cleaned up after. If that is interrupted, the run has ended with an
open row, which the next sweep cleans up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slipway.approvals.cleanup import Cleanup
from slipway.approvals.settings import ApprovalConfig
from slipway.changes.change import request_key
from slipway.changes.policy import Policy
from slipway.errors import SlipwayError
from slipway.github.ended import EndedPulls
from slipway.github.models import PullRequest, retargeted, run_branch
from slipway.github.pull_requests import PullRequests
from slipway.port.models import Run
from slipway.reports.report import Reports
from slipway.reports.settings import ReportingConfig
from slipway.runs.clients import services_repository
from slipway.runs.later import LaterDelivery
from slipway.runs.ledger import Ledger
from slipway.runs.models import Execution
from slipway.runs.records import delete_record
from slipway.runs.run import RunReporter
from slipway.sweep.decide import Limits, SweepAction

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient


@dataclass(frozen=True)
class Case:
    """A run with the facts that a sweep action needs.

    Attributes:
        run: from Port.
        repository: of its pull request; None without one.
        execution: status of its approval's execution.
        pull: its pull request.
        reference: of its failed record.
        encrypted: whether its action has encrypted inputs.
    """

    run: Run
    repository: "ServicesRepository | None" = None
    execution: Execution | None = None
    pull: PullRequest | None = None
    reference: str = ""
    encrypted: bool = False


class SweepActionsConfig(ApprovalConfig, ReportingConfig):
    """Settings of sweep actions."""


@dataclass(frozen=True)
class SweepActions:
    """Carries out the decisions of `slipway.sweep.decide.choose_action`.

    Attributes:
        config: this installation.
        limits: shown in texts for people.
        port: Port's API.
        ledger: Slipway's own records of runs.
        policy: the approval policy.
        cleanup: cleans up after a run.
    """

    config: SweepActionsConfig
    limits: Limits
    port: "PortClient"
    ledger: Ledger
    policy: Policy
    cleanup: Cleanup

    def carry_out(self, action: SweepAction, case: Case) -> None:
        """Carry an action out.

        Raises:
            RunEnded: the run was ended concurrently.
        """
        match action:
            case SweepAction.LEAVE:
                pass
            case SweepAction.HOLD:
                self._hold(case)
            case SweepAction.END_NEVER_RECEIVED:
                self._end(case.run.id, "Never received", self._never_received(case))
            case SweepAction.END_STOPPED:
                self.end_stopped(case.run.id, aborted=case.execution == "ABORTED")
            case SweepAction.END_HELD:
                self._end_held(case.run.id)
            case SweepAction.REMIND:
                self._remind(case, _pull_of(case))
            case SweepAction.CLOSE:
                self._close(case, self._unmerged())
            case SweepAction.CLOSE_RETARGETED:
                to, base = _pull_of(case).retargeted_to, _repository_of(case).place.base_branch
                self._close(case, retargeted(to, base))
            case SweepAction.REPORT:
                self._report(case, _pull_of(case))

    def end_gone(self, run_id: str) -> None:
        """End a run whose action or repository was removed, and clean up after it."""
        run, row = self.port.get_run(run_id), self.ledger.get(run_id) or {}
        if run.ended or "outcome" in row:
            self.clean_up(run_id)
            return
        if run.action in self.policy.own_actions:
            self._end(run_id, "Repository removed", _repository_removed(row))
        else:
            self._end(
                run_id,
                "Action removed",
                f"The platform team removed the action '{run.action}', so Slipway cannot carry out "
                "this run. Ask the platform team for its replacement.",
            )
        LaterDelivery(self.config, self.ledger).discard(run_id)
        delete_record(self.config.records_bucket, request_key(run_id))
        self.cleanup.clean_up(run_id)

    def end_stopped(self, run_id: str, *, aborted: bool) -> None:
        """End a run whose execution has ended, and withdraw its request."""
        how = "was stopped by an operator" if aborted else "took too long"
        self._end(
            run_id,
            "Stopped",
            f"The wait for the approval {how}. Run the action again if the change is still wanted.",
        )
        self.cleanup.clean_up(run_id)

    def clean_up(self, run_id: str) -> str | None:
        """Clean up after a run that was ended in Port.

        Its pull request may have been merged at the same moment. Nothing checks that this was
        reported, so the catalogue is updated.

        Returns:
            Its action; None if there is nothing to clean up.
        """
        run, row = self.port.get_run(run_id), self.ledger.get(run_id) or {}
        place = self.policy.place_of(row)
        if run.ended and place and "outcome" not in row:
            repository = services_repository(self.config, place)
            branch = run_branch(run.action, run_id)
            pull = repository.find(branch, number=row.get("pr_number"))
            if pull and pull.state == "merged":
                self._reports(repository).report_run(run, pull.number)
        return self.cleanup.clean_up(run_id)

    def _hold(self, case: Case) -> None:
        """Report on hold for a function that failed before it knew the run."""
        why = "The function ended before it started the run; its log says why."
        report = RunReporter(case.run.id, case.run.action, self.port, self.ledger)
        report.put_on_hold(case.reference, why)

    def _never_received(self, case: Case) -> str:
        within = _duration(self.limits.never_received)
        why = "Slipway then asked for it again, but it was not carried out."
        if case.encrypted:
            why = "It has encrypted inputs, which Slipway cannot ask for again."
        return (
            f"Slipway did not receive this request within {within}. {why} Nothing was changed. "
            "Run the action again. If that fails too, ask the platform team for help: its messages "
            "do not arrive."
        )

    def _end_held(self, run_id: str) -> None:
        self._end(
            run_id,
            "On hold for too long",
            "An internal error interrupted this run, and it was not resumed within "
            f"{_duration(self.limits.held)}. Slipway ended it. Run the action again if the change "
            "is still wanted.",
        )
        LaterDelivery(self.config, self.ledger).discard(run_id)
        delete_record(self.config.records_bucket, request_key(run_id))
        self.cleanup.clean_up(run_id)

    def _remind(self, case: Case, pull: PullRequest) -> None:
        day = f"{pull.opened_at + self.limits.pull_request:%d %B %Y, %H:%M UTC}"
        PullRequests(_repository_of(case)).remind(
            pull.number,
            f"This pull request is still open. Slipway closes it on {day}, which ends its "
            f"[run]({self.config.run_url(case.run.id)}), unless a person merges or closes it "
            "before.",
        )
        self.ledger.record_reminder(case.run.id)

    def _close(self, case: Case, why: str) -> None:
        """Close a pull request that was open for too long.

        The end of the run is then reported as for any closed pull request.
        """
        branch = run_branch(case.run.action, case.run.id)
        _repository_of(case).close(branch, why, number=_pull_of(case).number)

    def _unmerged(self) -> str:
        return (
            f"This pull request was not merged within {_duration(self.limits.pull_request)}, so "
            "Slipway closed it. Run the action again in Port if the change is still wanted."
        )

    def _report(self, case: Case, pull: PullRequest) -> None:
        """Report a pull request that the repository's workflow did not report."""
        self._reports(_repository_of(case)).report_run(case.run, pull.number)
        self.cleanup.clean_up(case.run.id)

    def _end(self, run_id: str, label: str, sentence: str) -> None:
        self.port.add_log(run_id, sentence)
        self.port.update_run(run_id, status="FAILURE", status_label=label, summary=sentence)

    def _reports(self, repository: "ServicesRepository") -> Reports:
        policy = self.policy
        keys = policy.keys_of(repository.place)
        pulls = EndedPulls(repository)
        return Reports(pulls, self.port, self.ledger, self.config, policy.settings, keys)


def _pull_of(case: Case) -> PullRequest:
    if case.pull is None:  # Only runs with a pull request get this action.
        raise SlipwayError(f"Run {case.run.id} has no pull request.")
    return case.pull


def _repository_of(case: Case) -> "ServicesRepository":
    if case.repository is None:  # As for the pull request.
        raise SlipwayError(f"Run {case.run.id} has no repository.")
    return case.repository


def _repository_removed(row: Mapping[str, Any]) -> str:
    left = ""
    if url := row.get("pr_url"):
        left = f" Slipway did not change its pull request: {url}. Close it if it is still open."
    return (
        f"The platform team removed the repository '{row.get('repository')}' from "
        f"`github.repositories`. Slipway cannot finish this run.{left} Ask the platform team for "
        "its replacement, then run the action again."
    )


def _duration(limit: timedelta) -> str:
    """Format a limit in its largest whole unit: `30 days`, `15 minutes`."""
    seconds = round(limit.total_seconds())
    units = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
    unit, length = next(found for found in units.items() if seconds % found[1] == 0)
    return f"{seconds // length} {unit}{'s' * (seconds != length)}"
