"""Merges a pull request, if it is exactly the change that it was opened for."""

from dataclasses import dataclass
from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest

from slipway.config import MergeMethod
from slipway.errors import GitHubUnavailable
from slipway.github.models import Change, blob_sha
from slipway.github.retry import Patience, is_passing, reason

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Merge:
    """The outcome of an attempt to merge.

    Attributes:
        state: `merged`: the change is on the base branch. `waiting`: a later attempt may succeed.
            `refused`: a person must act first. `changed`: it is another change now. `closed`: a
            person closed it.
        reason: why it is `waiting` or `refused`, as a sentence.
    """

    state: Literal["merged", "waiting", "refused", "changed", "closed"]
    reason: str = ""


def merge(
    pull: PullRequest,
    change: Change,
    base_branch: str,
    patience: Patience,
    method: MergeMethod = "auto",
) -> Merge:
    """Merge the compared head, or update a branch that is behind.

    Args:
        pull: the pull request, freshly read.
        change: what it must be.
        base_branch: where it must go.
        patience: for GitHub to find out whether it can be merged.
        method: how; `auto` takes the first of squash, merge and rebase that the repository allows.
    """
    compared, pause = ("", ""), _PAUSE_SECONDS
    while pull.state == "open":
        if compared != (pull.head.sha, pull.base.ref):
            if not _is(pull, change, base_branch):
                return Merge("changed")
            compared = (pull.head.sha, pull.base.ref)
        refusal = _refusal(pull, _method(pull, method))
        if refusal is None:
            return Merge("merged")
        # It is closed now if an earlier attempt succeeded whose answer was lost.
        pull.update()
        if pull.state == "open" and compared == (pull.head.sha, pull.base.ref):
            outcome = _look(pull, refusal, _method(pull, method))
            if outcome or not _paused(patience, pause):
                return outcome or Merge("waiting", reason(refusal))
            pause *= 2
    return Merge("merged" if pull.merged else "closed")


def _is(pull: PullRequest, change: Change, base_branch: str) -> bool:
    """Whether the pull request's files are those of the change, no more and no less."""
    found: dict[str, str | None] = {}
    for file in pull.get_files():
        found[file.filename] = None if file.status == "removed" else file.sha
        if file.status == "renamed":
            found[file.previous_filename] = None
    wanted = {path: None if text is None else blob_sha(text) for path, text in change.files.items()}
    return pull.base.ref == base_branch and found == wanted


def _method(pull: PullRequest, method: MergeMethod) -> str:
    """The merge method, which for `auto` is one that the repository allows."""
    if method != "auto":
        return method
    repository = pull.base.repo
    if repository.allow_squash_merge is not False:
        return "squash"
    return "merge" if repository.allow_merge_commit is not False else "rebase"


def _refusal(pull: PullRequest, method: str) -> GithubException | None:
    """Merge the head that was compared; GitHub's refusal if it does not."""
    try:
        pull.merge(merge_method=method, sha=pull.head.sha)
    except GithubException as error:
        # 409: the head moved. 405: protection asks for more, or GitHub does not know yet.
        # 403: only some may merge.
        if error.status not in {403, 405, 409} or is_passing(error):
            raise
        return error
    return None


def _look(pull: PullRequest, refusal: GithubException, method: str) -> Merge | None:
    """Find out what a refused merge waits for.

    `mergeable_state` has the values of GraphQL's `MergeStateStatus`, in lower case.
    https://docs.github.com/graphql/reference/enums#mergestatestatus

    Returns:
        None: another attempt may succeed at once.
    """
    if refusal.status == 403 or pull.mergeable_state in {"dirty", "draft"}:
        return Merge("refused", reason(refusal))
    if pull.mergeable_state == "behind":
        return _update(pull, method)
    if pull.mergeable_state == "blocked":
        return Merge("waiting", reason(refusal))
    return None


def _update(pull: PullRequest, method: str) -> Merge:
    """Bring the base branch into the branch, if its head is the same.

    By GraphQL, because REST only merges, and GitHub rebases no branch that has a merge commit.
    GitHub's own `gh pr update-branch` does the same:
    https://github.com/cli/cli/blob/trunk/api/queries_pr.go
    """
    update = {
        "pullRequestId": pull.node_id,
        "expectedHeadOid": pull.head.sha,
        "updateMethod": "REBASE" if method == "rebase" else "MERGE",
    }
    try:
        pull.requester.graphql_named_mutation(
            "updatePullRequestBranch", update, "pullRequest { headRefOid }"
        )
    except GithubException as error:
        if error.status != 400 or is_passing(error):
            raise
        return Merge("waiting", f"Its branch is behind and was not updated: {reason(error)}")
    return Merge("waiting", "Its branch was behind and is updated, so its checks run again.")


def _paused(patience: Patience, seconds: float) -> bool:
    """Wait a moment, if there is patience left."""
    try:
        patience.wait(seconds)
    except GitHubUnavailable:
        return False
    return True
