"""Identify callers by personal, App, installation and job tokens."""

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.orm import Session

from sandbox.github.errors import ApiError
from sandbox.github.store import App, Token

Kind = Literal["anonymous", "user", "app", "installation", "job"]
LEVELS = {"read": 1, "write": 2, "admin": 3}
INSTALLATION_SECONDS = 3600
# GitHub's default for the token of a job whose workflow has no `permissions`.
JOB_DEFAULTS = {"contents": "read", "packages": "read", "metadata": "read"}


@dataclass(frozen=True)
class Actor:
    """Who makes a call.

    Attributes:
        login: the account; for an App its slug.
        kind: the sort of credential.
        permissions: what an installation or job token may do: permission → read or write.
        repositories: full names of the repositories that the token is for, or their account.
        key: what the rate limit counts by.
        app_id: only for `app`.
    """

    login: str
    kind: Kind
    permissions: dict[str, str] | None = None
    repositories: tuple[str, ...] = ()
    key: str = ""
    app_id: int = 0


ANONYMOUS = Actor("", "anonymous", key="anonymous")


def issue_token(
    session: Session,
    kind: Literal["user", "installation", "job"],
    login: str,
    *,
    permissions: dict[str, str] | None = None,
    lifetime: float | None = None,
    repositories: Iterable[str] = (),
    value: str = "",
) -> str:
    """Make a token (or register `value` as one); only its digest is stored."""
    prefix = {"user": "ghp_", "installation": "ghs_", "job": "ghs_"}[kind]
    value = value or prefix + secrets.token_hex(18)
    session.merge(
        Token(
            digest=_digest(value),
            kind=kind,
            login=login,
            permissions=permissions,
            expires_at=time.time() + lifetime if lifetime else None,
            repositories=list(repositories),
        )
    )
    return value


def key_pair() -> tuple[str, str]:
    """Return a new private key of an App as PEM, as GitHub hands it out, and its public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def revoke(session: Session, value: str) -> None:
    """Make a token worthless."""
    token = session.get(Token, _digest(value))
    if token:
        session.delete(token)


def identify(session: Session, authorization: str) -> Actor:
    """Return the actor that an `Authorization` header stands for.

    Raises:
        ApiError: 401 with GitHub's text.
    """
    if not authorization:
        return ANONYMOUS
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        value = _password(value)
    elif scheme.lower() not in {"token", "bearer"}:
        raise ApiError(401, "Bad credentials")
    if value.count(".") == 2:
        return _app(session, value)
    token = session.get(Token, _digest(value))
    if token is None or (token.expires_at and token.expires_at < time.time()):
        raise ApiError(401, "Bad credentials")
    kind: Kind = "user"
    if token.kind == "installation":
        kind = "installation"
    elif token.kind == "job":
        kind = "job"
    key = token.login if kind == "user" else token.digest
    return Actor(token.login, kind, token.permissions, tuple(token.repositories), key)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _password(value: str) -> str:
    """Git sends the token as the password, or as the user with any password."""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ApiError(401, "Bad credentials") from None
    return user if password in {"", "x-oauth-basic"} else password


def _app(session: Session, token: str) -> Actor:
    """Check an App's JSON Web Token.

    https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
    """
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
        app = session.get(App, int(unverified.get("iss", 0)))
    except (jwt.PyJWTError, TypeError, ValueError):
        raise ApiError(401, "A JSON web token could not be decoded") from None
    if app is None:
        raise ApiError(404, "Integration not found")
    try:
        claims = jwt.decode(
            token,
            app.public_key,
            algorithms=["RS256"],
            leeway=60,
            # PyGithub sends the issuer as a number, which the JWT's standard does not allow.
            options={"require": ["iat", "exp"], "verify_iss": False},
        )
    except jwt.ExpiredSignatureError:
        raise ApiError(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the "
            "future time at which the assertion expires",
        ) from None
    except jwt.PyJWTError:
        raise ApiError(401, "A JSON web token could not be decoded") from None
    if claims["exp"] > time.time() + 660:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
    return Actor(app.slug, "app", key=f"app-{app.id}", app_id=app.id)
