"""Merge a pull request if it is exactly the change that it proposes."""

from dataclasses import dataclass, replace
from typing import Literal

from github import GithubException
from github.PullRequest import PullRequest

from slipway.errors import GitHubUnavailable
from slipway.github.comparison import Comparison
from slipway.github.models import MergeMethod, retargeted
from slipway.github.retry import RetryBudget, is_passing, reason

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Merge:
    """The outcome of an attempt to merge.

    Attributes:
        state: `merged`: the change is on the base branch. `waiting`: a later attempt may succeed.
            `refused`: a person must act first. `changed`: its content differs now. `retargeted`:
            it has another base branch. `closed`: a person closed it, or merged it into another one.
        reason: why it is `waiting`, `refused` or `retargeted`, as a sentence.
        head: the commit that was verified as the change; empty if there is none.
    """

    state: Literal["merged", "waiting", "refused", "changed", "retargeted", "closed"]
    reason: str = ""
    head: str = ""


def merge(
    pull: PullRequest,
    comparison: Comparison,
    head: str,
    retry_budget: RetryBudget,
    method: MergeMethod = "auto",
) -> Merge:
    """Merge the compared head, or update a branch that is behind.

    Args:
        pull: the pull request, freshly read.
        comparison: compares it with the change.
        head: the commit that was recorded as the change.
        retry_budget: for GitHub to compute whether it can be merged.
        method: how; `auto` takes the first of squash, merge and rebase that the repository allows.
    """
    base, pause = comparison.base_branch, _PAUSE_SECONDS
    while pull.state == "open":
        if pull.base.ref != base:
            return Merge("retargeted", retargeted(pull.base.ref, base))
        how = _method(pull, method)
        # The compared commit is merged, and no other.
        if not comparison.is_change(pull.head.sha, head, rebases=how == "rebase"):
            return Merge("changed")
        head = pull.head.sha
        refusal = _refusal(pull, how)
        if refusal is None:
            return Merge("merged", head=head)
        # It is closed if an earlier attempt succeeded but its answer was lost.
        pull.update()
        if pull.state == "open" and (head, base) == (pull.head.sha, pull.base.ref):
            outcome = _look(pull, refusal, how)
            if outcome or not _paused(retry_budget, pause):
                return replace(outcome or Merge("waiting", reason(refusal)), head=head)
            pause *= 2
    return Merge("merged" if pull.merged and pull.base.ref == base else "closed")


def _method(pull: PullRequest, method: MergeMethod) -> str:
    """Return the merge method; for `auto`, one that the repository allows."""
    if method != "auto":
        return method
    repository = pull.base.repo
    if repository.allow_squash_merge is not False:
        return "squash"
    return "merge" if repository.allow_merge_commit is not False else "rebase"


def _refusal(pull: PullRequest, method: str) -> GithubException | None:
    """Merge the compared head; return GitHub's refusal, if any."""
    try:
        pull.merge(merge_method=method, sha=pull.head.sha)
    except GithubException as error:
        # 409: the head moved. 405: branch protection requires more, or GitHub has not decided yet.
        # 403: only some users may merge.
        if error.status not in {403, 405, 409} or is_passing(error):
            raise
        return error
    return None


def _look(pull: PullRequest, refusal: GithubException, method: str) -> Merge | None:
    """Find out why a merge was refused.

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
    """Merge the base branch into the branch, if its head is unchanged.

    Uses GraphQL, because REST only merges, and GitHub does not rebase a branch with a merge commit.
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
    return Merge("waiting", "Its branch was behind. Slipway updated it, so its checks run again.")


def _paused(retry_budget: RetryBudget, seconds: float) -> bool:
    """Wait briefly, if the retry budget allows it."""
    try:
        retry_budget.wait(seconds)
    except GitHubUnavailable:
        return False
    return True
