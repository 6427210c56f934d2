"""Ask people for permission to repair a service, for remediations.

These steps belong to the approval function, so that the function that repairs services cannot
decide on requests.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from slipway.approvals.decision import outcome, with_policy
from slipway.approvals.decisions import Decisions
from slipway.approvals.models import REPAIR, Approval, Status, approval_id
from slipway.approvals.notifications import Notifications, Occasion, Places
from slipway.approvals.request import BLUEPRINT, entity, new_request, waits
from slipway.aws import ConditionFailed
from slipway.catalog.keys import split_key
from slipway.changes.approvers import eligible
from slipway.changes.policy import PolicyVersion
from slipway.changes.proposal import code_of
from slipway.changes.repair import PlannedRepair, repair_hash
from slipway.config import PortConfig
from slipway.errors import RequestNotFound, SlipwayError, UserError
from slipway.observability import Metric, count, logger
from slipway.runs.steps import Answer, Event, Steps, step

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# The requester of these requests; a person cannot have this name.
REQUESTER = "Slipway"


class Repair(BaseModel):
    """The requested permission.

    Attributes:
        service: the entity's key.
        environment: its environment.
        reason: the reason for the repair, as a sentence.
        strategies: the strategies in their order.
        planned: the same, in their current form.
        causes: Port's ids of those who changed the service before; they may not decide.
    """

    service: str
    environment: str
    reason: str
    strategies: list[str]
    planned: list[PlannedRepair] = []
    causes: list[str] = []


class RepairApprovalSteps(Steps):
    """The request of one remediation.

    The machine's payload has `repair` with the request, and `token` for waits. A step's answer is
    `next`: `Wait for decision` with its times, or `Note decision` with the decision (`granted`,
    `at`, `sentence`, `change_hash`).

    Args:
        execution: the remediation's execution.
        decisions: decisions and requests.
        notifications: notifies the approvers.
        policy: gives the current policy.
        config: address of Port.
        port: Port's API.
        links_base_url: the base address of approval links.
    """

    def __init__(
        self,
        execution: str,
        decisions: Decisions,
        notifications: Notifications,
        policy: Callable[[], PolicyVersion],
        config: PortConfig,
        port: "PortClient",
        links_base_url: str,
    ) -> None:
        self._execution = execution
        self._decisions = decisions
        self._notifications = notifications
        self._policy = policy
        self._config = config
        self._port = port
        self._links_base_url = links_base_url
        self._id = approval_id(execution, 1)

    @step("ask_for_repair")
    def _ask(self, event: Event) -> Answer:
        """Create the request and notify the approvers, or find an existing one."""
        repair = Repair.model_validate(event["repair"])
        try:
            approval = self._decisions.store.get(self._id)
        except RequestNotFound:
            try:
                approval = self._create(repair)
            except UserError as error:
                logger.warning(
                    "The policy has no approvers for the repair", extra={"why": str(error)}
                )
                return _noted(granted=False, at=datetime.now(UTC), sentence=str(error))
            count(Metric.APPROVAL_REQUESTED, action=REPAIR)
        self._show(approval)
        if not approval.token:
            self._notify(approval, "request")
        return {"next": "Wait for decision", **waits(approval, datetime.now(UTC))}

    @step("wait_for_repair", "remind_of_repair")
    def _wait(self, event: Event) -> None:
        """Store the token of a wait; end the wait at once if it is not needed."""
        token, remind = str(event["token"]), event["step"] == "remind_of_repair"
        try:
            approval = self._decisions.store.wait(self._id, token, reminded=remind)
        except ConditionFailed:
            decided = self._decisions.store.get(self._id)
            self._decisions.follow_up(decided.model_copy(update={"token": token}))
            return
        if remind:
            self._notify(approval, "reminder")

    @step("expire_repair")
    def _expire(self, event: Event) -> Answer:
        self._decisions.settle(self._id, Status.EXPIRED)
        return self._decided(event)

    @step("decided_repair")
    def _decided(self, _event: Event) -> Answer:
        approval = self._decisions.store.get(self._id)
        if approval.decided_at is None:
            raise SlipwayError(f"Request {self._id} waits for a decision.")
        self._decisions.write_audit(approval)
        self._show(approval)
        granted, sentence = approval.status is Status.APPROVED, outcome(approval)
        if granted and not self._decisions.still_approved(approval):
            granted = False
            sentence = (
                "The approval policy was changed, so the approval is not sufficient any more."
            )
        return _noted(
            granted=granted,
            at=approval.decided_at,
            sentence=sentence,
            change_hash=approval.change_hash,
        )

    def _create(self, repair: Repair) -> Approval:
        found = self._policy()
        approvers = found.policy.approvers(REPAIR, repair.environment, by_machine=False)
        excluded = self._addresses(repair.causes)
        eligible(approvers, REQUESTER, found.policy, self._port.team_members, excluded=excluded)
        names = ", ".join(repair.strategies)
        digests = [digest for each in repair.planned for digest in each.digests]
        preview = _preview(repair)
        approval = new_request(
            approvers,
            run_id=self._execution,
            ask=1,
            action=REPAIR,
            service=repair.service,
            environment=repair.environment,
            requested_by=REQUESTER,
            excluded=excluded,
            summary=f"try to {names}",
            change_hash=repair_hash(repair.service, self._execution, digests),
            code=code_of(preview),
            policy_version=found.version,
            now=datetime.now(UTC),
        )
        return self._decisions.store.create(approval, preview)

    def _show(self, approval: Approval) -> None:
        url = self._config.entity_url(*split_key(approval.service))
        preview = self._decisions.store.preview(approval)
        body = entity(approval, run_url=url, service_url=url, preview=preview)
        self._port.upsert_entity(BLUEPRINT, body)

    def _notify(self, approval: Approval, occasion: Occasion) -> None:
        config, found = self._config, self._policy()
        policy, approval = found.policy, with_policy(approval, found)
        silent = {*map(policy.identity, approval.excluded), *approval.votes}
        emails = [e for e in approval.emails if policy.identity(e) not in silent]
        places = Places(
            run_url=config.entity_url(*split_key(approval.service)),
            request_url=config.entity_url(BLUEPRINT, approval.id),
            links_base_url=self._links_base_url,
        )
        self._notifications.send(approval, emails, places, occasion)

    def _addresses(self, ids: list[str]) -> tuple[str, ...]:
        """Return the e-mail addresses of those Port ids that are people."""
        if not ids:
            return ()
        return tuple(sorted(user.email for user in self._port.users() if user.id in ids))


def _preview(repair: Repair) -> str:
    """Return the planned repairs, with the diff of each changed file."""
    planned = [part for each in repair.planned for part in (each.sentence, each.preview) if part]
    head = [repair.reason, "", "Slipway would try, in this order:"]
    return "\n".join([*head, *(planned or repair.strategies)])


def _noted(*, granted: bool, at: datetime, sentence: str, change_hash: str = "") -> Answer:
    decision = {
        "granted": granted,
        "at": at.isoformat(),
        "sentence": sentence,
        "change_hash": change_hash,
    }
    return {"next": "Note decision", "decision": decision}
