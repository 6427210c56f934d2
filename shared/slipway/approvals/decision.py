"""The one decision function: whether a vote counts, and what follows from it. Pure."""

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

# Gives the teams of Port that a person is in, by the e-mail address.
Teams = Callable[[str], Set[str]]


@dataclass(frozen=True)
class Ballot:
    """A vote on a request that has not been counted.

    Attributes:
        approver: the e-mail address that the channel has verified.
        decision: approve or decline.
        channel: the way it came.
        comment: what the person wrote.
        seen: hash of the change that the person was shown; in Port, where a long diff is cut, the
            code at the end of the full one.
        run_id: the run of *Decide Approval* that it came by; empty for other channels.
        request_id: API Gateway's id of the request that it came by; empty for Port.
    """

    approver: str
    decision: Decision
    channel: Channel
    comment: str = ""
    seen: str | None = None
    run_id: str = ""
    request_id: str = ""


def read_decision(value: object) -> Decision:
    """Read what was typed.

    Raises:
        InvalidInput: it is neither APPROVE nor DECLINE.
    """
    match value:
        case "APPROVE" | "DECLINE":
            return value
        case _:
            raise InvalidInput("Decision", "must be APPROVE or DECLINE")


def read_comment(value: object) -> str:
    """Read what was typed.

    Raises:
        InvalidInput: it is no text, or too long to be shown on the run's page.
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
    """Read which change the person was shown, as *Decide Approval* has it.

    Raises:
        InvalidInput: the form is older than this input, or it was left empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(
            "Change",
            "must say which change you were shown. Open the form of Decide Approval on the "
            "request's page again; if it has no such input, the platform team runs "
            "scripts/port_setup",
        )
    return value.strip()


def with_policy(approval: Approval, found: PolicyVersion) -> Approval:
    """Return the request with the approvers, the count and the auto-merge that a policy has for it."""
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
    """Refuse who must not decide, whatever the request's status.

    Args:
        approval: the request, under the policy.
        approver: e-mail address of the person.
        policy: tells which addresses are one person's.
        teams: gives the teams of Port that a person is in.

    Raises:
        OwnRequest: the person asked for the change, or caused it.
        NotAnApprover: the person is not named by the policy.
    """
    person, address = policy.identity(approver), policy.address(approver)
    if person == policy.identity(approval.requested_by):
        raise OwnRequest(
            f"{approver} asked for this change, so another person must decide. Nothing was decided."
        )
    if person in {policy.identity(email) for email in approval.excluded}:
        raise OwnRequest(
            f"{approver} changed this entity before Slipway asked to repair it, so another "
            "person must decide. Nothing was decided."
        )
    named = {policy.address(email) for email in approval.emails}
    # Port is only asked about a person whom the policy may name by a team.
    if address not in named and not (approval.teams and teams(approver) & set(approval.teams)):
        raise NotAnApprover(
            f"{approver} may not decide this request. "
            f"These may: {', '.join((*approval.emails, *(f'team {t}' for t in approval.teams)))}."
        )


def counted(approval: Approval, policy: Policy, teams: Teams) -> Approval:
    """Return the request with all its votes counted again under a policy.

    Args:
        approval: the request, under the policy.
        policy: the policy.
        teams: gives the teams of Port that a person is in.
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
    """Return whether the votes that count are as many as the policy asks for."""
    return approval.approvals >= approval.needed and not _is_refused(approval, policy)


def _is_refused(approval: Approval, policy: Policy) -> bool:
    return bool(approval.by_machine) and policy.without_person == "refuse"


def count_vote(
    approval: Approval, ballot: Ballot, *, now: datetime, policy: Policy, teams: Teams
) -> Approval:
    """Count a vote, and all others again.

    Args:
        approval: the request as it is, under the policy.
        ballot: the vote.
        now: the time, in UTC.
        policy: the policy of now.
        teams: gives the teams of Port that a person is in.

    Returns:
        The request as it is then: one decline ends it, as does the last approval that it needs.
        The same request for a ballot that was counted before, and is delivered again.

    Raises:
        OwnRequest: the voter asked for the change, or caused it.
        NotAnApprover: the policy does not name the voter.
        RequestClosed: the request does not wait any more, or not for this change, or the voter
            has voted.
        InvalidInput: the voter was shown the beginning of the change only.
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
            "Nothing was decided. Decline it, and have a person start the action again."
        )
    person, approval = policy.identity(ballot.approver), counted(approval, policy, teams)
    if person in approval.votes:
        if is_enough(approval, policy):  # The policy asks for fewer approvals than before.
            return _settled(approval, Status.APPROVED, now)
        earlier = approval.votes[person]
        raise RequestClosed(
            f"You already {_verb(earlier.decision)} this request on {moment(earlier.at)}. "
            f"{approval.approvals} of {approval.needed} approvals are there.",
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
    """Refuse a vote of a person who was not shown this change, or not all of it."""
    if ballot.seen is None:
        return
    if ballot.channel == "Port" and approval.code:
        # What was read of a cut diff is enough to decline.
        if ballot.decision == "APPROVE" and ballot.seen != approval.code:
            raise InvalidInput(
                "Change",
                "must be the code at the end of the full diff, because Port shows only the "
                "beginning. Nothing was decided: open the full diff, then decide again",
            )
    elif ballot.seen != approval.change_hash:
        raise RequestClosed(
            "The change is not the one that you were shown. Look at the request again: nothing "
            "was decided.",
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
    """Return why a request takes no votes any more, as the answer to one."""
    status = Status.EXPIRED if approval.status is Status.PENDING else approval.status
    return RequestClosed(outcome(approval.model_copy(update={"status": status})), status)


def outcome(approval: Approval) -> str:
    """Return what has become of a request, as a sentence."""
    last = max(approval.votes.values(), key=lambda vote: vote.at, default=None)
    match approval.status:
        case Status.APPROVED | Status.DECLINED if last is not None:
            said = f" “{last.comment}”" if last.comment else ""
            return (
                f"This request was {_verb(last.decision)} by {last.approver} on "
                f"{moment(last.at)}.{said}"
            )
        case Status.EXPIRED:
            return (
                f"This request expired on {moment(approval.expires_at)}: nobody decided in time. "
                "Start the action again if the change is still wanted."
            )
        case Status.CANCELLED:
            return "This request was withdrawn: its run was ended in Port."
        case Status.SUPERSEDED:
            following = approval_id(approval.run_id, approval.ask + 1)
            return (
                "The change is no longer the same: a file that it touches was changed meanwhile. "
                f"Decide on the new request {following}."
            )
    return f"This request waits for a decision until {moment(approval.expires_at)}."


def moment(at: datetime) -> str:
    """Return a time as people read it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _verb(decision: Decision) -> str:
    return "approved" if decision == "APPROVE" else "declined"


def _settled(approval: Approval, status: Status, now: datetime) -> Approval:
    return approval.model_copy(update={"status": status, "decided_at": now})
