"""Decide whether a vote counts, and what follows from it. Pure."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.approvals.models import (
    MAX_COMMENT,
    Approval,
    Channel,
    Decision,
    Status,
    Vote,
    approval_id,
)
from slipway.changes.policy import Policy, PolicyVersion
from slipway.errors import (
    DecisionRefused,
    InvalidInput,
    NotAnApprover,
    OwnRequest,
    RequestClosed,
)

# Returns a person's teams in Port, by e-mail address.
Teams = Callable[[str], Set[str]]


@dataclass(frozen=True)
class Ballot:
    """A vote on a request, before it is counted.

    Attributes:
        approver: the e-mail address that the channel has verified.
        decision: approve or decline.
        channel: the channel of the vote.
        comment: the person's comment.
        seen: hash of the change that the person was shown. In Port, if a long diff is cut, it is
            the code at the end of the full diff.
        run_id: the run of *Decide Approval* that cast it; empty for other channels.
        request_id: API Gateway's id of the request that cast it; empty for Port.
    """

    approver: str
    decision: Decision
    channel: Channel
    comment: str = ""
    seen: str | None = None
    run_id: str = ""
    request_id: str = ""


def read_decision(value: object) -> Decision:
    """Read the decision.

    Raises:
        InvalidInput: it is neither APPROVE nor DECLINE.
    """
    match value:
        case "APPROVE" | "DECLINE":
            return value
        case _:
            raise InvalidInput("Decision", "must be APPROVE or DECLINE")


def read_comment(value: object) -> str:
    """Read the comment.

    Raises:
        InvalidInput: it is not text, or is too long for the run's page.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput("Comment", "must be text")
    if len(value) > MAX_COMMENT:
        raise InvalidInput(
            "Comment", f"must have at most {MAX_COMMENT} characters, but has {len(value)}"
        )
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidInput("Comment", "must be text: it has half of a surrogate pair")
    return value.strip()


def read_change(value: object) -> str:
    """Read the hash of the change that the person was shown in Port.

    Raises:
        InvalidInput: the form is older than this input, or the input is empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(
            "Change",
            "must identify the change that you were shown. Open the form of Decide Approval on "
            "the request's page again. If the form does not have this input, ask the platform "
            "team to run scripts/port_setup",
        )
    return value.strip()


def with_policy(approval: Approval, found: PolicyVersion) -> Approval:
    """Return the request with the approvers and settings of a policy."""
    policy, change = found.policy, (approval.action, *approval.environments)
    approvers = policy.approvers(*change, by_machine=bool(approval.by_machine))
    return approval.model_copy(
        update={
            "emails": approvers.emails,
            "teams": approvers.teams,
            "needed": approvers.count,
            "auto_merge": policy.requirement(*change).auto_merge,
            "policy_version": found.version,
        }
    )


def may_decide(approval: Approval, approver: str, policy: Policy, teams: Teams) -> None:
    """Refuse a person who must not decide, regardless of the status.

    Args:
        approval: the request, under the policy.
        approver: e-mail address of the person.
        policy: identifies different addresses of one person.
        teams: returns a person's teams in Port.

    Raises:
        OwnRequest: the person requested the change, or caused it.
        NotAnApprover: the policy does not name the person.
    """
    person, address = policy.identity(approver), policy.address(approver)
    if person == policy.identity(approval.requested_by):
        raise OwnRequest(
            f"{approver} requested this change, so another person must decide. Your decision was "
            "not recorded."
        )
    if person in {policy.identity(email) for email in approval.excluded}:
        raise OwnRequest(
            f"{approver} changed this entity before Slipway asked to repair it, so another person "
            "must decide. Your decision was not recorded."
        )
    named = {policy.address(email) for email in approval.emails}
    # Port is only asked about a person whom the policy may name through a team.
    if address not in named and not (approval.teams and teams(approver) & set(approval.teams)):
        raise NotAnApprover(
            f"{approver} may not decide this request. Approvers: "
            f"{', '.join((*approval.emails, *(f'team {t}' for t in approval.teams)))}."
        )


def counted(approval: Approval, policy: Policy, teams: Teams) -> Approval:
    """Recount all votes of a request under a policy.

    Args:
        approval: the request, under the policy.
        policy: the policy.
        teams: returns a person's teams in Port.
    """

    def counts(vote: Vote) -> bool:
        try:
            may_decide(approval, vote.approver, policy, teams)
        except DecisionRefused:
            return False
        return True

    votes = {
        person: vote.model_copy(update={"counts": counts(vote)})
        for person, vote in approval.votes.items()
    }
    return approval.model_copy(update={"votes": votes})


def is_enough(approval: Approval, policy: Policy) -> bool:
    """Return whether enough votes count for the policy."""
    return approval.approvals >= approval.needed and not _is_refused(approval, policy)


def _is_refused(approval: Approval, policy: Policy) -> bool:
    return bool(approval.by_machine) and policy.without_person == "refuse"


def count_vote(
    approval: Approval, ballot: Ballot, *, now: datetime, policy: Policy, teams: Teams
) -> Approval:
    """Count a vote, and recount all others.

    Args:
        approval: the current request, under the policy.
        ballot: the vote.
        now: the time, in UTC.
        policy: the current policy.
        teams: returns a person's teams in Port.

    Returns:
        The new request. One decline ends it, as does the last approval that it needs.
        For a ballot that was counted before, the request is unchanged.

    Raises:
        OwnRequest: the voter requested the change, or caused it.
        NotAnApprover: the policy does not name the voter.
        RequestClosed: the request is closed, or is for another change, or the voter has
            already voted.
        InvalidInput: the voter was shown only the beginning of the change.
    """
    may_decide(approval, ballot.approver, policy, teams)
    if ballot.run_id and ballot.run_id in {vote.run_id for vote in approval.votes.values()}:
        return approval
    if approval.status is not Status.PENDING or now >= approval.expires_at:
        raise closed(approval)
    _require_seen(approval, ballot)
    if ballot.decision == "APPROVE" and _is_refused(approval, policy):
        raise NotAnApprover(
            "Machine credentials requested this change, and the policy refuses such requests. "
            "Your decision was not recorded. Decline the request, and have a person run the "
            "action again."
        )
    person, approval = policy.identity(ballot.approver), counted(approval, policy, teams)
    if person in approval.votes:
        if is_enough(approval, policy):  # The policy requires fewer approvals than before.
            return _settled(approval, Status.APPROVED, now)
        earlier = approval.votes[person]
        raise RequestClosed(
            f"You already {_verb(earlier.decision)} this request on {moment(earlier.at)}. "
            f"It has {approval.approvals} of {approval.needed} approvals.",
            approval.status,
        )
    vote = Vote(
        approver=ballot.approver,
        decision=ballot.decision,
        channel=ballot.channel,
        comment=ballot.comment,
        at=now,
        change_hash=approval.change_hash,
        run_id=ballot.run_id,
        request_id=ballot.request_id,
    )
    voted = approval.model_copy(update={"votes": {**approval.votes, person: vote}})
    if ballot.decision == "DECLINE":
        return _settled(voted, Status.DECLINED, now)
    return _settled(voted, Status.APPROVED, now) if is_enough(voted, policy) else voted


def _require_seen(approval: Approval, ballot: Ballot) -> None:
    """Refuse a vote of a person who was not shown the whole change."""
    if ballot.seen is None:
        return
    if ballot.channel == "Port" and approval.code:
        # The visible part of a cut diff is enough to decline.
        if ballot.decision == "APPROVE" and ballot.seen != approval.code:
            raise InvalidInput(
                "Change",
                "must be the code at the end of the full diff, because Port shows only the "
                "beginning. Your decision was not recorded. Open the full diff, then decide again",
            )
    elif ballot.seen != approval.change_hash:
        raise RequestClosed(
            "The change differs from the one that you were shown. Your decision was not recorded. "
            "Review the request again.",
            Status.SUPERSEDED,
        )


def settle(approval: Approval, status: Status, now: datetime) -> Approval:
    """End a request without a vote: expired, cancelled or superseded.

    Raises:
        RequestClosed: it was ended before.
    """
    if approval.status is not Status.PENDING:
        raise closed(approval)
    return _settled(approval, status, now)


def closed(approval: Approval) -> RequestClosed:
    """Return why a closed request accepts no votes, as the answer to one."""
    status = Status.EXPIRED if approval.status is Status.PENDING else approval.status
    return RequestClosed(outcome(approval.model_copy(update={"status": status})), status)


def outcome(approval: Approval) -> str:
    """Return the state of a request, as a sentence."""
    last = max(approval.votes.values(), key=lambda vote: vote.at, default=None)
    match approval.status:
        case Status.APPROVED | Status.DECLINED if last is not None:
            comment = f" “{last.comment}”" if last.comment else ""
            return (
                f"This request was {_verb(last.decision)} by {last.approver} on "
                f"{moment(last.at)}.{comment}"
            )
        case Status.EXPIRED:
            return (
                f"This request expired on {moment(approval.expires_at)}: it did not get enough "
                "approvals in time. Run the action again if the change is still wanted."
            )
        case Status.CANCELLED:
            return "This request was withdrawn: its run was ended in Port."
        case Status.SUPERSEDED:
            following = approval_id(approval.run_id, approval.ask + 1)
            return (
                "The change is not the same any more, because one of its files changed on the "
                f"base branch. Decide on the new request {following}."
            )
    return f"This request waits for a decision until {moment(approval.expires_at)}."


def moment(at: datetime) -> str:
    """Return a time in the form for people."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _verb(decision: Decision) -> str:
    return "approved" if decision == "APPROVE" else "declined"


def _settled(approval: Approval, status: Status, now: datetime) -> Approval:
    return approval.model_copy(update={"status": status, "decided_at": now})
