"""Pull requests and reviews.

https://docs.github.com/rest/pulls
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from sqlalchemy import ColumnElement, func, or_, select

from sandbox.github import issues, pull_requests, shapes
from sandbox.github.errors import ApiError, custom_failure, validation_failed
from sandbox.github.git import GitRepository
from sandbox.github.pull_requests import Merge, emit, pull_json
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.routes.repos import people
from sandbox.github.server import RepoSession
from sandbox.github.store import Issue, Pull, Repo, Review, Team

router = APIRouter(prefix="/repos/{owner}/{name}/pulls")


class NewPull(Body):
    """Body of "create a pull request"."""

    head: str
    base: str
    head_repo: str = ""
    title: str | None = None
    body: str | None = None
    draft: bool = False
    maintainer_can_modify: bool = True


class ChangedPull(Body):
    """Body of "update a pull request"."""

    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    base: str | None = None


class Filter(Body):
    """Query of "list pull requests"."""

    state: Literal["open", "closed", "all"] = "open"
    head: str = ""
    base: str = ""
    sort: Literal["created", "updated", "popularity", "long-running"] = "created"
    direction: Literal["asc", "desc"] | None = None


def _filter(query: Annotated[Filter, Query()]) -> Filter:
    return query


@router.post("", status_code=201)
def create_pull(here: Here, body: NewPull) -> Json:
    """Open a pull request between two branches of the repository."""
    owner, _, head = body.head.rpartition(":")
    fork = _fork(here, owner or here.repo.owner, body.head_repo)
    git = here.server.git(fork or here.repo)
    head_sha = git.ref(f"refs/heads/{head}")
    base_sha = here.git.ref(f"refs/heads/{body.base}")
    if base_sha is None:
        raise validation_failed("PullRequest", "base", "invalid")
    if head_sha is None:
        raise validation_failed("PullRequest", "head", "invalid")
    if not body.title:
        raise validation_failed("PullRequest", "title", "missing_field")
    owner = (fork or here.repo).owner
    same = _find(here, Filter(head=f"{owner}:{head}", base=body.base))
    if any(pull.fork_id == (fork.id if fork else None) for pull in same):
        message = f"A pull request already exists for {owner}:{head}."
        raise custom_failure("PullRequest", message)
    if fork:
        here.git.fetch(str(git.path), head_sha, {})
    if here.git.merge_base(base_sha, head_sha) is None:
        message = f"The {head} branch has no history in common with {body.base}"
        raise custom_failure("PullRequest", message)
    if here.git.is_ancestor(head_sha, base_sha):
        raise custom_failure("PullRequest", f"No commits between {body.base} and {head}")
    issue = Issue(
        repo_id=here.repo.id,
        number=here.next_number(),
        title=body.title,
        body=body.body,
        user=here.actor.login,
    )
    pull = Pull(
        issue=issue,
        repo_id=here.repo.id,
        head_ref=head,
        head_sha=head_sha,
        fork_id=fork.id if fork else None,
        base_ref=body.base,
        base_sha=base_sha,
        draft=body.draft,
        maintainer_can_modify=body.maintainer_can_modify,
    )
    here.session.add(issue)
    here.session.flush()
    emit(here, pull, "opened")
    return pull_json(here, pull)


def _fork(here: RepoSession, owner: str, name: str) -> Repo | None:
    """Return the fork that a new pull request comes from; None: this repository.

    https://docs.github.com/rest/pulls/pulls#create-a-pull-request

    Raises:
        ApiError: 422, it is not a fork of this repository.
    """
    if owner.lower() == here.repo.owner.lower() and name in {"", here.repo.name}:
        return None
    query = select(Repo).filter_by(owner=owner, parent_id=here.repo.id)
    found = here.session.scalars(query.filter_by(name=name) if name else query).first()
    if found is None:
        raise validation_failed("PullRequest", "head", "invalid")
    return found


def _find(here: RepoSession, wanted: Filter) -> list[Pull]:
    query = select(Pull).join(Issue).where(Pull.repo_id == here.repo.id)
    if wanted.state != "all":
        query = query.where(Issue.state == wanted.state)
    if wanted.base:
        query = query.where(Pull.base_ref == wanted.base)
    owner, colon, branch = wanted.head.partition(":")
    if colon:  # GitHub ignores a head without owner. It names the owner of the head alone.
        forks = select(Repo.id).filter_by(parent_id=here.repo.id)
        named = forks.where(func.lower(Repo.owner) == owner.lower())
        heads: list[ColumnElement[bool]] = [Pull.fork_id.in_(named)]
        if owner.lower() == here.repo.owner.lower():
            heads.append(Pull.fork_id.is_(None))
        query = query.where(Pull.head_ref == branch, or_(*heads))
    column = Issue.updated_at if wanted.sort == "updated" else Issue.created_at
    downwards = (wanted.direction or ("desc" if wanted.sort == "created" else "asc")) == "desc"
    order = (column.desc(), Issue.id.desc()) if downwards else (column, Issue.id)
    return list(here.session.scalars(query.order_by(*order)))


@router.get("")
def list_pulls(here: Here, page: PageDep, wanted: Annotated[Filter, Depends(_filter)]) -> Response:
    """List pull requests."""
    return page.of(_find(here, wanted), lambda pull: pull_json(here, pull, full=False))


@router.get("/{number}")
def get_pull(here: Here, number: int) -> Json:
    """Get a pull request."""
    return pull_json(here, here.pull(number))


@router.patch("/{number}")
def edit_pull(here: Here, number: int, body: ChangedPull) -> Json:
    """Change a pull request's texts or base, close it, open it again."""
    pull = here.pull(number)
    issue, sent = pull.issue, body.model_fields_set
    edited = False
    for key in ("title", "body"):
        if key in sent and getattr(issue, key) != getattr(body, key):
            setattr(issue, key, getattr(body, key))
            edited = True
    if body.base and body.base != pull.base_ref:
        if issue.state == "closed":
            message = "Cannot change the base branch of a closed pull request."
            raise validation_failed("PullRequest", "base", "invalid", message)
        base = here.git.ref(f"refs/heads/{body.base}")
        if base is None:
            raise validation_failed("PullRequest", "base", "invalid")
        pull.base_ref, pull.base_sha, edited = body.base, base, True
    if edited:
        here.touch(issue)
        emit(here, pull, "edited", changes={})
    if body.state and body.state != issue.state:
        if body.state == "closed":
            issues.close(here, issue)
        elif pull.merged_at or _git_of(here, pull).ref(f"refs/heads/{pull.head_ref}") is None:
            raise validation_failed("PullRequest", "state", "invalid", "state cannot be changed.")
        else:
            issues.reopen(here, issue)
        emit(here, pull, "closed" if body.state == "closed" else "reopened")
    here.session.flush()
    return pull_json(here, pull)


def _git_of(here: RepoSession, pull: Pull) -> GitRepository:
    return here.server.git(pull_requests.fork_of(here, pull) or here.repo)


@router.get("/{number}/files")
def list_files(here: Here, number: int, page: PageDep) -> Response:
    """List the changed files."""
    return page.of(pull_requests.changed_files(here, here.pull(number)))


# -- merging


class HowToMerge(Body):
    """Body of "merge a pull request"."""

    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: Literal["merge", "squash", "rebase"] = "merge"


@router.put("/{number}/merge")
def merge(here: Here, number: int, body: HowToMerge | None = None) -> Json:
    """Merge a pull request."""
    body = body or HowToMerge()
    how = Merge(body.merge_method, body.commit_title, body.commit_message)
    sha = pull_requests.merge(here, here.pull(number), how, body.sha)
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


# -- reviews


class Reviewers(Body):
    """Body of "request reviewers" and of "remove requested reviewers"."""

    reviewers: list[str] = Field(default_factory=list)
    team_reviewers: list[str] = Field(default_factory=list)


class NewReview(Body):
    """Body of "create a review"."""

    body: str = ""
    event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"] | None = None
    commit_id: str | None = None
    comments: list[Any] = Field(default_factory=list)


_NOT_COLLABORATORS = (
    "Reviews may only be requested from collaborators. One or more of the users or teams you "
    "specified is not a collaborator of the {} repository."
)


@router.get("/{number}/requested_reviewers")
def list_reviewers(here: Here, number: int) -> Json:
    """List who is asked for a review."""
    body = pull_json(here, here.pull(number), full=False)
    return {"users": body["requested_reviewers"], "teams": body["requested_teams"]}


@router.post("/{number}/requested_reviewers", status_code=201)
def request_reviewers(here: Here, number: int, body: Reviewers) -> Json:
    """Ask for reviews; all of the people and teams must be able to give one."""
    pull = here.pull(number)
    known = {login.lower(): login for login in people(here)}
    if pull.issue.user.lower() in {login.lower() for login in body.reviewers}:
        raise ApiError(422, "Review cannot be requested from pull request author.")
    if any(login.lower() not in known for login in body.reviewers):
        raise ApiError(422, _NOT_COLLABORATORS.format(here.repo.full_name))
    _check_teams_seen(here, body.team_reviewers)
    teams = set(here.session.scalars(select(Team.slug).filter_by(org=here.repo.owner)))
    if any(slug not in teams or slug not in here.repo.teams for slug in body.team_reviewers):
        raise ApiError(422, _NOT_COLLABORATORS.format(here.repo.full_name))
    users = [known[login.lower()] for login in body.reviewers]
    pull.reviewers = list(dict.fromkeys([*pull.reviewers, *users]))
    pull.review_teams = list(dict.fromkeys([*pull.review_teams, *body.team_reviewers]))
    here.touch(pull.issue)
    for login in users:
        emit(here, pull, "review_requested", requested_reviewer=here.user(login))
    for slug in body.team_reviewers:
        emit(here, pull, "review_requested", requested_team={"slug": slug, "name": slug})
    return pull_json(here, pull, full=False)


def _check_teams_seen(here: RepoSession, slugs: list[str]) -> None:
    """Refuse teams to an App, or token, that may not read members.

    https://github.com/github/docs/issues/35057

    Raises:
        ApiError: 422.
    """
    granted = here.actor.permissions
    if slugs and granted is not None and "members" not in granted:
        node = shapes.node_id("Team", 0)
        sentence = f"Could not resolve to a node with the global id of '{node}'."
        raise ApiError(422, "Validation Failed", [sentence])


@router.get("/{number}/reviews")
def list_reviews(here: Here, number: int, page: PageDep) -> Response:
    """List reviews, oldest first."""
    query = select(Review).filter_by(
        repo_id=here.repo.id, pull_number=here.pull(number).issue.number
    )
    rows = list(here.session.scalars(query.order_by(Review.id)))
    return page.of(rows, lambda row: shapes.review(row, here.path, here.user(row.user)))


@router.post("/{number}/reviews")
def create_review(here: Here, number: int, body: NewReview) -> Json:
    """Review a pull request: approve, ask for changes or comment."""
    pull = here.pull(number)
    states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
    state = states.get(body.event or "", "COMMENTED")
    if body.comments or body.event is None:
        raise ApiError(422, "The sandbox has no pending reviews and no comments on lines.")
    if state != "COMMENTED" and pull.issue.user == here.actor.login:
        verb = "approve" if state == "APPROVED" else "request changes on"
        raise ApiError(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
    if state != "APPROVED" and not body.body:
        raise ApiError(422, "Unprocessable Entity", ["Body can not be blank"])
    row = Review(
        repo_id=here.repo.id,
        pull_number=number,
        user=here.actor.login,
        state=state,
        body=body.body,
        commit_id=body.commit_id or pull.head_sha,
    )
    here.session.add(row)
    if here.actor.login in pull.reviewers:
        pull.reviewers = [login for login in pull.reviewers if login != here.actor.login]
    here.touch(pull.issue)
    here.session.flush()
    return shapes.review(row, here.path, here.user(row.user))
