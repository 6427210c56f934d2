"""An approval request and the votes on it."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway.catalog.keys import split_key

Decision = Literal["APPROVE", "DECLINE"]
# Used instead of the Port action if a remediation asks; `run_id` is then its execution.
REPAIR = "repair_service"
Channel = Literal["Port", "REST API", "link"]
MAX_COMMENT = 1000
# The form that `approval_id` makes.
APPROVAL_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\.[1-9][0-9]{0,8}")


class Status(StrEnum):
    """The status of a request. All but `PENDING` are final."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SUPERSEDED = "SUPERSEDED"


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True
    )


class Vote(_Model):
    """One person's decision.

    Attributes:
        approver: the person's e-mail address, verified by the channel.
        decision: the decision; `verdict` in the table and in audit records.
        channel: its channel; `door` in the table and in audit records.
        comment: the person's comment; may be empty.
        at: when, in UTC.
        change_hash: of the change that was decided on.
        run_id: the run of *Decide Approval* that cast it; empty for other channels.
        request_id: API Gateway's id of the request that cast it, as in the access log; empty for
            Port.
        counts: whether the policy named the voter when the votes were last counted.
    """

    approver: str
    decision: Decision = Field(alias="verdict")
    channel: Channel = Field(alias="door")
    comment: str
    at: datetime
    change_hash: str
    run_id: str = ""
    request_id: str = ""
    counts: bool = True


class Approval(_Model):
    """A request for approval: a row of the `approvals` table.

    A run has several, one after the other, if its change is modified while it waits.

    Attributes:
        id: `<run id>.<ask>`.
        run_id: the run that waits.
        ask: number of the request, from 1.
        action: the action's name in the catalog.
        service: the entity's key, `<blueprint>/<identifier>`.
        environment: the environments for the policy, separated by commas.
        requested_by: e-mail address, or user id without one.
        requester_id: Port's id of the person who executed the action; empty for a repair.
        impersonated_by: machine credentials that executed it in a person's name; empty: none.
        by_machine: whether Port's record of the run does not name a person as the requester.
            None: the request is older than this attribute.
        excluded: e-mail addresses of others who may not decide, for example who caused a repair.
        summary: what would change, in one line.
        change_hash: see `slipway.changes.proposal.Proposal`.
        code: the code that an approver types in Port if the diff is cut (see
            `slipway.changes.proposal.code_of`); empty: Port shows the whole diff.
        emails: people who may decide.
        teams: Port teams whose members may decide.
        needed: how many people must approve.
        auto_merge: whether Slipway then merges the pull request.
        policy_version: of the document with which the votes were last counted.
        created_at: in UTC.
        expires_at: absolute end of the wait, independent of the state machine.
        remind_at: when the approvers are reminded; None: never.
        status: see `Status`.
        votes: identity of a person → vote.
        decided_at: when the status became final.
        version: number of changes of votes and status.
        token: task token of the state machine's wait.
        reminded: whether the approvers were reminded.
    """

    id: str
    run_id: str
    ask: int
    action: str
    service: str
    environment: str
    requested_by: str
    requester_id: str = ""
    impersonated_by: str = ""
    by_machine: bool | None = None
    excluded: tuple[str, ...] = ()
    summary: str
    change_hash: str
    code: str = ""
    emails: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    needed: int = 1
    auto_merge: bool = False
    policy_version: str = ""
    created_at: datetime
    expires_at: datetime
    remind_at: datetime | None = None
    status: Status = Status.PENDING
    votes: dict[str, Vote] = {}
    decided_at: datetime | None = None
    version: int = 0
    token: str | None = Field(None, repr=False)
    reminded: bool = False

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments for the policy."""
        return tuple(self.environment.split(", "))

    @property
    def name(self) -> str:
        """The entity's identifier."""
        return split_key(self.service)[1] or self.service

    @property
    def is_repair(self) -> bool:
        """Whether Slipway itself asks, for an unhealthy service without a run."""
        return self.action == REPAIR

    @property
    def approvals(self) -> int:
        """Number of approvals that count."""
        return sum(vote.decision == "APPROVE" and vote.counts for vote in self.votes.values())


def approval_id(run_id: str, ask: int) -> str:
    """Return the id of a run's n-th request.

    Port's identifiers and addresses both accept a full stop.
    """
    return f"{run_id}.{ask}"
