"""Access tokens: one for each set of credentials, the same one until it expires."""

import hmac
import secrets
import time

import jwt
from sqlalchemy import delete
from sqlalchemy.orm import Session

from sandbox.port import people
from sandbox.port.errors import PortApiError
from sandbox.port.settings import Settings
from sandbox.port.store import Setting, Token
from sandbox.port.work import Caller, Origin

_ALGORITHM = "HS256"


def issue(db: Session, settings: Settings, client_id: str, client_secret: str) -> tuple[str, int]:
    """Give the token of these credentials, and for how many seconds it is still valid.

    Raises:
        PortApiError: 401 for credentials that are unknown.
    """
    user = people.find(db, client_id)
    known = {**settings.extra_clients, settings.client_id: settings.client_secret}
    secret = settings.user_secret if user else known.get(client_id)
    if secret is None or not hmac.compare_digest(secret.encode(), client_secret.encode()):
        raise PortApiError(401, "invalid_credentials", "The client id or secret is wrong.")
    now = time.time()
    row = db.get(Token, client_id)
    if row is None or row.expires_at - now < 1:
        expires_at = now + settings.token_lifetime
        claims = {
            "sub": client_id,
            "orgId": settings.org_id,
            "isMachine": user is None,
            "personalToken": user is not None,
            "iat": int(now),
            "exp": int(expires_at),
            "jti": secrets.token_hex(8),
        }
        token = jwt.encode(claims, _signing_key(db), algorithm=_ALGORITHM)
        row = db.merge(Token(client_id=client_id, token=token, expires_at=expires_at))
    return row.token, int(row.expires_at - now)


def authenticate(db: Session, header: str | None, origin: Origin) -> Caller:
    """Return who sends this `Authorization` header, with or without `Bearer `.

    Raises:
        PortApiError: 401 if it is missing, not ours, or no longer valid.
    """
    token = (header or "").removeprefix("Bearer ").strip()
    if not token:
        raise PortApiError(401, "unauthorized", "The Authorization header is missing.")
    try:
        claims = jwt.decode(token, _signing_key(db), algorithms=[_ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise PortApiError(
            401, "invalid_token", f"The access token is not valid: {error}"
        ) from None
    client_id = str(claims["sub"])
    row = db.get(Token, client_id)
    if row is None or row.token != token:
        raise PortApiError(401, "invalid_token", "The access token is no longer valid.")
    if not claims["personalToken"]:
        return Caller(user_id=client_id, origin=origin)
    user = people.find(db, client_id)
    if user is None:
        raise PortApiError(401, "invalid_token", "The user is gone.")
    return caller_for(user, origin)


def caller_for(user: people.User, origin: Origin, impersonated_by: str | None = None) -> Caller:
    """Return the user as a caller."""
    return Caller(
        user_id=user.id,
        email=user.email,
        admin=people.ADMIN in user.roles,
        teams=user.teams,
        origin=origin,
        impersonated_by=impersonated_by,
    )


def expire_all(db: Session) -> None:
    """Make every token that was given invalid."""
    db.execute(delete(Token))


def _signing_key(db: Session) -> str:
    row = db.get(Setting, "token_key")
    if row is None:
        row = Setting(name="token_key", value=secrets.token_hex(32))
        db.add(row)
        db.flush()
    return str(row.value)
