"""The sandbox's own controls: what on GitHub a person does in a browser."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from sandbox.github.auth import issue_token, key_pair, revoke
from sandbox.github.errors import not_found
from sandbox.github.routes.deps import Body, Json, ServerDep
from sandbox.github.server import create_app
from sandbox.github.store import Account, Team

router = APIRouter(prefix="/_sandbox")


@router.get("/health")
def health() -> Json:
    """Answer when the server is ready."""
    return {"status": "ok"}


class Limits(Body):
    """The rate limits to be.

    Attributes:
        limit: requests per hour.
        remaining: what is left of them; None: all, for everybody.
        reset_seconds: for how long `remaining` holds.
        login: whose; None: everybody's who has called before.
        writes_per_minute: before the secondary limit; None: no such limit.
        retry_after: seconds that the secondary limit asks to wait.
    """

    limit: int = 5000
    remaining: int | None = None
    reset_seconds: float = 3600
    login: str | None = None
    writes_per_minute: int | None = None
    retry_after: int = 60


@router.put("/rate_limit")
def set_limits(server: ServerDep, body: Limits) -> Limits:
    """Set the rate limits."""
    server.limits.configure(body.limit, body.remaining, body.reset_seconds, body.login)
    server.limits.writes_per_minute = body.writes_per_minute
    server.limits.retry_after = body.retry_after
    return body


class NewToken(Body):
    """A personal access token to be; with `permissions` a fine-grained one."""

    login: str
    permissions: dict[str, Literal["read", "write", "admin"]] | None = None
    lifetime_seconds: float | None = Field(None, gt=0)


@router.post("/tokens", status_code=201)
def create_token(server: ServerDep, body: NewToken) -> Json:
    """Make a personal access token for an account."""
    with server.store.write() as session:
        if session.scalars(select(Account).filter_by(login=body.login)).first() is None:
            raise not_found()
        permissions: dict[str, Any] | None = body.permissions
        token = issue_token(
            session, "user", body.login, permissions=permissions, lifetime=body.lifetime_seconds
        )
        session.commit()
    return {"token": token}


@router.delete("/tokens/{token}", status_code=204)
def revoke_token(server: ServerDep, token: str) -> Response:
    """Revoke a token of any kind."""
    with server.store.write() as session:
        revoke(session, token)
        session.commit()
    return Response(status_code=204)


class NewIdToken(Body):
    """A workflow job's OpenID Connect token to be.

    Attributes:
        claims: all that it says beside its times, id and issuer, or instead of these.
    """

    claims: dict[str, Any]


@router.post("/id_tokens", status_code=201)
def sign_id_token(server: ServerDep, body: NewIdToken) -> Json:
    """Sign a token as a job's, with any claims: what GitHub itself would never say included."""
    return {"token": server.id_tokens.sign(body.claims)}


class NewApp(Body):
    """An App to be; without `public_key` (PEM) a key pair is made."""

    slug: str = Field(pattern=r"^[a-z0-9-]+$")
    account: str = "acme"
    permissions: dict[str, Literal["read", "write", "admin"]]
    public_key: str | None = None


@router.post("/apps", status_code=201)
def register_app(server: ServerDep, body: NewApp) -> Json:
    """Register an App and install it on an account."""
    private = None
    public = body.public_key
    if public is None:
        private, public = key_pair()
    granted: dict[str, str] = {**body.permissions}
    with server.store.write() as session:
        app = create_app(session, body.slug, body.account, public, granted)
        session.commit()
        return {"app_id": app.id, "installation_id": app.id, "private_key": private}


class NewAccount(Body):
    """A user to be, and the organisation's teams to join."""

    login: str = Field(pattern=r"^[A-Za-z0-9-]+(\[bot\])?$")
    org: str = "acme"
    teams: list[str] = Field(default_factory=list)


@router.post("/users", status_code=201)
def create_user(server: ServerDep, body: NewAccount) -> Json:
    """Make a user; teams that do not exist are made."""
    with server.store.write() as session:
        if session.scalars(select(Account).filter_by(login=body.login)).first() is None:
            session.add(Account(login=body.login))
        for slug in body.teams:
            team = session.scalars(select(Team).filter_by(org=body.org, slug=slug)).first()
            if team is None:
                team = Team(org=body.org, slug=slug, members=[])
                session.add(team)
            if body.login not in team.members:
                team.members = [*team.members, body.login]
        session.commit()
    return {"login": body.login}
