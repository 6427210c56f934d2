"""The services repository as Slipway's functions see it, in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slipway.errors import GitHubError
from slipway.github.merging import Merge
from slipway.github.models import Change, PullRequest, RestartTarget, ServiceFolder
from slipway.github.repairs import HandOver, Restart
from slipway.github.roll_back import NothingToRollBack


class FakeRepository:
    """The pull requests, files, workflow runs and issues of one repository.

    Attributes:
        folder: texts of the service's files on the base branch, by name.
        pulls: pull requests by their branch, or by its beginning; the last one that fits counts.
        proposed: the changes of new pull requests.
        merged: numbers of pull requests that Slipway merged or tried to.
        closed: branches whose pull requests Slipway closed.
        outcome: what comes of a merge.
        on_propose: called after each proposal; may raise.
        fail_find: what is raised when a pull request is looked for.
        restarts: what a restart comes to, one answer or error after the other; the last one stays.
        restarted: the ids of restarts.
        targets: what the restart workflow was told.
        issues: body and comment of each escalation.
        refuses_issues: what the repository answers to an escalation.
    """

    def __init__(self, *, service: str = "shop", opened_at: datetime | None = None) -> None:
        self._service = service
        self._opened_at = opened_at or datetime.now(UTC)
        self.folder: dict[str, str] = {}
        self.pulls: dict[str, PullRequest] = {}
        self.proposed: list[Change] = []
        self.merged: list[int] = []
        self.closed: list[str] = []
        self.outcome = Merge("merged")
        self.on_propose: Callable[[], None] = lambda: None
        self.fail_find: Exception | None = None
        self.restarts: list[Restart | Exception] = [Restart(state="succeeded", url="https://g/1")]
        self.restarted: list[str] = []
        self.targets: list[RestartTarget] = []
        self.issues: list[tuple[str, str | None]] = []
        self.refuses_issues: GitHubError | None = None

    def find(self, branch: str, **_: Any) -> PullRequest | None:
        if self.fail_find:
            raise self.fail_find
        found = [pull for begin, pull in self.pulls.items() if branch.startswith(begin)]
        return found[-1] if found else None

    def propose(
        self, change: Change, *, admit: Callable[[], None] = lambda: None, **_: Any
    ) -> PullRequest:
        pull = self.pulls.get(change.branch)
        if pull is None:
            admit()
            self.proposed.append(change)
            number = 6 + len(self.proposed)
            pull = self.pulls[change.branch] = PullRequest(
                number=number,
                url=f"https://github.test/pull/{number}",
                state="open",
                head_sha="h",
                opened_at=self._opened_at,
            )
        self.on_propose()
        return pull

    def merge(self, _change: Change, number: int, _head: str) -> Merge:
        self.merged.append(number)
        return self.outcome

    def close(self, branch: str, _comment: str, **_: Any) -> None:
        self.closed.append(branch)

    def read_service(self, service: str, *, names: frozenset[str]) -> ServiceFolder:
        texts = {
            f"apps/{service}/{name}": text.replace(self._service, service)
            for name, text in self.folder.items()
        }
        return ServiceFolder(
            service=service, commit="c", files=dict.fromkeys(texts, "b"), texts=texts
        )

    def last_change(self, _service: str) -> NothingToRollBack:
        return NothingToRollBack("Nothing was ever changed.")

    def restart(self, target: RestartTarget, remediation_id: str, *, since: datetime) -> Restart:
        self.restarted.append(remediation_id)
        self.targets.append(target)
        answer = self.restarts.pop(0) if len(self.restarts) > 1 else self.restarts[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def escalate(self, *, body: str, comment: str | None, **_texts: Any) -> HandOver:
        if self.refuses_issues:
            raise self.refuses_issues
        self.issues.append((body, comment))
        return HandOver(number=9, url="https://github.test/issues/9", created=not comment)
