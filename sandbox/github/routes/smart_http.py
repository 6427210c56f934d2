"""git over HTTP: clone, fetch and push, by git's own `http-backend` as a CGI program.

https://git-scm.com/docs/git-http-backend
"""

import subprocess
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sandbox.github import permissions, protection
from sandbox.github.errors import ApiError
from sandbox.github.git import ENVIRONMENT
from sandbox.github.pull_requests import ref_changed
from sandbox.github.routes.deps import ActorDep, ServerDep
from sandbox.github.server import RepoSession, Server, find_repo, teams_of
from sandbox.github.store import Repo

router = APIRouter()
_SIGN_IN = {"WWW-Authenticate": 'Basic realm="GitHub"'}


async def _body(request: Request) -> bytes:
    return await request.body()


BodyDep = Annotated[bytes, Depends(_body)]


@router.get("/info/refs")
def info_refs(
    server: ServerDep, actor: ActorDep, request: Request, owner: str, name: str, service: str = ""
) -> Response:
    """Advertise references, to fetch or to push."""
    if service not in {"git-upload-pack", "git-receive-pack"}:
        return Response("Please upgrade your git client.\n", status_code=403)
    with server.store.read() as session:
        repo = find_repo(session, owner, name)
        if actor.kind == "anonymous":
            return Response("Authentication required\n", status_code=401, headers=_SIGN_IN)
        method = "GET" if service == "git-upload-pack" else "POST"
        teams = teams_of(session, repo.owner, actor.login)
        permissions.check(actor, repo, teams, method, "/contents")
    return _backend(server, repo, request, "info/refs", b"")


@router.post("/git-upload-pack")
def upload_pack(
    server: ServerDep, actor: ActorDep, request: Request, owner: str, name: str, body: BodyDep
) -> Response:
    """Serve a fetch."""
    with server.store.read() as session:
        repo = find_repo(session, owner, name)
        teams = teams_of(session, repo.owner, actor.login)
        permissions.check(actor, repo, teams, "GET", "/contents")
    return _backend(server, repo, request, "git-upload-pack", body)


@router.post("/git-receive-pack")
def receive_pack(
    server: ServerDep, actor: ActorDep, request: Request, owner: str, name: str, body: BodyDep
) -> Response:
    """Serve a push, and tell of each reference that it changed."""
    with server.open(owner, name, actor) as here:
        teams = teams_of(here.session, here.repo.owner, actor.login)
        permissions.check(actor, here.repo, teams, "POST", "/contents")
        _refuse_protected(here, body)
        before = here.git.refs()
        response = _backend(server, here.repo, request, "git-receive-pack", body)
        after = here.git.refs()
        for ref in sorted(before.keys() | after.keys()):
            old, new = before.get(ref), after.get(ref)
            if old != new:
                ref_changed(here, ref, old, new)
    return response


def _refuse_protected(here: RepoSession, body: bytes) -> None:
    """Check a push's commands, before git sees them: `old new ref` in packet lines."""
    position = 0
    while (length := int(body[position : position + 4] or b"0", 16)) > 4:
        command = body[position + 4 : position + length].split(b"\0")[0].decode().strip()
        position += length
        parts = command.split(" ", 2)
        if len(parts) != 3 or not parts[2].startswith("refs/heads/"):
            continue
        deleted = not parts[1].strip("0")
        # Whether it is forced is for the `update` hook.
        branch = parts[2].removeprefix("refs/heads/")
        protection.refuse_push(here, branch, forced=False, deleted=deleted)


def _backend(server: Server, repo: Repo, request: Request, path: str, body: bytes) -> Response:
    unforced = [b for b, rules in repo.protections.items() if not rules["allow_force_pushes"]]
    done = subprocess.run(
        ["git", "http-backend"],
        env={
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(server.state / "repos"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repo.full_name}.git/{path}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            # Without a user, http-backend refuses pushes; who it is was checked above.
            "REMOTE_USER": "checked",
            "NO_FORCE_REFS": " ".join(f"refs/heads/{branch}" for branch in unforced),
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
        },
        input=body,
        capture_output=True,
        check=False,
    )
    if done.returncode and not done.stdout:
        raise ApiError(500, done.stderr.decode(errors="replace"))
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Response(content, status_code=status, headers=headers)
