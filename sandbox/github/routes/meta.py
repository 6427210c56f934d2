"""What is not about one repository: users, organisations, Apps, the rate limit."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from sandbox.github import shapes, urls
from sandbox.github.auth import INSTALLATION_SECONDS, LEVELS, issue_token
from sandbox.github.errors import ApiError, not_found
from sandbox.github.routes.deps import ActorDep, Body, Call, CallDep, Json, PageDep, ServerDep
from sandbox.github.server import find_repo
from sandbox.github.store import Account, App

router = APIRouter()


@router.get("/rate_limit")
def rate_limit(server: ServerDep, actor: ActorDep) -> Json:
    """Show the rate limit; this call is not counted."""
    state = server.limits.state(actor)
    return {"resources": {"core": state, "search": state, "graphql": state}, "rate": state}


# -- accounts


def _account(call: Call, login: str) -> Account:
    found = call.session.scalars(select(Account).filter_by(login=login)).first()
    if found is None:
        raise not_found()
    return found


def _counts(*names: str) -> Json:
    return dict.fromkeys(names, 0)


def _public(account: Account) -> Json:
    return {
        **shapes.account(account),
        "name": account.login,
        **dict.fromkeys(("company", "blog", "location", "email", "hireable", "bio")),
        **_counts("public_repos", "public_gists", "followers", "following"),
        "created_at": shapes.FOUNDED,
        "updated_at": shapes.FOUNDED,
    }


@router.get("/user")
def get_user(call: CallDep) -> Json:
    """Get the signed-in user; an installation is none."""
    if call.actor.kind != "user":
        raise ApiError(403, "Resource not accessible by integration")
    account = _account(call, call.actor.login)
    private = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage")
    return {
        **_public(account),
        "email": account.email,
        **_counts(*private, "collaborators"),
        "two_factor_authentication": True,
    }


@router.get("/users/{login}")
def get_other_user(call: CallDep, login: str) -> Json:
    """Get an account."""
    return _public(_account(call, login))


@router.get("/orgs/{org}")
def get_org(call: CallDep, org: str) -> Json:
    """Get an organisation."""
    account = _account(call, org)
    if account.type != "Organization":
        raise not_found()
    url = urls.api(f"/orgs/{org}")
    shown = shapes.account(account)
    below = ("repos", "events", "hooks", "issues")
    return {
        **{key: shown[key] for key in ("login", "id", "node_id", "avatar_url", "html_url", "type")},
        "name": account.login,
        "description": None,
        "url": url,
        **{f"{name}_url": f"{url}/{name}" for name in below},
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "has_organization_projects": False,
        "has_repository_projects": False,
        **_counts("public_repos", "public_gists", "followers", "following"),
        "created_at": shapes.FOUNDED,
        "updated_at": shapes.FOUNDED,
        "archived_at": None,
    }


# -- Apps


class Wanted(Body):
    """Body of "create an installation access token"."""

    permissions: dict[str, str] = Field(default_factory=dict)


def _app(call: Call) -> App:
    if call.actor.kind != "app":
        raise ApiError(401, "A JSON web token could not be decoded")
    found = call.session.get(App, call.actor.app_id)
    if found is None:
        raise not_found()
    return found


def _installed(call: Call, installation: int) -> App:
    app = _app(call)
    if app.id != installation or not app.installed:
        raise not_found()
    return app


@router.get("/app")
def get_app(call: CallDep) -> Json:
    """Get the calling App."""
    app = _app(call)
    return shapes.app(app, _account(call, app.account))


@router.get("/app/installations")
def list_installations(call: CallDep, page: PageDep) -> Response:
    """List the App's installations, of which there is one at most."""
    app = _app(call)
    owner = _account(call, app.account)
    installed = [app] if app.installed else []
    return page.of(installed, lambda row: shapes.installation(row, owner))


@router.get("/app/installations/{installation}")
def get_installation(call: CallDep, installation: int) -> Json:
    """Get an installation of the calling App."""
    app = _installed(call, installation)
    return shapes.installation(app, _account(call, app.account))


@router.get("/repos/{owner}/{name}/installation")
def get_repo_installation(call: CallDep, owner: str, name: str) -> Json:
    """Get the calling App's installation for a repository."""
    app = _app(call)
    repo = find_repo(call.session, owner, name)
    listed = app.repositories is None or repo.full_name in app.repositories
    if not app.installed or repo.owner != app.account or not listed:
        raise not_found()
    return shapes.installation(app, _account(call, app.account))


@router.post("/app/installations/{installation}/access_tokens", status_code=201)
def create_token(call: CallDep, installation: int, body: Wanted | None = None) -> Json:
    """Make an installation token, with all of the App's permissions or fewer."""
    app = _installed(call, installation)
    granted = dict(app.permissions)
    for name, level in (body.permissions if body else {}).items():
        if LEVELS.get(level, 9) > LEVELS.get(granted.get(name, ""), 0):
            raise ApiError(
                422,
                "The permissions requested are not granted to this installation.",
            )
    permissions = (body.permissions if body else {}) or granted
    permissions = {**permissions, "metadata": "read"}
    value = issue_token(
        call.session,
        "installation",
        f"{app.slug}[bot]",
        permissions=permissions,
        lifetime=INSTALLATION_SECONDS,
        repositories=[app.account] if app.repositories is None else app.repositories,
    )
    expires = datetime.now(UTC).timestamp() + INSTALLATION_SECONDS
    return {
        "token": value,
        "expires_at": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "permissions": permissions,
        "repository_selection": "all" if app.repositories is None else "selected",
    }
