"""Port as Slipway's functions see it, in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slipway.errors import RunEnded
from slipway.port.models import Entity, Run, User


class FakePort:
    """One organization: its runs, entities and users.

    Attributes:
        status: the status of each run that Slipway has not ended.
        action: the action of each run.
        created_by: id of the user who executed each run.
        impersonated_by: client id of the credentials that executed each run in a user's name.
        ends: status and summary of each run that Slipway ended, by run id.
        logs: lines that were added to the logs of runs.
        labels: labels that the pages of runs showed in place of the status.
        updates: the fields of each change of a run.
        entities: properties by identifier.
        updated: `updatedAt` of entities by identifier.
        writes: the properties of each change of an existing entity.
        upserted: each entity that was created or merged, with its blueprint as `of`.
        people: the users of the organization.
        now: returns the time.
        fail: called before each operation with its name; may raise.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.status = "IN_PROGRESS"
        self.action = "a"
        self.created_by, self.impersonated_by = "auth0|1", ""
        self.ends: dict[str, tuple[str, str]] = {}
        self.logs: list[str] = []
        self.labels: list[str] = []
        self.updates: list[dict[str, Any]] = []
        self.entities: dict[str, dict[str, Any]] = {}
        self.updated: dict[str, datetime] = {}
        self.writes: list[dict[str, Any]] = []
        self.upserted: list[dict[str, Any]] = []
        self.people = [User(id="auth0|1", email="dev@acme.example")]
        self.now = now
        self.fail: Callable[[str], None] = lambda _operation: None

    def get_run(self, run_id: str) -> Run:
        self.fail("get_run")
        return self._run(run_id)

    def update_run(self, run_id: str, **fields: Any) -> None:
        self.fail("update_run")
        self._refuse_ended(run_id)
        self.updates.append(fields)
        if fields.get("status_label"):
            self.labels.append(fields["status_label"])
        if fields.get("status"):
            self.ends[run_id] = (fields["status"], fields.get("summary", ""))

    def add_log(self, run_id: str, message: str, *, status_label: str | None = None) -> None:
        self._refuse_ended(run_id)
        self.logs.append(message)
        self.labels += [status_label] if status_label else []

    def get_entity(self, blueprint: str, identifier: str) -> Entity | None:
        self.fail("get_entity")
        properties = self.entities.get(identifier)
        if properties is None:
            return None
        return Entity(
            identifier=identifier,
            blueprint=blueprint,
            properties=dict(properties),
            updated_at=self.updated.get(identifier),
        )

    def update_entity(self, blueprint: str, identifier: str, properties: dict[str, Any]) -> bool:
        self.fail("update_entity")
        if identifier not in self.entities:
            return False
        self.entities[identifier].update(properties)
        self.updated[identifier] = self.now()
        self.writes.append(properties)
        return True

    def upsert_entity(
        self, blueprint: str, body: dict[str, Any], *, run_id: str | None = None
    ) -> None:
        self.upserted.append({**body, "of": blueprint})
        self.entities.setdefault(body["identifier"], {}).update(body["properties"])

    def get_user(self, email: str) -> User | None:
        return next((user for user in self.people if user.email == email), None)

    def users(self) -> list[User]:
        return self.people

    def team_members(self, team: str) -> list[str]:
        return [user.email for user in self.people if team in user.teams]

    def _run(self, run_id: str) -> Run:
        status, _ = self.ends.get(run_id, (self.status, ""))
        return Run(
            id=run_id,
            status=status,
            action=self.action,
            created_by=self.created_by,
            impersonated_by=self.impersonated_by,
        )

    def _refuse_ended(self, run_id: str) -> None:
        if self._run(run_id).ended:
            raise RunEnded(f"Run {run_id} has ended.")
