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


def test_one_approval_settles_the_request_when_one_is_needed() -> None:
    approved = vote(make_approval(), comment="fine", channel="link")

    assert approved.status is Status.APPROVED
    assert approved.decided_at == NOW
    (cast,) = approved.votes.values()
    assert (cast.approver, cast.channel, cast.comment) == ("devops@acme.example", "link", "fine")
    assert cast.change_hash == approved.change_hash


def test_request_stays_pending_until_both_approvers_approve() -> None:
    first = vote(make_approval(needed=2))
    assert first.status is Status.PENDING

    second = vote(first, "lead@acme.example")

    assert second.status is Status.APPROVED
    assert second.approvals == 2


def test_repeated_vote_settles_when_fewer_are_needed_now() -> None:
    first = vote(make_approval(needed=2))

    assert vote(first.model_copy(update={"needed": 1})).status is Status.APPROVED


def test_one_decline_ends_the_request_when_two_are_needed() -> None:
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
def test_requester_is_refused_under_any_address_spelling(spelling: str) -> None:
    approval = make_approval(emails=(spelling.strip(), "dev@acme.example"))

    with pytest.raises(OwnRequest, match="another person must decide"):
        vote(approval, spelling)


def test_another_spelling_of_an_approver_is_the_same_person() -> None:
    approved = vote(make_approval(needed=2), "DevOps@acme.test")

    with pytest.raises(RequestClosed, match="You already approved this request"):
        vote(approved, "devops@acme.example")


def test_refused_caller_sees_the_approvers() -> None:
    with pytest.raises(NotAnApprover, match=r"devops@acme.example, lead@acme.example, team sre"):
        vote(make_approval(teams=("sre",)), "stranger@acme.example", teams={"other"})


def test_approval_counts_when_the_approver_is_in_a_named_team() -> None:
    approval = make_approval(emails=(), teams=("sre",))

    assert vote(approval, "sam@acme.example", teams={"sre", "x"}).status is Status.APPROVED


def test_approval_is_refused_when_no_approver_is_named() -> None:
    with pytest.raises(NotAnApprover):
        vote(make_approval(emails=()), "devops@acme.example")


def test_second_decision_is_refused_with_who_decided_and_when() -> None:
    approved = vote(make_approval(), comment="go")

    with pytest.raises(RequestClosed) as refused:
        vote(approved, "lead@acme.example", decision="DECLINE")

    assert refused.value.status == Status.APPROVED
    assert str(refused.value) == (
        "This request was approved by devops@acme.example on 2026-11-23 12:00 UTC. “go”"
    )


@pytest.mark.parametrize("seconds", [0, 1])
def test_decision_is_refused_when_the_request_has_expired(seconds: int) -> None:
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
def test_each_closed_status_refuses_a_decision_with_its_own_text(
    status: Status, words: str
) -> None:
    with pytest.raises(RequestClosed, match=words) as refused:
        vote(make_approval(status=status))
    assert refused.value.status == status


def test_decision_is_refused_when_another_change_was_shown() -> None:
    with pytest.raises(RequestClosed, match="differs from the one that you were shown"):
        vote(make_approval(), seen="0" * 64)


def test_decision_counts_when_the_shown_change_is_unchanged() -> None:
    assert vote(make_approval(), seen="f" * 64).status is Status.APPROVED


@pytest.mark.parametrize("typed", ["approve", "", None, True, ["APPROVE"], "APPROVE "])
def test_read_decision_refuses_other_values(typed: object) -> None:
    with pytest.raises(InvalidInput, match="must be APPROVE or DECLINE"):
        read_decision(typed)


def test_read_comment_names_the_limit_when_the_text_is_too_long() -> None:
    with pytest.raises(InvalidInput, match="at most 1000 characters, but has 3000"):
        read_comment("x" * 3000)


@pytest.mark.parametrize("typed", [1, {}, [], True])
def test_read_comment_refuses_values_that_are_not_text(typed: object) -> None:
    with pytest.raises(InvalidInput, match="must be text"):
        read_comment(typed)


@pytest.mark.parametrize(
    ("typed", "comment"), [(None, ""), (" a\n", "a"), ("x" * 1000, "x" * 1000)]
)
def test_read_comment_keeps_the_comment(typed: object, comment: str) -> None:
    assert read_comment(typed) == comment


def test_settled_request_has_no_vote_when_it_was_pending() -> None:
    settled = settle(make_approval(), Status.EXPIRED, NOW)
    assert (settled.status, settled.votes, settled.decided_at) == (Status.EXPIRED, {}, NOW)


def test_settle_is_refused_when_the_request_is_decided() -> None:
    with pytest.raises(RequestClosed):
        settle(vote(make_approval()), Status.CANCELLED, NOW)


@pytest.mark.parametrize("status", list(Status))
def test_outcome_is_a_sentence_for_every_status(status: Status) -> None:
    text = outcome(vote(make_approval()).model_copy(update={"status": status}))
    assert text[0].isupper()
    assert text.endswith((".", "”"))


PEOPLE = ["dev@acme.example", "devops@acme.example", "lead@acme.example", "x@acme.example"]
BALLOTS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["APPROVE", "DECLINE"])))


@given(ballots=BALLOTS, needed=st.integers(1, 3))
def test_request_is_approved_only_by_enough_different_approvers(
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


def test_ballot_still_counts_when_its_run_is_delivered_again() -> None:
    approved = vote(make_approval(), run_id="r_decision")

    assert vote(approved, run_id="r_decision") is approved
    with pytest.raises(RequestClosed):
        vote(approved, run_id="r_another")
