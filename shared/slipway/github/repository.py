"""Propose changes as pull requests, and manage them.

Every method is get-or-create. It can be called again after a crash at any point. The end state is
the same: one branch with one commit and one pull request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from traceback import walk_tb
from typing import Literal
from urllib.parse import quote

import requests
from github import BadAttributeException, Github, GithubException
from github.GitRef import GitRef
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable
from slipway.github import documents
from slipway.github.comparison import Comparison
from slipway.github.folder import Choose, read_files
from slipway.github.merging import Merge, merge
from slipway.github.models import Change, EntityFiles, Place, PullRequest, Snapshot
from slipway.github.proposing import Proposer
from slipway.github.retry import (
    BudgetedRetry,
    RetryBudget,
    asked_wait,
    graphql_errors,
    is_passing,
    reason,
)
from slipway.github.sign_in import authenticate
from slipway.observability import logger

TIMEOUT_SECONDS = 10
_PAUSE_SECONDS = 0.5
# Errors that PyGithub raises for an answer without the documented shape.
_UNEXPECTED = (
    BadAttributeException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
# Marks each closing comment: a later attempt may finish with another reason.
_CLOSING = "<!-- slipway closes this pull request -->"


class ServicesRepository:
    """A repository with files of entities.

    Args:
        config: address of GitHub's API.
        place: the repository.
        credentials: gives the credentials; True asks for fresh ones, after GitHub refused some.
        retry_budget: total seconds that this object's calls may wait for GitHub.
    """

    def __init__(
        self,
        config: GitHubConfig,
        place: Place,
        credentials: Callable[[bool], GitHubCredentials],
        *,
        retry_budget: float = 20.0,
    ) -> None:
        self._config = config
        self.place = place
        self._credentials = credentials
        self._retry_budget = RetryBudget(retry_budget)
        self._repository: Repository | None = None
        self._login: Callable[[], str] = str

    @property
    def url(self) -> str:
        """The repository's page for people."""
        return self._config.page_of(self.place.name)

    def propose(
        self,
        change: Change,
        *,
        number: int | None = None,
        head: str | None = None,
        admit: Callable[[], None] | None = None,
        opened: Callable[[PullRequest], None] | None = None,
    ) -> PullRequest:
        """Open the change's pull request, or find an existing one.

        Args:
            change: what to propose.
            number: the number that was recorded for this pull request; see `is_ours`.
            head: the commit that was recorded for this pull request. Without one, an existing
                pull request or branch must have exactly this change.
            admit: called before anything is created, unless the pull request exists already; it
                refuses the change by raising.
            opened: called with the open pull request before its reviewers and labels are set, and
                again after a failure to set them.

        Raises:
            EntityExists: the change creates an entity that has files on the base branch.
            BranchTaken: the branch or its pull request has other content than the change.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused; the text names the request.
        """
        what = f"propose branch '{change.branch}'"
        return self._with_credentials(
            what, lambda: self._propose(change, number, head, admit, opened)
        )

    def find(self, branch: str, *, number: int | None = None) -> PullRequest | None:
        """Return Slipway's newest pull request of a branch, in any state.

        Args:
            branch: the branch.
            number: the number that was recorded for it, if there is one; see `is_ours`.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act() -> PullRequest | None:
            pull = self._find(branch, number)
            return self.described(pull) if pull else None

        return self._with_credentials(f"find the pull request of '{branch}'", act)

    def read(self, entity: EntityFiles, choose: Choose) -> Snapshot:
        """Read an entity's files on the current base branch.

        Args:
            entity: the entity.
            choose: selects the files whose texts are needed, up to 100 and 1 MiB.

        Raises:
            UserError: a folder has more files than GitHub lists.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act() -> Snapshot:
            base = self._base()
            return read_files(self._connect(), entity, base, choose)

        return self._with_credentials(f"read the files of {entity.name}", act)

    def merge(self, change: Change, number: int, head: str) -> Merge:
        """Merge a pull request if it is exactly this change.

        A branch that is behind is updated first, and merged by a later call.

        Args:
            change: the expected change.
            number: the pull request's number.
            head: the commit that was recorded for it.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused for a reason other than the pull request.
        """

        def act() -> Merge:
            pull = self._connect().get_pull(number)
            method = self.place.merge_method
            return merge(pull, self._comparison(change), head, self._retry_budget, method)

        return self._with_credentials(f"merge pull request #{number}", act)

    def close(self, branch: str, comment: str, *, number: int | None = None) -> PullRequest | None:
        """Close a branch's open pull request with a comment; delete the branch.

        A pull request that is merged, or that another user closed, stays unchanged. A branch whose
        pull request was never opened is also deleted.

        Args:
            branch: the branch.
            comment: why, in GitHub's Markdown.
            number: the number that was recorded for it, if there is one; see `is_ours`.

        Returns:
            The resulting pull request; None if the branch never had one.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act() -> PullRequest | None:
            every = self._pulls_of(branch)
            pull = next((one for one in every if self.is_ours(one, number)), None)
            if pull is None:
                if not every:
                    self._delete_branch(branch)
                return None
            if pull.merged_at is None:
                # The comment comes first, and marks the rest as ours after an interruption.
                ours = any(_CLOSING in (each.body or "") for each in pull.get_issue_comments())
                if pull.state == "open":
                    if not ours:
                        pull.create_issue_comment(f"{comment}\n\n{_CLOSING}")
                    pull.edit(state="closed")
                    ours = True
                if ours:
                    self._delete_branch(branch)
            return self.described(pull)

        return self._with_credentials(f"close the pull request of '{branch}'", act)

    def delete_finished(self, branch: str) -> None:
        """Delete a branch whose newest pull request is merged or closed.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act() -> None:
            pull = self._find(branch)
            if pull is not None and pull.state == "closed":
                self._delete_branch(branch)

        self._with_credentials(f"delete branch '{branch}'", act)

    def using[T](self, what: str, act: Callable[[Repository, str], T]) -> T:
        """Run an operation that needs more of GitHub than the methods here.

        Args:
            what: the operation, as the end of "GitHub answered 404 to: …".
            act: the operation on the repository and the base branch's name; repeated once if
                GitHub refuses the cached credentials.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        branch = self.place.base_branch
        return self._with_credentials(what, lambda: act(self._connect(), branch))

    def _delete_branch(self, branch: str) -> None:
        repository = self._connect()
        # Built here, because PyGithub cannot delete its own object before it is read.
        url = f"{repository.url}/git/refs/heads/{quote(branch)}"
        try:
            GitRef(repository.requester, {}, {"url": url}, completed=True).delete()
        except GithubException as error:
            gone = error.status == 422 and "does not exist" in str(error.data)
            if not gone:
                raise

    def _with_credentials[T](self, what: str, act: Callable[[], T]) -> T:
        """Run an operation; once more with fresh credentials if refused."""
        try:
            with _translated(f"{what} in {self.place.name}"):
                return act()
        except GitHubError as error:
            if error.status != 401:
                raise
        # The credentials may have been rotated since they were cached.
        logger.info("GitHub refused the cached credentials; reading them again")
        self._connect(fresh=True)
        with _translated(f"{what} in {self.place.name}"):
            return act()

    def is_ours(self, pull: GitHubPull, number: int | None = None) -> bool:
        """Return whether Slipway opened a pull request, from this repository.

        A fork may use the same branch name, even one of the same owner.

        Args:
            pull: the pull request.
            number: the recorded number, which is Slipway's even after its credentials changed to
                another App or user.
        """
        # A deleted fork's repository and a deleted user are null, although PyGithub's annotations
        # say otherwise.
        origin: object = pull.head.repo
        author: object = pull.user
        if origin is None or pull.head.repo.id != pull.base.repo.id:
            return False
        if pull.number == number or author is None:
            return pull.number == number
        self._connect()
        return pull.user.login == self._login()

    def described(self, pull: GitHubPull, notes: tuple[str, ...] = ()) -> PullRequest:
        """Convert GitHub's answer to a pull request."""
        base: str = pull.base.ref
        to_base = base == self.place.base_branch
        state: Literal["open", "closed", "merged"] = "open"
        if pull.state == "closed":
            state = "merged" if pull.merged_at and to_base else "closed"
        return PullRequest(
            number=pull.number,
            url=pull.html_url,
            state=state,
            head_sha=pull.head.sha,
            opened_at=pull.created_at,
            ended_at=pull.merged_at or pull.closed_at,
            retargeted_to="" if to_base else base,
            notes=notes,
        )

    def _propose(
        self,
        change: Change,
        number: int | None,
        head: str | None,
        admit: Callable[[], None] | None,
        opened: Callable[[PullRequest], None] | None,
    ) -> PullRequest:
        """Propose, and begin again after a temporary failure."""
        pause = _PAUSE_SECONDS
        while True:
            try:
                return self._proposer(change).propose(number, head, admit, opened)
            except (GithubException, requests.RequestException) as error:
                asked = None
                if isinstance(error, GithubException):
                    if not is_passing(error):
                        raise
                    asked = asked_wait(error)
                try:
                    self._retry_budget.wait(max(asked or 0.0, pause))
                except GitHubUnavailable:
                    raise error from None
                pause *= 2

    def _proposer(self, change: Change) -> Proposer:
        return Proposer(
            self._connect(),
            self.place.name,
            self.url,
            change,
            self._comparison(change),
            self._retry_budget,
        )

    def _comparison(self, change: Change) -> Comparison:
        return Comparison(self._connect(), change, self.place.base_branch)

    def _connect(self, *, fresh: bool = False) -> Repository:
        if self._repository is None or fresh:
            client = Github(
                base_url=self._config.github_api_url,
                auth=authenticate(self._credentials(fresh), self.place.installation_id),
                timeout=TIMEOUT_SECONDS,
                retry=BudgetedRetry(self._retry_budget),
                # A pull request takes two writes. PyGithub's pause of a second between writes is
                # for scripts with hundreds; `BudgetedRetry` slows down when GitHub asks for it.
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="slipway",
                per_page=100,
                # Skip the request for an object before the request that is needed.
                lazy=True,
            )
            self._repository = client.get_repo(self.place.name)
            requester = self._repository.requester
            self._login = cache(lambda: documents.viewer(requester, self._retry_budget))
        return self._repository

    def _find(self, branch: str, number: int | None = None) -> GitHubPull | None:
        return next((one for one in self._pulls_of(branch) if self.is_ours(one, number)), None)

    def _pulls_of(self, branch: str) -> list[GitHubPull]:
        """Return all pull requests of branches with this name, newest first."""
        owner = self.place.name.split("/")[0]
        return list(self._connect().get_pulls(state="all", head=f"{owner}:{branch}"))

    def _base(self) -> str:
        reference = f"heads/{self.place.base_branch}"
        return self._connect().get_git_ref(reference).object.sha


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Convert errors of PyGithub and requests to Slipway's errors."""
    try:
        yield
    except GithubException as error:
        # GraphQL refuses with status 200.
        how = (
            "refused"
            if error.status == 400 and graphql_errors(error)
            else f"answered {error.status} to"
        )
        text = f"GitHub {how}: {what}. {reason(error)}".strip()
        if is_passing(error):
            wait = asked_wait(error)
            retry_at = datetime.now(UTC) + timedelta(seconds=wait) if wait is not None else None
            raise GitHubUnavailable(text, retry_at) from None
        raise GitHubError(error.status, text) from None
    except requests.RequestException as error:
        raise GitHubUnavailable(
            f"GitHub could not be reached ({type(error).__name__}) to: {what}."
        ) from error
    except documents.UnexpectedAnswer as error:
        raise _unexpected(str(error), what) from error
    except _UNEXPECTED as error:
        if not _is_of_pygithub(error):
            raise
        raise _unexpected(type(error).__name__, what) from error


def _unexpected(kind: str, what: str) -> GitHubError:
    return GitHubError(200, f"GitHub's answer has an unexpected form ({kind}) to: {what}.")


def _is_of_pygithub(error: Exception) -> bool:
    """Return whether GitHub's answer, not a bug of Slipway, caused an error."""
    if isinstance(error, BadAttributeException):
        return True
    # PyGithub gives None for a missing field, although its annotations promise a value; mypy finds
    # every other None.
    if isinstance(error, AttributeError | TypeError) and "NoneType" in str(error):
        return True
    names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    last = next(name for name in reversed(names) if name.startswith(("slipway.", "github.")))
    return last.startswith("github.")
