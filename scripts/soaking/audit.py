"""Compare requests with results. Pure.

The audit does not use `slipway`'s own rules, on purpose. A finding has one of three kinds. *Lost*
is a run without an end that no execution works on, or whose reported end is wrong. *Twice* is an
effect that happened more than once. *Stuck* is something left behind that nothing will remove. Runs
whose record waits in the records bucket for a replay are *on hold*.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from scripts.soaking.workload import CREATE, DECIDE, DELETE, UPSCALE, Ask

ENDED = {"SUCCESS", "FAILURE"}
# Label of a run that changed nothing, and so has no pull request.
_NOTHING_DONE = {"Dry run", "Nothing to do"}
# Labels of runs that failed because of Slipway, not of the request.
_GIVEN_UP = {"Never received", "On hold for too long", "Stopped"}


class Kind(StrEnum):
    """Kinds of findings."""

    LOST = "lost"
    TWICE = "twice"
    STUCK = "stuck"
    HELD = "held"


@dataclass(frozen=True)
class Finding:
    """A broken promise.

    Attributes:
        kind: what is wrong.
        subject: the run's id, or the name of another object.
        reason: a sentence for people.
    """

    kind: Kind
    subject: str
    reason: str


@dataclass(frozen=True)
class PullFacts:
    """A pull request of a run.

    Attributes:
        number: its number.
        state: as GitHub has it, or `merged`.
        commits: how many commits it has.
        on_main: how many commits of the base branch came from it.
    """

    number: int
    state: Literal["open", "closed", "merged"]
    commits: int
    on_main: int


@dataclass(frozen=True)
class RunFacts:
    """The results of a run that was requested.

    Attributes:
        ask: the request; None for a run of *Decide Approval*.
        run_id: its id.
        action: identifier of its action.
        status: as Port has it; empty if Port does not know the run.
        label: what the run's page shows beside the status.
        summary: the reported reason of the run's end.
        ends: how often Port received an end.
        pulls: its pull requests.
        approvals: status of each of its approval requests, oldest first.
        executions: name → status of its executions.
        row: its row of the ledger, if there is one.
        cancelled: whether a person ended the run in Port.
        held: key of its record, if that waits for a replay.
        decided: for a run of *Decide Approval*, the answer, the run that it is about, and which of
            that run's requests.
    """

    ask: Ask | None
    run_id: str
    action: str
    status: str = "SUCCESS"
    label: str = ""
    summary: str = ""
    ends: int = 1
    pulls: tuple[PullFacts, ...] = ()
    approvals: tuple[str, ...] = ()
    executions: dict[str, str] = field(default_factory=dict)
    row: dict[str, Any] | None = None
    cancelled: bool = False
    held: str | None = None
    decided: tuple[str, str, int] | None = None

    @property
    def merged(self) -> bool:
        """Whether its change is on the base branch."""
        return any(pull.state == "merged" for pull in self.pulls)


@dataclass(frozen=True)
class ServiceFacts:
    """The state of a service.

    Attributes:
        name: its name.
        merged: runs whose pull requests are on the base branch, in their order there.
        replicas: on the base branch; None: the folder is missing.
        entity: its properties in the catalogue; None: there is none.
    """

    name: str
    merged: tuple[str, ...]
    replicas: int | None
    entity: dict[str, Any] | None


@dataclass(frozen=True)
class World:
    """Everything that exists after a soak.

    Attributes:
        runs: the result of each requested run.
        services: the state of each service.
        locks: service → owner.
        branches: Slipway's branches in the services repository.
        postponed: run ids of executions of `deliver_later` that run.
        looked_after: services whose remediation's execution runs.
        strangers: runs of our actions that the soak did not request.
    """

    runs: tuple[RunFacts, ...]
    services: tuple[ServiceFacts, ...]
    locks: dict[str, str] = field(default_factory=dict)
    branches: tuple[str, ...] = ()
    postponed: frozenset[str] = frozenset()
    looked_after: frozenset[str] = frozenset()
    strangers: tuple[str, ...] = ()


def audit(world: World) -> list[Finding]:
    """Return all broken promises, and runs on hold."""
    runs = {run.run_id: run for run in world.runs}
    found = [finding for run in world.runs for finding in _run(run, world)]
    for run in world.runs:
        found += _decision(run, runs)
    for service in world.services:
        found += _service(service, runs)
    found += _left(world, runs)
    found += [
        Finding(Kind.TWICE, run, "the soak did not request this run") for run in world.strangers
    ]
    return found


def counts(findings: Iterable[Finding]) -> dict[Kind, int]:
    """Count the subjects of each kind; a subject found twice counts once."""
    kinds = Counter(kind for kind, _subject in {(f.kind, f.subject) for f in findings})
    return {kind: kinds[kind] for kind in Kind}


def _run(run: RunFacts, world: World) -> Iterator[Finding]:
    def finding(kind: Kind, reason: str) -> Finding:
        return Finding(kind, run.run_id, reason)

    if not run.status:
        yield finding(Kind.LOST, "Port no longer knows it")
        return
    if run.status not in ENDED:
        yield _unended(run, world)
        return
    yield from (finding(Kind.TWICE, reason) for reason in _more_than_once(run))
    yield from (finding(Kind.LOST, reason) for reason in _untrue_end(run))
    yield from (finding(Kind.STUCK, reason) for reason in _left_over(run, world))


def _unended(run: RunFacts, world: World) -> Finding:
    label = f" ({run.label})" if run.label else ""
    if run.held:
        return Finding(Kind.HELD, run.run_id, f"its record is {run.held}")
    if "FAILED" in run.executions.values() and "RUNNING" not in run.executions.values():
        return Finding(Kind.HELD, run.run_id, f"its execution has failed{label}")
    waits = [name for name, status in run.executions.items() if status == "RUNNING"]
    waits += [f"pull request #{pull.number}" for pull in run.pulls if pull.state == "open"]
    waits += ["deliver_later"] if run.run_id in world.postponed else []
    if waits:
        return Finding(Kind.STUCK, run.run_id, f"in progress{label}, waits for {', '.join(waits)}")
    return Finding(Kind.LOST, run.run_id, f"in progress{label}, but no execution works on it")


def _more_than_once(run: RunFacts) -> Iterator[str]:
    if run.ends != 1:
        yield f"Port received its end {run.ends} times"
    if len(run.pulls) > 1:
        yield f"it has pull requests {', '.join(f'#{pull.number}' for pull in run.pulls)}"
    for pull in run.pulls:
        if pull.commits > 1:
            yield f"pull request #{pull.number} has {pull.commits} commits"
        if pull.on_main > 1:
            yield f"pull request #{pull.number} is {pull.on_main} times on the base branch"
    if run.approvals.count("APPROVED") > 1:
        yield "two of its approval requests were approved"
    if len([name for name in run.executions if "-" not in name]) > 1:
        yield f"it has executions {', '.join(run.executions)}"


def _untrue_end(run: RunFacts) -> Iterator[str]:
    merged = run.merged
    if any(pull.state == "merged" and not pull.on_main for pull in run.pulls):
        yield "its pull request is merged, but not on the base branch"
    if run.ask and run.ask.harmless and run.pulls:
        yield "it should have changed nothing, and has a pull request"
    if run.action == DECIDE:
        return
    if run.label in _GIVEN_UP:
        yield f"it was given up: '{run.label}'"
    if run.status == "SUCCESS" and not merged and run.label not in _NOTHING_DONE:
        yield f"it ended with SUCCESS ({run.label}), but nothing was merged"
    if run.status == "SUCCESS" and merged and run.label in _NOTHING_DONE:
        yield f"it ended with '{run.label}', but something was merged"
    # An operator may end a run while its pull request is being merged.
    if run.status == "FAILURE" and merged and not run.cancelled:
        yield f"it ended with FAILURE ({run.label}), but its change was merged"
    if run.approvals and run.approvals[-1] in {"DECLINED", "EXPIRED"} and run.pulls:
        yield f"its approval is {run.approvals[-1]}, and yet it has a pull request"


def _left_over(run: RunFacts, world: World) -> Iterator[str]:
    """Yield what still waits for a run that has ended."""
    for pull in run.pulls:
        if pull.state == "open":
            yield f"it has ended, and pull request #{pull.number} is open"
    for name, status in run.executions.items():
        if status == "RUNNING":
            yield f"it has ended, and execution {name} runs"
    if "PENDING" in run.approvals:
        yield "it has ended, and its approval request waits"
    if run.run_id in world.postponed:
        yield "it has ended, but a delayed delivery is pending"
    if run.row is not None and "open" in run.row:
        yield "it has ended, and its row in the ledger is open"


def _decision(run: RunFacts, runs: dict[str, RunFacts]) -> Iterator[Finding]:
    """Yield decisions that do not match the result of their run."""
    if run.decided is None or run.status != "SUCCESS":
        return
    decision, about, number = run.decided
    requested = runs.get(about)
    if requested is None:
        return
    became = requested.approvals[number - 1] if number <= len(requested.approvals) else "gone"
    # An approval of a changed change is superseded, and requested again.
    if became not in ({"APPROVED", "SUPERSEDED"} if decision == "APPROVE" else {"DECLINED"}):
        reason = f"it took {decision} for request {about}.{number}, which is {became}"
        yield Finding(Kind.LOST, run.run_id, reason)


def _service(service: ServiceFacts, runs: dict[str, RunFacts]) -> Iterator[Finding]:
    """Yield changes that were merged but are lost, or that were made twice."""
    expected: int | None = None
    for run_id in service.merged:
        ask = runs[run_id].ask
        if ask is None:
            continue
        if ask.action == CREATE:
            expected = int(ask.inputs["replicas"])
        elif ask.action == DELETE:
            expected = None
        elif expected is not None:
            step = int(ask.inputs["step"])
            expected += step if ask.action == UPSCALE else -step
    if expected != service.replicas:
        kind = Kind.LOST if service.replicas is None else Kind.TWICE
        reason = (
            f"the base branch has {service.replicas} replicas; the merged changes result in "
            f"{expected}"
        )
        yield Finding(kind, service.name, reason)
    yield from _entity(service)


def _entity(service: ServiceFacts) -> Iterator[Finding]:
    if service.entity is None:
        if service.replicas is not None:
            reason = "it is on the base branch, and not in the catalogue"
            yield Finding(Kind.LOST, service.name, reason)
        return
    if service.replicas is None:
        reason = f"it is in the catalogue ({service.entity.get('health_status')}), and on no branch"
        yield Finding(Kind.STUCK, service.name, reason)
        return
    if service.entity.get("replicas") != service.replicas:
        reason = (
            f"the catalogue has {service.entity.get('replicas')} replicas, the base branch "
            f"{service.replicas}"
        )
        yield Finding(Kind.LOST, service.name, reason)
    if service.entity.get("health_status") == "Pending":
        yield Finding(Kind.LOST, service.name, "it is deployed, and still Pending in the catalogue")


def _left(world: World, runs: dict[str, RunFacts]) -> Iterator[Finding]:
    """Yield locks, branches and executions whose owners have ended."""
    for service, owner in world.locks.items():
        run = runs.get(owner)
        if run is None or run.status in ENDED:
            yield Finding(Kind.STUCK, service, f"{owner} has ended, but still locks the service")
    for branch in world.branches:
        # GitHub deletes the branch of a pull request, if that setting is on.
        run = runs.get(branch.rpartition("/")[2])
        if run is None or (run.status in ENDED and not run.pulls):
            yield Finding(Kind.STUCK, branch, "the branch has no pull request")
    for service in world.looked_after:
        yield Finding(Kind.STUCK, service, "a remediation has not ended")
