"""Merges a pull request, if it is exactly the change that it was opened for."""

from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest

from slipway.errors import GitHubUnavailable
from slipway.github.models import Change, blob_sha
from slipway.github.retry import Patience, graphql_errors, is_passing
from slipway.observability import logger

# merged: it is on the base branch. waiting_for_checks: GitHub merges it once it may.
# waiting_for_people: GitHub refuses, so that somebody must. changed: it is another change now.
Merge = Literal["merged", "waiting_for_checks", "waiting_for_people", "changed", "closed"]
_PAUSE_SECONDS = 1.0
# GitHub enables auto-merge only for what it would not merge at once.
_MERGEABLE_NOW = ("in clean status", "in unstable status")


def merge(pull: PullRequest, change: Change, base_branch: str, patience: Patience) -> Merge:
    """Merge it with the SHA of the head that was looked at, or enable auto-merge.

    Args:
        pull: the pull request, freshly read.
        change: what it must be.
        base_branch: where it must go.
        patience: for GitHub's finding out whether it can be merged.
    """
    head = pull.head.sha
    if pull.state == "open" and not _is(pull, change, base_branch):
        return _changed(pull)
    while pull.state == "open":
        answer = _merge_now(pull, head)
        if answer:
            return answer
        # It is closed now if an earlier attempt succeeded whose answer was lost.
        pull.update()
        if pull.state == "open" and not _is_undecided(pull, patience):
            answer = _merge_later(pull, head)
            if answer or not _paused(patience):
                return answer or "waiting_for_people"
    return "merged" if pull.merged else "closed"


def _is(pull: PullRequest, change: Change, base_branch: str) -> bool:
    """Whether the pull request's files are those of the change, no more and no less."""
    found: dict[str, str | None] = {}
    for file in pull.get_files():
        found[file.filename] = None if file.status == "removed" else file.sha
        if file.status == "renamed":
            found[file.previous_filename] = None
    wanted = {path: None if text is None else blob_sha(text) for path, text in change.files.items()}
    return pull.base.ref == base_branch and found == wanted


def _changed(pull: PullRequest) -> Merge:
    """Disable auto-merge that was enabled for what the pull request was before.

    That of a person, who may well want what was added, stays.
    """
    enabled = pull.auto_merge
    if enabled and enabled["enabled_by"]["login"] == pull.user.login:
        pull.disable_automerge()
    return "changed"


def _method(pull: PullRequest) -> str:
    """A merge method that the repository allows."""
    repository = pull.base.repo
    if repository.allow_squash_merge is not False:
        return "squash"
    return "merge" if repository.allow_merge_commit is not False else "rebase"


def _merge_now(pull: PullRequest, head: str) -> Merge | None:
    """Merge; None if GitHub does not."""
    try:
        pull.merge(merge_method=_method(pull), sha=head)
    except GithubException as error:
        if error.status == 409:
            return _changed(pull)
        # 405: its protection asks for more, or GitHub does not know yet. 403: only some may merge.
        if error.status not in {403, 405} or is_passing(error):
            raise
        return None
    return "merged"


def _is_undecided(pull: PullRequest, patience: Patience) -> bool:
    """Whether GitHub is still finding out if it can be merged; waits a moment if so.

    https://docs.github.com/rest/guides/using-the-rest-api-to-interact-with-your-git-database#checking-mergeability-of-pull-requests
    """
    return pull.mergeable is None and _paused(patience)


def _paused(patience: Patience) -> bool:
    """Wait a moment, if there is patience left."""
    try:
        patience.wait(_PAUSE_SECONDS)
    except GitHubUnavailable:
        return False
    return True


def _merge_later(pull: PullRequest, head: str) -> Merge | None:
    """Enable auto-merge; None if GitHub says that it could be merged right now."""
    if pull.head.sha != head:
        return _changed(pull)
    if pull.auto_merge:
        return "waiting_for_checks"
    try:
        pull.enable_automerge(merge_method=_method(pull).upper(), expected_head_oid=head)
    except GithubException as error:
        refusals = graphql_errors(error)
        if not refusals or is_passing(error):
            raise
        why = " ".join(str(refusal.get("message")) for refusal in refusals)
        if any(status in why for status in _MERGEABLE_NOW):
            return None
        logger.info("auto-merge refused", extra={"why": why})
        return "waiting_for_people"
    return "waiting_for_checks"
