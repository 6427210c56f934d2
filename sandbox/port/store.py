"""The tables, in one SQLite file, and the transaction in which every request works.

One lock serialises all requests, so that none sees another's unfinished changes. A sandbox's
requests take milliseconds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

Document = dict[str, Any]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData()
    type_annotation_map = {Document: JSON, list[str]: JSON}  # noqa: RUF012  SQLAlchemy's own idiom


class _Authored:
    """Who made and last changed a row, and when."""

    created_at: Mapped[str]
    created_by: Mapped[str]
    updated_at: Mapped[str]
    updated_by: Mapped[str]

    def authorship(self) -> dict[str, str]:
        """Return the four fields, as Port writes them."""
        return {
            "createdAt": self.created_at,
            "createdBy": self.created_by,
            "updatedAt": self.updated_at,
            "updatedBy": self.updated_by,
        }


class Blueprint(_Authored, Base):
    """A blueprint; `definition` is its JSON as it was given."""

    __tablename__ = "blueprints"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[Document]


class Entity(_Authored, Base):
    """An entity of a blueprint. `relations` holds an identifier, a list of them or null each."""

    __tablename__ = "entities"
    blueprint: Mapped[str] = mapped_column(primary_key=True)
    identifier: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    icon: Mapped[str | None] = mapped_column(default=None)
    team: Mapped[list[str]] = mapped_column(default=list)
    # The `User-Agent` of the last request that wrote it.
    datasource: Mapped[str] = mapped_column(default="")
    properties: Mapped[Document] = mapped_column(default=dict)
    relations: Mapped[Document] = mapped_column(default=dict)


class Action(_Authored, Base):
    """A self-service action or an automation; `definition` is its JSON as it was given."""

    __tablename__ = "actions"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    definition: Mapped[Document]
    permissions: Mapped[Document]


class Run(_Authored, Base):
    """A run. `invocation` is the rendered invocation method, made when the run was created."""

    __tablename__ = "runs"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    action: Mapped[str] = mapped_column(index=True)
    blueprint: Mapped[str | None]
    entity: Mapped[str | None]
    status: Mapped[str]
    status_label: Mapped[str | None] = mapped_column(default=None)
    summary: Mapped[str | None] = mapped_column(default=None)
    link: Mapped[list[str]] = mapped_column(default=list)
    external_run_id: Mapped[str | None] = mapped_column(default=None, index=True)
    source: Mapped[str]
    properties: Mapped[Document]
    required_approval: Mapped[Any] = mapped_column(JSON)
    approval: Mapped[Any] = mapped_column(JSON, default=None, nullable=True)
    trigger: Mapped[Document]
    invocation: Mapped[Document]
    impersonated_by: Mapped[str | None]
    ended_at: Mapped[str | None] = mapped_column(default=None)


class RunLog(Base):
    """A line of a run's log."""

    __tablename__ = "run_logs"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str]
    run_id: Mapped[str] = mapped_column(index=True)
    message: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[str]


class NodeRun(_Authored, Base):
    """A run of a workflow's KAFKA node."""

    __tablename__ = "node_runs"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="IN_PROGRESS")
    result: Mapped[str | None] = mapped_column(default=None)
    output: Mapped[Document] = mapped_column(default=dict)
    logs: Mapped[list[str]] = mapped_column(default=list)


class Vote(Base):
    """One approver's decision on a run."""

    __tablename__ = "votes"
    run_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    description: Mapped[str | None]


class AuditEvent(Base):
    """A row of the audit log; `event` is what the API answers."""

    __tablename__ = "audit_events"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    resource_type: Mapped[str]
    blueprint: Mapped[str | None]
    entity: Mapped[str | None]
    run_id: Mapped[str | None]
    at: Mapped[str]
    event: Mapped[Document]


class OutboxMessage(Base):
    """A message, kept until it was sent, and afterwards for `/_sandbox/messages`.

    `request` has address, method and headers of a webhook's request; else it is for Kafka.
    """

    __tablename__ = "outbox"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str]
    value: Mapped[bytes | None]
    run_id: Mapped[str | None]
    created_at: Mapped[str]
    sent_at: Mapped[str | None] = mapped_column(default=None, index=True)
    error: Mapped[str | None] = mapped_column(default=None)
    request: Mapped[Any] = mapped_column(JSON(none_as_null=True), default=None, nullable=True)


class Token(Base):
    """The one access token of a set of credentials; `expires_at` is in epoch seconds."""

    __tablename__ = "tokens"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str]
    expires_at: Mapped[float]


class Setting(Base):
    """One value by name: the key that signs tokens."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


class Store:
    """The database.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        # Only its owner may look into it: what people typed is inside.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._engine = _engine(path)
        self._lock = threading.Lock()
        Base.metadata.create_all(self._engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commits when the block ends, rolls back when it raises."""
        with self._lock, Session(self._engine, expire_on_commit=False) as db, db.begin():
            # A session forgets objects without references, and would read a blueprint again for
            # each entity.
            held: list[object] = []
            event.listen(db, "loaded_as_persistent", lambda _db, row: held.append(row))
            yield db

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

    # SQLAlchemy begins the transactions itself, so that SAVEPOINT works as well:
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing by this, only a crash of the machine could.
        connection.execute("PRAGMA synchronous=OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
