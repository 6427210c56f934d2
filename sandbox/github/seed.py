"""The world that a new sandbox begins with: an organisation, people, teams, repositories."""

import os
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from sandbox.github.auth import Actor, issue_token
from sandbox.github.runner.registry import register
from sandbox.github.server import RepoSession, Server
from sandbox.github.store import Account, Repo, Team

OWNER = "slipway[bot]"
_PEOPLE = {"developer": "User", "devops": "User", OWNER: "Bot", "github-actions[bot]": "Bot"}
_TEAMS = {"platform": ["developer"], "payments": ["developer"], "devops": ["devops"]}
_SKIPPED = {".git", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".venv"}


def seed(server: Server, token: str, repositories: dict[str, Path]) -> None:
    """Make what is missing; what is there from an earlier start stays as it is.

    Args:
        server: where.
        token: a personal access token of `slipway[bot]`, who administers every repository.
        repositories: `owner/name` → folder whose files are the first commit.

    Raises:
        ValueError: a folder does not exist.
    """
    with server.store.write() as session:
        _people(session)
        issue_token(session, "user", OWNER, value=token)
        for full_name, folder in repositories.items():
            owner, _, name = full_name.partition("/")
            if not folder.is_dir():
                raise ValueError(f"{folder} is not a folder")
            _organisation(session, owner)
            if session.scalars(select(Repo).filter_by(owner=owner, name=name)).first():
                continue
            repo = server.create_repo(session, owner, name, delete_branch_on_merge=True)
            repo.collaborators = {OWNER: "admin", "devops": "admin"}
            repo.teams = {"platform": "write", "payments": "write", "devops": "admin"}
            files, executable = _files(folder)
            git = server.git(repo)
            sha = git.seed(files, repo.default_branch, executable)
            register(RepoSession(server, session, Actor(OWNER, "user"), repo, git), sha)
        session.commit()


def _people(session: Session) -> None:
    for login, kind in _PEOPLE.items():
        if session.scalars(select(Account).filter_by(login=login)).first() is None:
            session.add(Account(login=login, type=kind))
    session.flush()


def _organisation(session: Session, org: str) -> None:
    if session.scalars(select(Account).filter_by(login=org)).first():
        return
    session.add(Account(login=org, type="Organization"))
    session.add_all(Team(org=org, slug=slug, members=list(who)) for slug, who in _TEAMS.items())
    session.flush()


def _files(folder: Path) -> tuple[dict[str, bytes], set[str]]:
    files: dict[str, bytes] = {}
    executable = set()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not _SKIPPED & set(relative.parts):
            files[relative.as_posix()] = path.read_bytes()
            if os.access(path, os.X_OK):
                executable.add(relative.as_posix())
    # An empty folder is an empty repository's first commit, which must have some file.
    return files or {".gitkeep": b""}, executable
