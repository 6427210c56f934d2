"""Carries a change of an entity out: preview, approval where the policy wants one, pull request."""

from collections.abc import Mapping
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
from slipway.runs.catalogs import newest_catalog
from slipway.runs.clients import services_repository
from slipway.runs.records import put_record
from slipway.runs.run import ActiveRun

if TYPE_CHECKING:
    from slipway.changes.workflow import WorkflowProposal
    from slipway.github.repository import ServicesRepository

# What a run leads to, once it is planned.
type Made = Proposal | WorkflowProposal
# How long Slipway itself tries to merge; then a person must.
MERGE_WITHIN = timedelta(days=1)
_SHORTEST, _LONGEST = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True)
class Task:
    """What a run is about.

    Attributes:
        target: the entity and the action.
        request: the request, as the catalog reads it.
        repository: holds the entity's files.
    """

    target: Target
    request: Request
    repository: "ServicesRepository"


def carry_out(run: ActiveRun) -> None:
    """Do what the run asks for, or have its approval asked for first.

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
        run.report.remark(f"These inputs were filled in, but nothing uses them: {names}.")
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
        leave_to_people(run, pull.number, "The base branch no longer asks for its change.")


def _make(run: ActiveRun, task: Task, policy: Policy, proposal: Made, *, dry: bool) -> None:
    """Show a change, make it, or have its approval asked for."""
    requirement = policy.requirement(proposal.action, *proposal.environments)
    if dry:
        refuse_existing(run, task)
        run.report.preview(
            f"This would be changed: {proposal.summary}", shortened(proposal.preview)
        )
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
    """Open the pull request, or start the workflow. Repeatable at any point.

    Args:
        run: the run, which holds the entity's lock.
        task: where.
        proposal: what.
        auto_merge: whether Slipway merges.
        links: what else the run's page links to.

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
    """Look at the workflow that an earlier delivery has started."""
    from slipway.changes.workflow import follow

    return follow(run, task.repository, run.ledger.get(run.run_id) or {})


def _finish(run: ActiveRun, task: Task, outcome: Later | Result | None) -> None:
    """End the run, or have it delivered later."""
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
    """Return what a run is about; None if its pull request is left to people.

    Raises:
        UserError: the request is wrong, or the catalog does not have the action any more.
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
    """Find the entity, the action and the repository of a run, and note them.

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
    """Close the pull request of a run that cannot go on, and free its entity.

    Args:
        run: the run.
        policy: the policy of now.
        why: as a sentence.
    """
    row = run.ledger.get(run.run_id) or {}
    if key := row.get("repository"):
        repository = services_repository(run.config, policy.place(str(key)))
        branch = run_branch(run.message.action, run.run_id)
        repository.close(branch, why, number=row.get("pr_number"))
        run.locks.release(str(row["service"]), run.run_id)


def _proposed_before(run: ActiveRun, task: Task, row: Mapping[str, Any]) -> PullRequest | None:
    """Return the pull request that an earlier delivery has opened.

    Once it is merged or closed, the repository reports, and the base branch says what the change
    has led to, so that nothing can be planned from it.
    """
    branch = run_branch(run.message.action, run.run_id)
    pull = task.repository.find(branch, number=row.get("pr_number"))
    if pull is not None:
        # That delivery may have ended before it could, and the sweep goes by it.
        run.ledger.record_pull_request(run.run_id, pull.number, pull.url)
    return pull


def prepare_again(
    run: ActiveRun, task: Task, policy: Policy, pull: PullRequest | None
) -> Made | NothingToDo | None:
    """Plan the change of a run that may have a pull request by now.

    Returns:
        None if it has one, and the base branch no longer asks for the change: this was merged a
        moment ago, or people must look at it. Either way the pull request's end is the run's.

    Raises:
        UserError: the request is wrong, or not possible as things are.
    """
    try:
        proposal = prepare(run, task, policy)
    except UserError:
        if pull is None:
            raise
        return None
    return None if pull and isinstance(proposal, NothingToDo) else proposal


def prepare(run: ActiveRun, task: Task, policy: Policy) -> Made | NothingToDo:
    """Plan the change from the base branch as it is now.

    Raises:
        UserError: the request is wrong, or not possible as things are.
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
        policy: the policy of now.
        proposal: what it would change.
        by_machine: whether machine credentials requested it.

    Raises:
        UserError: too few people may decide, or the policy refuses requests of machines.
    """
    if by_machine and policy.without_person == "refuse":
        raise UserError(
            "This change needs an approval, and no person has requested it: the approval "
            "policy refuses such changes. Execute the action in Port as a person."
        )
    approvers = policy.approvers(proposal.action, *proposal.environments, by_machine=by_machine)
    eligible(approvers, requester_of(run), policy, run.port.team_members)


def requester_of(run: ActiveRun) -> str:
    """E-mail address of whoever asked; the user id where there is none."""
    return run.message.requester.email or run.message.requester.user_id


def refuse_existing(run: ActiveRun, task: Task) -> None:
    """Refuse to create what is there already, before any approver is asked.

    Raises:
        EntityExists: the entity, or a file of it, is there.
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
    """Open the pull request and, if the policy says so, merge it. Repeatable at any point.

    Args:
        run: the run, which holds the entity's lock.
        task: where.
        proposal: what.
        auto_merge: whether Slipway merges.
        links: what else the run's page links to.

    Returns:
        When to call this again, if Slipway is to merge and GitHub does not allow it yet.

    Raises:
        RunEnded: the run was ended while the pull request was made; it was closed again.
        BranchTaken: another user wrote to the run's branch; the run's log says so.
    """
    repository = task.repository

    def admit() -> None:
        if proposal.change.creates:
            run.refuse_existing_entity(task.target)

    known = run.ledger.get(run.run_id) or {}
    try:
        pull = repository.propose(
            proposal.change,
            number=known.get("pr_number"),
            head=known.get("pr_head"),
            admit=admit,
        )
    except BranchTaken as taken:
        run.report.remark(str(taken))
        raise
    # The commit of a closed one was not compared, and people can open it again.
    head = pull.head_sha if pull.state == "open" else ""
    row = run.ledger.record_pull_request(run.run_id, pull.number, pull.url, head)
    if pull.state != "open":
        return None  # Merged or closed already: from here on its report ends the run.
    if "merge_tried_at" not in row:
        _show(run, repository, proposal, pull, links)
    return _merge(run, repository, proposal, row) if auto_merge else None


def _show(
    run: ActiveRun,
    repository: "ServicesRepository",
    proposal: Proposal,
    pull: PullRequest,
    links: tuple[str, ...],
) -> None:
    """Show the pull request in Port, and the new entity."""
    kind = proposal.target.kind
    try:
        if proposal.entity:
            run.add_entity(
                proposal.target.blueprint,
                with_pull_request(kind, proposal.entity, pull.url),
                volatile=frozenset({"health_status", *kind.spec.initial}),
            )
        run.report.waiting_for_merge(pull, links=links)
    except RunEnded:
        # Ended by the merge workflow: then this finds nothing open. Or by a person, who does not
        # want the change any more.
        why = "The run was ended in Port."
        repository.close(proposal.change.branch, why, number=pull.number)
        raise


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
                why = f"GitHub does not merge pull request #{number} yet. {merge.reason}"
                return Later(until, why)
            leave_to_people(run, number, f"GitHub's reason: {merge.reason}")
        case "refused":
            leave_to_people(run, number, f"GitHub's reason: {merge.reason}")
        case "changed":
            run.report.note(
                f"Pull request #{number} was changed",
                f"Pull request #{number} is no longer the change that was approved, so it is not "
                "merged automatically. Look at what was added, then merge or close it.",
            )
        case "retargeted":
            # Its report ends the run.
            repository.close(proposal.change.branch, merge.reason, number=number)
        case "merged" | "closed":
            pass  # Its report ends the run.
    return None


def leave_to_people(run: ActiveRun, number: int, why: str) -> None:
    """Say that Slipway does not merge the pull request.

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
    """Have the state machine ask. The record is what the machine's steps work from."""
    key = request_key(run.run_id)
    # The first record stays: a second message with the same run id cannot change what is asked.
    put_record(run.config.records_bucket, key, run.record.raw, replace=False)
    run.report.note("Preparing the approval request", "This change needs an approval.")
    machine.start(run.config.approval_machine_arn, run.run_id)


def request_key(run_id: str) -> str:
    """Return where the record of a run that needs an approval is."""
    return f"requests/{run_id}.json"
