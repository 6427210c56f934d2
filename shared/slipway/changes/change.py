"""Carries a change of a service out: preview, approval where the policy wants one, pull request."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.changes import approval_machine as machine
from slipway.changes import create_service
from slipway.changes.approvers import eligible
from slipway.changes.inputs import is_dry_run
from slipway.changes.policy import Policy
from slipway.changes.policy_document import read_policy
from slipway.changes.proposal import NothingToDo, Proposal, shortened
from slipway.changes.registry import ACTIONS
from slipway.changes.requester import is_machine
from slipway.changes.service_folder import read_port_data, service_of
from slipway.changes.situation import Situation
from slipway.changes.text import BLUEPRINT
from slipway.errors import BranchTaken, RetryableError, RunEnded, ServiceExists, UserError
from slipway.github.models import PullRequest, run_branch, service_folder
from slipway.runs.clients import services_repository
from slipway.runs.records import put_record
from slipway.runs.run import ActiveRun

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository

# How long Slipway itself tries to merge; then a person must.
MERGE_WITHIN = timedelta(days=1)
_SHORTEST, _LONGEST = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True)
class MergeLater:
    """A merge that GitHub does not allow yet.

    Attributes:
        until: when to try again, in UTC.
        why: what it waits for, as a sentence.
    """

    until: datetime
    why: str


def carry_out(run: ActiveRun) -> None:
    """Do what the run asks for, or have its approval asked for first.

    Raises:
        RetryableError: GitHub does not merge the pull request yet.
    """
    repository = services_repository(run.config)
    pull = _proposed_before(run, repository)
    if pull is not None:
        # That delivery may have ended before it could, and the sweep goes by it.
        service = service_of(run.message)
        run.ledger.record_pull_request(run.run_id, service, pull.number, pull.url)
        if pull.state != "open":
            return
    policy = read_policy(run.config.records_bucket, run.config.policy_key).policy
    dry = is_dry_run(run.message.inputs)
    proposal = prepare_again(run, repository, policy, pull)
    if proposal is None:
        if pull is not None:
            leave_to_people(run, pull.number, "The base branch no longer asks for its change.")
        return
    if isinstance(proposal, NothingToDo):
        run.report.succeed(proposal.reason, label="Nothing to do")
        return
    requirement = policy.requirement(proposal.action, proposal.environment)
    if dry:
        refuse_existing(run, repository, proposal)
        run.report.preview(
            f"This would be changed: {proposal.summary}", shortened(proposal.preview)
        )
        run.report.succeed("Dry run: nothing was changed.", label="Dry run")
    elif requirement.approval is None:
        with run.lock(proposal.service):
            later = propose(run, repository, proposal, auto_merge=requirement.auto_merge)
        if later is not None:
            raise RetryableError(later.why, later.until)
    else:
        requester = requester_of(run)
        by_machine = is_machine(run.port, requester, run.created_by, run.impersonated_by)
        require_approvers(run, policy, proposal, by_machine=by_machine)
        _ask(run)


def _proposed_before(run: ActiveRun, repository: "ServicesRepository") -> PullRequest | None:
    """The pull request that an earlier delivery has opened.

    Once it is merged or closed, the services repository reports, and the base branch says what the
    change has led to, so that nothing can be planned from it.
    """
    row = run.ledger.get(run.run_id) or {}
    if int(row.get("deliveries", 1)) == 1:
        return None
    branch = run_branch(run.message.action, run.run_id)
    return repository.find(branch, number=row.get("pr_number"))


def prepare_again(
    run: ActiveRun,
    repository: "ServicesRepository",
    policy: Policy,
    pull: PullRequest | None,
) -> Proposal | NothingToDo | None:
    """Plan the change of a run that may have a pull request by now.

    Returns:
        None if it has one, and the base branch no longer asks for the change: this was merged a
        moment ago, or people must look at it. Either way the pull request's end is the run's.

    Raises:
        UserError: the request is wrong, or not possible as things are.
    """
    try:
        proposal = prepare(run, repository, policy)
    except UserError:
        if pull is None:
            raise
        return None
    return None if pull and isinstance(proposal, NothingToDo) else proposal


def prepare(
    run: ActiveRun, repository: "ServicesRepository", policy: Policy
) -> Proposal | NothingToDo:
    """Plan the change from the base branch as it is now.

    Raises:
        UserError: the request is wrong, or not possible as things are.
    """
    message = run.message
    run_url, reviewers = run.config.run_url(run.run_id), policy.team_reviewers
    if message.action == create_service.ACTION:
        return create_service.plan(message, run_url=run_url, reviewers=reviewers)
    action, service = ACTIONS[message.action], service_of(message)
    names = None if action.reads is None else action.reads | {"portData.json"}
    folder = repository.read_service(service, names=names)
    situation = Situation(
        folder=folder,
        data=read_port_data(folder),
        run_url=run_url,
        reviewers=reviewers,
        limits=policy.scale,
        dependents=run.port.dependents(BLUEPRINT, service) if action.asks_dependents else (),
    )
    return action.plan(message, situation)


def require_approvers(
    run: ActiveRun, policy: Policy, proposal: Proposal, *, by_machine: bool
) -> None:
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
    approvers = policy.approvers(proposal.action, proposal.environment, by_machine=by_machine)
    eligible(approvers, requester_of(run), policy, run.port.team_members)


def requester_of(run: ActiveRun) -> str:
    """E-mail address of whoever asked; the user id where there is none."""
    return run.message.requester.email or run.message.requester.user_id


def refuse_existing(run: ActiveRun, repository: "ServicesRepository", proposal: Proposal) -> None:
    """Refuse to create what is there already, before anybody is asked about it.

    Raises:
        ServiceExists: the entity or the folder is there.
    """
    if not proposal.change.creates_service:
        return
    run.refuse_existing_entity(BLUEPRINT, proposal.service)
    if repository.read_service(proposal.service, names=frozenset()).files:
        config = run.config
        place = f"tree/{config.services_base_branch}/{service_folder(proposal.service)}"
        raise ServiceExists(proposal.service, f"{config.services_repo_url}/{place}")


def propose(
    run: ActiveRun,
    repository: "ServicesRepository",
    proposal: Proposal,
    *,
    auto_merge: bool,
    links: tuple[str, ...] = (),
) -> MergeLater | None:
    """Open the pull request and, if the policy says so, merge it. Repeatable at any point.

    Args:
        run: the run, which holds the service's lock.
        repository: where.
        proposal: what.
        auto_merge: whether Slipway merges.
        links: what else the run's page links to.

    Returns:
        When to call this again, if Slipway is to merge and GitHub does not allow it yet.

    Raises:
        RunEnded: the run was ended while the pull request was made; it was closed again.
        BranchTaken: another user wrote to the run's branch; the run's log says so.
    """
    creates = proposal.change.creates_service

    def admit() -> None:
        if creates:
            run.refuse_existing_entity(BLUEPRINT, proposal.service)

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
    row = run.ledger.record_pull_request(run.run_id, proposal.service, pull.number, pull.url, head)
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
    """Show the pull request in Port, and the entity of a new service."""
    try:
        if proposal.change.creates_service and proposal.entity:
            entity = create_service.with_pull_request(proposal.entity, pull.url)
            run.add_entity(BLUEPRINT, entity, volatile=create_service.VOLATILE)
        run.report.waiting_for_merge(pull, links=links)
    except RunEnded:
        # Ended by the merge workflow: then this finds nothing open. Or by a person, who does not
        # want the change any more.
        why = "The run was ended in Port."
        repository.close(proposal.change.branch, why, number=pull.number)
        raise


def _merge(
    run: ActiveRun, repository: "ServicesRepository", proposal: Proposal, row: dict[str, Any]
) -> MergeLater | None:
    number = int(row["pr_number"])
    merge = repository.merge(proposal.change, number, str(row["pr_head"]))
    match merge.state:
        case "waiting":
            now = datetime.now(UTC)
            waited = now - run.ledger.record_merge_attempt(run.run_id, merge.head)
            if waited < MERGE_WITHIN:
                until = now + min(max(waited, _SHORTEST), _LONGEST)
                why = f"GitHub does not merge pull request #{number} yet. {merge.reason}"
                return MergeLater(until, why)
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
    """Where the record of a run that needs an approval is."""
    return f"requests/{run_id}.json"
