"""Store issues, and the labels, comments and state of pull requests."""

from typing import Any

from sqlalchemy import func, select

from sandbox.github import shapes, urls
from sandbox.github.server import RepoSession
from sandbox.github.store import Comment, Issue, Label, now


def issue_json(here: RepoSession, issue: Issue) -> dict[str, Any]:
    """Return an issue (or a pull request, seen as an issue)."""
    path = f"{here.path}/issues/{issue.number}"
    kind = "pull" if issue.pull else "issues"
    page = f"/{here.repo.full_name}/{kind}/{issue.number}"
    body: dict[str, Any] = {
        "id": issue.id,
        "node_id": shapes.node_id("Issue", issue.id),
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "state": issue.state,
        "state_reason": issue.state_reason,
        "locked": False,
        "user": here.user(issue.user),
        "labels": [shapes.label(label, here.path) for label in issue.labels],
        "assignees": [here.user(login) for login in issue.assignees],
        "assignee": here.user(issue.assignees[0]) if issue.assignees else None,
        "milestone": None,
        "comments": count_comments(here, issue.number),
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "closed_at": issue.closed_at,
        "closed_by": here.user(issue.closed_by),
        "author_association": "MEMBER",
        "url": urls.api(path),
        "html_url": urls.web(page),
        "comments_url": urls.api(f"{path}/comments"),
        "labels_url": urls.api(f"{path}/labels") + "{/name}",
        "events_url": urls.api(f"{path}/events"),
        "repository_url": urls.api(here.path),
    }
    if issue.pull:
        body["pull_request"] = {
            "url": urls.api(f"{here.path}/pulls/{issue.number}"),
            "html_url": urls.web(page),
            "diff_url": urls.web(f"{page}.diff"),
            "patch_url": urls.web(f"{page}.patch"),
            "merged_at": issue.pull.merged_at,
        }
    return body


def count_comments(here: RepoSession, number: int) -> int:
    """Return how many comments an issue or pull request has."""
    query = select(func.count()).select_from(Comment)
    return here.session.scalar(query.filter_by(repo_id=here.repo.id, issue_number=number)) or 0


def find_label(here: RepoSession, name: str) -> Label | None:
    """Return a label by its name, which is case-insensitive."""
    return here.session.scalars(
        select(Label).where(Label.repo_id == here.repo.id, func.lower(Label.name) == name.lower())
    ).first()


def ensure_labels(here: RepoSession, names: list[str]) -> list[Label]:
    """Return the labels of these names; create missing ones, as GitHub does."""
    labels = []
    for name in dict.fromkeys(names):
        label = find_label(here, name)
        if label is None:
            label = Label(repo_id=here.repo.id, name=name)
            here.session.add(label)
            here.session.flush()
        labels.append(label)
    return labels


def close(here: RepoSession, issue: Issue) -> None:
    """Close an issue or pull request."""
    issue.state = "closed"
    issue.closed_at = issue.updated_at = now()
    issue.closed_by = here.actor.login


def reopen(here: RepoSession, issue: Issue) -> None:
    """Open a closed issue or pull request again."""
    issue.state = "open"
    issue.closed_at = issue.closed_by = None
    here.touch(issue)
