"""The OpenID Connect issuer, and where a job asks it for a token."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from sandbox.github import oidc
from sandbox.github.errors import ApiError
from sandbox.github.routes.deps import Json, ServerDep

router = APIRouter()


@router.get(f"{oidc.PREFIX}/.well-known/openid-configuration")
def configuration(server: ServerDep) -> Json:
    """Show the issuer's configuration."""
    return server.id_tokens.configuration()


@router.get(f"{oidc.PREFIX}/.well-known/jwks")
def key_set(server: ServerDep) -> Json:
    """Show the keys that verify tokens."""
    return server.id_tokens.key_set()


@router.get(oidc.REQUESTS)
def issue(
    server: ServerDep,
    authorization: Annotated[str, Header()] = "",
    audience: Annotated[str, Query()] = "",
) -> Json:
    """Give a running job a token: `$ACTIONS_ID_TOKEN_REQUEST_URL&audience=…`."""
    scheme, _, shown = authorization.partition(" ")
    token = server.id_tokens.issue(shown.strip(), audience) if scheme.lower() == "bearer" else None
    if token is None:
        raise ApiError(401, "Bad credentials")
    return {"count": len(token), "value": token}
