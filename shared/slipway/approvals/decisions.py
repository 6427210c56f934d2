"""Count decisions of all channels, and the state machine's own endings."""

from collections.abc import Callable, Set
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from slipway.approvals.audit import AuditTrail
from slipway.approvals.decision import (
    Ballot,
    Teams,
    count_vote,
    counted,
    is_enough,
    settle,
    with_policy,
)
from slipway.approvals.models import Approval, Status
from slipway.approvals.store import ApprovalStore
from slipway.aws import ConditionFailed
from slipway.changes.approval_machine import Next, end_wait
from slipway.changes.policy import Policy, PolicyVersion
from slipway.changes.requester import is_machine
from slipway.errors import DecisionRefused, RequestClosed, RetryableError, RunEnded
from slipway.observability import Metric, count, logger

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# Optimistic-lock retries; enough for this many concurrent votes.
_ATTEMPTS = 10


def following(approval: Approval) -> Next:
    """Return the state machine's next step once the request is settled."""
    return "Execute" if approval.status is Status.APPROVED else "Report"


class Decisions:
    """Counts decisions on requests.

    Each decision is one conditional update of the request's row. Its effects (the audit record, the
    end of the machine's wait) are repeated with every later decision on the request.

    Args:
        store: the requests.
        audit: the audit trail.
        port: gives runs and the members of teams.
        policy: gives the current approval policy.
    """

    def __init__(
        self,
        store: ApprovalStore,
        audit: AuditTrail,
        port: "PortClient",
        policy: Callable[[], PolicyVersion],
    ) -> None:
        self.store = store
        self._audit = audit
        self._port = port
        self._policy = policy

    def decide(self, approval_id: str, ballot: Ballot) -> Approval:
        """Count a vote, and recount all others under the current policy.

        Returns:
            The new request; it may need more votes.

        Raises:
            DecisionRefused: the vote does not count; the text says why.
            RetryableError: too many concurrent decisions.
        """
        found = self._policy()
        try:
            stored = self.store.get(approval_id)
            by_machine = self._by_machine(stored)
            teams = self._teams(found.policy)
            for _ in range(_ATTEMPTS):
                approval = with_policy(stored.model_copy(update={"by_machine": by_machine}), found)
                now = datetime.now(UTC)
                voted = count_vote(approval, ballot, now=now, policy=found.policy, teams=teams)
                if voted is approval:
                    # The invocation that counted it may have been interrupted before the follow-up.
                    self.follow_up(approval)
                    return approval
                try:
                    saved = self.store.save(approval, voted)
                except ConditionFailed:
                    stored = self.store.get(approval_id)
                    continue
                self.follow_up(saved)
                count(Metric.APPROVAL_DECIDED, channel=ballot.channel, decision=ballot.decision)
                return saved
        except RequestClosed:
            # The invocation that decided it may have been interrupted before the follow-up.
            self.follow_up(self.store.get(approval_id))
            count(Metric.DECISION_REFUSED, reason="RequestClosed")
            raise
        except DecisionRefused as refused:
            count(Metric.DECISION_REFUSED, reason=type(refused).__name__)
            raise
        raise RetryableError(
            "Too many people are deciding on this request at the same time. Retry in a minute."
        )

    def settle(self, approval_id: str, status: Status) -> Approval:
        """End a request without a vote, unless it has already ended.

        Returns:
            The new request.
        """
        for _ in range(_ATTEMPTS):
            approval = self.store.get(approval_id)
            try:
                settled = settle(approval, status, datetime.now(UTC))
            except RequestClosed:
                # The invocation that ended it may have been interrupted before the follow-up.
                self.follow_up(approval)
                return approval
            try:
                saved = self.store.save(approval, settled)
            except ConditionFailed:
                continue
            self.follow_up(saved)
            return saved
        raise RetryableError("Too many people are deciding on this request at the same time.")

    def still_approved(self, approval: Approval) -> Approval | None:
        """Return an approved request with all votes recounted.

        Returns:
            None if too few approvals count for the current policy.
        """
        found = self._policy()
        known = approval.model_copy(update={"by_machine": self._by_machine(approval)})
        now = counted(with_policy(known, found), found.policy, self._teams(found.policy))
        return now if is_enough(now, found.policy) else None

    def write_audit(self, approval: Approval) -> None:
        """Write all votes to the audit trail."""
        self._audit.write(approval)

    def follow_up(self, approval: Approval) -> None:
        """Write the votes to the audit trail; end the wait of a settled request."""
        self.write_audit(approval)
        if approval.status is Status.PENDING:
            self._log_progress(approval)
            return
        if approval.token is None:
            return
        if end_wait(approval.token, following(approval)):
            return
        # A reminder may have begun a second wait, with its own token.
        latest = self.store.get(approval.id).token
        if latest and latest != approval.token:
            end_wait(latest, following(approval))

    def _log_progress(self, approval: Approval) -> None:
        # A repair is not requested by a run.
        if not approval.votes or approval.is_repair:
            return
        text = f"{approval.approvals} of {approval.needed} approvals are there."
        with suppress(RunEnded):
            self._port.add_log(approval.run_id, text)

    def _by_machine(self, approval: Approval) -> bool:
        """Return whether machine credentials requested the change.

        For older requests, the run in Port is read.
        """
        if approval.by_machine is not None or approval.is_repair:
            return bool(approval.by_machine)
        run = self._port.get_run(approval.run_id)
        return is_machine(self._port, approval.requested_by, run.created_by, run.impersonated_by)

    def _teams(self, policy: Policy) -> Teams:
        """Returns the teams of a person, with one lookup per person."""

        @cache
        def teams(approver: str) -> Set[str]:
            user = self._port.get_user(approver)
            # Port may find a person by another spelling, but only the exact spelling grants rights.
            if user is None or policy.address(user.email) != policy.address(approver):
                logger.info("Port does not have the approver")
                return frozenset()
            return frozenset(user.teams)

        return teams
