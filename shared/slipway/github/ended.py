"""What became of a pull request, by its number: GitHub's own record, never an event's."""

from dataclasses import dataclass
from itertools import islice
from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from slipway.github.folder import Choose, read_files
from slipway.github.models import EntityFiles, Snapshot
from slipway.github.repository import ServicesRepository

# More than this many changed files is not a repair by Slipway.
_MOST_FILES = 100


@dataclass(frozen=True, kw_only=True)
class EndedPull:
    """A pull request as it is now.

    Attributes:
        number: its number in the repository.
        url: its page for people.
        state: `merged` is a closed one whose change is on `base`.
        branch: the branch that it came from.
        base: the branch that it went to.
        from_here: whether `branch` is this repository's: a fork may name its branch alike.
        merge_sha: the commit that it became on `base`; None if it was not merged.
        by: GitHub login of the user who merged or closed it; empty if GitHub does not say.
    """

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    branch: str
    base: str
    from_here: bool
    merge_sha: str | None = None
    by: str = ""


class EndedPulls:
    """A repository, as a report reads it.

    Args:
        repository: the repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def read(self, number: int) -> EndedPull | None:
        """Read a pull request; None if there is none of that number.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> EndedPull | None:
            try:
                # Only the issue behind a pull request says who closed it.
                pull = repository.get_pull(number)
                return _described(pull, "" if pull.merged else _closed_by(repository, number))
            except GithubException as error:
                if error.status != 404:
                    raise
                return None

        return self._repository.using(f"read pull request #{number}", act)

    @property
    def base_branch(self) -> str:
        """The branch whose files count."""
        return self._repository.place.base_branch

    def paths_of(self, pull: EndedPull) -> list[str]:
        """Return the changed files; empty if they are too many for a repair.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> list[str]:
            files = islice(repository.get_pull(pull.number).get_files(), _MOST_FILES + 1)
            paths = [file.filename for file in files]
            return paths if len(paths) <= _MOST_FILES else []

        return self._repository.using(f"list the files of pull request #{pull.number}", act)

    def read_files(self, entity: EntityFiles, pull: EndedPull, choose: Choose) -> Snapshot:
        """Read an entity's files on the base branch as it is now, after a merge.

        Until the branch has moved, that is the merge commit, also where GitHub still shows the
        branch as it was before: a stale answer must not pass for a change since.
        https://docs.github.com/rest/commits/commits#compare-two-commits

        Args:
            entity: the entity.
            pull: the merged pull request.
            choose: chooses the files whose texts are wanted.

        Raises:
            UserError: a folder has more files than GitHub lists.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, branch: str) -> Snapshot:
            commit = _base_since(repository, pull, branch)
            return read_files(repository, entity, commit, choose)

        return self._repository.using(f"read the files of {entity.name}", act)


def _described(pull: GitHubPull, closed_by: str) -> EndedPull:
    state: Literal["open", "closed", "merged"] = "open"
    if pull.state == "closed":
        state = "merged" if pull.merged else "closed"
    # The repository of a deleted fork, and a merger who is gone, are null, whatever PyGithub's
    # annotations say.
    origin: object = pull.head.repo
    merger: object = pull.merged_by
    return EndedPull(
        number=pull.number,
        url=pull.html_url,
        state=state,
        branch=pull.head.ref,
        base=pull.base.ref,
        from_here=origin is not None and pull.head.repo.id == pull.base.repo.id,
        merge_sha=pull.merge_commit_sha if state == "merged" else None,
        by=pull.merged_by.login if merger is not None else closed_by,
    )


def _closed_by(repository: Repository, number: int) -> str:
    closer: object = repository.get_issue(number).closed_by
    return str(getattr(closer, "login", "") or "")


def _base_since(repository: Repository, pull: EndedPull, branch: str) -> str:
    if pull.merge_sha is None:
        return repository.get_git_ref(f"heads/{branch}").object.sha
    try:
        status = repository.compare(pull.merge_sha, branch).status
    except GithubException as error:
        if error.status != 404:
            raise
        return pull.merge_sha  # So far behind that GitHub does not know the merge there yet.
    if status in {"behind", "identical"}:
        return pull.merge_sha
    return repository.get_git_ref(f"heads/{branch}").object.sha
