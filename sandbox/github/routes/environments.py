"""Environments of a repository: which branches may use them, and their secrets.

https://docs.github.com/rest/deployments/environments
"""

import re
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from sandbox.github import shapes, urls
from sandbox.github.errors import ApiError, not_found
from sandbox.github.routes.actions import Sealed, dated, opened, secret_name
from sandbox.github.routes.actions import public_key as repository_key
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.server import RepoSession
from sandbox.github.store import Environment, EnvironmentSecret, now

router = APIRouter(prefix="/repos/{owner}/{name}/environments")
_NAME = re.compile(r"[^/:\\]{1,255}")


class BranchPolicy(Body):
    """Which branches may use an environment: protected ones, or those of its own patterns."""

    protected_branches: bool
    custom_branch_policies: bool


class Settings(Body):
    """Body of "create or update an environment"; no policy: every branch may use it."""

    deployment_branch_policy: BranchPolicy | None = None


class Pattern(Body):
    """Body of "create a deployment branch policy"."""

    name: str


def find(here: RepoSession, environment: str) -> Environment | None:
    """Return an environment by its name, which is case-insensitive."""
    rows = here.session.scalars(select(Environment).filter_by(repo_id=here.repo.id))
    return next((row for row in rows if row.name.casefold() == environment.casefold()), None)


def _found(here: RepoSession, environment: str) -> Environment:
    row = find(here, environment)
    if row is None:
        raise not_found()
    return row


@router.get("")
def list_environments(here: Here, page: PageDep) -> Response:
    """List environments."""
    rows = here.session.scalars(select(Environment).filter_by(repo_id=here.repo.id))
    return page.of(list(rows), lambda row: _shown(here, row), "environments")


@router.get("/{environment}")
def get_environment(here: Here, environment: str) -> Json:
    """Get an environment."""
    return _shown(here, _found(here, environment))


@router.put("/{environment}")
def put_environment(here: Here, environment: str, body: Settings) -> Json:
    """Make an environment, or change which branches may use it."""
    if not _NAME.fullmatch(environment):
        raise ApiError(422, "The environment's name is invalid.")
    policy = body.deployment_branch_policy
    if policy and policy.protected_branches == policy.custom_branch_policies:
        raise ApiError(
            422, "protected_branches and custom_branch_policies cannot have the same value"
        )
    row = find(here, environment)
    if row is None:
        row = Environment(repo_id=here.repo.id, name=environment)
        here.session.add(row)
    row.branch_policy = policy.model_dump() if policy else None
    row.updated_at = now()
    here.session.flush()
    return _shown(here, row)


@router.get("/{environment}/deployment-branch-policies")
def list_patterns(here: Here, environment: str, page: PageDep) -> Response:
    """List the patterns of the branches that may use an environment."""
    patterns = list(enumerate(_found(here, environment).patterns, 1))
    return page.of(patterns, lambda one: _pattern(*one), "branch_policies")


@router.post("/{environment}/deployment-branch-policies")
def add_pattern(here: Here, environment: str, body: Pattern) -> Json:
    """Let the branches of a pattern use an environment."""
    row = _found(here, environment)
    if not (row.branch_policy or {}).get("custom_branch_policies"):
        raise ApiError(404, "Not Found")
    if body.name not in row.patterns:
        row.patterns = [*row.patterns, body.name]
    return _pattern(row.patterns.index(body.name) + 1, body.name)


@router.get("/{environment}/secrets/public-key")
def get_public_key(here: Here, environment: str) -> Json:
    """Get the key that the environment's secrets are sealed with."""
    _found(here, environment)
    return repository_key(here)


@router.get("/{environment}/secrets")
def list_secrets(here: Here, environment: str, page: PageDep) -> Response:
    """List the names of an environment's secrets."""
    row = _found(here, environment)
    rows = here.session.scalars(select(EnvironmentSecret).filter_by(environment_id=row.id))
    return page.of(list(rows), dated, "secrets")


@router.put("/{environment}/secrets/{secret}", status_code=201)
def put_secret(here: Here, environment: str, secret: str, body: Sealed, response: Response) -> Json:
    """Set a secret of an environment."""
    row = _found(here, environment)
    name, value = secret_name(secret), opened(here, body)
    known = here.session.get(EnvironmentSecret, (row.id, name))
    if known is None:
        here.session.add(EnvironmentSecret(environment_id=row.id, name=name, value=value))
    else:
        known.value, known.updated_at = value, now()
        response.status_code = 204
    return {}


@router.delete("/{environment}/secrets/{secret}", status_code=204)
def delete_secret(here: Here, environment: str, secret: str) -> Response:
    """Delete a secret of an environment."""
    row = here.session.get(EnvironmentSecret, (_found(here, environment).id, secret.upper()))
    if row is None:
        raise not_found()
    here.session.delete(row)
    return Response(status_code=204)


def _shown(here: RepoSession, row: Environment) -> dict[str, Any]:
    node_id = shapes.node_id("Environment", row.id)
    rules = [{"id": row.id, "node_id": node_id, "type": "branch_policy"}]
    page = f"/{here.repo.full_name}/deployments/activity_log?environments_filter={row.name}"
    return {
        "id": row.id,
        "node_id": node_id,
        "name": row.name,
        "url": urls.api(f"{here.path}/environments/{row.name}"),
        "html_url": urls.web(page),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "protection_rules": rules if row.branch_policy else [],
        "deployment_branch_policy": row.branch_policy,
    }


def _pattern(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "node_id": shapes.node_id("Gate", number), "name": name, "type": "branch"}
