"""Issues, comments, labels.

https://docs.github.com/rest/issues
"""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import select

from sandbox.github import issues, shapes
from sandbox.github.errors import validation_failed
from sandbox.github.issues import ensure_labels, find_label, issue_json
from sandbox.github.pull_requests import emit as emit_pull
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.routes.repos import people
from sandbox.github.server import RepoSession
from sandbox.github.store import Comment, Issue, Label

router = APIRouter(prefix="/repos/{owner}/{name}")
LabelNames = list[str | dict[str, Any]]


class NewIssue(Body):
    """Body of "create an issue"."""

    title: str
    body: str | None = None
    labels: LabelNames = Field(default_factory=list)
    assignees: list[str] = Field(default_factory=list)


class ChangedIssue(Body):
    """Body of "update an issue"."""

    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    state_reason: str | None = None
    labels: LabelNames | None = None
    assignees: list[str] | None = None


def _names(labels: LabelNames) -> list[str]:
    names = [label if isinstance(label, str) else str(label.get("name", "")) for label in labels]
    if any(not name.strip() or len(name) > 50 for name in names):
        raise validation_failed("Label", "name", "invalid")
    return names


def _emit(here: RepoSession, issue: Issue, action: str, **more: Any) -> None:
    """Tell of an event of a pull request; no workflow waits for those of issues."""
    if issue.pull:
        emit_pull(here, issue.pull, action, **more)


def _assign(here: RepoSession, issue: Issue, logins: list[str]) -> None:
    if any(login not in people(here) for login in logins):
        raise validation_failed("Issue", "assignees", "invalid")
    issue.assignees = list(dict.fromkeys(logins))


@router.post("/issues", status_code=201)
def create_issue(here: Here, body: NewIssue) -> Json:
    """Open an issue."""
    issue = Issue(
        repo_id=here.repo.id,
        number=here.next_number(),
        title=body.title,
        body=body.body,
        user=here.actor.login,
    )
    here.session.add(issue)
    issue.labels = ensure_labels(here, _names(body.labels))
    _assign(here, issue, body.assignees)
    here.session.flush()
    _emit(here, issue, "opened")
    return issue_json(here, issue)


@router.get("/issues")
def list_issues(
    here: Here,
    page: PageDep,
    state: Literal["open", "closed", "all"] = "open",
    labels: Annotated[str, Query()] = "",
    creator: Annotated[str, Query()] = "",
) -> Response:
    """List issues and pull requests, newest first."""
    query = select(Issue).filter_by(repo_id=here.repo.id).order_by(Issue.number.desc())
    wanted = {name for name in labels.lower().split(",") if name}
    rows = [
        row
        for row in here.session.scalars(query)
        if state in {"all", row.state}
        and wanted <= {label.name.lower() for label in row.labels}
        and creator in {"", row.user}
    ]
    return page.of(rows, lambda row: issue_json(here, row))


# -- comments: before "get an issue"


class Text(Body):
    """Body of a comment."""

    body: str


def _comment_json(here: RepoSession, row: Comment) -> Json:
    return shapes.comment(row, here.path, here.user(row.user))


@router.get("/issues/{number}/comments")
def list_comments(here: Here, number: int, page: PageDep) -> Response:
    """List the comments of an issue or pull request, oldest first."""
    query = select(Comment).filter_by(repo_id=here.repo.id, issue_number=here.issue(number).number)
    rows = list(here.session.scalars(query.order_by(Comment.id)))
    return page.of(rows, lambda row: _comment_json(here, row))


@router.post("/issues/{number}/comments", status_code=201)
def create_comment(here: Here, number: int, body: Text) -> Json:
    """Comment on an issue or pull request."""
    issue = here.issue(number)
    if not body.body.strip():
        raise validation_failed("IssueComment", "body", "missing_field")
    row = Comment(repo_id=here.repo.id, issue_number=number, user=here.actor.login, body=body.body)
    here.session.add(row)
    here.touch(issue)
    here.session.flush()
    return _comment_json(here, row)


# -- issues


@router.get("/issues/{number}")
def get_issue(here: Here, number: int) -> Json:
    """Get an issue or pull request."""
    return issue_json(here, here.issue(number))


@router.patch("/issues/{number}")
def edit_issue(here: Here, number: int, body: ChangedIssue) -> Json:
    """Change an issue."""
    issue, sent = here.issue(number), body.model_fields_set
    if "title" in sent and body.title:
        issue.title = body.title
    if "body" in sent:
        issue.body = body.body
    if body.labels is not None:
        issue.labels = ensure_labels(here, _names(body.labels))
    if body.assignees is not None:
        _assign(here, issue, body.assignees)
    here.touch(issue)
    if body.state and body.state != issue.state:
        if body.state == "closed":
            issues.close(here, issue)
            issue.state_reason = body.state_reason or "completed"
        elif issue.pull and issue.pull.merged_at:
            raise validation_failed("Issue", "state", "invalid")
        else:
            issues.reopen(here, issue)
        _emit(here, issue, "closed" if body.state == "closed" else "reopened")
    elif sent & {"title", "body"}:
        _emit(here, issue, "edited", changes={})
    here.session.flush()
    return issue_json(here, issue)


# -- labels


class NewLabel(Body):
    """Body of "create a label"."""

    name: str
    color: str = "ededed"
    description: str | None = None


def _labels_json(here: RepoSession, labels: list[Label]) -> list[Json]:
    return [shapes.label(label, here.path) for label in labels]


@router.post("/issues/{number}/labels")
def add_labels(here: Here, number: int, body: LabelNames | dict[str, LabelNames]) -> list[Json]:
    """Add labels."""
    issue = here.issue(number)
    names = _names(body if isinstance(body, list) else body.get("labels", []))
    wanted = ensure_labels(here, names)
    added = [label for label in wanted if label not in issue.labels]
    issue.labels = [*issue.labels, *added]
    here.touch(issue)
    here.session.flush()
    for label in added:
        _emit(here, issue, "labeled", label=shapes.label(label, here.path))
    return _labels_json(here, issue.labels)


@router.get("/labels")
def list_labels(here: Here, page: PageDep) -> Response:
    """List the repository's labels."""
    rows = here.session.scalars(select(Label).filter_by(repo_id=here.repo.id).order_by(Label.name))
    return page.of(list(rows), lambda row: shapes.label(row, here.path))


@router.post("/labels", status_code=201)
def create_label(here: Here, body: NewLabel) -> Json:
    """Make a label."""
    if find_label(here, body.name):
        raise validation_failed("Label", "name", "already_exists")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", body.color):
        raise validation_failed("Label", "color", "invalid")
    _names([body.name])
    row = Label(repo_id=here.repo.id, **body.model_dump())
    here.session.add(row)
    here.session.flush()
    return shapes.label(row, here.path)
