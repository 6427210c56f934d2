"""What each route asks of a token: one table, GitHub's permission names.

https://docs.github.com/rest/authentication/permissions-required-for-github-apps
"""

import re

from sandbox.github.auth import LEVELS, Actor
from sandbox.github.errors import ApiError, not_found
from sandbox.github.store import Repo

READ, WRITE = "read", "write"
# Path below /repos/{owner}/{repo} → permissions, any of which will do. The first match counts.
_TABLE: list[tuple[str, tuple[str, ...]]] = [
    (r"/actions/secrets", ("secrets",)),
    (r"/actions/variables", ("actions_variables",)),
    (r"/actions", ("actions",)),
    (r"/branches/[^/]+(/[^/]+)*/protection", ("administration",)),
    # https://docs.github.com/rest/authentication/permissions-required-for-github-apps
    (r"/environments/[^/]+/secrets", ("environments",)),
    (r"/environments", ("actions", "administration")),
    (r"/forks$", ("contents",)),
    (r"/collaborators|/teams|/installation$", ("metadata",)),
    (r"/pulls/\d+/merge$", ("contents",)),
    (r"/pulls", ("pull_requests",)),
    (
        r"/issues/\d+/(labels|comments|assignees)|/issues/comments|/labels",
        ("issues", "pull_requests"),
    ),
    (r"/issues/\d+$", ("issues", "pull_requests")),
    (r"/issues|/assignees", ("issues",)),
    (r"/statuses/|/commits/.+/status(es)?$", ("statuses",)),
    (r"/git/|/contents|/commits|/compare|/branches|/dispatches$|/merges$", ("contents",)),
]
_COMPILED = [(re.compile(pattern), permissions) for pattern, permissions in _TABLE]
# Objects that only an administrator may change, with any kind of token.
_ADMIN = {"administration", "environments", "secrets"}


def role(actor: Actor, repo: Repo, teams: list[str]) -> str | None:
    """Return the actor's role in a repository: admin, write, read or None."""
    if actor.kind in {"installation", "job"}:
        allowed = {repo.full_name, repo.owner} & set(actor.repositories)
        return "write" if allowed else None
    roles = [repo.collaborators.get(actor.login), *(repo.teams.get(team) for team in teams)]
    known = [name for name in roles if name]
    return max(known, key=LEVELS.__getitem__) if known else None if repo.private else "read"


def needed(method: str, path: str) -> tuple[tuple[str, ...], str]:
    """Return the permissions (any will do) and the level that a call asks for.

    Args:
        method: HTTP method.
        path: below `/repos/{owner}/{repo}`; empty for the repository itself.
    """
    level = READ if method in {"GET", "HEAD"} else WRITE
    for pattern, permissions in _COMPILED:
        if pattern.match(path):
            return permissions, level
    return ("metadata",) if level == READ else ("administration",), level


def check(actor: Actor, repo: Repo, teams: list[str], method: str, path: str) -> None:
    """Let the call pass, or refuse it as GitHub does.

    Raises:
        ApiError: 404 for what the actor must not see, 403 for what it must not do.
    """
    has = role(actor, repo, teams)
    if has is None:
        raise not_found()
    permissions, level = needed(method, path)
    if actor.permissions is not None:
        granted = [LEVELS.get(actor.permissions.get(name, ""), 0) for name in permissions]
        if permissions == ("metadata",) and level == READ:
            return
        if max(granted) < LEVELS[level]:
            accepted = "; ".join(f"{name}={level}" for name in permissions)
            raise ApiError(
                403,
                "Resource not accessible by integration",
                headers={"X-Accepted-GitHub-Permissions": accepted},
            )
        return
    admin = set(permissions) & _ADMIN or (permissions == ("metadata",) and level == WRITE)
    if admin and has != "admin":
        raise ApiError(403, "Must have admin rights to Repository.")
    # Anyone who can read may open issues and comment.
    if level == WRITE and has == "read" and not re.match(r"/issues(/\d+/comments)?$", path):
        raise ApiError(403, "Must have push access to the repository.")
