"""The transaction of one request, and who makes the request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy.orm import Session

from sandbox.port.errors import forbidden
from sandbox.port.naming import new_id, timestamp
from sandbox.port.settings import Settings
from sandbox.port.store import Store

Origin = Literal["UI", "API", "AUTOMATION"]


@dataclass(frozen=True)
class Caller:
    """Who makes a request.

    Attributes:
        user_id: what stands in `createdBy`: a client id, or a user's id.
        email: the user's address; None for machine credentials.
        admin: whether everything is allowed.
        teams: the user's teams.
        origin: from where the request came.
        impersonated_by: the machine credentials that act as this user.
        user_agent: the request's `User-Agent`.
    """

    user_id: str
    email: str | None = None
    admin: bool = True
    teams: tuple[str, ...] = ()
    origin: Origin = "API"
    impersonated_by: str | None = None
    user_agent: str = ""

    @property
    def is_machine(self) -> bool:
        """Whether these are the organisation's credentials and not a person's."""
        return self.email is None

    def require_admin(self) -> None:
        """Refuse everyone else.

        Raises:
            PortApiError: 403 `missing_permissions`.
        """
        if not self.admin:
            raise forbidden("This needs the Admin role.")


@dataclass(frozen=True)
class Change:
    """What changed, for the audit log, the change log and automations.

    Attributes:
        action: CREATE, UPDATE or DELETE.
        resource_type: blueprint, entity, run, action.
        identifier: of the blueprint, entity, run or action.
        before: its document before, None for a new one.
        after: its document after, None for a deleted one.
        blueprint: the entity's or run's blueprint.
        entity: the entity's identifier, or that of the run's entity.
        run_id: the run in whose name the change was made, or the run itself.
        silent: no automation fires (run logs).
        at: when.
        id: the event's id.
        by: `trigger.by` of messages, set by `Work.note`.
        origin: from where the change came, set by `Work.note`.
    """

    action: Literal["CREATE", "UPDATE", "DELETE"]
    resource_type: Literal["blueprint", "entity", "run", "action"]
    identifier: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    blueprint: str | None = None
    entity: str | None = None
    run_id: str | None = None
    silent: bool = False
    at: str = field(default_factory=timestamp)
    id: str = field(default_factory=lambda: new_id("event_"))
    by: dict[str, Any] = field(default_factory=dict)
    origin: Origin = "API"


@dataclass
class Work:
    """One transaction: the database session, the caller, and the changes that were made.

    Attributes:
        db: the session; committed when the work ends.
        settings: of the server.
        caller: who makes the request.
        changes: what was changed so far and not yet published.
    """

    db: Session
    settings: Settings
    caller: Caller
    changes: list[Change] = field(default_factory=list)

    def stamp_new(self) -> dict[str, str]:
        """Return the authorship columns of a new row."""
        now, who = timestamp(), self.caller.user_id
        return {"created_at": now, "created_by": who, "updated_at": now, "updated_by": who}

    def stamp(self, row: Any) -> None:
        """Note on a row who changed it last."""
        row.updated_at, row.updated_by = timestamp(), self.caller.user_id

    def note(self, change: Change) -> None:
        """Have a change published, as one of this caller."""
        origin = self.caller.origin
        self.changes.append(replace(change, by=self.trigger_by(), origin=origin))

    def trigger_by(self) -> dict[str, Any]:
        """`trigger.by` of messages."""
        return {"orgId": self.settings.org_id, "userId": self.caller.user_id}


@contextmanager
def bare_work(store: Store, settings: Settings, caller: Caller) -> Iterator[Work]:
    """Provide a transaction whose changes are not published.

    For objects that are created when the server starts.
    """
    with store.transaction() as db:
        yield Work(db, settings, caller)
