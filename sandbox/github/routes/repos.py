"""Repositories, branches, protection, collaborators.

https://docs.github.com/rest/repos
"""

from typing import Literal

from fastapi import APIRouter, Response
from sqlalchemy import select

from sandbox.github import protection, pull_requests, shapes, urls
from sandbox.github.auth import LEVELS
from sandbox.github.errors import ApiError, not_found, validation_failed
from sandbox.github.permissions import role
from sandbox.github.routes.deps import Body, CallDep, Here, Json, PageDep
from sandbox.github.server import RepoSession, teams_of
from sandbox.github.store import Account, Team

router = APIRouter()
_REPO = "/repos/{owner}/{name}"
_ROLES = {"pull": "read", "triage": "read", "push": "write", "maintain": "write", "admin": "admin"}


class NewRepo(Body):
    """Body of "create an organization repository"."""

    name: str
    description: str | None = None
    private: bool = True
    auto_init: bool = False
    delete_branch_on_merge: bool = False


class ChangedRepo(Body):
    """Body of "update a repository"; only the fields that are sent change."""

    description: str | None = None
    private: bool | None = None
    default_branch: str | None = None
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None
    delete_branch_on_merge: bool | None = None


@router.post("/orgs/{org}/repos", status_code=201)
def create_repo(call: CallDep, org: str, body: NewRepo) -> Json:
    """Create a repository; who creates it administers it."""
    account = call.session.scalars(select(Account).filter_by(login=org)).first()
    if account is None or account.type != "Organization":
        raise not_found()
    if (
        call.actor.permissions is not None
        and call.actor.permissions.get("administration") != "write"
    ):
        raise ApiError(403, "Resource not accessible by integration")
    if not body.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise validation_failed("Repository", "name", "custom", "name is invalid")
    settings = body.model_dump(exclude={"name", "auto_init"})
    repo = call.server.create_repo(call.session, org, body.name, **settings)
    repo.collaborators[call.actor.login] = "admin"
    if body.auto_init:
        readme = f"# {body.name}\n"
        call.server.git(repo).seed({"README.md": readme.encode()}, repo.default_branch)
    call.session.flush()
    return shapes.full_repository(repo)


@router.get(_REPO)
def get_repo(here: Here) -> Json:
    """Get a repository."""
    teams = teams_of(here.session, here.repo.owner, here.actor.login)
    level = LEVELS.get(role(here.actor, here.repo, teams) or "", 0)
    may = {"pull": level >= 1, "triage": level >= 2, "push": level >= 2, "admin": level >= 3}
    return {**shapes.full_repository(here.repo), "permissions": may}


@router.patch(_REPO)
def edit_repo(here: Here, body: ChangedRepo) -> Json:
    """Change a repository's settings."""
    changes = body.model_dump(exclude_unset=True)
    branch = changes.get("default_branch")
    if branch and here.git.ref(f"refs/heads/{branch}") is None:
        raise validation_failed("Repository", "default_branch", "invalid")
    if branch:
        here.git.set_default_branch(branch)
    for key, value in changes.items():
        setattr(here.repo, key, value)
    if not pull_requests.merge_methods(here.repo):
        message = "Sorry, need to allow at least one merge strategy. (no_merge_method)"
        raise validation_failed("Repository", "merge_commit_allowed", "invalid", message)
    return shapes.full_repository(here.repo)


class NewFork(Body):
    """Body of "create a fork"."""

    organization: str = ""
    name: str = ""


@router.post(f"{_REPO}/forks", status_code=202)
def create_fork(here: Here, body: NewFork | None = None) -> Json:
    """Fork a repository, also into the organisation that owns it, under another name."""
    wanted = body or NewFork()
    owner = wanted.organization or here.actor.login
    fork = here.server.create_repo(
        here.session,
        owner,
        wanted.name or here.repo.name,
        private=here.repo.private,
        default_branch=here.repo.default_branch,
        parent_id=here.repo.id,
        collaborators={here.actor.login: "admin"},
    )
    git = here.server.git(fork)
    for ref, sha in here.git.refs("refs/heads/").items():
        git.fetch(str(here.git.path), sha, {})
        git.update_ref(ref, sha, None)
    here.session.flush()
    return shapes.full_repository(fork)


# -- branches


def _branch(here: RepoSession, branch: str) -> Json:
    sha = here.git.ref(f"refs/heads/{branch}")
    if sha is None:
        raise ApiError(404, "Branch not found")
    return {
        "name": branch,
        "commit": shapes.commit(here.git.commit(sha), here.path),
        "protected": branch in here.repo.protections,
        "protection": protection.summary(here, branch),
        "protection_url": urls.api(f"{here.path}/branches/{branch}/protection"),
        "_links": {
            "self": urls.api(f"{here.path}/branches/{branch}"),
            "html": urls.web(f"/{here.repo.full_name}/tree/{branch}"),
        },
    }


@router.get(f"{_REPO}/branches")
def list_branches(here: Here, page: PageDep) -> Response:
    """List branches."""
    names = [ref.removeprefix("refs/heads/") for ref in here.git.refs("refs/heads/")]
    return page.of(names, lambda name: _branch(here, name))


@router.get(_REPO + "/branches/{branch:path}/protection")
def get_protection(here: Here, branch: str) -> Json:
    """Get a branch's protection."""
    return protection.protection_json(here, branch)


@router.post(_REPO + "/branches/{branch:path}/protection/required_signatures")
def require_signatures(here: Here, branch: str) -> Json:
    """Have a branch take only signed commits."""
    return protection.require_signatures(here, branch)


@router.put(_REPO + "/branches/{branch:path}/protection")
def put_protection(here: Here, branch: str, body: Json) -> Json:
    """Protect a branch."""
    if here.git.ref(f"refs/heads/{branch}") is None:
        raise ApiError(404, "Branch not found")
    return protection.put(here, branch, body)


@router.delete(_REPO + "/branches/{branch:path}/protection", status_code=204)
def delete_protection(here: Here, branch: str) -> Response:
    """Unprotect a branch."""
    if here.repo.protections.pop(branch, None) is None:
        raise ApiError(404, "Branch not protected")
    return Response(status_code=204)


@router.get(_REPO + "/branches/{branch:path}")
def get_branch(here: Here, branch: str) -> Json:
    """Get a branch."""
    return _branch(here, branch)


# -- people


def people(here: RepoSession) -> dict[str, str]:
    """Login → role of everyone who may work on the repository, directly or through a team."""
    roles = dict(here.repo.collaborators)
    for team in here.session.scalars(select(Team).filter_by(org=here.repo.owner)):
        given = here.repo.teams.get(team.slug)
        for login in team.members if given else ():
            roles[login] = max(given or "read", roles.get(login, "read"), key=LEVELS.__getitem__)
    return roles


class Collaborator(Body):
    """Body of "add a repository collaborator"."""

    permission: Literal["pull", "triage", "push", "maintain", "admin"] = "push"


@router.put(_REPO + "/collaborators/{login}", status_code=204)
def put_collaborator(here: Here, login: str, body: Collaborator | None = None) -> Response:
    """Add a collaborator, who need not accept an invitation here."""
    account = here.account(login)
    if account is None:
        raise not_found()
    here.repo.collaborators[account.login] = _ROLES[(body or Collaborator()).permission]
    return Response(status_code=204)


@router.put("/orgs/{org}/teams/{slug}" + _REPO, status_code=204)
def add_team(here: Here, org: str, slug: str, body: Collaborator | None = None) -> Response:
    """Let a team work on the repository."""
    known = here.session.scalars(select(Team).filter_by(org=org, slug=slug)).first()
    if known is None or not protection.is_admin(here):
        raise not_found()
    here.repo.teams[slug] = _ROLES[(body or Collaborator()).permission]
    return Response(status_code=204)
