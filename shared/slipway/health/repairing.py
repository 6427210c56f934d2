"""Repair entities by their repository; every operation is get-or-create."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from slipway.catalog.request import Tree
from slipway.changes.proposal import LONGEST_PREVIEW, preview
from slipway.changes.repair import PlannedRepair, repair_digest
from slipway.errors import BranchTaken, GitHubError, SlipwayError, UserError
from slipway.github.models import Change, PullRequest, run_branch
from slipway.github.roll_back import NothingToRollBack, roll_back, roll_back_branch
from slipway.health.policy import ScaleUp, Strategy
from slipway.health.remediation import NAMES
from slipway.health.repairable import Repairable
from slipway.health.state import Attempt, Outcome, Repair, State
from slipway.markdown import as_text

if TYPE_CHECKING:
    from slipway.github.repairs import Repairs
    from slipway.github.workflows import Workflows

# GitHub's runners may be busy, and checks of a pull request take time.
LONGEST = timedelta(minutes=15)
_LABELS = ("slipway", "repair")
# Maximum difference between GitHub's clock and ours: a run must not be older than its attempt.
_CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True)
class Result:
    """The outcome of a repair so far.

    Attributes:
        outcome: None: it is still in progress.
        detail: the outcome as a sentence.
        link: a page about it.
    """

    outcome: Outcome | None
    detail: str = ""
    link: str = ""


class Repairer:
    """Carries out one repair.

    Args:
        execution: the remediation's execution, which names branches and runs.
        repairable: the entity and its repository.
        repairs: operations on it that only repairs need.
        workflows: its workflows.
        entity_url: the entity's page in Port.
        merge: whether Slipway itself merges the pull request of this repair.
    """

    def __init__(
        self,
        execution: str,
        repairable: Repairable,
        repairs: "Repairs",
        workflows: "Workflows",
        entity_url: str,
        *,
        merge: bool,
    ) -> None:
        self._execution = execution
        self._repairable = repairable
        self._repository = repairable.repository
        self._repairs = repairs
        self._workflows = workflows
        self._entity_url = entity_url
        self._merge = merge

    def carry_out(self, state: State, attempt: Attempt, now: datetime) -> Result:
        """Start a repair, or check on the one in progress. Safe to repeat.

        Args:
            state: the state of the remediation.
            attempt: the attempt in progress.
            now: the time, in UTC.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
        """
        strategies: dict[str, Callable[[State, Attempt], Result]] = {
            "restart": self._restart,
            "roll_back": self._roll_back,
            "scale_up": self._scale_up,
        }
        try:
            result = strategies[attempt.repair.step](state, attempt)
        except (BranchTaken, GitHubError, UserError) as error:
            return Result("failed", str(error))
        if result.outcome is None and now - attempt.began_at >= LONGEST:
            minutes = int(LONGEST.total_seconds() // 60)
            # A pull request may still be merged later, so a person decides.
            outcome: Outcome = "failed" if attempt.repair.step == "restart" else "proposed"
            detail = f"It did not end within {minutes} minutes."
            return Result(outcome, detail, result.link)
        return result

    def plan(self, strategies: Iterable[Strategy]) -> list[PlannedRepair]:
        """Return what each strategy would do now, for approvers.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
        """
        planned: list[PlannedRepair] = []
        for strategy in strategies:
            try:
                plan = self._plan(strategy)
                # The step function's payload, which carries the request, is not for long texts.
                if len(plan.preview) > LONGEST_PREVIEW:
                    plan = _impossible(strategy, "its diff is too long to show.")
                planned.append(plan)
            except (GitHubError, UserError) as error:
                planned.append(_impossible(strategy, str(error)))
        return planned

    def _plan(self, strategy: Strategy) -> PlannedRepair:
        name = NAMES[strategy.kind].capitalize()
        if strategy.kind == "restart":
            self._repairable.restart(self._execution)
            return PlannedRepair(sentence=f"{name} it.", digests=(repair_digest("restart", {}),))
        if isinstance(strategy, ScaleUp):
            return self._plan_scale_up(strategy)
        last = self._repairs.last_change(self._repairable.files)
        if isinstance(last, NothingToRollBack):
            return _impossible(strategy, last.reason)
        found = self._repository.read(
            self._repairable.files, lambda paths: [path for path in paths if path in last.before]
        )
        now = {path: found.texts.get(path) for path in last.before if path in found.files}
        return PlannedRepair(
            sentence=f"{name}: undo {last.name}.",
            preview=preview(now, last.before),
            digests=(repair_digest("roll_back", last.before),),
        )

    def _plan_scale_up(self, strategy: ScaleUp) -> PlannedRepair:
        found = self._repairable.read()
        tree = Tree(found.files, found.texts)
        before = self._repairable.capacity(tree)
        targets = {
            min(before + strategy.step * attempt, strategy.max_replicas)
            for attempt in range(1, strategy.attempts + 1)
        }
        made: list[Mapping[str, str | None]] = []
        previews: list[str] = []
        at, most = before, before
        for target in sorted(target for target in targets if target > before):
            # Each attempt begins with the result of the previous attempt.
            try:
                plan = self._repairable.scale(self._execution, target - at, tree).plan
            except UserError:
                # The limits of the action may allow only some of the attempts.
                if not made:
                    raise
                break
            made.append(plan.files)
            previews.append(
                preview({path: found.texts.get(path) for path in plan.files}, plan.files)
            )
            texts = {path: text for path, text in plan.files.items() if text is not None}
            tree, at, most = Tree(tree.files, {**tree.texts, **texts}), target, target
        if not made:
            return _impossible(strategy, "the limit of replicas is reached.")
        return PlannedRepair(
            sentence=f"Scale up from {before} to at most {most} replicas.",
            preview="\n".join(previews),
            digests=tuple(repair_digest("scale_up", files) for files in made),
        )

    def _id(self, repair: Repair) -> str:
        return f"{self._execution}-{repair.attempt}"

    def _restart(self, state: State, attempt: Attempt) -> Result:
        if not _is_approved(state, repair_digest("restart", {})):
            return Result("skipped", "The approval does not include a restart.")
        if state.reviewed is None or state.reviewed.environment is None:
            raise SlipwayError("An entity is not restarted before its files were read.")
        mark, since = self._id(attempt.repair), attempt.began_at - _CLOCKS_APART
        plan = self._repairable.restart(mark)
        # GitHub lists a run some moments after its dispatch. A repetition within these starts a
        # second, identical run.
        run = self._workflows.find(plan.file, mark, since=since)
        if run is None:
            self._workflows.dispatch(plan.file, plan.inputs)
            return Result(None)
        match run.state:
            case "succeeded":
                return Result("done", link=run.url)
            case "failed":
                how = f"GitHub's conclusion: {run.conclusion}."
                return Result("failed", f"The restart workflow did not succeed. {how}", run.url)
        return Result(None, link=run.url)

    def _roll_back(self, state: State, attempt: Attempt) -> Result:
        remediation_id = self._id(attempt.repair)
        found = self._repository.find(roll_back_branch(remediation_id))
        if found and found.state != "open":
            return _ended(found.state, found.number, found.url)
        last = self._repairs.last_change(self._repairable.files)
        if isinstance(last, NothingToRollBack):
            return Result("skipped", last.reason)
        change = roll_back(
            last,
            remediation_id=remediation_id,
            why=self._why(state),
            labels=_LABELS,
        )
        return self._propose(state, change, attempt)

    def _scale_up(self, state: State, attempt: Attempt) -> Result:
        before, after = attempt.repair.replicas_before or 0, attempt.repair.replicas or 0
        branch = run_branch("scale_up", self._id(attempt.repair))
        found = self._repository.find(branch)
        if found and found.state != "open":
            return _ended(found.state, found.number, found.url)
        snapshot = self._repairable.read()
        if not snapshot.files:
            return Result("skipped", "It has no files on the base branch.")
        tree = Tree(snapshot.files, snapshot.texts)
        now = self._repairable.capacity(tree)
        if now >= after:
            return Result("skipped", f"The base branch already has {now} replicas.")
        if now != before:
            # The target was computed from another number, so it may be more than one step away.
            return Result("skipped", f"The base branch has {now} replicas now.")
        scaling = self._repairable.scale(self._id(attempt.repair), after - before, tree)
        if scaling.after != after:
            return Result("failed", f"The catalog's action would make it {scaling.after}.")
        change = Change(
            entity=self._repairable.files,
            branch=branch,
            title=f"Scale {state.name} from {now} to {after} replicas: it is unhealthy",
            body=f"{self._why(state)}\n\nMerging this pull request scales it to {after} replicas.",
            files=dict(scaling.plan.files),
            base_commit=snapshot.commit,
            labels=_LABELS,
        )
        return self._propose(state, change, attempt)

    def _propose(self, state: State, change: Change, attempt: Attempt) -> Result:
        if not _is_approved(state, repair_digest(attempt.repair.step, change.files)):
            return Result("skipped", "It would change other files than the approved ones.")
        pull = self._repository.propose(change)
        link = pull.url
        if pull.state != "open":
            return _ended(pull.state, pull.number, link)
        if not self._merge:
            return Result("proposed", f"A person must merge #{pull.number}.", link)
        return self._merged(change, pull)

    def _merged(self, change: Change, pull: PullRequest) -> Result:
        link = pull.url
        merged = self._repository.merge(change, pull.number, pull.head_sha)
        if merged.state in {"merged", "closed"}:
            return _ended(merged.state, pull.number, link)
        if merged.state == "retargeted":
            self._repository.close(change.branch, merged.reason)
            return Result("failed", merged.reason, link)
        if merged.state == "waiting":
            return Result(None, f"#{pull.number} is not merged yet. {merged.reason}", link)
        why = f"GitHub refuses: {merged.reason}"
        if merged.state == "changed":
            why = "it differs from the change that Slipway proposed."
        return Result("proposed", f"A person must merge #{pull.number}, because {why}", link)

    def _why(self, state: State) -> str:
        sentences = [seen.finding.sentence for seen in state.observations[-1:]]
        return (
            f"Slipway opened this because {as_text(state.name)} is unhealthy. "
            f"{' '.join(map(as_text, sentences))}\n\n[The entity in Port]({self._entity_url})"
        )


def _is_approved(state: State, digest: str) -> bool:
    """Return whether an attempt was shown to approvers, if they were asked."""
    return state.shown is None or digest in state.shown


def _impossible(strategy: Strategy, why: str) -> PlannedRepair:
    return PlannedRepair(sentence=f"{NAMES[strategy.kind].capitalize()}: not possible now, {why}")


def _ended(state: str, number: int, link: str) -> Result:
    if state == "merged":
        return Result("done", f"Merged as #{number}.", link)
    return Result("failed", f"A user closed #{number} without a merge.", link)
