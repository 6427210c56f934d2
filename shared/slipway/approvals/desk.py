"""Where decisions are taken: the same for all doors, and for the state machine's own endings."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slipway.approvals.audit import AuditTrail
from slipway.approvals.decision import Ballot, judge, settle
from slipway.approvals.machine import Next, tell
from slipway.approvals.models import Approval, Status
from slipway.approvals.policy import Policy
from slipway.approvals.store import ApprovalStore, Conflict
from slipway.errors import DecisionRefused, RequestClosed, RetryableError, RunEnded
from slipway.observability import Metric, count, logger

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# Of so many voters at the same instant, one after the other gets its turn.
_ATTEMPTS = 10


def following(approval: Approval) -> Next:
    """What the state machine does once the request is settled."""
    return "Execute" if approval.status is Status.APPROVED else "Report"


class DecisionDesk:
    """Takes decisions on requests.

    Each decision is one conditional update of the request's row; what follows from it (the record
    in the audit trail, the word to the state machine) can be repeated, and is, whenever somebody
    comes to a request that has been decided.

    Args:
        store: the requests.
        audit: the audit trail.
        port: knows the members of teams.
        policy: gives the approval policy.
    """

    def __init__(
        self,
        store: ApprovalStore,
        audit: AuditTrail,
        port: "PortClient",
        policy: Callable[[], Policy],
    ) -> None:
        self.store = store
        self._audit = audit
        self._port = port
        self._policy = policy

    def decide(self, approval_id: str, ballot: Ballot) -> Approval:
        """Count a vote.

        Returns:
            The request as it is then; it may need more votes.

        Raises:
            DecisionRefused: the vote does not count; the text says why.
            RetryableError: too many people decide at this moment.
        """
        identity = self._policy().identity
        try:
            approval = self.store.get(approval_id)
            teams = self._teams_of(ballot.approver, approval)
            for _ in range(_ATTEMPTS):
                voted = judge(
                    approval, ballot, now=datetime.now(UTC), identity=identity, teams=teams
                )
                if voted is approval:
                    # Whoever counted it may have been cut off before anybody was told.
                    self.follow_up(approval)
                    return approval
                try:
                    saved = self.store.save(approval, voted)
                except Conflict:
                    approval = self.store.get(approval_id)
                    continue
                self.follow_up(saved)
                count(Metric.APPROVAL_DECIDED, door=ballot.door, verdict=ballot.verdict)
                return saved
        except RequestClosed:
            # Whoever decided it may have been cut off before anybody was told.
            self.follow_up(self.store.get(approval_id))
            count(Metric.DECISION_REFUSED, reason="RequestClosed")
            raise
        except DecisionRefused as refused:
            count(Metric.DECISION_REFUSED, reason=type(refused).__name__)
            raise
        raise RetryableError("Too many people decide on this request at the moment. Try again.")

    def settle(self, approval_id: str, status: Status) -> Approval:
        """End a request without a vote, unless it was ended before.

        Returns:
            The request as it is then.
        """
        for _ in range(_ATTEMPTS):
            approval = self.store.get(approval_id)
            try:
                settled = settle(approval, status, datetime.now(UTC))
            except RequestClosed:
                # Whoever ended it may have been cut off before anybody was told.
                self.follow_up(approval)
                return approval
            try:
                saved = self.store.save(approval, settled)
            except Conflict:
                continue
            self.follow_up(saved)
            return saved
        raise RetryableError("Too many people decide on this request at the moment.")

    def record(self, approval: Approval) -> None:
        """Make sure that the votes are in the audit trail."""
        self._audit.record(approval)

    def follow_up(self, approval: Approval) -> None:
        """Put the votes on record and, if the request is settled, tell the state machine."""
        self.record(approval)
        if approval.status is Status.PENDING:
            self._say_progress(approval)
            return
        if approval.token is None:
            return
        if tell(approval.token, following(approval)):
            return
        # A reminder may have begun a second wait, with a token of its own.
        latest = self.store.get(approval.id).token
        if latest and latest != approval.token:
            tell(latest, following(approval))

    def _say_progress(self, approval: Approval) -> None:
        # A repair is asked for by no run.
        if not approval.votes or approval.is_repair:
            return
        text = f"{approval.approvals} of {approval.needed} approvals are there."
        with suppress(RunEnded):
            self._port.add_log(approval.run_id, text)

    def _teams_of(self, approver: str, approval: Approval) -> set[str]:
        if not approval.teams:
            return set()
        user = self._port.get_user(approver)
        if user is None:
            logger.info("Port does not know the approver")
            return set()
        return set(user.teams)
