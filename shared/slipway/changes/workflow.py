"""Run a workflow of the repository, and wait for its conclusion.

An approval binds the workflow file's content and the inputs. The content is compared before the
dispatch, and again at the commit that GitHub runs, because the base branch may move in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, override

from slipway.catalog.planning import WorkflowPlan
from slipway.catalog.request import Target
from slipway.changes.outcome import Later, Result
from slipway.changes.proposal import Asked, hash_of
from slipway.errors import UserError
from slipway.github.repository import ServicesRepository
from slipway.github.workflows import WorkflowRun, Workflows
from slipway.runs.run import ActiveRun

# People handle a run that takes longer.
ENDS_WITHIN = timedelta(hours=2)
# GitHub lists a run some moments after its dispatch.
_LISTED_WITHIN = timedelta(minutes=2)
# Maximum difference between GitHub's clock and ours.
_CLOCKS_APART = timedelta(minutes=1)
_SHORTEST, _LONGEST = timedelta(seconds=15), timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class WorkflowProposal(Asked):
    """A workflow that could be run.

    Attributes:
        target: the entity and the action.
        file: path of the workflow's file.
        blob: blob SHA of the file on the base branch.
        done: the run's result in the requester's words.
        inputs: its inputs.
    """

    target: Target
    file: str
    blob: str
    done: str
    inputs: Mapping[str, str]

    @property
    @override
    def change_hash(self) -> str:
        """SHA-256 of the workflow's content and of its inputs."""
        return hash_of(self, file=self.file, blob=self.blob, inputs=dict(self.inputs))


def propose_workflow(
    target: Target, plan: WorkflowPlan, repository: ServicesRepository
) -> WorkflowProposal:
    """Convert a plan to the subject of an approval.

    Raises:
        UserError: the base branch does not have the workflow.
    """
    blob = Workflows(repository).blob(plan.file)
    if blob is None:
        raise UserError(
            f"The workflow {plan.file} is not on the base branch of {repository.place.name}. Ask "
            "the platform team to add it."
        )
    inputs = [f"  {name}: {value}" for name, value in plan.inputs.items()]
    return WorkflowProposal(
        action=target.action.identifier,
        key=target.key,
        environments=plan.environments,
        summary=plan.summary,
        preview="\n".join([f"Workflow {plan.file}", f"  content: {blob}", "Inputs", *inputs]),
        target=target,
        file=plan.file,
        blob=blob,
        done=plan.done,
        inputs=plan.inputs,
    )


def start(
    run: ActiveRun, repository: ServicesRepository, proposal: WorkflowProposal
) -> Later | Result:
    """Start the workflow, unless an earlier delivery has."""
    row = run.ledger.record_workflow(run.run_id, proposal.file, proposal.blob, proposal.done)
    return follow(run, repository, row, proposal.inputs)


def follow(
    run: ActiveRun,
    repository: ServicesRepository,
    row: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
) -> Later | Result:
    """Check the workflow's run.

    Args:
        run: the run, which holds the entity's lock.
        repository: where the workflow is.
        row: the run's row of the ledger.
        inputs: of the workflow; None: it was started before.
    """
    workflows, file = Workflows(repository), str(row["workflow_file"])
    since = datetime.fromisoformat(str(row["workflow_since"]))
    waited = datetime.now(UTC) - since
    found = _find(workflows, run.run_id, row, since)
    if found is None and inputs is not None and _may_start(row, waited):
        number = workflows.dispatch(file, inputs)
        run.ledger.record_workflow_run(run.run_id, number)
        found = workflows.get(file, number) if number is not None else None
    if found is None:
        if waited >= ENDS_WITHIN:
            return _failed(f"GitHub does not show a run of {file}.", "")
        return _later(run, waited, f"GitHub does not show the run of {file} yet.")
    if "workflow_url" not in row:
        run.ledger.record_workflow_run(run.run_id, found.id, found.url)
        run.report.waiting_for_workflow(file, found.url)
    if workflows.blob(file, found.commit) != row["workflow_blob"]:
        workflows.cancel(file, found.id)
        why = f"The workflow {file} was changed before GitHub ran it, so its run was cancelled."
        return _failed(f"{why} Run the action again if the change is still wanted.", found.url)
    done = str(row.get("workflow_done") or f"The workflow {file} succeeded")
    return _judged(run, file, found, waited, done)


def _find(
    workflows: Workflows, run_id: str, row: Mapping[str, Any], since: datetime
) -> WorkflowRun | None:
    file = str(row["workflow_file"])
    if row.get("workflow_run"):
        return workflows.get(file, int(row["workflow_run"]))
    if int(row["workflow_tries"]) == 1:
        return None  # No request was sent to GitHub yet.
    return workflows.find(file, run_id, since=since - _CLOCKS_APART)


def _may_start(row: Mapping[str, Any], waited: timedelta) -> bool:
    """Return whether no earlier delivery can have started it."""
    if "workflow_asked" in row:
        return False
    # A delivery that was killed in between may have started it without a record.
    return int(row["workflow_tries"]) == 1 or waited >= _LISTED_WITHIN


def _judged(
    run: ActiveRun, file: str, found: WorkflowRun, waited: timedelta, done: str
) -> Later | Result:
    match found.state:
        case "succeeded":
            return Result("SUCCESS", "Done", f"{done}: {found.url}")
        case "failed":
            how = f"GitHub's conclusion: {found.conclusion}."
            return _failed(f"The workflow {file} did not succeed. {how}", found.url)
    if waited >= ENDS_WITHIN:
        hours = int(ENDS_WITHIN.total_seconds() // 3600)
        return _failed(f"The workflow {file} did not end within {hours} hours.", found.url)
    return _later(run, waited, f"The workflow {file} is {found.state}: {found.url}")


def _later(run: ActiveRun, waited: timedelta, why: str) -> Later:
    run.ledger.restart_retry_budget(run.run_id)  # It waits for GitHub, so a retry is useful.
    return Later(datetime.now(UTC) + min(max(waited, _SHORTEST), _LONGEST), why)


def _failed(reason: str, url: str) -> Result:
    return Result("FAILURE", "Failed", f"{reason} {url}".rstrip())
