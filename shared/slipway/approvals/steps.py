"""The steps of the approval state machine. Each can be repeated after a crash at any point.

The machine's data is the run id and what comes next; everything else is read from the ledger, the
requests and Port, so that an execution can be resumed by another one.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slipway.approvals.decision import moment, outcome, under
from slipway.approvals.desk import DecisionDesk, following
from slipway.approvals.models import Approval, Status, approval_id
from slipway.approvals.notices import Notices, Occasion, Places
from slipway.approvals.request import BLUEPRINT, entity, request_for, waits
from slipway.approvals.store import Conflict
from slipway.catalog.keys import split_key
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
from slipway.changes.approval_machine import tell
from slipway.changes.approvers import described
from slipway.changes.policy import PolicyVersion
from slipway.changes.proposal import Proposal, shortened
from slipway.changes.requester import is_machine
from slipway.errors import ActionGone, RunEnded, SlipwayError, UserError
from slipway.github.models import PullRequest, run_branch
from slipway.observability import Metric, count, logger
from slipway.port.models import Run
from slipway.runs.ledger import timestamp
from slipway.runs.run import ActiveRun

Answer = dict[str, Any]
# A run asks at most four times in all.
MAX_ASKS = 4
_FILES_CHANGED = (
    "A file that this change touches, or the environment, was changed on the base branch "
    "after the request was made, so the approval does not count for it."
)
_POLICY_CHANGED = (
    "The approval policy, or a team that it names, was changed after the decision, so the approval "
    "is no longer enough."
)


class Steps:
    """The steps for one run.

    Args:
        run: the run, read from its stored record.
        desk: decisions and requests.
        notices: tells the approvers.
        policy: gives the policy as it is now.
        links_base_url: where approval links lead.
    """

    def __init__(
        self,
        run: ActiveRun,
        desk: DecisionDesk,
        notices: Notices,
        policy: Callable[[], PolicyVersion],
        links_base_url: str,
    ) -> None:
        self._run = run
        self._desk = desk
        self._notices = notices
        self._policy = policy
        self._links_base_url = links_base_url

    def take(self, step: str, event: dict[str, Any]) -> Answer | None:
        """Take one step.

        Args:
            step: its name, as in the machine's definition.
            event: the machine's payload: `token` for waits, `execution` to be named when held,
                `can_wait` for `execute` if the machine can wait and take that step again.

        Raises:
            SlipwayError: the step is unknown.
            RetryableError: the machine repeats the step.
        """
        match step:
            case "wait" | "remind":
                self._wait(event["token"], remind=step == "remind")
                return None
            case "hold":
                return self._hold(event["execution"])
            case "report":
                return self._report()
        working: dict[str, Callable[[], Answer]] = {
            "begin": self._begin,
            "lock": self._lock,
            "request": self._request,
            "expire": self._expire,
            "execute": lambda: self._execute(can_wait=bool(event.get("can_wait"))),
        }
        if step not in working:
            raise SlipwayError(f"The approval function knows no step '{step[:40]}'.")
        try:
            return working[step]()
        except ActionGone as gone:
            change.withdraw(self._run, self._policy().policy, str(gone))
            return self._end("FAILURE", "Failed", str(gone))
        except UserError as error:
            logger.info("The request was refused", extra={"why": str(error)})
            return self._end("FAILURE", "Failed", str(error))

    def _begin(self) -> Answer:
        """Find the first step that is not done: for a new execution the lock."""
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

    def _lock(self) -> Answer:
        task = change.find_task(self._run, self._policy().policy)
        self._run.locks.take(task.target.key, self._run.run_id)
        return {"next": "Request"}

    def _request(self) -> Answer:
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
        approval = self._desk.store.create(
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
        """Show the request to everybody. Repeated for one that was stored but perhaps not shown."""
        preview = self._desk.store.preview(approval)
        self._mirror(approval, preview=preview)
        self._run.report.preview(
            f"This is what would change: {approval.summary}", shortened(preview)
        )
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

    def _wait(self, token: str, *, remind: bool) -> None:
        """Keep the token of a wait; tell at once if there is nothing to wait for."""
        approval = self._required_approval()
        if self._ended():
            approval = self._desk.settle(approval.id, Status.CANCELLED)
        try:
            approval = self._desk.store.wait(approval.id, token, reminded=remind)
        except Conflict:
            tell(token, following(self._desk.store.get(approval.id)))
            return
        if remind:
            until = moment(approval.expires_at)
            self._run.report.remark(f"Nobody has decided yet; the approvers were reminded. {until}")
            self._notify(approval, "reminder")

    def _expire(self) -> Answer:
        return {"next": following(self._desk.settle(self._required_approval().id, Status.EXPIRED))}

    def _execute(self, *, can_wait: bool) -> Answer:
        """Make the change, if it is still the one that was approved."""
        if self._ended():
            return {"next": "Report"}
        approval = self._required_approval()
        if approval.status is not Status.APPROVED:
            return self._pass_by(approval)
        self._desk.record(approval)
        self._run.locks.take(approval.service, self._run.run_id)
        policy = self._policy().policy
        task = change.find_task(self._run, policy)
        branch = run_branch(self._run.message.action, approval.run_id)
        pull = task.repository.find(branch, number=self._row().get("pr_number"))
        if pull is not None and pull.state != "open":
            return self._show_pull(approval, pull)
        proposal = change.prepare_again(self._run, task, policy, pull)
        reason = _FILES_CHANGED
        if isinstance(proposal, Proposal) and proposal.change_hash == approval.change_hash:
            if standing := self._desk.standing(approval):
                return self._propose(standing, task, proposal, can_wait=can_wait)
            reason = _POLICY_CHANGED
        if pull is not None:
            change.leave_to_people(self._run, pull.number, reason)
            return self._show_pull(approval, pull)
        return self._ask_again(approval, reason)

    def _show_pull(self, approval: Approval, pull: PullRequest) -> Answer:
        """Finish what was cut off once the pull request was there."""
        run_id = self._run.run_id
        self._run.ledger.record_pull_request(run_id, pull.number, pull.url)
        self._mirror(approval)
        return {"next": "Done"}

    def _pass_by(self, approval: Approval) -> Answer:
        if approval.status is not Status.SUPERSEDED:
            return {"next": "Report"}
        # Whoever replaced it may have been cut off before Port was told.
        self._mirror(approval)
        return {"next": "Request"}

    def _propose(
        self, approval: Approval, task: change.Task, proposal: Proposal, *, can_wait: bool
    ) -> Answer:
        if "merge_tried_at" not in self._row():
            self._say_votes(approval)
        try:
            later = change.propose(
                self._run,
                task,
                proposal,
                auto_merge=approval.auto_merge,
                links=(self._request_url(approval),),
            )
        except RunEnded:
            return {"next": "Report"}
        self._mirror(approval)
        if later is None:
            return {"next": "Done"}
        if can_wait:
            self._run.report.waiting_until(later.until, later.why)
            return {"next": "Wait to merge", "until": timestamp(later.until)}
        # The execution has the definition of an earlier release.
        change.leave_to_people(self._run, int(self._row()["pr_number"]), later.why)
        return {"next": "Done"}

    def _ask_again(self, approval: Approval, reason: str) -> Answer:
        if approval.ask >= MAX_ASKS:
            raise UserError(
                f"The files or the approvers were changed {approval.ask} times while "
                "this request waited, so nothing was done. Start the action again later."
            )
        self._say_votes(approval)
        self._desk.store.supersede(approval.id)
        superseded = self._desk.store.get(approval.id)
        self._mirror(superseded)
        self._run.report.note("Asking for approval again", f"{reason} It is asked for again.")
        return {"next": "Request"}

    def _report(self) -> Answer:
        """End the run with what became of it, and free the service."""
        ended = self._ended()
        approval = self._approval()
        if approval is not None:
            self._desk.record(approval)
            self._mirror(approval)
            if not ended:
                self._say_votes(approval)
        verdict = self._row().get("verdict")
        if ended:
            self._run.ledger.close(self._run.run_id, ended)
        elif verdict is None:
            settled = self._required_approval()
            self._run.report.fail(outcome(settled), label=settled.status.title())
        elif verdict["status"] == "SUCCESS":
            self._run.report.succeed(verdict["reason"], label=verdict["label"])
        else:
            self._run.report.fail(verdict["reason"], label=verdict["label"])
        if approval is not None:
            self._run.locks.release(approval.service, self._run.run_id)
        else:
            self._free_unasked()
        return {"next": "Done"}

    def _free_unasked(self) -> None:
        """Free the entity of a run that was refused before it asked, if it is about one."""
        if key := self._row().get("service"):
            self._run.locks.release(str(key), self._run.run_id)

    def _hold(self, execution: str) -> Answer:
        count(Metric.RUN_CRASHED, action=self._run.message.action)
        self._run.report.held(execution, f"Execution {execution} failed; its history says why.")
        return {"next": "Done"}

    def _end(self, status: str, label: str, reason: str) -> Answer:
        self._run.ledger.record_verdict(self._run.run_id, status, label, reason)
        return {"next": "Report"}

    def _ended(self) -> str | None:
        """With which status the run was ended in Port, if it was; its request is then withdrawn."""
        run = self._look()
        return run.status if run.ended else None

    def _look(self) -> Run:
        """Port's record of the run. The request of a run that was ended is withdrawn."""
        run = self._run.port.get_run(self._run.run_id)
        approval = self._approval() if run.ended else None
        if approval is not None:
            self._desk.settle(approval.id, Status.CANCELLED)
        return run

    def _row(self) -> dict[str, Any]:
        return self._run.ledger.get(self._run.run_id) or {}

    def _approval(self) -> Approval | None:
        ask = self._row().get("ask")
        return self._desk.store.get(approval_id(self._run.run_id, int(ask))) if ask else None

    def _required_approval(self) -> Approval:
        approval = self._approval()
        if approval is None:
            raise SlipwayError(f"Run {self._run.run_id} has no approval request.")
        return approval

    def _request_url(self, approval: Approval) -> str:
        return self._run.config.entity_url(BLUEPRINT, approval.id)

    def _mirror(self, approval: Approval, *, preview: str | None = None) -> None:
        """Show the request in Port as it is, with its pull request once there is one."""
        config = self._run.config
        body = entity(
            approval,
            run_url=config.run_url(self._run.run_id),
            service_url=config.entity_url(*split_key(approval.service)),
            preview=preview,
            pr_url=self._row().get("pr_url"),
        )
        self._run.port.upsert_entity(BLUEPRINT, body, run_id=self._run.run_id)

    def _notify(self, approval: Approval, occasion: Occasion) -> None:
        found = self._policy()
        policy, approval = found.policy, under(approval, found)
        requester = policy.identity(approval.requested_by)
        silent = {requester, *approval.votes}
        approvers = [e for e in approval.emails if policy.identity(e) not in silent]
        places = Places(
            run_url=self._run.config.run_url(self._run.run_id),
            request_url=self._request_url(approval),
            links_base_url=self._links_base_url,
        )
        for failed in self._notices.send(approval, approvers, places, occasion):
            self._run.report.remark(failed)

    def _say_votes(self, approval: Approval) -> None:
        """Write who decided, and what they said, into the run's log."""
        for vote in sorted(approval.votes.values(), key=lambda vote: vote.at):
            verb = "Approved" if vote.verdict == "APPROVE" else "Declined"
            comment = f": {vote.comment}" if vote.comment else "."
            self._run.report.remark(
                f"{verb} by {vote.approver} by way of {vote.door} on {moment(vote.at)}{comment}"
            )
