"""Authentication, the organisation, Kafka credentials, users, teams, the audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from sandbox.port import audit, auth, node_runs, organization, people
from sandbox.port.properties import Closed
from sandbox.port.services import CallDep, ServicesDep

Json = dict[str, Any]
router = APIRouter(prefix="/v1")
TeamFields = Annotated[list[people.TeamField], Query(default_factory=list)]


class _Credentials(Closed):
    client_id: str
    client_secret: str


class _Secret(Closed):
    secret_name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)
    secret_value: str
    description: str | None = Field(None, max_length=200)


class _SecretChange(Closed):
    # Only the fields that are sent change; null is not a value of either.
    secret_value: str = ""
    description: str = Field("", max_length=200)


class _OrganizationChange(BaseModel):
    # Port's agent sends settings that the published schema does not have.
    model_config = ConfigDict(extra="allow")

    name: str | None = None
    settings: Json | None = None


class _Team(BaseModel):
    name: str = Field(pattern=r"^[^;#/\\?\s]([^;#/\\?]*[^;#/\\?\s])?$")
    users: list[str] | None = None
    description: str | None = None


class _TeamChange(BaseModel):
    name: str | None = None
    users: list[str] | None = None
    description: str | None = None


class _UserChange(Closed):
    roles: list[str] | None = None
    teams: list[str] | None = None


@router.post("/auth/access_token")
def issue_token(body: _Credentials, services: ServicesDep) -> Json:
    """Give an access token."""
    with services.store.transaction() as db:
        token, seconds = auth.issue(db, services.settings, body.client_id, body.client_secret)
    return {"ok": True, "accessToken": token, "expiresIn": seconds, "tokenType": "Bearer"}


@router.get("/organization")
def get_organization(call: CallDep) -> Json:
    """The organisation."""
    with call.work() as work:
        return {"ok": True, "organization": organization.view(work)}


@router.patch("/organization")
@router.put("/organization")
def update_organization(body: _OrganizationChange, call: CallDep) -> Json:
    """Change the organisation."""
    with call.work() as work:
        organization.update(work, body.model_dump(exclude_unset=True))
    return {"ok": True}


@router.get("/kafka-credentials")
def kafka_credentials(call: CallDep) -> Json:
    """What a consumer signs in to Kafka with."""
    call.caller.require_admin()
    settings = call.services.settings
    credentials = {
        "username": settings.kafka_username,
        "password": settings.kafka_password,
        "brokers": list(settings.kafka_brokers),
    }
    return {"ok": True, "credentials": credentials}


@router.get("/organization/secrets")
def list_secrets(call: CallDep) -> Json:
    """The organisation's secrets without their values."""
    with call.work() as work:
        return {"ok": True, "secrets": organization.secrets(work)}


@router.post("/organization/secrets")
def create_secret(body: _Secret, call: CallDep) -> Json:
    """Make a secret."""
    with call.work() as work:
        secret = organization.create_secret(
            work, body.secret_name, body.secret_value, body.description
        )
    return {"ok": True, "secret": secret}


@router.get("/organization/secrets/{name}")
def get_secret(name: str, call: CallDep) -> Json:
    """One secret without its value."""
    with call.work() as work:
        return {"ok": True, "secret": organization.secret(work, name)}


@router.patch("/organization/secrets/{name}")
def update_secret(name: str, body: _SecretChange, call: CallDep) -> Json:
    """Change a secret."""
    with call.work() as work:
        changes = body.model_dump(exclude_unset=True, by_alias=True)
        return {"ok": True, "secret": organization.update_secret(work, name, changes)}


@router.delete("/organization/secrets/{name}")
def delete_secret(name: str, call: CallDep) -> Json:
    """Remove a secret."""
    with call.work() as work:
        organization.delete_secret(work, name)
    return {"ok": True}


@router.get("/users")
def list_users(call: CallDep) -> Json:
    """Everybody."""
    with call.work() as work:
        org_id = work.settings.org_id
        return {"ok": True, "users": [user.view(org_id) for user in people.users(work.db)]}


@router.get("/users/{email:path}")
def get_user(email: str, call: CallDep) -> Json:
    """One user."""
    with call.work() as work:
        user = people.get(work.db, email)
        view = {**user.view(work.settings.org_id), "teamsIdentifiers": list(user.teams)}
        return {"ok": True, "user": view}


@router.patch("/users/{email:path}")
def update_user(email: str, body: _UserChange, call: CallDep) -> Json:
    """Set a user's roles or teams."""
    with call.work() as work:
        user = people.change_user(work, email, body.model_dump(exclude_unset=True))
        return {"ok": True, **user.view(work.settings.org_id)}


@router.get("/teams")
def list_teams(call: CallDep, fields: TeamFields) -> Json:
    """All teams."""
    with call.work() as work:
        return {"ok": True, "teams": people.team_views(work.db, fields)}


@router.post("/teams")
def create_team(body: _Team, call: CallDep) -> Json:
    """Make a team."""
    with call.work() as work:
        return {"ok": True, "team": people.save_team(work, body.model_dump(exclude_unset=True))}


@router.get("/teams/{name:path}")
def get_team(name: str, call: CallDep, fields: TeamFields) -> Json:
    """One team; its members only if they are asked for."""
    with call.work() as work:
        wanted = fields or people.TEAM_FIELDS
        return {"ok": True, "team": people.team_view(work.db, name, wanted)}


@router.patch("/teams/{name:path}")
@router.put("/teams/{name:path}")
def update_team(name: str, body: _TeamChange, call: CallDep) -> Json:
    """Change a team."""
    with call.work() as work:
        team = people.save_team(work, body.model_dump(exclude_unset=True), name)
        return {"ok": True, "team": team}


@router.delete("/teams/{name:path}")
def delete_team(name: str, call: CallDep) -> Json:
    """Remove a team."""
    with call.work() as work:
        people.delete_team(work, name)
    return {"ok": True}


@router.patch("/workflows/nodes/runs/{identifier}")
def update_node_run(identifier: str, body: node_runs.Change, call: CallDep) -> Json:
    """Change a node run."""
    with call.work() as work:
        return {"ok": True, "nodeRun": node_runs.update(work, identifier, body)}


@router.post("/workflows/nodes/runs/{identifier}/logs", status_code=201)
def add_node_run_logs(identifier: str, body: node_runs.Lines, call: CallDep) -> Json:
    """Add lines to a node run's log."""
    with call.work() as work:
        node_runs.add_logs(work, identifier, body)
    return {"ok": True}


@router.get("/audit-log")
def audit_log(wanted: Annotated[audit.AuditFilter, Query()], call: CallDep) -> Json:
    """Who changed what."""
    with call.work() as work:
        return {"ok": True, "audits": audit.listed(work, wanted)}
