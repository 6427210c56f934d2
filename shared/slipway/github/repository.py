"""The services repository: proposes changes as pull requests, over GitHub's REST API.

Every method is get-or-create: it can be called again after a crash at any point and ends in the
same state, one branch with one commit and one pull request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

import requests
from github import (
    BadAttributeException,
    Github,
    GithubException,
    InputGitTreeElement,
)
from github.GitCommit import GitCommit
from github.GitRef import GitRef
from github.GitTree import GitTree
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable, ServiceExists
from slipway.github.folder import read_folder
from slipway.github.merging import Merge, merge
from slipway.github.models import Change, PullRequest, ServiceFolder, service_folder
from slipway.github.retry import Patience, PatientRetry, asked_wait, is_passing, reason
from slipway.github.sign_in import authenticate
from slipway.observability import logger

TIMEOUT_SECONDS = 10
# What PyGithub raises while it reads an answer of another shape than GitHub documents.
_ODD = (
    BadAttributeException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
# In each closing comment, unseen: another reason may come to finish what one has begun.
_CLOSING = "<!-- slipway closes this pull request -->"


class ServicesRepository:
    """The repository that holds `apps/<service>/` for every service.

    Args:
        config: which repository, and where GitHub's API is.
        credentials: gives the credentials; True asks for fresh ones, after GitHub refused some.
        patience: seconds that all calls of this object may wait for GitHub, in sum.
    """

    def __init__(
        self,
        config: GitHubConfig,
        credentials: Callable[[bool], GitHubCredentials],
        *,
        patience: float = 20.0,
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._patience = Patience(patience)
        self._repository: Repository | None = None

    def propose(self, change: Change, *, admit: Callable[[], None] | None = None) -> PullRequest:
        """Make the change's pull request, or find the one that was made before.

        Args:
            change: what to propose.
            admit: called before anything is made, unless the pull request is there already; it
                refuses the change by raising.

        Raises:
            ServiceExists: the change creates a service whose folder is on the base branch.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused; the text says what was asked.
        """
        what = f"propose branch '{change.branch}'"
        return self._with_credentials(what, lambda: self._propose(change, admit))

    def find(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch, in whatever state; None if it never had one.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act() -> PullRequest | None:
            pull = self._find(branch)
            return described(pull) if pull else None

        return self._with_credentials(f"find the pull request of '{branch}'", act)

    def read_service(self, service: str, *, names: frozenset[str] | None) -> ServiceFolder:
        """Read a service's folder on the base branch as it is now.

        Args:
            service: the service's name.
            names: names of the files whose text is wanted; None for all, up to a hundred files and
                a mebibyte.

        Raises:
            ValueError: the name breaks the rule for service names.
            UserError: the folder has more files than GitHub lists.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """
        service_folder(service)

        def act() -> ServiceFolder:
            base = self._base()
            return read_folder(self._connect(), service, base, names)

        return self._with_credentials(f"read the folder of '{service}'", act)

    def merge(self, change: Change, number: int) -> Merge:
        """Merge a pull request if it is exactly this change.

        A branch that is behind is updated first, and merged by a later call.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused in a way that is no answer about the pull request.
        """

        def act() -> Merge:
            pull = self._connect().get_pull(number)
            return merge(
                pull,
                change,
                self._config.services_base_branch,
                self._patience,
                self._config.merge_method,
            )

        return self._with_credentials(f"merge pull request #{number}", act)

    def close(self, branch: str, comment: str) -> PullRequest | None:
        """Close the open pull request of a branch with a comment, and delete the branch.

        One that is merged, or that somebody else closed, stays as it is. A branch that was made for
        a pull request that never came is deleted, too.

        Returns:
            The pull request as it then is; None if the branch never had one.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act() -> PullRequest | None:
            pull = self._find(branch)
            if pull is None:
                self._delete_branch(branch)
                return None
            if pull.merged_at is None:
                # The comment comes first, and tells that the rest is ours if that was cut short.
                ours = any(_CLOSING in (each.body or "") for each in pull.get_issue_comments())
                if pull.state == "open":
                    if not ours:
                        pull.create_issue_comment(f"{comment}\n\n{_CLOSING}")
                    pull.edit(state="closed")
                    ours = True
                if ours:
                    self._delete_branch(branch)
            return described(pull)

        return self._with_credentials(f"close the pull request of '{branch}'", act)

    def delete_finished(self, branch: str) -> None:
        """Delete a branch whose newest pull request is merged or closed.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act() -> None:
            pull = self._find(branch)
            if pull is not None and pull.state == "closed":
                self._delete_branch(branch)

        self._with_credentials(f"delete branch '{branch}'", act)

    def using[T](self, what: str, act: Callable[[Repository, str], T]) -> T:
        """Do something that needs more of GitHub than the methods here.

        Args:
            what: what is done, as the end of "GitHub answered 404 to: …".
            act: does it, with the repository and the base branch's name; done once more if GitHub
                refuses the cached credentials.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """
        branch = self._config.services_base_branch
        return self._with_credentials(what, lambda: act(self._connect(), branch))

    def _delete_branch(self, branch: str) -> None:
        repository = self._connect()
        # Made here, because the one that PyGithub gives before it is read cannot be deleted.
        url = f"{repository.url}/git/refs/heads/{quote(branch)}"
        try:
            GitRef(repository.requester, {}, {"url": url}, completed=True).delete()
        except GithubException as error:
            gone = error.status == 422 and "does not exist" in str(error.data)
            if not gone:
                raise

    def _with_credentials[T](self, what: str, act: Callable[[], T]) -> T:
        """Do something; once more with fresh credentials if GitHub refuses the cached ones."""
        try:
            with _translated(f"{what} in {self._config.services_repo}"):
                return act()
        except GitHubError as error:
            if error.status != 401:
                raise
        # The credentials may have been rotated since they were cached.
        logger.info("GitHub refused the credentials; reading them again")
        self._connect(fresh=True)
        with _translated(f"{what} in {self._config.services_repo}"):
            return act()

    def _propose(self, change: Change, admit: Callable[[], None] | None) -> PullRequest:
        pull = self._find(change.branch)
        if pull is None:
            if admit:
                admit()
            pull = self._open(change)
        notes = () if pull.state == "closed" else self._decorate(pull, change)
        return described(pull, notes)

    def _connect(self, *, fresh: bool = False) -> Repository:
        if self._repository is None or fresh:
            client = Github(
                base_url=self._config.github_api_url,
                auth=authenticate(self._credentials(fresh)),
                timeout=TIMEOUT_SECONDS,
                retry=PatientRetry(self._patience),
                # A pull request is six writes. PyGithub's pause of a second between writes is for
                # scripts that make hundreds; when GitHub asks to slow down, `PatientRetry` does.
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="slipway",
                per_page=100,
                # No request for an object before the one that is wanted of it.
                lazy=True,
            )
            self._repository = client.get_repo(self._config.services_repo)
        return self._repository

    def _find(self, branch: str) -> GitHubPull | None:
        owner = self._config.services_repo.split("/")[0]
        found = self._connect().get_pulls(state="all", head=f"{owner}:{branch}")
        return next(iter(found), None)

    def _open(self, change: Change) -> GitHubPull:
        repository = self._connect()
        base = change.base_commit or self._base()
        if change.creates_service:
            self._refuse_existing(change.service, base)
        self._push(change, base)
        try:
            return repository.create_pull(
                base=self._config.services_base_branch,
                head=change.branch,
                title=change.title,
                body=change.body,
                maintainer_can_modify=False,
            )
        except GithubException as error:
            existing = self._find(change.branch) if error.status == 422 else None
            if existing is None:
                raise
            return existing

    def _base(self) -> str:
        reference = f"heads/{self._config.services_base_branch}"
        return self._connect().get_git_ref(reference).object.sha

    def _refuse_existing(self, service: str, commit: str) -> None:
        folder = service_folder(service)
        try:
            self._connect().get_contents(folder, ref=commit)
        except GithubException as error:
            if error.status != 404:
                raise
            return
        branch = self._config.services_base_branch
        raise ServiceExists(service, f"{self._config.services_repo_url}/tree/{branch}/{folder}")

    def _push(self, change: Change, base: str) -> None:
        """Put all files into one commit on the change's branch: tree, commit, reference."""
        repository = self._connect()
        tree = repository.create_git_tree(
            [
                InputGitTreeElement(path, "100644", "blob", sha=None)
                if content is None
                else InputGitTreeElement(path, "100644", "blob", content=content)
                for path, content in sorted(change.files.items())
            ],
            # A commit's SHA stands for its tree here, which saves the request for the tree.
            base_tree=GitTree(repository.requester, {}, {"sha": base}, completed=True),
        )
        # Without an author, it is the account that Slipway signs in as: the App's own bot.
        # https://docs.github.com/rest/git/commits#create-a-commit
        commit = repository.create_git_commit(
            message=f"{change.title}\n\nBranch: {change.branch}",
            tree=tree,
            parents=[GitCommit(repository.requester, {}, {"sha": base}, completed=True)],
        )
        try:
            repository.create_git_ref(f"refs/heads/{change.branch}", commit.sha)
        except GithubException as error:
            # The run's own branch, from a delivery that was cut short: its one commit stays.
            if not (error.status == 422 and "already exists" in str(error.data)):
                raise

    def _decorate(self, pull: GitHubPull, change: Change) -> tuple[str, ...]:
        """Ask for reviews and set the labels: these last, so that their presence says "done"."""
        missing = set(change.labels) - {label.name for label in pull.labels}
        if change.labels and not missing:
            return ()
        notes = [note for reviewer in change.reviewers if (note := _ask_for_review(pull, reviewer))]
        if missing:
            # PyGithub's `add_to_labels` sends a bare list, which GitHub no longer describes.
            # https://docs.github.com/rest/issues/labels#add-labels-to-an-issue
            pull.requester.requestJsonAndCheck(
                "POST", f"{pull.issue_url}/labels", input={"labels": sorted(missing)}
            )
        return tuple(notes)


def _ask_for_review(pull: GitHubPull, reviewer: str) -> str:
    """Ask one reviewer, because GitHub refuses a request as a whole.

    Returns:
        GitHub's refusal as a sentence; empty if it asked.
    """
    team = reviewer.startswith("team:")
    names = [reviewer.removeprefix("team:")]
    try:
        pull.create_review_request(**{"team_reviewers" if team else "reviewers": names})
    except GithubException as error:
        if error.status not in {403, 404, 422} or is_passing(error):
            raise
        why = reason(error)
        logger.warning("reviewer refused", extra={"reviewer": reviewer, "why": why})
        who = f"team {names[0]}" if team else names[0]
        return f"GitHub did not ask {who} for a review ({error.status}): {why}"
    return ""


def described(pull: GitHubPull, notes: tuple[str, ...] = ()) -> PullRequest:
    """What Slipway keeps of GitHub's answer."""
    state: Literal["open", "closed", "merged"] = "open"
    if pull.state == "closed":
        state = "merged" if pull.merged_at else "closed"
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        state=state,
        head_sha=pull.head.sha,
        opened_at=pull.created_at,
        ended_at=pull.merged_at or pull.closed_at,
        notes=notes,
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn what PyGithub and requests raise into Slipway's errors."""
    try:
        yield
    except GithubException as error:
        text = f"GitHub answered {error.status} to: {what}. {reason(error)}".strip()
        if is_passing(error):
            wait = asked_wait(error)
            retry_at = datetime.now(UTC) + timedelta(seconds=wait) if wait is not None else None
            raise GitHubUnavailable(text, retry_at) from None
        raise GitHubError(error.status, text) from None
    except requests.RequestException as error:
        raise GitHubUnavailable(
            f"GitHub could not be reached ({type(error).__name__}) to: {what}."
        ) from error
    except _ODD as error:
        kind = type(error).__name__
        raise GitHubError(
            200, f"GitHub's answer is not what was expected ({kind}) to: {what}."
        ) from error
