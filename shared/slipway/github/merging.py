"""Merges a pull request, if it is exactly the change that it was opened for."""

from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest

from slipway.errors import GitHubUnavailable
from slipway.github.models import Change, blob_sha
from slipway.github.retry import Patience
from slipway.observability import logger

# merged: it is on the base branch. waiting_for_checks: GitHub merges it once it may.
# waiting_for_people: GitHub refuses, so that somebody must. changed: it is another change now.
Merge = Literal["merged", "waiting_for_checks", "waiting_for_people", "changed", "closed"]
_PAUSE_SECONDS = 1.0


def merge(pull: PullRequest, change: Change, patience: Patience) -> Merge:
    """Merge it with the SHA of the head that was looked at, or enable auto-merge.

    Args:
        pull: the pull request, freshly read.
        change: what it must be.
        patience: for GitHub's finding out whether it can be merged.
    """
    if pull.state == "closed":
        return "merged" if pull.merged else "closed"
    head, method = pull.head.sha, _method(pull)
    if not _is(pull, change):
        return "changed"
    while True:
        try:
            pull.merge(merge_method=method, sha=head)
        except GithubException as error:
            if error.status == 409:
                return "changed"
            if error.status != 405:
                raise
        else:
            return "merged"
        if _is_undecided(pull, patience):
            continue
        later = _merge_later(pull, head, method)
        if later or not _paused(patience):
            return later or "waiting_for_people"


def _is(pull: PullRequest, change: Change) -> bool:
    """Whether the pull request's files are those of the change, no more and no less."""
    found = {
        file.filename: None if file.status == "removed" else file.sha for file in pull.get_files()
    }
    wanted = {path: None if text is None else blob_sha(text) for path, text in change.files.items()}
    return found == wanted


def _method(pull: PullRequest) -> str:
    """A merge method that the repository allows."""
    repository = pull.base.repo
    if repository.allow_squash_merge is not False:
        return "squash"
    return "merge" if repository.allow_merge_commit is not False else "rebase"


def _is_undecided(pull: PullRequest, patience: Patience) -> bool:
    """Whether GitHub is still finding out if it can be merged; waits a moment if so.

    https://docs.github.com/rest/guides/using-the-rest-api-to-interact-with-your-git-database#checking-mergeability-of-pull-requests
    """
    pull.update()
    return pull.mergeable is None and _paused(patience)


def _paused(patience: Patience) -> bool:
    """Wait a moment, if there is patience left."""
    try:
        patience.wait(_PAUSE_SECONDS)
    except GitHubUnavailable:
        return False
    return True


def _merge_later(pull: PullRequest, head: str, method: str) -> Merge | None:
    """Enable auto-merge; None if GitHub says that it could be merged right now."""
    try:
        pull.enable_automerge(merge_method=method.upper(), expected_head_oid=head)
    except GithubException as error:
        if error.status >= 500 or error.status in {401, 403, 429}:
            raise
        if "clean status" in str(error.data):
            return None
        logger.info("auto-merge refused", extra={"why": str(error.data)})
        return "waiting_for_people"
    return "waiting_for_checks"
