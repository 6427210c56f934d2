"""The state that all parts of the server share, and a transaction on one repository."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sandbox.faults import Faults, RequestLog
from sandbox.github import shapes
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError, not_found
from sandbox.github.git import GitRepository
from sandbox.github.limits import RateLimits
from sandbox.github.oidc import IdTokens
from sandbox.github.store import Account, App, Issue, Pull, Repo, Store, Team, now


@dataclass(frozen=True)
class Event:
    """An event in a repository that starts workflows.

    Attributes:
        repo_id: where.
        name: GitHub's event name, as `pull_request`.
        action: the activity type, as `opened`; None where the event has none.
        payload: the event as a webhook would have it.
        actor: who did it.
        starts_workflows: False for what a workflow's own token did: GitHub breaks that loop.
    """

    repo_id: int
    name: str
    action: str | None
    payload: dict[str, Any]
    actor: str
    starts_workflows: bool


class Server:
    """Everything that outlives a request.

    Args:
        state: the folder for the database and the repositories.
        base_url: where the server listens, for what happens outside of any request.
    """

    def __init__(self, state: Path, base_url: str) -> None:
        # The database holds the secrets of workflows.
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state = state
        self.base_url = base_url
        self.store = Store(state / "github.sqlite")
        self.faults = Faults()
        self.limits = RateLimits()
        self.id_tokens = IdTokens(state, base_url)
        self.requests = RequestLog()
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have `listener` called for each event, after its transaction is committed."""
        self._listeners.append(listener)

    def git(self, repo: Repo) -> GitRepository:
        """Return the git side of a repository."""
        path = self.state / "repos" / repo.owner / f"{repo.name}.git"
        return GitRepository(path, b"signing " + repo.secret_key.encode())

    @contextmanager
    def open(
        self, owner: str, name: str, actor: Actor, *, write: bool = True
    ) -> Iterator["RepoSession"]:
        """Provide a transaction on a repository: committed at the end, then its events are told.

        Raises:
            ApiError: 404, the repository does not exist.
        """
        with self.store.write() if write else self.store.read() as session:
            repo = find_repo(session, owner, name)
            here = RepoSession(self, session, actor, repo, self.git(repo))
            yield here
            session.commit()
        self.tell(here.events)

    def tell(self, events: list[Event]) -> None:
        """Tell every listener."""
        for event in events:
            for listener in self._listeners:
                listener(event)

    def create_repo(self, session: Session, owner: str, name: str, **settings: Any) -> Repo:
        """Make an empty repository.

        Raises:
            ApiError: 422, the name is taken.
        """
        if session.scalars(select(Repo).filter_by(owner=owner, name=name)).first():
            raise ApiError(
                422,
                "Repository creation failed.",
                [
                    {
                        "resource": "Repository",
                        "code": "custom",
                        "field": "name",
                        "message": "name already exists on this account",
                    }
                ],
            )
        repo = Repo(
            owner=owner, name=name, secret_key=bytes(PrivateKey.generate()).hex(), **settings
        )
        session.add(repo)
        session.flush()
        self.git(repo).init(repo.default_branch)
        return repo


@dataclass
class RepoSession:
    """One transaction on one repository by one actor."""

    server: Server
    session: Session
    actor: Actor
    repo: Repo
    git: GitRepository
    events: list[Event] = field(default_factory=list)
    _users: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The repository's API path."""
        return f"/repos/{self.repo.full_name}"

    def emit(self, name: str, action: str | None = None, **payload: Any) -> None:
        """Note an event; it is told when the transaction is committed."""
        body = {
            **({"action": action} if action else {}),
            **payload,
            "repository": shapes.repository(self.repo),
            "sender": self.user(self.actor.login),
        }
        starts = self.actor.kind != "job" or name == "workflow_dispatch"
        self.events.append(
            Event(self.repo.id, name, action, body, self.actor.login, starts_workflows=starts)
        )

    def account(self, login: str) -> Account | None:
        """Return a user, bot or organisation by login, which is case-insensitive."""
        return self.session.scalars(
            select(Account).where(func.lower(Account.login) == login.lower())
        ).first()

    def user(self, login: str | None) -> dict[str, Any] | None:
        """Return a user as the API shows it; who is not known is GitHub's ghost."""
        if login is None:
            return None
        if login not in self._users:
            found = self.session.scalars(select(Account).filter_by(login=login)).first()
            ghost = Account(id=10137, login="ghost", type="User")
            self._users[login] = shapes.account(found or ghost)
        return self._users[login]

    def issue(self, number: int) -> Issue:
        """Return an issue or pull request.

        Raises:
            ApiError: 404.
        """
        found = self.session.scalars(
            select(Issue).filter_by(repo_id=self.repo.id, number=number)
        ).first()
        if found is None:
            raise not_found()
        return found

    def pull(self, number: int) -> Pull:
        """Return a pull request.

        Raises:
            ApiError: 404.
        """
        pull = self.issue(number).pull
        if pull is None:
            raise not_found()
        return pull

    def next_number(self) -> int:
        """Return the number of the next issue or pull request."""
        self.repo.last_number += 1
        return self.repo.last_number

    def commit(self, revision: str) -> str:
        """Return the SHA that a revision stands for.

        Raises:
            ApiError: 404 with GitHub's text for unknown commits.
        """
        sha = self.git.resolve(revision)
        if sha is None:
            raise ApiError(404, f"No commit found for the ref {revision}")
        return sha

    def touch(self, issue: Issue) -> None:
        """Note that an issue or pull request changed now."""
        issue.updated_at = now()


def find_repo(session: Session, owner: str, name: str) -> Repo:
    """Return a repository by its name, which is case-insensitive.

    Raises:
        ApiError: 404.
    """
    found = session.scalars(
        select(Repo).where(
            func.lower(Repo.owner) == owner.lower(), func.lower(Repo.name) == name.lower()
        )
    ).first()
    if found is None:
        raise not_found()
    return found


def teams_of(session: Session, org: str, login: str) -> list[str]:
    """Slugs of the organisation's teams that the login is in."""
    teams = session.scalars(select(Team).filter_by(org=org))
    return [team.slug for team in teams if login in team.members]


def create_app(
    session: Session,
    slug: str,
    account: str,
    public_key: str,
    permissions: dict[str, str],
    **more: Any,
) -> App:
    """Register an App; without more, it is installed on all repositories of the account.

    Raises:
        ApiError: 422, the slug is taken.
    """
    if session.scalars(select(App).filter_by(slug=slug)).first():
        raise ApiError(422, "Name is already in use")
    about = {"name": slug, **more}
    app = App(slug=slug, account=account, public_key=public_key, permissions=permissions, **about)
    session.add(app)
    bot = f"{slug}[bot]"
    if not session.scalars(select(Account).filter_by(login=bot)).first():
        session.add(Account(login=bot, type="Bot"))
    session.flush()
    return app
