"""Repository contents.

https://docs.github.com/rest/repos/contents
"""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sandbox.github import protection, shapes, urls
from sandbox.github.errors import ApiError, not_found
from sandbox.github.git import GitError, TreeEntry
from sandbox.github.pull_requests import ref_changed
from sandbox.github.routes.deps import Body, Here, Json
from sandbox.github.routes.gitdata import Signature, person
from sandbox.github.server import RepoSession

router = APIRouter(prefix="/repos/{owner}/{name}/contents")
Change = dict[str, tuple[str, str] | None]
_TYPES = {"blob": "file", "tree": "dir", "commit": "submodule"}
_LINK = "120000"


class NewFile(Body):
    """Body of "create or update file contents"."""

    message: str
    content: str
    sha: str | None = None
    branch: str | None = None
    author: Signature | None = None
    committer: Signature | None = None


class OldFile(Body):
    """Body of "delete a file"."""

    message: str
    sha: str
    branch: str | None = None
    author: Signature | None = None
    committer: Signature | None = None


def _entry(here: RepoSession, entry: TreeEntry, ref: str) -> Json:
    page = f"/{here.repo.full_name}"
    url = urls.api(f"{here.path}/contents/{entry.path}") + f"?ref={ref}"
    git_url = urls.api(f"{here.path}/git/{entry.type}s/{entry.sha}")
    html_url = urls.web(f"{page}/{entry.type}/{ref}/{entry.path}")
    raw_url = urls.web(f"{page}/raw/{ref}/{entry.path}") if entry.type == "blob" else None
    return {
        "type": "symlink" if entry.mode == _LINK else _TYPES[entry.type],
        "name": entry.path.rsplit("/", 1)[-1],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": url,
        "git_url": git_url,
        "html_url": html_url,
        "download_url": raw_url,
        "_links": {"self": url, "git": git_url, "html": html_url},
    }


def _listed(entry: Json) -> Json:
    """Return an entry of a folder's list, in which GitHub calls a submodule a file."""
    return {**entry, "type": "file"} if entry["type"] == "submodule" else entry


def _find(here: RepoSession, commit: str, path: str) -> TreeEntry | None:
    found = [entry for entry in here.git.tree(commit, path=path) if entry.path == path]
    return found[0] if found else None


@router.get("/{path:path}", response_model=None)
@router.get("", response_model=None)
def get_contents(
    here: Here, request: Request, path: str = "", ref: Annotated[str, Query()] = ""
) -> Any:
    """Get a file, or the list of a folder's entries."""
    ref = ref or here.repo.default_branch
    path = path.strip("/")
    commit = here.commit(ref)
    entry = _find(here, commit, path) if path else None
    if path and entry is None:
        raise not_found()
    if entry is None or entry.type == "tree":
        inside = here.git.tree(commit, path=f"{path}/" if path else "")
        return [_listed(_entry(here, item, ref)) for item in inside]
    accept = request.headers.get("accept", "")
    if entry.type == "blob" and "raw" in accept:
        return Response(
            here.git.blob(entry.sha), media_type="application/vnd.github.raw; charset=utf-8"
        )
    body = _entry(here, entry, ref)
    if entry.type == "blob":
        data = here.git.blob(entry.sha)
        body |= {"content": base64.encodebytes(data).decode(), "encoding": "base64"}
    return body


@router.put("/{path:path}")
def put_contents(here: Here, path: str, body: NewFile, response: Response) -> Json:
    """Create or change a file in a commit of its own; a change must name the old blob."""
    try:
        data = base64.b64decode(body.content)
    except binascii.Error:
        raise ApiError(422, "content is not valid Base64") from None
    branch, tip = _branch(here, body.branch)
    old = _find(here, tip, path) if tip else None
    if old and not body.sha:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if (old.sha if old else None) != (body.sha or None):
        raise ApiError(409, f"{path} does not match {body.sha}")
    change: Change = {path: ("100644", here.git.write_blob(data))}
    commit = _commit(here, branch, tip, change, body)
    response.status_code = 200 if old else 201
    entry = _find(here, commit, path)
    content = _entry(here, entry, branch) if entry else None
    return {"content": content, "commit": shapes.git_commit(here.git.commit(commit), here.path)}


def _branch(here: RepoSession, name: str | None) -> tuple[str, str | None]:
    branch = name or here.repo.default_branch
    tip = here.git.ref(f"refs/heads/{branch}")
    if tip is None and here.git.refs("refs/heads/"):
        raise ApiError(404, f"Branch {branch} not found")
    return branch, tip


def _commit(
    here: RepoSession,
    branch: str,
    tip: str | None,
    change: Change,
    body: NewFile | OldFile,
) -> str:
    protection.refuse_push(here, branch, forced=False, deleted=False)
    author = person(here, body.author or body.committer)
    committer = person(here, body.committer) if body.committer else author
    try:
        tree = here.git.write_tree(tip, change)
    except GitError:
        raise ApiError(422, "path contains a malformed path component") from None
    commit = here.git.write_commit(body.message, tree, [tip] if tip else [], author, committer)
    here.git.update_ref(f"refs/heads/{branch}", commit, tip)
    ref_changed(here, f"refs/heads/{branch}", tip, commit)
    return commit
