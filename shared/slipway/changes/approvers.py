"""Decide who may decide a request. Pure: the caller gives the teams."""

from collections.abc import Callable, Iterable

from slipway.changes.policy import Approvers, Policy
from slipway.errors import UserError


def eligible(
    approvers: Approvers,
    requester: str,
    policy: Policy,
    members: Callable[[str], Iterable[str]],
    *,
    excluded: Iterable[str] = (),
) -> list[str]:
    """Return the people who may decide, without the requester.

    Args:
        approvers: the policy's approvers for this change.
        requester: e-mail address of the requester.
        policy: identifies different addresses of one person.
        members: gives the e-mail addresses of a team's members.
        excluded: e-mail addresses of others who may not decide.

    Raises:
        UserError: there are fewer people than must approve, so the request could not succeed.
    """
    people: dict[str, str] = {}
    for email in (*approvers.emails, *(m for team in approvers.teams for m in members(team))):
        people.setdefault(policy.identity(email), email)
    for email in (requester, *excluded):
        people.pop(policy.identity(email), None)
    if len(people) >= approvers.count:
        return list(people.values())
    named = ", ".join((*approvers.emails, *(f"team {team}" for team in approvers.teams)))
    who = f"The policy names {named}" if named else "The policy names no approvers"
    raise UserError(
        f"This change needs the approval of {approvers.count} "
        f"{'person' if approvers.count == 1 else 'people'} other than "
        f"{', '.join((requester, *excluded))}, and there "
        f"{'is' if len(people) == 1 else 'are'} {len(people) or 'none'}. {who}. "
        "Nothing was started. Ask the platform team to add approvers to the approval policy."
    )


def described(emails: Iterable[str], teams: Iterable[str]) -> str:
    """Return the approvers in one line, for people."""
    return ", ".join((*emails, *(f"team {team}" for team in teams)))
