"""What the server keeps besides git objects: one SQLite file, as SQLAlchemy models."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


def now() -> str:
    """Return the current time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


JsonObject = MutableDict.as_mutable(JSON)
JsonList = MutableList.as_mutable(JSON)


class Base(DeclarativeBase):
    """Base of all tables."""


class Account(Base):
    """A user, bot or organisation."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(default="User")

    @property
    def email(self) -> str:
        """The address that GitHub gives to people who keep theirs private."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


class Team(Base):
    """A team of an organisation; `members` are logins."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    org: Mapped[str]
    slug: Mapped[str]
    members: Mapped[list[str]] = mapped_column(JsonList, default=list)


class Token(Base):
    """A credential.

    `permissions` None: all that the account may do.

    Kinds: `user` (personal access token), `installation` (of an App), `job` (of a workflow's job).
    """

    __tablename__ = "token"
    digest: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    login: Mapped[str]
    permissions: Mapped[dict[str, str] | None] = mapped_column(JSON, default=None)
    expires_at: Mapped[float | None] = mapped_column(default=None)
    # Full names of repositories, or an account for all of its repositories.
    repositories: Mapped[list[str]] = mapped_column(JsonList, default=list)


class App(Base):
    """A GitHub App and its one installation."""

    __tablename__ = "app"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    account: Mapped[str]
    # Empty until the code of a manifest is exchanged.
    public_key: Mapped[str]
    permissions: Mapped[dict[str, str]] = mapped_column(JsonObject, default=dict)
    name: Mapped[str]
    url: Mapped[str] = mapped_column(default="https://slipway.test")
    installed: Mapped[bool] = mapped_column(default=True)
    # Full names of the repositories that it is installed on; None: all of the account.
    repositories: Mapped[list[str] | None] = mapped_column(JSON, default=None)
    # Of a manifest, until it is exchanged.
    code: Mapped[str | None] = mapped_column(default=None)
    code_expires_at: Mapped[float | None] = mapped_column(default=None)


class Repo(Base):
    """A repository; its objects are in `<state>/repos/<owner>/<name>.git`."""

    __tablename__ = "repo"
    __table_args__ = (UniqueConstraint("owner", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    private: Mapped[bool] = mapped_column(default=True)
    default_branch: Mapped[str] = mapped_column(default="main")
    delete_branch_on_merge: Mapped[bool] = mapped_column(default=False)
    allow_merge_commit: Mapped[bool] = mapped_column(default=True)
    allow_squash_merge: Mapped[bool] = mapped_column(default=True)
    allow_rebase_merge: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[str] = mapped_column(default=now)
    pushed_at: Mapped[str] = mapped_column(default=now)
    last_number: Mapped[int] = mapped_column(default=0)
    # X25519 private key (hex) that opens sealed secrets.
    secret_key: Mapped[str]
    # login → admin, write or read
    collaborators: Mapped[dict[str, str]] = mapped_column(JsonObject, default=dict)
    # team slug → admin, write or read
    teams: Mapped[dict[str, str]] = mapped_column(JsonObject, default=dict)
    # branch → protection as it was put
    protections: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    # number → ruleset
    rulesets: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    # The repository that this one is a fork of.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("repo.id"), default=None)
    owner_account: Mapped["Account | None"] = relationship(
        primaryjoin="foreign(Repo.owner) == Account.login", viewonly=True
    )

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


_issue_label = Table(
    "issue_label",
    Base.metadata,
    Column("issue_id", ForeignKey("issue.id"), primary_key=True),
    Column("label_id", ForeignKey("label.id", ondelete="CASCADE"), primary_key=True),
)


class Label(Base):
    """A label of a repository."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), index=True)
    name: Mapped[str]
    color: Mapped[str] = mapped_column(default="ededed")
    description: Mapped[str | None] = mapped_column(default=None)


class Issue(Base):
    """An issue, or the part of a pull request that it shares with issues."""

    __tablename__ = "issue"
    __table_args__ = (UniqueConstraint("repo_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), index=True)
    number: Mapped[int]
    title: Mapped[str]
    body: Mapped[str | None] = mapped_column(Text, default=None)
    state: Mapped[str] = mapped_column(default="open")
    state_reason: Mapped[str | None] = mapped_column(default=None)
    user: Mapped[str]
    assignees: Mapped[list[str]] = mapped_column(JsonList, default=list)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)
    closed_at: Mapped[str | None] = mapped_column(default=None)
    closed_by: Mapped[str | None] = mapped_column(default=None)
    labels: Mapped[list[Label]] = relationship(secondary=_issue_label, order_by=Label.id)
    pull: Mapped["Pull | None"] = relationship(back_populates="issue")


class Pull(Base):
    """What only a pull request has."""

    __tablename__ = "pull"
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id"), primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), index=True)
    issue: Mapped[Issue] = relationship(back_populates="pull")
    head_ref: Mapped[str]
    head_sha: Mapped[str]
    # The fork that it comes from; None: this repository.
    fork_id: Mapped[int | None] = mapped_column(ForeignKey("repo.id"), default=None)
    base_ref: Mapped[str]
    base_sha: Mapped[str]
    draft: Mapped[bool] = mapped_column(default=False)
    maintainer_can_modify: Mapped[bool] = mapped_column(default=False)
    merged_at: Mapped[str | None] = mapped_column(default=None)
    merged_by: Mapped[str | None] = mapped_column(default=None)
    merge_commit_sha: Mapped[str | None] = mapped_column(default=None)
    reviewers: Mapped[list[str]] = mapped_column(JsonList, default=list)
    review_teams: Mapped[list[str]] = mapped_column(JsonList, default=list)


class Comment(Base):
    """A comment on an issue or pull request."""

    __tablename__ = "comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"))
    issue_number: Mapped[int] = mapped_column(index=True)
    user: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)


class Review(Base):
    """A review of a pull request."""

    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"))
    pull_number: Mapped[int] = mapped_column(index=True)
    user: Mapped[str]
    state: Mapped[str]
    body: Mapped[str] = mapped_column(Text, default="")
    commit_id: Mapped[str]
    submitted_at: Mapped[str] = mapped_column(default=now)


class Status(Base):
    """A commit status."""

    __tablename__ = "status"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"))
    sha: Mapped[str] = mapped_column(index=True)
    context: Mapped[str]
    state: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    target_url: Mapped[str | None] = mapped_column(default=None)
    creator: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=now)


class CheckRun(Base):
    """A check run: one job of a workflow, or one that an App reports."""

    __tablename__ = "check_run"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"))
    sha: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    conclusion: Mapped[str | None] = mapped_column(default=None)
    details_url: Mapped[str | None] = mapped_column(default=None)
    external_id: Mapped[str] = mapped_column(default="")
    output: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    app: Mapped[str] = mapped_column(default="github-actions")
    started_at: Mapped[str] = mapped_column(default=now)
    completed_at: Mapped[str | None] = mapped_column(default=None)


class ActionsSecret(Base):
    """A secret of the repository's workflows."""

    __tablename__ = "actions_secret"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)


class ActionsVariable(Base):
    """A variable of the repository's workflows."""

    __tablename__ = "actions_variable"
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)


class Environment(Base):
    """An environment that jobs may name, and which branches may use it."""

    __tablename__ = "environment"
    __table_args__ = (UniqueConstraint("repo_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), index=True)
    name: Mapped[str]
    # protected_branches and custom_branch_policies, one of which is true; None: every branch.
    branch_policy: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    patterns: Mapped[list[str]] = mapped_column(JsonList, default=list)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)


class EnvironmentSecret(Base):
    """A secret that only the jobs of an environment are given."""

    __tablename__ = "environment_secret"
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)


class Workflow(Base):
    """A workflow file that has been seen on the default branch or in a run."""

    __tablename__ = "workflow"
    __table_args__ = (UniqueConstraint("repo_id", "path"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"))
    path: Mapped[str]
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="active")
    runs: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[str] = mapped_column(default=now)


class Run(Base):
    """A workflow run. `payload` is the event's."""

    __tablename__ = "run"
    id: Mapped[int] = mapped_column(primary_key=True)
    repo_id: Mapped[int] = mapped_column(ForeignKey("repo.id"), index=True)
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflow.id"))
    name: Mapped[str]
    title: Mapped[str]
    number: Mapped[int]
    event: Mapped[str]
    ref: Mapped[str]
    head_branch: Mapped[str]
    head_sha: Mapped[str]
    # The commit that the jobs check out: for pull requests the merge commit.
    sha: Mapped[str]
    actor: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    conclusion: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str] = mapped_column(default=now)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)


class Job(Base):
    """A job of a run, with its log."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    repo_id: Mapped[int]
    key: Mapped[str]
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    conclusion: Mapped[str | None] = mapped_column(default=None)
    started_at: Mapped[str] = mapped_column(default=now)
    completed_at: Mapped[str | None] = mapped_column(default=None)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JsonList, default=list)
    log: Mapped[str] = mapped_column(Text, default="")


class Store:
    """The database.

    Args:
        path: the SQLite file; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        event.listen(self._engine, "connect", _configure)
        # A writer takes SQLite's lock when it begins: one that took it later, after reading,
        # would be refused if another had written in between.
        self._writing = self._engine.execution_options(write=True)
        event.listen(self._engine, "begin", _begin)
        Base.metadata.create_all(self._writing)

    def read(self) -> Session:
        """Return a session that sees one state of the database."""
        return Session(self._engine, expire_on_commit=False)

    def write(self) -> Session:
        """Return a session that no other writer runs beside."""
        return Session(self._writing, expire_on_commit=False)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _configure(connection: DBAPIConnection, _record: object) -> None:
    # SQLAlchemy begins transactions itself, in `_begin`.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=OFF"):
        connection.cursor().execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
