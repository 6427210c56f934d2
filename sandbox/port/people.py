"""Users and teams. They are entities of the blueprints `_user` and `_team`."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.port.errors import not_found
from sandbox.port.store import Blueprint, Entity
from sandbox.port.work import Work

Json = dict[str, Any]
ADMIN, MEMBER, APPROVER = "Admin", "Member", "Approver"
TeamField = Literal[
    "id", "name", "createdAt", "updatedAt", "provider", "description", "users.firstName",
    "users.lastName", "users.email", "users.picture", "users.status",
]  # fmt: skip
# What a single team shows if no fields are named: everything but its members.
TEAM_FIELDS: tuple[TeamField, ...] = (
    "id", "name", "createdAt", "updatedAt", "provider", "description",
)  # fmt: skip

_BLUEPRINTS: dict[str, Json] = {
    "_team": {"title": "Team", "properties": {"description": {"type": "string"}}},
    "_user": {
        "title": "User",
        "properties": {
            "status": {"type": "string", "enum": ["Active", "Disabled"], "default": "Active"},
            "roles": {"type": "array", "items": {"type": "string"}, "default": [MEMBER]},
        },
    },
}
_TEAMS = {"platform": "Platform", "payments": "Payments", "devops": "DevOps"}
_USERS: dict[str, tuple[str, list[str], list[str]]] = {
    "developer@acme.example": ("Dana Developer", [MEMBER], ["payments"]),
    "devops@acme.example": ("Devin Ops", [MEMBER, APPROVER], ["devops"]),
    "admin@acme.example": ("Ada Admin", [ADMIN], ["platform"]),
}


@dataclass(frozen=True)
class User:
    """A person.

    Attributes:
        email: also the client id of the person's credentials, and the entity's identifier.
        name: first and last name.
        roles: names of roles.
        teams: identifiers of teams.
        created_at: ISO 8601.
        updated_at: ISO 8601.
    """

    email: str
    name: str
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    created_at: str
    updated_at: str

    @property
    def id(self) -> str:
        """The id that Port writes into `createdBy`, made from the address."""
        return f"auth0|{hashlib.sha256(self.email.encode()).hexdigest()[:24]}"

    def profile(self) -> Json:
        """`trigger.by.user` of messages."""
        first, _, last = self.name.partition(" ")
        return {
            "email": self.email,
            "firstName": first,
            "lastName": last,
            "phoneNumber": "",
            "picture": "",
            "providers": [],
            "status": "ACTIVE",
            "id": self.id,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }

    def view(self, org_id: str) -> Json:
        """Return the user as `GET /v1/users` lists it."""
        member = {"orgId": org_id, "status": "ACTIVE", "lastLoginAt": self.updated_at}
        return {
            **self.profile(),
            "type": "STANDARD",
            "orgs": [{"id": org_id}],
            "teams": list(self.teams),
            "roles": [{"name": role} for role in self.roles],
            "orgMembers": [member],
        }

    def form_context(self) -> Json:
        """`.user` in the jq queries of a form."""
        return {
            "picture": "",
            "userId": self.id,
            "email": self.email,
            "name": self.name,
            "mainRole": self.roles[0] if self.roles else None,
            "roles": list(self.roles),
            "teams": [{"name": team} for team in self.teams],
            "teamsIdentifiers": list(self.teams),
        }


def seed(work: Work) -> None:
    """Make the two blueprints, three teams and three users, if they are not there yet."""
    if work.db.get(Blueprint, "_user"):
        return
    stamp = work.stamp_new()
    for identifier, parts in _BLUEPRINTS.items():
        definition = {
            "identifier": identifier,
            "title": parts["title"],
            "schema": {"properties": parts["properties"], "required": []},
            "calculationProperties": {},
            "mirrorProperties": {},
            "relations": {},
        }
        work.db.add(Blueprint(identifier=identifier, definition=definition, **stamp))
    for identifier, title in _TEAMS.items():
        work.db.add(Entity(blueprint="_team", identifier=identifier, title=title, **stamp))
    for email, (name, roles, teams) in _USERS.items():
        properties = {"status": "Active", "roles": roles}
        row = Entity(blueprint="_user", identifier=email, title=name, team=teams, **stamp)
        row.properties = properties
        work.db.add(row)


def users(db: Session) -> list[User]:
    """Return everybody who is active, by address."""
    rows = db.scalars(select(Entity).where(Entity.blueprint == "_user").order_by(Entity.identifier))
    return [_user(row) for row in rows if row.properties.get("status") != "Disabled"]


def find(db: Session, email: str) -> User | None:
    """Return the user of that address."""
    row = db.get(Entity, ("_user", email))
    return _user(row) if row and row.properties.get("status") != "Disabled" else None


def get(db: Session, email: str) -> User:
    """Return the user of that address.

    Raises:
        PortApiError: 404.
    """
    user = find(db, email)
    if user is None:
        raise not_found("User", email)
    return user


def find_by_id(db: Session, user_id: str) -> User | None:
    """Return the user of that `auth0|…` id."""
    return next((user for user in users(db) if user.id == user_id), None)


def _user(row: Entity) -> User:
    return User(
        email=row.identifier,
        name=row.title or row.identifier,
        roles=tuple(row.properties.get("roles") or ()),
        teams=tuple(row.team),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def team_views(db: Session, fields: Collection[str] = ()) -> list[Json]:
    """Return all teams, as `GET /v1/teams` lists them: with just some fields if they are named."""
    rows = db.scalars(select(Entity).where(Entity.blueprint == "_team").order_by(Entity.identifier))
    everybody = users(db)
    return [_picked(_team_view(row, everybody), fields) for row in rows]


def team_view(db: Session, name: str, fields: Collection[str] = ()) -> Json:
    """Return one team, with just some fields if they are named.

    Raises:
        PortApiError: 404.
    """
    return _picked(_team_view(_team(db, name), users(db)), fields)


def _team(db: Session, name: str) -> Entity:
    row = db.get(Entity, ("_team", name))
    if row is None:
        raise not_found("Team", name)
    return row


def _picked(team: Json, fields: Collection[str]) -> Json:
    if not fields:
        return team
    picked = {name: value for name, value in team.items() if name in fields}
    wanted = [field.removeprefix("users.") for field in fields if field.startswith("users.")]
    if wanted:
        picked["users"] = [{name: user[name] for name in wanted} for user in team["users"]]
    return picked


def _team_view(row: Entity, everybody: list[User]) -> Json:
    shown = ("email", "firstName", "lastName", "picture", "status")
    return {
        "id": f"team_{row.identifier}",
        "name": row.identifier,
        "description": row.properties.get("description") or row.title,
        "provider": "port",
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "users": [
            {key: user.profile()[key] for key in shown}
            for user in everybody
            if row.identifier in user.teams
        ],
    }
