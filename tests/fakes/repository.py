"""The services repository as Slipway's functions see it, in memory."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from slipway.errors import GitHubError
from slipway.github.merging import Merge
from slipway.github.models import Change, EntityFiles, PullRequest, Snapshot
from slipway.github.repairs import HandOver
from slipway.github.roll_back import NothingToRollBack
from slipway.github.workflows import WorkflowRun

from tests.entities import PLACE

PullState = Literal["open", "closed", "merged"]


class FakeRepository:
    """The pull requests, files, workflow runs and issues of one repository.

    It is a `ServicesRepository` and its `Repairs`, with `workflows` for its `Workflows`.

    Args:
        service: the service whose name the files contain; another service has the same files with
            its own name.

    Attributes:
        folder: texts of the service's files on the base branch, by name.
        pulls: pull requests by branch.
        proposed: the changes of new pull requests.
        merged: numbers of the pull requests that Slipway merged or tried to merge.
        closed: branches whose pull requests Slipway closed.
        outcome: the outcome of each merge.
        before_opening: called before each proposal; may raise.
        on_propose: called after each proposal; may raise.
        after_opening: called after `propose` has given an open pull request to its caller.
        fail_find: raised by a search for a pull request.
        restarts: outcomes of restarts, in order; the last one repeats.
        restarted: the marks of restarts.
        targets: the inputs of the restart workflow.
        issues: body and comment of each escalation.
        refuses_issues: raised when an issue is opened.
    """

    place, url = PLACE, "https://github.test/acme/services"

    def __init__(self, *, service: str = "shop") -> None:
        self._service = service
        self.folder: dict[str, str] = {}
        self.pulls: dict[str, PullRequest] = {}
        self.proposed: list[Change] = []
        self.merged: list[int] = []
        self.closed: list[str] = []
        self.outcome = Merge("merged")
        self.before_opening: Callable[[], None] = lambda: None
        self.on_propose: Callable[[], None] = lambda: None
        self.after_opening: Callable[[], None] = lambda: None
        self.fail_find: Exception | None = None
        self.restarts: list[WorkflowRun | Exception] = [workflow_run("succeeded")]
        self.restarted: list[str] = []
        self.targets: list[Mapping[str, str]] = []
        self.workflows = FakeWorkflows(self)
        self.issues: list[tuple[str, str | None]] = []
        self.refuses_issues: GitHubError | None = None

    def put_pull(
        self,
        branch: str,
        state: PullState = "open",
        url: str = "",
    ) -> None:
        """Add a pull request to a branch, or change the state of the existing one."""
        known = self.pulls.get(branch)
        number = known.number if known else 7 + len(self.pulls)
        self.pulls[branch] = PullRequest(
            number=number,
            url=url or f"https://github.test/pull/{number}",
            state=state,
            head_sha="h",
            opened_at=datetime.now(UTC),
        )

    def find(self, branch: str, *, number: int | None = None) -> PullRequest | None:
        if self.fail_find:
            raise self.fail_find
        return self.pulls.get(branch)

    def propose(
        self,
        change: Change,
        *,
        number: int | None = None,
        head: str | None = None,
        admit: Callable[[], None] = lambda: None,
        opened: Callable[[PullRequest], None] = lambda _pull: None,
    ) -> PullRequest:
        self.before_opening()
        if change.branch not in self.pulls:
            admit()
            self.proposed.append(change)
            self.put_pull(change.branch)
        self.on_propose()
        pull = self.pulls[change.branch]
        if pull.state == "open":
            opened(pull)
            self.after_opening()
        return pull

    def merge(self, change: Change, number: int, head: str) -> Merge:
        self.merged.append(number)
        return self.outcome

    def close(self, branch: str, comment: str, *, number: int | None = None) -> None:
        self.closed.append(branch)

    def read(self, entity: EntityFiles, choose: Any) -> Snapshot:
        (folder,) = entity.folders
        service = folder.removeprefix("apps/")
        texts = {
            f"{folder}/{name}": text.replace(self._service, service)
            for name, text in self.folder.items()
        }
        return Snapshot(commit="c", files=dict.fromkeys(texts, "b"), texts=texts)

    def last_change(self, entity: EntityFiles) -> NothingToRollBack:
        return NothingToRollBack("Nothing was ever changed.")

    def escalate(self, *, body: str, comment: str | None, **_texts: Any) -> HandOver:
        if self.refuses_issues:
            raise self.refuses_issues
        self.issues.append((body, comment))
        return HandOver(number=9, url="https://github.test/issues/9", created=not comment)


class FakeWorkflows:
    """The workflows of a repository."""

    def __init__(self, repository: FakeRepository) -> None:
        self._repository = repository

    def find(self, file: str, mark: str, *, since: datetime) -> WorkflowRun | None:
        repository = self._repository
        if mark not in repository.restarted:
            return None
        outcomes = repository.restarts
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def dispatch(self, file: str, inputs: Mapping[str, str]) -> None:
        self._repository.restarted.append(inputs["remediation"])
        self._repository.targets.append(inputs)


def workflow_run(state: Any, url: str = "https://g/1", **fields: Any) -> WorkflowRun:
    """Make a run of a workflow."""
    return WorkflowRun(id=1, state=state, url=url, commit="c", **fields)
