"""Run the steps of the approval state machine, all safe to repeat.

The machine's data is the run id and the next step. Everything else is read from the ledger, the
requests and Port, so that another execution can resume the run.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from slipway.approvals.decision import moment, outcome, with_policy
from slipway.approvals.decisions import Decisions, following
from slipway.approvals.models import Approval, Status, approval_id
from slipway.approvals.notifications import Notifications, Occasion, Places
from slipway.approvals.request import BLUEPRINT, entity, request_for, waits
from slipway.aws import ConditionFailed
from slipway.catalog.keys import split_key
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
from slipway.changes.approval_machine import end_wait
from slipway.changes.approvers import described
from slipway.changes.outcome import Later, Result
from slipway.changes.policy import PolicyVersion
from slipway.changes.proposal import Asked, shortened
from slipway.changes.requester import is_machine
from slipway.errors import ActionGone, RunEnded, SlipwayError, UserError
from slipway.github.models import PullRequest, run_branch
from slipway.observability import Metric, count, logger
from slipway.port.models import Run
from slipway.runs.ledger import timestamp
from slipway.runs.run import ActiveRun
from slipway.runs.steps import Answer, Event, Steps, step

# A run makes at most four requests.
MAX_ASKS = 4
_FILES_CHANGED = (
    "A file of this change, or the environment, was changed on the base branch after the request "
    "was made, so the approval no longer applies."
)
_POLICY_CHANGED = (
    "The approval policy, or one of its teams, was changed after the decision, so the approval is "
    "not sufficient any more."
)


def _refusable(
    method: "Callable[[ApprovalSteps, Event], Answer]",
) -> "Callable[[ApprovalSteps, Event], Answer]":
    """Make a step end the run if it refuses the request."""

    @wraps(method)
    def run(self: "ApprovalSteps", event: Event) -> Answer:
        try:
            return method(self, event)
        except ActionGone as gone:
            change.withdraw(self._run, self._policy().policy, str(gone))
            return self._end("FAILURE", "Failed", str(gone))
        except UserError as error:
            logger.info("The request was refused", extra={"why": str(error)})
            return self._end("FAILURE", "Failed", str(error))

    return run


class ApprovalSteps(Steps):
    """The steps for one run.

    The machine's payload has `token` for waits, and `execution` to name when the run is put on
    hold. It has `can_wait` for `execute` if the machine can wait and run that step again.

    Args:
        run: the run, read from its stored record.
        decisions: decisions and requests.
        notifications: notifies the approvers.
        policy: gives the current policy.
        links_base_url: the base address of approval links.
    """

    def __init__(
        self,
        run: ActiveRun,
        decisions: Decisions,
        notifications: Notifications,
        policy: Callable[[], PolicyVersion],
        links_base_url: str,
    ) -> None:
        self._run = run
        self._decisions = decisions
        self._notifications = notifications
        self._policy = policy
        self._links_base_url = links_base_url

    @step("begin")
    @_refusable
    def _begin(self, _event: Event) -> Answer:
        """Find the first unfinished step; for a new execution, the lock."""
        row = self._row()
        if row.get("verdict") or self._ended():
            return {"next": "Report"}
        if row.get("pr_number"):
            return {"next": "Execute"}
        approval = self._approval()
        if approval is None:
            return {"next": "Lock"}
        if approval.status in {Status.PENDING, Status.SUPERSEDED}:
            return {"next": "Request"}
        return {"next": following(approval)}

    @step("lock")
    @_refusable
    def _lock(self, _event: Event) -> Answer:
        task = change.find_task(self._run, self._policy().policy)
        self._run.locks.acquire(task.target.key, self._run.run_id)
        return {"next": "Request"}

    @step("request")
    @_refusable
    def _request(self, _event: Event) -> Answer:
        seen = self._look()
        if seen.ended:
            return {"next": "Report"}
        approval = self._approval()
        if approval is not None and approval.status is not Status.SUPERSEDED:
            if approval.status is not Status.PENDING:
                return {"next": following(approval)}
            return self._show_request(approval)
        ask = approval.ask + 1 if approval else 1
        policy, version = (found := self._policy()).policy, found.version
        task = change.find_task(self._run, policy)
        proposal = change.prepare(self._run, task, policy)
        if isinstance(proposal, NothingToDo):
            return self._end("SUCCESS", "Nothing to do", proposal.reason)
        change.refuse_existing(self._run, task)
        requester = change.requester_of(self._run)
        by_machine = is_machine(self._run.port, requester, seen.created_by, seen.impersonated_by)
        change.require_approvers(self._run, policy, proposal, by_machine=by_machine)
        about = (proposal.action, *proposal.environments)
        approval = self._decisions.store.create(
            request_for(
                proposal,
                policy.approvers(*about, by_machine=by_machine),
                run_id=self._run.run_id,
                ask=ask,
                requested_by=requester,
                requester_id=seen.created_by,
                impersonated_by=seen.impersonated_by,
                by_machine=by_machine,
                auto_merge=policy.requirement(*about).auto_merge,
                policy_version=version,
                now=datetime.now(UTC),
            ),
            proposal.preview,
        )
        self._run.ledger.record_ask(self._run.run_id, ask)
        count(Metric.APPROVAL_REQUESTED, action=approval.action)
        return self._show_request(approval, new=True)

    def _show_request(self, approval: Approval, *, new: bool = False) -> Answer:
        """Show the request in Port and notify the approvers.

        Repeated for a request that was stored but perhaps not shown.
        """
        preview = self._decisions.store.preview(approval)
        self._mirror(approval, preview=preview)
        self._run.report.preview(f"This would change: {approval.summary}", shortened(preview))
        try:
            self._run.report.waiting_for_approval(
                approval.expires_at,
                self._request_url(approval),
                described(approval.emails, approval.teams),
            )
        except RunEnded:
            return {"next": "Report"}
        if new or not approval.token:
            self._notify(approval, "request")
        return {"next": "Wait", **waits(approval, datetime.now(UTC))}

    @step("wait", "remind")
    def _wait(self, event: Event) -> None:
        """Store the token of a wait; end the wait at once if it is not needed."""
        token, remind = str(event["token"]), event["step"] == "remind"
        approval = self._required_approval()
        if self._ended():
            approval = self._decisions.settle(approval.id, Status.CANCELLED)
        try:
            approval = self._decisions.store.wait(approval.id, token, reminded=remind)
        except ConditionFailed:
            end_wait(token, following(self._decisions.store.get(approval.id)))
            return
        if remind:
            until = moment(approval.expires_at)
            self._run.report.remark(f"No decision yet; Slipway reminded the approvers. {until}")
            self._notify(approval, "reminder")

    @step("expire")
    @_refusable
    def _expire(self, _event: Event) -> Answer:
        return {
            "next": following(self._decisions.settle(self._required_approval().id, Status.EXPIRED))
        }

    @step("execute")
    @_refusable
    def _execute(self, event: Event) -> Answer:
        """Make the change, if it still equals the approved one."""
        can_wait = bool(event.get("can_wait"))
        approval = self._required_approval()
        if self._ended() or approval.status is not Status.APPROVED:
            return self._pass_by(approval)
        self._decisions.write_audit(approval)
        self._run.locks.acquire(approval.service, self._run.run_id)
        policy = self._policy().policy
        task = change.find_task(self._run, policy)
        if "workflow_url" in self._row():
            return self._go_on(approval, change.follow_workflow(self._run, task), can_wait=can_wait)
        branch = run_branch(self._run.message.action, approval.run_id)
        pull = task.repository.find(branch, number=self._row().get("pr_number"))
        if pull is not None and pull.state != "open":
            return self._show_pull(approval, pull)
        proposal = change.prepare_again(self._run, task, policy, pull)
        reason = _FILES_CHANGED
        if isinstance(proposal, Asked) and proposal.change_hash == approval.change_hash:
            if approved := self._decisions.still_approved(approval):
                return self._propose(approved, task, proposal, can_wait=can_wait)
            reason = _POLICY_CHANGED
        if pull is not None:
            change.leave_to_people(self._run, pull.number, reason)
            return self._show_pull(approval, pull)
        return self._ask_again(approval, reason)

    def _show_pull(self, approval: Approval, pull: PullRequest) -> Answer:
        """Finish a step that was interrupted after it opened the pull request."""
        run_id = self._run.run_id
        self._run.ledger.record_pull_request(run_id, pull.number, pull.url)
        self._mirror(approval)
        return {"next": "Done"}

    def _pass_by(self, approval: Approval) -> Answer:
        if approval.status is not Status.SUPERSEDED or self._ended():
            return {"next": "Report"}
        # The execution that replaced it may have been interrupted before it notified Port.
        self._mirror(approval)
        return {"next": "Request"}

    def _propose(
        self, approval: Approval, task: change.Task, proposal: change.Made, *, can_wait: bool
    ) -> Answer:
        if "merge_tried_at" not in self._row():
            self._log_votes(approval)
        try:
            outcome = change.make(
                self._run,
                task,
                proposal,
                auto_merge=approval.auto_merge,
                links=(self._request_url(approval),),
            )
        except RunEnded:
            return {"next": "Report"}
        self._mirror(approval)
        return self._go_on(approval, outcome, can_wait=can_wait)

    def _go_on(
        self, approval: Approval, outcome: Later | Result | None, *, can_wait: bool
    ) -> Answer:
        match outcome:
            case Result(status=status, label=label, reason=reason):
                self._mirror(approval)
                return self._end(status, label, reason)
            case Later(until=until, why=why) if can_wait:
                self._run.report.waiting_until(until, why)
                return {"next": "Wait to merge", "until": timestamp(until)}
            case Later(why=why):
                # The execution has the definition of an earlier release.
                change.leave_to_people(self._run, int(self._row()["pr_number"]), why)
        return {"next": "Done"}

    def _ask_again(self, approval: Approval, reason: str) -> Answer:
        if approval.ask >= MAX_ASKS:
            raise UserError(
                f"The files or the approvers were changed {approval.ask} times while this request "
                "waited, so nothing was changed. Run the action again later."
            )
        self._log_votes(approval)
        self._decisions.store.supersede(approval.id)
        superseded = self._decisions.store.get(approval.id)
        self._mirror(superseded)
        self._run.report.note(
            "Requesting approval again", f"{reason} Slipway asks for approval again."
        )
        return {"next": "Request"}

    @step("report")
    def _report(self, _event: Event) -> Answer:
        """End the run with its outcome, and free the service."""
        ended = self._ended()
        approval = self._approval()
        if approval is not None:
            self._decisions.write_audit(approval)
            self._mirror(approval)
            if not ended:
                self._log_votes(approval)
        result = self._row().get("verdict")
        if ended:
            self._run.ledger.close(self._run.run_id, ended)
        elif result is None:
            settled = self._required_approval()
            self._run.report.fail(outcome(settled), label=settled.status.title())
        elif result["status"] == "SUCCESS":
            self._run.report.succeed(result["reason"], label=result["label"])
        else:
            self._run.report.fail(result["reason"], label=result["label"])
        if approval is not None:
            self._run.locks.release(approval.service, self._run.run_id)
        else:
            self._free_unasked()
        return {"next": "Done"}

    def _free_unasked(self) -> None:
        """Free the entity of a run that was refused before its first request."""
        if key := self._row().get("service"):
            self._run.locks.release(str(key), self._run.run_id)

    @step("hold")
    def _hold(self, event: Event) -> Answer:
        execution = str(event["execution"])
        count(Metric.RUN_CRASHED, action=self._run.message.action)
        self._run.report.put_on_hold(
            execution, f"Execution {execution} failed; its history says why."
        )
        return {"next": "Done"}

    def _end(self, status: str, label: str, reason: str) -> Answer:
        self._run.ledger.record_result(self._run.run_id, status, label, reason)
        return {"next": "Report"}

    def _ended(self) -> str | None:
        """Status of a run that was ended in Port; its request is withdrawn."""
        run = self._look()
        return run.status if run.ended else None

    def _look(self) -> Run:
        """Port's record of the run; a run that ended loses its request."""
        run = self._run.port.get_run(self._run.run_id)
        approval = self._approval() if run.ended else None
        if approval is not None:
            self._decisions.settle(approval.id, Status.CANCELLED)
        return run

    def _row(self) -> dict[str, Any]:
        return self._run.ledger.get(self._run.run_id) or {}

    def _approval(self) -> Approval | None:
        ask = self._row().get("ask")
        return self._decisions.store.get(approval_id(self._run.run_id, int(ask))) if ask else None

    def _required_approval(self) -> Approval:
        approval = self._approval()
        if approval is None:
            raise SlipwayError(f"Run {self._run.run_id} has no approval request.")
        return approval

    def _request_url(self, approval: Approval) -> str:
        return self._run.config.entity_url(BLUEPRINT, approval.id)

    def _mirror(self, approval: Approval, *, preview: str | None = None) -> None:
        """Update the request in Port, with its pull request once it exists."""
        config, row = self._run.config, self._row()
        body = entity(
            approval,
            run_url=config.run_url(self._run.run_id),
            service_url=config.entity_url(*split_key(approval.service)),
            preview=preview,
            pr_url=row.get("pr_url") or row.get("workflow_url"),
        )
        self._run.port.upsert_entity(BLUEPRINT, body, run_id=self._run.run_id)

    def _notify(self, approval: Approval, occasion: Occasion) -> None:
        found = self._policy()
        policy, approval = found.policy, with_policy(approval, found)
        requester = policy.identity(approval.requested_by)
        silent = {requester, *approval.votes}
        approvers = [e for e in approval.emails if policy.identity(e) not in silent]
        places = Places(
            run_url=self._run.config.run_url(self._run.run_id),
            request_url=self._request_url(approval),
            links_base_url=self._links_base_url,
        )
        for failed in self._notifications.send(approval, approvers, places, occasion):
            self._run.report.remark(failed)

    def _log_votes(self, approval: Approval) -> None:
        """Write the decisions and comments into the run's log."""
        for vote in sorted(approval.votes.values(), key=lambda vote: vote.at):
            verb = "Approved" if vote.decision == "APPROVE" else "Declined"
            comment = f": {vote.comment}" if vote.comment else "."
            self._run.report.remark(
                f"{verb} by {vote.approver} (channel: {vote.channel}) on {moment(vote.at)}{comment}"
            )
