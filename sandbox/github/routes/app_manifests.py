"""Apps made from a manifest, and where a person installs an App.

https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
The route that the button *Create GitHub App* calls is not documented; here it is its form's own.
"""

import re
import secrets
import time
from dataclasses import dataclass
from html import escape
from typing import Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.github import shapes, urls
from sandbox.github.auth import LEVELS, key_pair
from sandbox.github.errors import ApiError, not_found
from sandbox.github.rendering import HEADERS, page
from sandbox.github.routes.deps import Json, ServerDep
from sandbox.github.server import create_app
from sandbox.github.store import Account, App, Repo

router = APIRouter()
FORMS = r"(/organizations/[\w.-]+)?/settings/apps/new"
CODE_SECONDS = 3600
# Who is signed in to the pages.
_PERSON = "devops"
# https://docs.github.com/apps/creating-github-apps/registering-a-github-app/choosing-permissions-for-a-github-app
_PERMISSIONS = {
    "actions", "administration", "checks", "contents", "deployments", "environments", "issues",
    "members", "metadata", "pull_requests", "repository_hooks", "secrets", "statuses", "workflows",
}  # fmt: skip
_INVALID = "The configuration does not appear to be a valid GitHub App manifest. Error: "


class Hook(BaseModel):
    """A manifest's `hook_attributes`: the address is required, also of a hook that is off."""

    url: HttpUrl
    active: bool = True


class Manifest(BaseModel):
    """What GitHub takes of a manifest; what it does not know is refused here."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=34)
    url: HttpUrl
    hook_attributes: Hook | None = None
    redirect_url: HttpUrl
    callback_urls: list[HttpUrl] = Field(default_factory=list, max_length=10)
    setup_url: HttpUrl | None = None
    description: str = ""
    public: bool = False
    default_events: list[str] = Field(default_factory=list)
    default_permissions: dict[str, str] = Field(default_factory=dict)
    request_oauth_on_install: bool = False
    setup_on_update: bool = False


@dataclass(frozen=True)
class Sent:
    """What a person's browser sends to make an App."""

    account: str
    state: str
    fields: dict[str, str]

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            ApiError: 422, it is not one.
        """
        try:
            manifest = Manifest.model_validate_json(self.fields.get("manifest", ""))
        except ValidationError as error:
            fault = error.errors()[0]
            named = fault["loc"][-1] if fault["loc"] else "manifest"
            text = "wasn't supplied" if fault["type"] == "missing" else fault["msg"]
            raise ApiError(422, f'{_INVALID}"{named}" {text}.') from None
        for name, level in manifest.default_permissions.items():
            if name not in _PERMISSIONS or level not in LEVELS:
                raise ApiError(422, f"{_INVALID}Default permission records resource is invalid.")
        if manifest.default_events and manifest.hook_attributes is None:
            raise ApiError(422, f"{_INVALID}Hook url cannot be blank.")
        return manifest


async def _sent(request: Request, org: str, state: str) -> Sent:
    fields = parse_qs((await request.body()).decode(), keep_blank_values=True)
    return Sent(org or _PERSON, state, {name: values[-1] for name, values in fields.items()})


@router.post("/settings/apps/new")
@router.post("/organizations/{org}/settings/apps/new")
async def new_app_page(
    request: Request, org: str = "", state: Annotated[str, Query()] = ""
) -> Response:
    """Show a manifest's App with a field for its name: nothing is made yet."""
    sent = await _sent(request, org, state)
    manifest = sent.manifest()
    asked = "".join(
        f"<li>{escape(name)}: {escape(level)}</li>"
        for name, level in sorted(manifest.default_permissions.items())
    )
    action = f"{request.url.path.removesuffix('/new')}?{urlencode({'state': state})}"
    shown = page(
        "Create GitHub App",
        f"<h1>Create GitHub App for {escape(sent.account)}</h1><ul>{asked}</ul>"
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="manifest" value="{escape(sent.fields["manifest"])}">'
        f'<label>GitHub App name <input name="name" value="{escape(manifest.name)}"></label> '
        '<button class="primary">Create GitHub App</button></form>',
    )
    # Browsers hold a form's redirect to this, too.
    back = urlsplit(str(manifest.redirect_url))
    shown.headers["Content-Security-Policy"] = (
        f"{HEADERS['Content-Security-Policy']} {back.scheme}://{back.netloc}"
    )
    return shown


@router.post("/settings/apps")
@router.post("/organizations/{org}/settings/apps")
async def create_page(
    request: Request, server: ServerDep, org: str = "", state: Annotated[str, Query()] = ""
) -> Response:
    """Make the App, and lead the browser back with the code."""
    sent = await _sent(request, org, state)
    manifest = sent.manifest()
    name = sent.fields.get("name") or manifest.name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    code = secrets.token_hex(20)
    with server.store.write() as session:
        _account(session, sent.account)
        if not slug:
            raise ApiError(422, "Name cannot be blank")
        create_app(
            session,
            slug,
            sent.account,
            "",
            dict(manifest.default_permissions),
            name=name,
            url=str(manifest.url),
            installed=False,
            code=code,
            code_expires_at=time.time() + CODE_SECONDS,
        )
        session.commit()
    answer = {"code": code, **({"state": state} if state else {})}
    return RedirectResponse(f"{manifest.redirect_url}?{urlencode(answer)}", 302)


@router.post(urls.API_PREFIX + "/app-manifests/{code}/conversions", status_code=201)
def convert(server: ServerDep, code: str) -> Json:
    """Exchange a manifest's code, once, for the App with its private key."""
    private, public = key_pair()
    with server.store.write() as session:
        app = session.scalars(select(App).filter_by(code=code)).first()
        if app is None or (app.code_expires_at or 0) < time.time():
            raise not_found()
        app.code, app.public_key = None, public
        made = {
            **shapes.app(app, _account(session, app.account)),
            "client_id": f"Iv23{secrets.token_hex(8)}",
            "client_secret": secrets.token_hex(20),
            "webhook_secret": None,
            "pem": private,
        }
        session.commit()
    return made


@router.get("/apps/{slug}/installations/new")
def installation_page(server: ServerDep, slug: str) -> Response:
    """Ask on which repositories to install the App."""
    with server.store.read() as session:
        app = _app(session, slug)
        boxes = "".join(
            f'<p><label><input type="checkbox" name="repository" value="{escape(each)}"> '
            f"{escape(each)}</label></p>"
            for each in _repositories(session, app)
        )
    return page(
        f"Install {app.name}",
        f'<h1>Install {escape(app.name)} on {escape(app.account)}</h1><form method="post">'
        '<p><label><input type="radio" name="target" value="all" checked> All repositories</label>'
        f'</p><p><label><input type="radio" name="target" value="selected"> Only these</label></p>'
        f'{boxes}<button class="primary">Install</button></form>',
    )


@router.post("/apps/{slug}/installations/new")
async def install_page(request: Request, server: ServerDep, slug: str) -> Response:
    """Install the App on all repositories of its account, or on those that are ticked."""
    fields = parse_qs((await request.body()).decode())
    with server.store.write() as session:
        app = _app(session, slug)
        known = _repositories(session, app)
        chosen = [each for each in fields.get("repository", []) if each in known]
        app.repositories = chosen if fields.get("target") == ["selected"] else None
        app.installed = True
        session.commit()
        return RedirectResponse(
            f"/organizations/{app.account}/settings/installations/{app.id}", status_code=303
        )


@router.get("/organizations/{org}/settings/installations/{number}")
def settings_page(server: ServerDep, org: str, number: int) -> Response:
    """Show where an App is installed, with the way to change it."""
    with server.store.read() as session:
        app = session.get(App, number)
        if app is None or app.account != org or not app.installed:
            raise not_found()
    on = ", ".join(app.repositories) if app.repositories is not None else "all repositories"
    return page(
        app.name,
        f"<h1>{escape(app.name)}</h1><p>Installed on {escape(on)}.</p>"
        f'<p><a href="/apps/{escape(app.slug)}/installations/new">Configure</a></p>',
    )


def _app(session: Session, slug: str) -> App:
    app = session.scalars(select(App).filter_by(slug=slug)).first()
    if app is None:
        raise not_found()
    return app


def _account(session: Session, login: str) -> Account:
    account = session.scalars(select(Account).filter_by(login=login)).first()
    if account is None:
        raise not_found()
    return account


def _repositories(session: Session, app: App) -> list[str]:
    rows = session.scalars(select(Repo).filter_by(owner=app.account).order_by(Repo.name))
    return [repo.full_name for repo in rows]
