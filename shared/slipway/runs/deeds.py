"""What the sweep does to a run. Each deed can be repeated after a crash at any point.

A run is ended in Port first and cleared up after. What is cut short in between is a run that has
ended with an open row, which the next sweep clears up.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from slipway.actions import create_service
from slipway.approvals.function import ApprovalFunction
from slipway.errors import GitHubError, SlipwayError
from slipway.github.models import PullRequest, run_branch
from slipway.github.pull_requests import REPORT_WORKFLOW, PullRequests
from slipway.port.models import Run
from slipway.port.node_run import is_node_run
from slipway.runs.abandoned import Deed, Execution, Limits
from slipway.runs.catalogue import follow_merge, remove_pending
from slipway.runs.change import request_key
from slipway.runs.later import LaterDelivery
from slipway.runs.ledger import Ledger
from slipway.runs.records import delete_record
from slipway.runs.run import RunConfig, RunReporter

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
    """

    run: Run
    service: str | None = None
    execution: Execution | None = None
    pull: PullRequest | None = None
    reference: str = ""


@dataclass(frozen=True)
class Deeds:
    """Carries out what `slipway.runs.abandoned.judge` has decided.

    Attributes:
        config: this installation.
        limits: named in what people read.
        port: Port's API.
        ledger: what Slipway itself knows of runs.
        repository: the services repository.
    """

    config: RunConfig
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
                self._end(case.run.id, "Never received", self._never_received())
            case Deed.END_STOPPED:
                self.end_stopped(case.run.id, aborted=case.execution == "ABORTED")
            case Deed.END_HELD:
                self._end_held(case.run.id)
            case Deed.REMIND:
                self._remind(case, _pull_of(case))
            case Deed.CLOSE:
                self._close(case)
            case Deed.REPORT_AGAIN:
                self._report_again(case, _pull_of(case))
            case Deed.END_REPORTED:
                self._end_reported(case, _pull_of(case))

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
            pull = self.repository.find(run_branch(run.action, run_id))
            if pull and pull.state == "merged":
                follow_merge(run, str(row["service"]), pull, self.port, self.repository)
        return ApprovalFunction().clear_up(run_id)

    def _hold(self, case: Case) -> None:
        """Say what the function could not: it failed before it knew the run."""
        why = "The function ended before it took the run on; its log says why."
        report = RunReporter(case.run.id, case.run.action, self.port, self.ledger)
        report.held(case.reference, why)

    def _never_received(self) -> str:
        return (
            f"Slipway did not receive this request within {_duration(self.limits.never_received)}. "
            "Nothing was changed. Start the action again; if that ends the same, tell the platform "
            "team: its messages do not arrive."
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
        self.ledger.record_sweep(case.run.id, "reminded_at")

    def _close(self, case: Case) -> None:
        """The end of the run is then reported as for any pull request that is closed."""
        self.repository.close(
            run_branch(case.run.action, case.run.id),
            f"Nobody has merged this pull request within {_duration(self.limits.pull_request)}, so "
            "Slipway closes it. Start the action again in Port if the change is still wanted.",
        )

    def _report_again(self, case: Case, pull: PullRequest) -> None:
        try:
            self._pulls.report_again(pull.number)
        except GitHubError:
            # For good, so that asking once more is in vain: the sweep then ends the run itself.
            self.ledger.record_sweep(case.run.id, "reported_again_at")
            raise
        self.ledger.record_sweep(case.run.id, "reported_again_at")
        text = f"The end of pull request #{pull.number} was not reported; asking for it once more."
        self.port.add_log(case.run.id, text)

    def _end_reported(self, case: Case, pull: PullRequest) -> None:
        """End the run as the report would have, and say what only that could have done."""
        status, label, done = self._outcome(case, pull)
        how = "merged" if pull.state == "merged" else "closed without a merge"
        sentence = f"Pull request #{pull.number} was {how}. {done}"
        if not is_node_run(case.run.id):
            sentence += (
                " The services repository did not report this, so Slipway ended the run itself: "
                f"once the workflow {REPORT_WORKFLOW} works again, run it for #{pull.number} to "
                "bring the entity up to date."
            )
        self._end(case.run.id, label, sentence, status=status)
        ApprovalFunction().clear_up(case.run.id)

    def _outcome(
        self, case: Case, pull: PullRequest
    ) -> tuple[Literal["SUCCESS", "FAILURE"], str, str]:
        if pull.state == "closed":
            if case.run.action != create_service.ACTION or case.service is None:
                return "FAILURE", "Closed", "The service stays as it is."
            gone = remove_pending(self.port, case.service, pull)
            done = "There is no pending service." if gone else "The service's entity stays."
            return "FAILURE", "Closed", done
        if case.service is None:
            return "SUCCESS", "Merged", "The entity was left as it is."
        as_wanted, done = follow_merge(case.run, case.service, pull, self.port, self.repository)
        return ("SUCCESS", "Merged", done) if as_wanted else ("FAILURE", "Has dependents", done)

    def _end(
        self,
        run_id: str,
        label: str,
        sentence: str,
        *,
        status: Literal["SUCCESS", "FAILURE"] = "FAILURE",
    ) -> None:
        self.port.add_log(run_id, sentence)
        self.port.update_run(run_id, status=status, status_label=label, summary=sentence)

    @property
    def _pulls(self) -> PullRequests:
        return PullRequests(self.repository)


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
