"""Read a pull request's outcome by number, from GitHub's own record.

Events are not used as a source.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from slipway.github.folder import Choose, read_files
from slipway.github.models import EntityFiles, Snapshot
from slipway.github.repository import ServicesRepository

# A pull request with more changed files is not a repair by Slipway.
_MOST_FILES = 100


@dataclass(frozen=True, kw_only=True)
class EndedPull:
    """A pull request in its current state.

    Attributes:
        number: its number in the repository.
        url: its page for people.
        state: `merged` means closed, with its change on `base`.
        branch: its head branch.
        base: its base branch.
        from_here: whether `branch` is in this repository: a fork may use the same name.
        merge_sha: its commit on `base`; None if it was not merged.
        by: GitHub login of the user who merged or closed it; empty if unknown.
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
    """A repository in its role as the source of reports.

    Args:
        repository: the repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def read(self, number: int) -> EndedPull | None:
        """Read a pull request; None if the number does not exist.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> EndedPull | None:
            try:
                # Only the issue behind a pull request records who closed it.
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
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> list[str]:
            files = islice(repository.get_pull(pull.number).get_files(), _MOST_FILES + 1)
            paths = [file.filename for file in files]
            return paths if len(paths) <= _MOST_FILES else []

        return self._repository.using(f"list the files of pull request #{pull.number}", act)

    def read_files(self, entity: EntityFiles, pull: EndedPull, choose: Choose) -> Snapshot:
        """Read an entity's files on the current base branch, after a merge.

        If the branch has not moved, or GitHub still shows its old state, the files are those of the
        merge commit. A stale answer must not look like a later change.
        https://docs.github.com/rest/commits/commits#compare-two-commits

        Args:
            entity: the entity.
            pull: the merged pull request.
            choose: selects the files whose texts are needed.

        Raises:
            UserError: a folder has more files than GitHub lists.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
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
    # A deleted fork's repository and a deleted user are null, although PyGithub's annotations say
    # otherwise.
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
        return pull.merge_sha  # So far behind that GitHub does not have the merge there yet.
    if status in {"behind", "identical"}:
        return pull.merge_sha
    return repository.get_git_ref(f"heads/{branch}").object.sha
