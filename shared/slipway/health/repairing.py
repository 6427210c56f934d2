"""Repairs services by the services repository; every operation is get-or-create."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from slipway.changes.proposal import LONGEST_PREVIEW, preview
from slipway.changes.repair import PlannedRepair, repair_digest
from slipway.changes.scale_service import FILES, find_replicas
from slipway.changes.text import as_text
from slipway.errors import BranchTaken, GitHubError, SlipwayError, UserError
from slipway.github.models import Change, PullRequest, RestartTarget, run_branch, service_folder
from slipway.github.roll_back import NothingToRollBack, roll_back, roll_back_branch
from slipway.health.policy import ScaleUp, Strategy
from slipway.health.remediation import NAMES
from slipway.health.state import Attempt, Outcome, Repair, State
from slipway.reports.deployed import DeployedService

if TYPE_CHECKING:
    from slipway.github.repairs import Repairs
    from slipway.github.repository import ServicesRepository

# GitHub's runners may be busy, and checks of a pull request take time.
LONGEST = timedelta(minutes=15)
_LABELS = ("slipway", "repair")
# How far GitHub's clock and ours may differ: a run must not be older than its attempt.
_CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True)
class Result:
    """The outcome of a repair so far.

    Attributes:
        outcome: None: it is still under way.
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
        repository: the services repository.
        repairs: operations on it that only repairs need.
        entity_url: the service's page in Port.
        deployed: says in which namespace a service runs.
        merge: whether Slipway itself merges the pull request of this repair.
    """

    def __init__(
        self,
        execution: str,
        repository: "ServicesRepository",
        repairs: "Repairs",
        entity_url: str,
        deployed: DeployedService,
        *,
        merge: bool,
    ) -> None:
        self._execution = execution
        self._repository = repository
        self._repairs = repairs
        self._entity_url = entity_url
        self._deployed = deployed
        self._merge = merge

    def carry_out(self, state: State, attempt: Attempt, now: datetime) -> Result:
        """Start a repair, or check on the one under way. Repeatable at any point.

        Args:
            state: the state of the remediation.
            attempt: the attempt under way.
            now: the time, in UTC.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
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

    def plan(self, state: State, strategies: Iterable[Strategy]) -> list[PlannedRepair]:
        """What each strategy would do now, for people to approve.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
        """
        planned: list[PlannedRepair] = []
        for strategy in strategies:
            try:
                plan = self._plan(state, strategy)
                # The step function's payload, with which it is asked for, is not for long texts.
                if len(plan.preview) > LONGEST_PREVIEW:
                    plan = _impossible(strategy, "its diff is too long to be shown.")
                planned.append(plan)
            except (GitHubError, UserError) as error:
                planned.append(_impossible(strategy, str(error)))
        return planned

    def _plan(self, state: State, strategy: Strategy) -> PlannedRepair:
        name = NAMES[strategy.kind].capitalize()
        if strategy.kind == "restart":
            return PlannedRepair(sentence=f"{name} it.", digests=(repair_digest("restart", {}),))
        if isinstance(strategy, ScaleUp):
            return self._plan_scale_up(state, strategy)
        last = self._repairs.last_change(state.service)
        if isinstance(last, NothingToRollBack):
            return _impossible(strategy, last.reason)
        below = f"{service_folder(state.service)}/"
        names = frozenset(path.removeprefix(below) for path in last.before)
        folder = self._repository.read_service(state.service, names=names)
        now = {path: folder.texts.get(path) for path in last.before if path in folder.files}
        return PlannedRepair(
            sentence=f"{name}: undo {last.name}.",
            preview=preview(now, last.before),
            digests=(repair_digest("roll_back", last.before),),
        )

    def _plan_scale_up(self, state: State, strategy: ScaleUp) -> PlannedRepair:
        folder = self._repository.read_service(state.service, names=FILES)
        number = find_replicas(folder)
        targets = {
            min(number.value + strategy.step * attempt, strategy.max_replicas)
            for attempt in range(1, strategy.attempts + 1)
        }
        texts = [number.replaced_by(target) for target in sorted(targets) if target > number.value]
        if not texts:
            return _impossible(strategy, "the limit of replicas is reached.")
        now = {number.path: folder.texts[number.path]}
        return PlannedRepair(
            sentence=f"Scale up from {number.value} to at most {max(targets)} replicas.",
            preview="\n".join(preview(now, {number.path: text}) for text in texts),
            digests=tuple(repair_digest("scale_up", {number.path: text}) for text in texts),
        )

    def _id(self, repair: Repair) -> str:
        return f"{self._execution}-{repair.attempt}"

    def _restart(self, state: State, attempt: Attempt) -> Result:
        if not _is_approved(state, repair_digest("restart", {})):
            return Result("skipped", "A restart is not what was approved.")
        since = attempt.began_at - _CLOCKS_APART
        environment = state.reviewed.environment if state.reviewed else None
        if environment is None:
            raise SlipwayError("A service whose files were not read is not restarted.")
        target = RestartTarget(
            service=state.service,
            namespace=self._deployed.namespace_of(state.service, environment),
            environment=environment,
        )
        restart = self._repairs.restart(target, self._id(attempt.repair), since=since)
        link = restart.url or ""
        match restart.state:
            case "succeeded":
                return Result("done", link=link)
            case "failed":
                how = f"GitHub's word for it: {restart.conclusion}."
                return Result("failed", f"The restart workflow did not succeed. {how}", link)
        return Result(None, link=link)

    def _roll_back(self, state: State, attempt: Attempt) -> Result:
        remediation_id = self._id(attempt.repair)
        found = self._repository.find(roll_back_branch(remediation_id))
        if found and found.state != "open":
            return _ended(found.state, found.number, found.url)
        last = self._repairs.last_change(state.service)
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
        service, target = state.service, attempt.repair.replicas or 0
        branch = run_branch("scale_up", self._id(attempt.repair))
        found = self._repository.find(branch)
        if found and found.state != "open":
            return _ended(found.state, found.number, found.url)
        folder = self._repository.read_service(service, names=FILES)
        if not folder.files:
            return Result("skipped", "The service has no folder on the base branch.")
        number = find_replicas(folder)
        if number.value >= target:
            return Result("skipped", f"The base branch asks for {number.value} replicas already.")
        if number.value != attempt.repair.replicas_before:
            # The target was computed from another number, so it may be more than one step away.
            return Result("skipped", f"The base branch asks for {number.value} replicas now.")
        change = Change(
            service=service,
            branch=branch,
            title=f"Scale {service} from {number.value} to {target} replicas: it is ill",
            body=f"{self._why(state)}\n\nMerging this pull request scales the service.",
            files={number.path: number.replaced_by(target)},
            base_commit=folder.commit,
            labels=_LABELS,
        )
        return self._propose(state, change, attempt)

    def _propose(self, state: State, change: Change, attempt: Attempt) -> Result:
        if not _is_approved(state, repair_digest(attempt.repair.step, change.files)):
            return Result("skipped", "It would change other files than those that were approved.")
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
            why = "it is no longer the change that Slipway proposed."
        return Result("proposed", f"A person must merge #{pull.number}, because {why}", link)

    def _why(self, state: State) -> str:
        sentences = [seen.finding.sentence for seen in state.observations[-1:]]
        return (
            f"Slipway opened this because service {as_text(state.service)} is ill. "
            f"{' '.join(map(as_text, sentences))}\n\n[The service in Port]({self._entity_url})"
        )


def _is_approved(state: State, digest: str) -> bool:
    """Whether an attempt is one that people were shown, if they were asked."""
    return state.shown is None or digest in state.shown


def _impossible(strategy: Strategy, why: str) -> PlannedRepair:
    return PlannedRepair(sentence=f"{NAMES[strategy.kind].capitalize()}: not possible now, {why}")


def _ended(state: str, number: int, link: str) -> Result:
    if state == "merged":
        return Result("done", f"Merged as #{number}.", link)
    return Result("failed", f"Somebody closed #{number} without merging it.", link)
