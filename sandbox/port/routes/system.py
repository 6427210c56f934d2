"""Authentication, the organisation, Kafka credentials, users, teams, the audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from sandbox.port import audit, auth, node_runs, people
from sandbox.port.properties import Closed
from sandbox.port.services import CallDep, ServicesDep

Json = dict[str, Any]
router = APIRouter(prefix="/v1")
TeamFields = Annotated[list[people.TeamField], Query(default_factory=list)]


class _Credentials(Closed):
    client_id: str
    client_secret: str


@router.post("/auth/access_token")
def issue_token(body: _Credentials, services: ServicesDep) -> Json:
    """Give an access token."""
    with services.store.transaction() as db:
        token, seconds = auth.issue(db, services.settings, body.client_id, body.client_secret)
    return {"ok": True, "accessToken": token, "expiresIn": seconds, "tokenType": "Bearer"}


@router.get("/organization")
def get_organization(call: CallDep) -> Json:
    """Return the organisation."""
    with call.work() as work:
        return {
            "ok": True,
            "organization": {
                "id": work.settings.org_id,
                "name": work.settings.org_name,
                "featureFlags": [],
            },
        }


@router.get("/kafka-credentials")
def kafka_credentials(call: CallDep) -> Json:
    """Return what a consumer signs in to Kafka with."""
    call.caller.require_admin()
    settings = call.services.settings
    credentials = {
        "username": settings.kafka_username,
        "password": settings.kafka_password,
        "brokers": list(settings.kafka_brokers),
    }
    return {"ok": True, "credentials": credentials}


@router.get("/users")
def list_users(call: CallDep) -> Json:
    """Return everybody."""
    with call.work() as work:
        org_id = work.settings.org_id
        return {"ok": True, "users": [user.view(org_id) for user in people.users(work.db)]}


@router.get("/users/{email:path}")
def get_user(email: str, call: CallDep) -> Json:
    """Return one user."""
    with call.work() as work:
        user = people.get(work.db, email)
        view = {**user.view(work.settings.org_id), "teamsIdentifiers": list(user.teams)}
        return {"ok": True, "user": view}


@router.get("/teams")
def list_teams(call: CallDep, fields: TeamFields) -> Json:
    """Return all teams."""
    with call.work() as work:
        return {"ok": True, "teams": people.team_views(work.db, fields)}


@router.get("/teams/{name:path}")
def get_team(name: str, call: CallDep, fields: TeamFields) -> Json:
    """Return one team; its members only if they are asked for."""
    with call.work() as work:
        wanted = fields or people.TEAM_FIELDS
        return {"ok": True, "team": people.team_view(work.db, name, wanted)}


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
    """Return who changed what."""
    with call.work() as work:
        return {"ok": True, "audits": audit.listed(work, wanted)}
