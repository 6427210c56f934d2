from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.approvals.decision import (
    Ballot,
    count_vote,
    outcome,
    read_comment,
    read_decision,
    settle,
)
from slipway.approvals.models import Approval, Status
from slipway.changes.policy import Policy
from slipway.errors import DecisionRefused, InvalidInput, NotAnApprover, OwnRequest, RequestClosed

from tests.unit.approvals.conftest import NOW, make_approval
from tests.unit.conftest import POLICY

policy = Policy.model_validate(POLICY)


def vote(approval: Approval, approver: str = "devops@acme.example", **changes: Any) -> Approval:
    teams = changes.pop("teams", set())
    now = changes.pop("now", NOW)
    ballot = Ballot(**{"approver": approver, "decision": "APPROVE", "channel": "Port", **changes})
    return count_vote(approval, ballot, now=now, policy=policy, teams=lambda _: teams)


def test_given_one_approver_is_enough_when_approved_then_the_request_is_settled() -> None:
    approved = vote(make_approval(), comment="fine", channel="link")

    assert approved.status is Status.APPROVED
    assert approved.decided_at == NOW
    (cast,) = approved.votes.values()
    assert (cast.approver, cast.channel, cast.comment) == ("devops@acme.example", "link", "fine")
    assert cast.change_hash == approved.change_hash


def test_given_two_are_needed_when_one_approves_then_it_waits_for_the_other() -> None:
    first = vote(make_approval(needed=2))
    assert first.status is Status.PENDING

    second = vote(first, "lead@acme.example")

    assert second.status is Status.APPROVED
    assert second.approvals == 2


def test_repeated_vote_settles_when_fewer_are_needed_now() -> None:
    first = vote(make_approval(needed=2))

    assert vote(first.model_copy(update={"needed": 1})).status is Status.APPROVED


def test_given_two_are_needed_when_one_declines_then_the_request_ends() -> None:
    assert vote(make_approval(needed=2), decision="DECLINE").status is Status.DECLINED


@pytest.mark.parametrize(
    "spelling",
    [
        "dev@acme.example",
        "DEV@Acme.Example",
        "dev+second@acme.example",
        "Dev@acme.test",
        " dev@acme.example ",
        "ｄｅｖ@acme.example",
    ],
)
def test_given_the_requester_under_any_spelling_when_approving_then_refused(spelling: str) -> None:
    approval = make_approval(emails=(spelling.strip(), "dev@acme.example"))

    with pytest.raises(OwnRequest, match="another person must decide"):
        vote(approval, spelling)


def test_given_an_approver_under_another_spelling_when_approving_then_it_is_that_person() -> None:
    approved = vote(make_approval(needed=2), "DevOps@acme.test")

    with pytest.raises(RequestClosed, match="You already approved this request"):
        vote(approved, "devops@acme.example")


def test_given_somebody_else_when_approving_then_the_approvers_are_named() -> None:
    with pytest.raises(NotAnApprover, match=r"devops@acme.example, lead@acme.example, team sre"):
        vote(make_approval(teams=("sre",)), "stranger@acme.example", teams={"other"})


def test_given_a_member_of_a_team_when_approving_then_it_counts() -> None:
    approval = make_approval(emails=(), teams=("sre",))

    assert vote(approval, "sam@acme.example", teams={"sre", "x"}).status is Status.APPROVED


def test_given_no_approvers_at_all_when_anybody_approves_then_refused() -> None:
    with pytest.raises(NotAnApprover):
        vote(make_approval(emails=()), "devops@acme.example")


def test_given_a_decided_request_when_decided_again_then_told_by_whom_and_when() -> None:
    approved = vote(make_approval(), comment="go")

    with pytest.raises(RequestClosed) as refused:
        vote(approved, "lead@acme.example", decision="DECLINE")

    assert refused.value.status == Status.APPROVED
    assert str(refused.value) == (
        "This request was approved by devops@acme.example on 2026-11-23 12:00 UTC. “go”"
    )


@pytest.mark.parametrize("seconds", [0, 1])
def test_given_the_time_is_over_when_decided_then_expired(seconds: int) -> None:
    late = NOW + timedelta(hours=1, seconds=seconds)

    with pytest.raises(RequestClosed, match="expired on 2026-11-23 13:00 UTC") as refused:
        vote(make_approval(), now=late)

    assert refused.value.status == Status.EXPIRED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.EXPIRED, "expired"),
        (Status.CANCELLED, "withdrawn"),
        (Status.SUPERSEDED, r"not the same any more.*r_0123456789abcdef\.2"),
    ],
)
def test_given_a_closed_request_when_decided_then_each_has_its_own_answer(
    status: Status, words: str
) -> None:
    with pytest.raises(RequestClosed, match=words) as refused:
        vote(make_approval(status=status))
    assert refused.value.status == status


def test_given_another_change_was_shown_when_decided_then_nothing_is() -> None:
    with pytest.raises(RequestClosed, match="differs from the one that you were shown"):
        vote(make_approval(), seen="0" * 64)


def test_given_the_change_that_was_shown_when_decided_then_it_counts() -> None:
    assert vote(make_approval(), seen="f" * 64).status is Status.APPROVED


@pytest.mark.parametrize("typed", ["approve", "", None, True, ["APPROVE"], "APPROVE "])
def test_given_no_verdict_when_read_then_refused(typed: object) -> None:
    with pytest.raises(InvalidInput, match="must be APPROVE or DECLINE"):
        read_decision(typed)


def test_given_3000_characters_when_read_as_a_comment_then_told_how_many_are_taken() -> None:
    with pytest.raises(InvalidInput, match="at most 1000 characters, but has 3000"):
        read_comment("x" * 3000)


@pytest.mark.parametrize("typed", [1, {}, [], True])
def test_given_no_text_when_read_as_a_comment_then_refused(typed: object) -> None:
    with pytest.raises(InvalidInput, match="must be text"):
        read_comment(typed)


@pytest.mark.parametrize(
    ("typed", "comment"), [(None, ""), (" a\n", "a"), ("x" * 1000, "x" * 1000)]
)
def test_given_a_comment_when_read_then_it_is_kept(typed: object, comment: str) -> None:
    assert read_comment(typed) == comment


def test_given_a_pending_request_when_settled_then_it_has_no_vote() -> None:
    settled = settle(make_approval(), Status.EXPIRED, NOW)
    assert (settled.status, settled.votes, settled.decided_at) == (Status.EXPIRED, {}, NOW)


def test_given_a_decided_request_when_settled_then_it_stays_decided() -> None:
    with pytest.raises(RequestClosed):
        settle(vote(make_approval()), Status.CANCELLED, NOW)


@pytest.mark.parametrize("status", list(Status))
def test_given_any_status_when_told_then_it_is_a_sentence(status: Status) -> None:
    text = outcome(vote(make_approval()).model_copy(update={"status": status}))
    assert text[0].isupper()
    assert text.endswith((".", "”"))


PEOPLE = ["dev@acme.example", "devops@acme.example", "lead@acme.example", "x@acme.example"]
BALLOTS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["APPROVE", "DECLINE"])))


@given(ballots=BALLOTS, needed=st.integers(1, 3))
def test_given_any_votes_when_judged_then_only_enough_different_approvers_approve(
    ballots: list[tuple[str, Any]], needed: int
) -> None:
    approval = make_approval(needed=needed)
    for person, verdict in ballots:
        before = approval
        try:
            approval = vote(approval, person, decision=verdict)
        except DecisionRefused:
            assert approval is before

    approved_by = {p for p, v in approval.votes.items() if v.decision == "APPROVE"}
    assert approved_by <= {"devops@acme.example", "lead@acme.example"}
    assert (approval.status is Status.APPROVED) == (
        len(approved_by) >= needed and len(approved_by) == len(approval.votes)
    )


def test_given_a_counted_ballot_when_its_run_is_delivered_again_then_it_still_counts() -> None:
    approved = vote(make_approval(), run_id="r_decision")

    assert vote(approved, run_id="r_decision") is approved
    with pytest.raises(RequestClosed):
        vote(approved, run_id="r_another")
