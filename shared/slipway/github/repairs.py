"""Repair an unhealthy entity by its repository: roll back, escalate."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from github.Commit import Commit
from github.Issue import Issue
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from slipway.errors import UserError
from slipway.github.folder import nothing, read_files
from slipway.github.models import EntityFiles
from slipway.github.repository import ServicesRepository
from slipway.github.roll_back import REPAIR_BRANCH, LastChange, NothingToRollBack, texts_before

# Number of the newest commits and open issues to search, a hundred per request.
_LOOKED_THROUGH = 300


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """The issue that escalates an entity to people.

    Attributes:
        number: its number in the repository.
        url: its page.
        created: whether it was opened now.
    """

    number: int
    url: str
    created: bool


class Repairs:
    """A repository in its role for remediations.

    Args:
        repository: the repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def last_change(self, entity: EntityFiles) -> LastChange | NothingToRollBack:
        """Return an entity's last change on the base branch, if revertible.

        For a merge commit or a squash, that is the whole pull request. For a rebase, it is the last
        commit. A repair by Slipway, and changes before it, are not rolled back. So check first for
        the pull request of `roll_back_branch`, which becomes such a repair once it is merged.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        what = f"find the last change of {entity.name}"
        try:
            return self._repository.using(
                what, lambda repository, branch: _last_change(repository, branch, entity)
            )
        except UserError as error:
            # The whole folder cannot be read.
            return NothingToRollBack(str(error))

    def escalate(
        self,
        *,
        title: str,
        body: str,
        labels: Sequence[str],
        marker: str,
        comment: str | None = None,
    ) -> HandOver:
        """Open an issue, or update the open one with the same marker.

        Slipway owns the body: edits by people are replaced, their comments stay. GitHub notifies
        people of a comment, but not of a new body.

        Args:
            title: the issue's title.
            body: its body in GitHub's Markdown, with the marker.
            labels: its labels, at least one; the search requires all of them.
            marker: a hidden comment that identifies the issue.
            comment: what to add to an issue that is open already, unless its body or a comment says
                the same.

        Raises:
            ValueError: the body lacks the marker, or a label is missing.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        if not marker or marker not in body or not labels:
            raise ValueError("an issue needs its marker in the body, and a label")

        def act(repository: Repository, _branch: str) -> HandOver:
            issue = _find_issue(repository, labels, marker)
            if issue is None:
                opened = repository.create_issue(title, body, labels=list(labels))
                return HandOver(number=opened.number, url=opened.html_url, created=True)
            if not _same(issue.body, body):
                # Before the body, which records that an interrupted attempt came this far.
                comments = [each.body for each in issue.get_comments()] if comment else []
                if comment and not any(_same(one, comment) for one in comments):
                    issue.create_comment(comment)
                issue.edit(body=body)
            return HandOver(number=issue.number, url=issue.html_url, created=False)

        return self._repository.using("escalate by an issue", act)


def _find_issue(repository: Repository, labels: Sequence[str], marker: str) -> Issue | None:
    issues = repository.get_issues(state="open", labels=list(labels))
    return next(
        (
            issue
            for issue in islice(issues, _LOOKED_THROUGH)
            # GitHub lists pull requests among the issues.
            if marker in (issue.body or "") and "/pull/" not in issue.html_url
        ),
        None,
    )


def _same(found: str | None, wanted: str) -> bool:
    """Return whether a text equals the sent one, ignoring outer white space."""
    return (found or "").strip() == wanted.strip()


def _last_change(
    repository: Repository, branch: str, entity: EntityFiles
) -> LastChange | NothingToRollBack:
    base = repository.get_git_ref(f"heads/{branch}").object.sha
    newest = _newest_commit(repository, base, entity)
    if newest is None:
        return NothingToRollBack("It has no files on the base branch.")
    pull = _pull_of(newest, branch)
    if pull and REPAIR_BRANCH.fullmatch(pull.head.ref):
        return NothingToRollBack(
            f"Its last change, #{pull.number}, was a repair by Slipway itself."
        )
    commit = _merge_of(repository, newest, pull)
    if not commit.parents:
        return NothingToRollBack("It has not been changed since it was created.")
    touched = _touched(commit, entity)
    before = read_files(
        repository,
        entity,
        commit.parents[0].sha,
        lambda paths: (path for path in paths if path in touched),
    )
    now = read_files(repository, entity, base, nothing)
    texts = texts_before(touched, before, now)
    if isinstance(texts, NothingToRollBack):
        return texts
    return LastChange(
        entity=entity,
        commit=commit.sha,
        url=pull.html_url if pull else commit.html_url,
        pull_number=pull.number if pull else None,
        before=texts,
        after={path: touched[path] for path in texts},
        base_commit=base,
    )


def _newest_commit(repository: Repository, base: str, entity: EntityFiles) -> Commit | None:
    """Return the newest commit that changed a file of an entity."""
    found: list[Commit] = []
    for folder in entity.folders:
        for commit in islice(repository.get_commits(sha=base, path=folder), _LOOKED_THROUGH):
            # In folders with other files, only the commit itself shows what it changed.
            if folder in entity.whole or _touched(commit, entity):
                found.append(commit)
                break
    return max(found, key=lambda commit: commit.commit.committer.date, default=None)


def _pull_of(commit: Commit, branch: str) -> GitHubPull | None:
    """Return the merged pull request that brought a commit to the base branch."""
    pulls = (pull for pull in commit.get_pulls() if pull.merged_at and pull.base.ref == branch)
    return next(pulls, None)


def _merge_of(repository: Repository, newest: Commit, pull: GitHubPull | None) -> Commit:
    """Return the merge commit of a commit on the base branch.

    Without a merge, the commit itself.
    """
    if pull and pull.merge_commit_sha and pull.merge_commit_sha != newest.sha:
        merge = repository.get_commit(pull.merge_commit_sha)
        if len(merge.parents) > 1:
            return merge
    return repository.get_commit(newest.sha)


def _touched(commit: Commit, entity: EntityFiles) -> dict[str, str | None]:
    """Return the blob SHAs after a commit, of the entity's changed files."""
    touched: dict[str, str | None] = {}
    for file in commit.files:
        if file.status == "renamed":
            touched[file.previous_filename] = None
        touched[file.filename] = None if file.status == "removed" else file.sha
    return {path: sha for path, sha in touched.items() if entity.owns(path)}
