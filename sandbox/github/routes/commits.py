"""Commits, comparisons, statuses, check runs.

https://docs.github.com/rest/commits
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from sandbox.github import shapes, urls
from sandbox.github.errors import ApiError, not_found
from sandbox.github.pull_requests import commits as commits_of
from sandbox.github.pull_requests import pull_json
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.server import RepoSession
from sandbox.github.store import Pull, Status

router = APIRouter(prefix="/repos/{owner}/{name}")
Optional = Annotated[str, Query()]


@router.get("/commits")
def list_commits(
    here: Here,
    page: PageDep,
    sha: Optional = "",
    path: Optional = "",
    since: datetime | None = None,
) -> Response:
    """List commits of a branch, newest first."""
    start = here.git.resolve(sha or here.repo.default_branch)
    if start is None:
        raise ApiError(404, "Not Found") if sha else ApiError(409, "Git Repository is empty.")
    found = here.git.log(start, path=path)
    if since:
        after = since if since.tzinfo else since.replace(tzinfo=UTC)
        found = [one for one in found if datetime.fromisoformat(one.committer.date) >= after]
    return page.of(found, lambda commit: shapes.commit(commit, here.path))


# -- statuses: before "get a commit", whose path takes everything


class NewStatus(Body):
    """Body of "create a commit status"."""

    state: Literal["error", "failure", "pending", "success"]
    context: str = "default"
    description: str | None = None
    target_url: str | None = None


def _status(here: RepoSession, row: Status) -> Json:
    return shapes.status(row, here.path, here.user(row.creator))


@router.post("/statuses/{sha}", status_code=201)
def create_status(here: Here, sha: str, body: NewStatus) -> Json:
    """Report a status of a commit."""
    if here.git.object_type(sha) != "commit":
        raise ApiError(422, f"No commit found for SHA: {sha}")
    row = Status(repo_id=here.repo.id, sha=sha, creator=here.actor.login, **body.model_dump())
    here.session.add(row)
    here.session.flush()
    return _status(here, row)


# -- check runs


# -- commits and comparisons


def _shas(here: RepoSession, pull: Pull) -> set[str | None]:
    """Return the commits that a pull request is, and the one that it became."""
    became = {pull.merge_commit_sha} if pull.merged_at else set()
    return became | {commit["sha"] for commit in commits_of(here, pull)}


@router.get("/commits/{ref}/pulls")
def list_pulls_of_commit(here: Here, ref: str, page: PageDep) -> Response:
    """List the merged pull request that brought a commit; else the open ones that have it."""
    sha = here.commit(ref)
    query = select(Pull).filter_by(repo_id=here.repo.id).order_by(Pull.issue_id)
    having = [pull for pull in here.session.scalars(query) if sha in _shas(here, pull)]
    merged = [pull for pull in having if pull.merged_at]
    found = merged or [pull for pull in having if pull.issue.state == "open"]
    return page.of(found, lambda pull: pull_json(here, pull, full=False))


@router.get("/commits/{ref:path}")
def get_commit(here: Here, ref: str) -> Json:
    """Get a commit by SHA, branch or tag, with its files."""
    sha = here.git.resolve(ref)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    commit = here.git.commit(sha)
    empty = here.git.write_tree(None, {})
    changes = here.git.changes(commit.parents[0] if commit.parents else empty, sha)
    added = sum(change.additions for change in changes)
    removed = sum(change.deletions for change in changes)
    return {
        **shapes.commit(commit, here.path),
        "stats": {"additions": added, "deletions": removed, "total": added + removed},
        "files": [shapes.file_change(change, here.path, sha) for change in changes],
    }


@router.get("/compare/{basehead:path}")
def compare(here: Here, basehead: str) -> Json:
    """Compare two commits from their fork point, as `base...head`."""
    left, dots, right = basehead.partition("...")
    owner = f"{here.repo.owner}:"
    base = here.git.resolve(left.removeprefix(owner))
    head = here.git.resolve(right.removeprefix(owner))
    fork = here.git.merge_base(base, head) if base and head else None
    if not dots or base is None or head is None or fork is None:
        raise not_found()
    ahead = here.git.log(head, without=base)[::-1]
    behind = here.git.log(base, without=head)
    states = {(0, 0): "identical", (1, 0): "ahead", (0, 1): "behind", (1, 1): "diverged"}
    path, page = here.path, urls.web(f"/{here.repo.full_name}/compare/{basehead}")
    return {
        "url": urls.api(f"{path}/compare/{basehead}"),
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "status": states[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "base_commit": shapes.commit(here.git.commit(base), path),
        "merge_base_commit": shapes.commit(here.git.commit(fork), path),
        "commits": [shapes.commit(commit, path) for commit in ahead],
        "files": [shapes.file_change(c, path, head) for c in here.git.changes(fork, head)],
    }
