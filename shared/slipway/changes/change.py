"""Carry out a change of an entity: preview, approval, pull request."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.catalog.entities import with_pull_request
from slipway.catalog.files import DeleteFile
from slipway.catalog.form import is_dry_run
from slipway.catalog.planning import NothingToDo, Situation, WorkflowPlan, make_plan
from slipway.catalog.request import Request, Target, Tree, find_target
from slipway.changes import approval_machine as machine
from slipway.changes.approvers import eligible
from slipway.changes.outcome import Later, Result
from slipway.changes.policy import Policy
from slipway.changes.policy_document import read_policy
from slipway.changes.proposal import Asked, Proposal, files_of, propose_files, shortened
from slipway.changes.requester import is_machine
from slipway.errors import (
    ActionGone,
    BranchTaken,
    EntityExists,
    RetryableError,
    RunEnded,
    UserError,
)
from slipway.github.models import PullRequest, run_branch
from slipway.observability import trace_id
from slipway.runs.catalogs import newest_catalog
from slipway.runs.clients import services_repository
from slipway.runs.records import put_record
from slipway.runs.run import ActiveRun

if TYPE_CHECKING:
    from slipway.changes.workflow import WorkflowProposal
    from slipway.github.repository import ServicesRepository

# The result of planning a run.
type Made = Proposal | WorkflowProposal
# How long Slipway itself tries to merge; afterwards a person must merge.
MERGE_WITHIN = timedelta(days=1)
_SHORTEST, _LONGEST = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True)
class Task:
    """What a run is about.

    Attributes:
        target: the entity and the action.
        request: the request, as the catalog reads it.
        repository: has the entity's files.
    """

    target: Target
    request: Request
    repository: "ServicesRepository"


def carry_out(run: ActiveRun) -> None:
    """Carry out the run's request, or request its approval first.

    Raises:
        RetryableError: GitHub does not merge the pull request yet.
    """
    policy = read_policy(run.config.records_bucket, run.config.policy_key).policy
    row = run.ledger.get(run.run_id) or {}
    is_first = int(row.get("deliveries", 1)) == 1
    task = _find_again(run, policy, row)
    if task is None:
        return
    if is_first and task.target.unused:
        names = ", ".join(f"'{title}'" for title in task.target.unused)
        run.report.remark(
            f"These inputs were filled in, but the action does not use them: {names}."
        )
    if "workflow_url" in row:
        _finish(run, task, follow_workflow(run, task))
        return
    pull = None if is_first else _proposed_before(run, task, row)
    if pull is not None and pull.state != "open":
        return
    dry = is_dry_run(run.message.inputs)
    proposal = prepare_again(run, task, policy, pull)
    if isinstance(proposal, NothingToDo):
        run.report.succeed(proposal.reason, label="Nothing to do")
    elif proposal is not None:
        _make(run, task, policy, proposal, dry=dry)
    elif pull is not None:
        leave_to_people(run, pull.number, "The base branch already has its change.")


def _make(run: ActiveRun, task: Task, policy: Policy, proposal: Made, *, dry: bool) -> None:
    """Preview a change, carry it out, or request its approval."""
    requirement = policy.requirement(proposal.action, *proposal.environments)
    if dry:
        refuse_existing(run, task)
        run.report.preview(f"This would change: {proposal.summary}", shortened(proposal.preview))
        run.report.succeed("Dry run: nothing was changed.", label="Dry run")
    elif requirement.approval is None:
        with run.lock(proposal.key):
            outcome = make(run, task, proposal, auto_merge=requirement.auto_merge)
        _finish(run, task, outcome)
    else:
        requester = requester_of(run)
        by_machine = is_machine(run.port, requester, run.created_by, run.impersonated_by)
        require_approvers(run, policy, proposal, by_machine=by_machine)
        _ask(run)


def make(
    run: ActiveRun,
    task: Task,
    proposal: Made,
    *,
    auto_merge: bool,
    links: tuple[str, ...] = (),
) -> Later | Result | None:
    """Open the pull request, or start the workflow. Safe to repeat.

    Args:
        run: the run, which owns the entity's lock.
        task: the entity and its repository.
        proposal: the change.
        auto_merge: whether Slipway merges.
        links: further links of the run's page.

    Returns:
        When to call this again, or how the run ends; None: the pull request's end is the run's.

    Raises:
        RunEnded: the run was ended concurrently.
        BranchTaken: another user wrote to the run's branch; the run's log says so.
    """
    if isinstance(proposal, Proposal):
        return propose(run, task, proposal, auto_merge=auto_merge, links=links)
    from slipway.changes.workflow import start

    return start(run, task.repository, proposal)


def follow_workflow(run: ActiveRun, task: Task) -> Later | Result:
    """Check the workflow that an earlier delivery started."""
    from slipway.changes.workflow import follow

    return follow(run, task.repository, run.ledger.get(run.run_id) or {})


def _finish(run: ActiveRun, task: Task, outcome: Later | Result | None) -> None:
    """End the run, or postpone its delivery."""
    match outcome:
        case Later(until=until, why=why):
            raise RetryableError(why, until)
        case Result(status="SUCCESS"):
            run.report.succeed(outcome.reason, label=outcome.label)
        case Result():
            run.report.fail(outcome.reason, label=outcome.label)
        case None:
            return
    run.locks.release(task.target.key, run.run_id)


def _find_again(run: ActiveRun, policy: Policy, row: Mapping[str, Any]) -> Task | None:
    """Return what a run is about; None if people handle its pull request.

    Raises:
        UserError: the request is wrong, or the catalog no longer has the action.
    """
    try:
        return find_task(run, policy)
    except ActionGone as gone:
        withdraw(run, policy, str(gone))
        raise
    except UserError as error:
        if "pr_number" not in row:
            raise
        leave_to_people(run, int(row["pr_number"]), str(error))
        return None


def find_task(run: ActiveRun, policy: Policy) -> Task:
    """Find and record the entity, action and repository of a run.

    Raises:
        ActionGone: the newest catalog does not have the action.
        UserError: the request breaks a rule of the form.
    """
    catalog, message = newest_catalog(run.config), run.message
    request = request_of(run)
    found = catalog.find(request.action)
    hints: Mapping[str, Any] = {}
    if found and found[0].spec.locate and request.entity:
        entity = run.port.get_entity(found[0].blueprint.identifier, request.entity)
        hints = entity.properties if entity else {}
    target = find_target(catalog, request, hints)
    place = policy.place(target.repository)
    run.ledger.record_target(message.run_id, target.key, target.repository)
    return Task(target, request, services_repository(run.config, place))


def request_of(run: ActiveRun) -> Request:
    """Return a run as the catalog reads it."""
    message, who = run.message, run.message.requester
    return Request(
        run_id=message.run_id,
        action=message.action.removeprefix(run.config.identifier_prefix),
        entity=None if message.operation == "CREATE" else message.entity,
        inputs=message.inputs,
        censored=message.censored,
        requester={"id": who.user_id, "email": who.email, "name": who.name},
        requested_at=message.requested_at.isoformat(),
        run_url=run.config.run_url(message.run_id),
    )


def withdraw(run: ActiveRun, policy: Policy, why: str) -> None:
    """Close the pull request of a run that cannot continue; free its entity.

    Args:
        run: the run.
        policy: the current policy.
        why: as a sentence.
    """
    row = run.ledger.get(run.run_id) or {}
    if place := policy.place_of(row):
        branch = run_branch(run.message.action, run.run_id)
        number = row.get("pr_number")
        services_repository(run.config, place).close(branch, why, number=number)
    if "service" in row:
        run.locks.release(str(row["service"]), run.run_id)


def _proposed_before(run: ActiveRun, task: Task, row: Mapping[str, Any]) -> PullRequest | None:
    """Return the pull request that an earlier delivery opened.

    Once it is merged or closed, the repository reports it. The base branch then has the result of
    the change, so the run cannot be planned from it.
    """
    branch = run_branch(run.message.action, run.run_id)
    pull = task.repository.find(branch, number=row.get("pr_number"))
    if pull is not None:
        # That delivery may have ended before it recorded it, and the sweep relies on the record.
        run.ledger.record_pull_request(run.run_id, pull.number, pull.url)
    return pull


def prepare_again(
    run: ActiveRun, task: Task, policy: Policy, pull: PullRequest | None
) -> Made | NothingToDo | None:
    """Plan the change of a run that may already have a pull request.

    Returns:
        None if it has one, and the base branch already has the change. It was just merged, or
        people must check it. In both cases the pull request's end is the run's.

    Raises:
        UserError: the request is wrong, or not possible in the current state.
    """
    try:
        proposal = prepare(run, task, policy)
    except UserError:
        if pull is None:
            raise
        return None
    return None if pull and isinstance(proposal, NothingToDo) else proposal


def prepare(run: ActiveRun, task: Task, policy: Policy) -> Made | NothingToDo:
    """Plan the change from the current base branch.

    Raises:
        UserError: the request is wrong, or not possible in the current state.
    """
    target, spec = task.target, task.target.action.spec
    commit, tree = None, Tree({}, {})
    if not target.action.creates:
        snapshot = task.repository.read(files_of(target), target.reads)
        commit, tree = snapshot.commit, Tree(snapshot.files, snapshot.texts)
    asks = isinstance(spec, DeleteFile)
    situation = Situation(
        tree=tree,
        limits=policy.limits.get(target.action.identifier, {}),
        settings=policy.settings,
        dependents=run.port.dependents(target.blueprint, target.identifier) if asks else (),
    )
    plan = make_plan(target, task.request, situation)
    if isinstance(plan, NothingToDo):
        return plan
    if isinstance(plan, WorkflowPlan):
        from slipway.changes.workflow import propose_workflow

        return propose_workflow(target, plan, task.repository)
    return propose_files(
        target,
        plan,
        run.message,
        commit=commit,
        run_url=task.request.run_url,
        reviewers=policy.team_reviewers,
    )


def require_approvers(run: ActiveRun, policy: Policy, proposal: Asked, *, by_machine: bool) -> None:
    """Refuse a change that can never get the approvals that it needs.

    Args:
        run: the run.
        policy: the current policy.
        proposal: the change.
        by_machine: whether machine credentials requested it.

    Raises:
        UserError: too few people may decide, or the policy refuses requests of machines.
    """
    if by_machine and policy.without_person == "refuse":
        raise UserError(
            "This change needs an approval, but machine credentials requested it, and the "
            "approval policy refuses such requests. Run the action in Port as a person."
        )
    approvers = policy.approvers(proposal.action, *proposal.environments, by_machine=by_machine)
    eligible(approvers, requester_of(run), policy, run.port.team_members)


def requester_of(run: ActiveRun) -> str:
    """Return the requester's e-mail address, or the user id without one."""
    return run.message.requester.email or run.message.requester.user_id


def refuse_existing(run: ActiveRun, task: Task) -> None:
    """Refuse to create an existing entity, before approvers are asked.

    Raises:
        EntityExists: the entity, or one of its files, exists.
    """
    target, repository = task.target, task.repository
    if not target.action.creates:
        return
    run.refuse_existing_entity(target)
    if files := repository.read(files_of(target), lambda _: ()).files:
        folder = min(files).rpartition("/")[0]
        place = f"{repository.url}/tree/{repository.place.base_branch}/{folder}"
        raise EntityExists(target.name, place)


def propose(
    run: ActiveRun,
    task: Task,
    proposal: Proposal,
    *,
    auto_merge: bool,
    links: tuple[str, ...] = (),
) -> Later | None:
    """Open the pull request and, if the policy says so, merge it.

    Safe to repeat after an interruption at any point.

    Args:
        run: the run, which owns the entity's lock.
        task: the entity and its repository.
        proposal: the change.
        auto_merge: whether Slipway merges.
        links: further links of the run's page.

    Returns:
        When to call this again, if Slipway merges and GitHub does not allow it yet.

    Raises:
        RunEnded: the run was ended while the pull request was opened; Slipway closed it again.
        BranchTaken: another user wrote to the run's branch; the run's log says so.
    """
    repository, change = task.repository, proposal.change
    known = run.ledger.get(run.run_id) or {}
    with ThreadPoolExecutor(3) as threads:
        port = _PortsPart(run, task.target, proposal, links, threads)
        try:
            pull = repository.propose(
                change,
                number=known.get("pr_number"),
                head=known.get("pr_head"),
                admit=port.admit,
                opened=port.show,
            )
        except BranchTaken as taken:
            run.report.remark(str(taken))
            raise
    if pull.state != "open":
        # The commit of a closed one was not compared, and people can open it again.
        run.ledger.record_pull_request(run.run_id, pull.number, pull.url)
        return None  # Merged or closed already: from here on its report ends the run.
    try:
        port.finish(pull)
    except RunEnded:
        # Either the merge workflow ended it, and nothing is open, or a person did, who no longer
        # wants the change.
        why = "The run was ended in Port."
        repository.close(change.branch, why, number=pull.number)
        raise
    return _merge(run, repository, proposal, port.row) if auto_merge else None


class _PortsPart:
    """Read and write Port's part of a proposal, in parallel to GitHub's requests.

    Each write can be repeated, and their order does not matter.

    Attributes:
        row: the run's row in the ledger, once the pull request is open.
    """

    def __init__(
        self,
        run: ActiveRun,
        target: Target,
        proposal: Proposal,
        links: tuple[str, ...],
        threads: ThreadPoolExecutor,
    ) -> None:
        self._run, self._proposal, self._links, self._threads = run, proposal, links, threads
        self.row: dict[str, Any] = {}
        self._asked: list[Future[None]] = []
        self._shown: list[Future[None]] = []
        if proposal.change.creates:
            self._asked.append(threads.submit(run.refuse_existing_entity, target))

    def admit(self) -> None:
        """Refuse an entity that is there already.

        Raises:
            EntityExists: Port knows the entity.
        """
        for each in self._asked:
            each.result()

    def show(self, pull: PullRequest) -> None:
        """Record the pull request, and begin to show it; once, however often it is called."""
        run, report = self._run, self._run.report
        self.row = run.ledger.record_pull_request(run.run_id, pull.number, pull.url, pull.head_sha)
        if not self._shown and "merge_tried_at" not in self.row:
            self._shown = [
                self._threads.submit(_add_entity, run, self._proposal, pull),
                self._threads.submit(report.proposed, pull),
                self._threads.submit(report.waiting_for_merge, pull, links=self._links),
            ]

    def finish(self, pull: PullRequest) -> None:
        """Wait until the pull request is shown.

        Raises:
            RunEnded: the run was ended while the pull request was made.
        """
        for each in self._shown:
            each.result()
        if self._shown and pull.notes:
            self._run.report.remark("\n".join(pull.notes))


def _add_entity(run: ActiveRun, proposal: Proposal, pull: PullRequest) -> None:
    """Show the new entity in Port, if there is one."""
    kind = proposal.target.kind
    if proposal.entity:
        run.add_entity(
            proposal.target.blueprint,
            with_pull_request(kind, proposal.entity, pull.url),
            volatile=frozenset({"health_status", *kind.spec.initial}),
        )


def _merge(
    run: ActiveRun, repository: "ServicesRepository", proposal: Proposal, row: dict[str, Any]
) -> Later | None:
    number = int(row["pr_number"])
    merge = repository.merge(proposal.change, number, str(row["pr_head"]))
    match merge.state:
        case "waiting":
            now = datetime.now(UTC)
            waited = now - run.ledger.record_merge_attempt(run.run_id, merge.head)
            if waited < MERGE_WITHIN:
                until = now + min(max(waited, _SHORTEST), _LONGEST)
                why = f"GitHub cannot merge pull request #{number} yet. {merge.reason}"
                return Later(until, why)
            leave_to_people(run, number, f"GitHub's reason: {merge.reason}")
        case "refused":
            leave_to_people(run, number, f"GitHub's reason: {merge.reason}")
        case "changed":
            run.report.note(
                f"Pull request #{number} was changed",
                f"Pull request #{number} differs from the approved change, so Slipway does not "
                "merge it. Check the added commits, then merge or close it.",
            )
        case "retargeted":
            # Its report ends the run.
            repository.close(proposal.change.branch, merge.reason, number=number)
        case "merged" | "closed":
            pass  # Its report ends the run.
    return None


def leave_to_people(run: ActiveRun, number: int, why: str) -> None:
    """Report that Slipway does not merge the pull request.

    Args:
        run: the run.
        number: the pull request's number.
        why: as a sentence.
    """
    run.report.note(
        f"Waiting for the merge of pull request #{number}",
        f"Slipway does not merge pull request #{number}, so a person must merge or close it. {why}",
    )


def _ask(run: ActiveRun) -> None:
    """Have the state machine request the approval, based on the record."""
    key = request_key(run.run_id)
    # The first record stays: a second message with the same run id cannot change the request.
    put_record(run.config.records_bucket, key, run.record.raw, replace=False)
    run.report.note(
        "Preparing the approval request", f"This change needs an approval (trace {trace_id()})."
    )
    machine.start(run.config.approval_machine_arn, run.run_id)


def request_key(run_id: str) -> str:
    """Return where the record of a run that needs an approval is."""
    return f"requests/{run_id}.json"
