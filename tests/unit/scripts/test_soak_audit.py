"""The soak's audit finds what is lost, duplicated or stuck, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from scripts.soaking.audit import Kind, PullFacts, RunFacts, ServiceFacts, World, audit, counts
from scripts.soaking.workload import CREATE, DECIDE, DELETE, DOWNSCALE, UPSCALE, Ask

RUN = "r_0000000000000001"
MERGED = PullFacts(7, "merged", commits=1, on_main=1)
ENTITY = {"replicas": 8, "health_status": "Healthy"}


def ask(action: str = UPSCALE, *, harmless: bool = False, **inputs: Any) -> Ask:
    return Ask(
        number=1,
        action=action,
        service="shop",
        inputs=inputs or {"step": 2},
        environment="Test",
        harmless=harmless,
        decision="APPROVE",
        end="merge",
        impatient=False,
        hesitation=0,
        redelivered_after=(),
        cancelled_after=None,
    )


def run(run_id: str = RUN, **changes: Any) -> RunFacts:
    """Make a merged upscale."""
    facts = RunFacts(ask=ask(), run_id=run_id, action=UPSCALE, label="Merged", pulls=(MERGED,))
    return replace(facts, **changes)


def kinds(*runs: RunFacts, **world: Any) -> dict[str, int]:
    found = counts(audit(World(runs=runs, services=world.pop("services", ()), **world)))
    return {str(kind): number for kind, number in found.items() if number}


@pytest.mark.parametrize(
    "fine",
    [
        run(),
        run(status="FAILURE", label="Failed", pulls=()),
        run(status="FAILURE", label="Closed", pulls=(replace(MERGED, state="closed", on_main=0),)),
        run(label="Nothing to do", pulls=()),
        run(label="Dry run", pulls=(), ask=ask(harmless=True)),
        run(status="FAILURE", label="Failed", cancelled=True),
        run(status="FAILURE", label="Declined", pulls=(), approvals=("DECLINED",)),
        run(approvals=("SUPERSEDED", "APPROVED"), executions={RUN: "SUCCEEDED"}),
    ],
)
def test_soak_audit_accepts_a_correct_final_state(fine: RunFacts) -> None:
    assert kinds(fine) == {}


@pytest.mark.parametrize(
    "lost",
    [
        run(status=""),
        run(status="IN_PROGRESS", pulls=()),
        run(pulls=()),
        run(pulls=(replace(MERGED, on_main=0),)),
        run(status="FAILURE", label="Failed"),
        run(label="Nothing to do"),
        run(status="FAILURE", label="Never received", pulls=()),
        run(status="FAILURE", label="On hold for too long", pulls=()),
        run(ask=ask(harmless=True)),
        run(approvals=("DECLINED",)),
        run(approvals=("EXPIRED",)),
    ],
)
def test_soak_audit_reports_a_missing_or_false_end_as_lost(lost: RunFacts) -> None:
    assert kinds(lost) == {"lost": 1}


@pytest.mark.parametrize(
    "twice",
    [
        run(ends=2),
        run(ends=0),
        run(pulls=(MERGED, replace(MERGED, number=8))),
        run(pulls=(replace(MERGED, commits=2),)),
        run(pulls=(replace(MERGED, on_main=2),)),
        run(approvals=("APPROVED", "APPROVED")),
    ],
)
def test_soak_audit_reports_repeated_work_as_twice(twice: RunFacts) -> None:
    assert kinds(twice) == {"twice": 1}


@pytest.mark.parametrize(
    "stuck",
    [
        run(status="IN_PROGRESS", pulls=(replace(MERGED, state="open", on_main=0),)),
        run(status="IN_PROGRESS", pulls=(), executions={RUN: "RUNNING"}),
        run(status="FAILURE", pulls=(replace(MERGED, state="open", on_main=0),)),
        run(executions={RUN: "RUNNING"}),
        run(approvals=("PENDING",)),
        run(row={"run_id": RUN, "open": "yes"}),
    ],
)
def test_soak_audit_reports_leftovers_as_stuck(stuck: RunFacts) -> None:
    assert kinds(stuck) == {"stuck": 1}


def test_soak_audit_reports_an_undelivered_run_as_stuck() -> None:
    waiting = run(status="IN_PROGRESS", pulls=())

    assert kinds(waiting, postponed=frozenset({RUN})) == {"stuck": 1}


@pytest.mark.parametrize(
    "waiting",
    [
        run(status="IN_PROGRESS", pulls=(), held="held/r.json"),
        run(status="IN_PROGRESS", pulls=(), executions={RUN: "FAILED"}),
    ],
)
def test_soak_audit_reports_a_run_that_waits_for_an_operator(waiting: RunFacts) -> None:
    assert kinds(waiting) == {"held": 1}


def test_soak_audit_reports_unowned_locks_and_branches_as_stuck() -> None:
    left = {
        "locks": {"shop": RUN},
        "branches": ("slipway/upscale_service/r_0000000000000009",),
        "looked_after": frozenset({"books"}),
    }

    assert kinds(run(), **left) == {"stuck": 3}


def test_soak_audit_ignores_the_branch_of_a_pull_request() -> None:
    assert kinds(run(), branches=(f"slipway/upscale_service/{RUN}",)) == {}


def test_soak_audit_reports_an_unrequested_run_as_twice() -> None:
    assert kinds(run(), strangers=("r_0000000000000009",)) == {"twice": 1}


@pytest.mark.parametrize(
    ("verdict", "became", "found"),
    [
        ("APPROVE", "APPROVED", {}),
        ("APPROVE", "SUPERSEDED", {}),
        ("DECLINE", "DECLINED", {}),
        ("APPROVE", "EXPIRED", {"lost": 1}),
        ("DECLINE", "APPROVED", {"lost": 1}),
    ],
)
def test_soak_audit_compares_a_decision_with_its_request(
    verdict: str, became: str, found: dict[str, int]
) -> None:
    asked = run(status="FAILURE", label="Failed", pulls=(), approvals=(became,))
    decision = RunFacts(None, "r_0000000000000002", DECIDE, decided=(verdict, RUN, 1))

    assert kinds(asked, decision) == found


CREATED = run("r_c", ask=ask(CREATE, replicas=6), action=CREATE)
UP = run("r_u")
DOWN = run("r_d", ask=ask(DOWNSCALE, step=1), action=DOWNSCALE)
GONE = run("r_g", ask=ask(DELETE, service_name="shop"), action=DELETE, label="Deleted")


@pytest.mark.parametrize(
    ("merged", "replicas", "entity", "found"),
    [
        (("r_c", "r_u"), 8, ENTITY, {}),
        (("r_c", "r_u", "r_d"), 7, {**ENTITY, "replicas": 7}, {}),
        (("r_c", "r_u", "r_g"), None, None, {}),
        (("r_c", "r_g", "r_c", "r_u"), 8, ENTITY, {}),
        # A change that is missing or duplicated.
        (("r_c", "r_u"), 6, {**ENTITY, "replicas": 6}, {"twice": 1}),
        (("r_c", "r_u"), 10, {**ENTITY, "replicas": 10}, {"twice": 1}),
        (("r_c",), None, None, {"lost": 1}),
        # The catalogue differs from the base branch.
        (("r_c", "r_u"), 8, None, {"lost": 1}),
        (("r_c", "r_u"), 8, {**ENTITY, "replicas": 6}, {"lost": 1}),
        (("r_c", "r_u"), 8, {**ENTITY, "health_status": "Pending"}, {"lost": 1}),
        (("r_c", "r_g"), None, ENTITY, {"stuck": 1}),
    ],
)
def test_soak_audit_compares_merged_changes_with_the_service(
    merged: tuple[str, ...], replicas: int | None, entity: Any, found: dict[str, int]
) -> None:
    service = ServiceFacts("shop", merged, replicas, entity)

    assert kinds(CREATED, UP, DOWN, GONE, services=(service,)) == found


def test_soak_audit_counts_a_run_once_for_each_kind() -> None:
    twice = run(ends=2, pulls=(MERGED, MERGED))
    findings = audit(World(runs=(twice,), services=()))

    assert len(findings) == 2
    assert counts(findings)[Kind.TWICE] == 1
