"""Git database: references, blobs, trees, commits.

https://docs.github.com/rest/git
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from sandbox.github import protection, shapes, urls
from sandbox.github.errors import ApiError, not_found, validation_failed
from sandbox.github.git import GitError, Person
from sandbox.github.pull_requests import ref_changed
from sandbox.github.routes.deps import Body, Here, Json
from sandbox.github.server import RepoSession

router = APIRouter(prefix="/repos/{owner}/{name}/git")


# -- references


class NewRef(Body):
    """Body of "create a reference"."""

    ref: str
    sha: str


class ChangedRef(Body):
    """Body of "update a reference"."""

    sha: str
    force: bool = False


def _reference(here: RepoSession, name: str, sha: str) -> Json:
    return shapes.reference(name, sha, here.git.object_type(sha) or "commit", here.path)


@router.get("/ref/{ref:path}")
def get_ref(here: Here, ref: str) -> Json:
    """Get a reference (exactly this one)."""
    sha = here.git.ref(f"refs/{ref}")
    if sha is None:
        raise not_found()
    return _reference(here, f"refs/{ref}", sha)


@router.get("/matching-refs/{ref:path}")
@router.get("/matching-refs")
def list_matching(here: Here, ref: str = "") -> list[Json]:
    """List the references that begin with a text."""
    return [_reference(here, name, sha) for name, sha in here.git.refs(f"refs/{ref}").items()]


@router.post("/refs", status_code=201)
def create_ref(here: Here, body: NewRef) -> Json:
    """Create a reference."""
    if not here.git.valid_ref(body.ref) or body.ref.count("/") < 2:
        raise ApiError(422, "Reference name must start with 'refs/' and contain at least 2 slashes")
    if here.git.object_type(body.sha) is None:
        raise ApiError(422, "Object does not exist")
    if here.git.ref(body.ref):
        raise ApiError(422, "Reference already exists")
    _guard(here, body.ref, forced=False, deleted=False)
    try:
        here.git.update_ref(body.ref, body.sha, None)
    except GitError:
        # A branch `a` stands in the way of `a/b`, and the other way round.
        raise ApiError(422, "Reference update failed") from None
    ref_changed(here, body.ref, None, body.sha)
    return _reference(here, body.ref, body.sha)


@router.patch("/refs/{ref:path}")
def update_ref(here: Here, ref: str, body: ChangedRef) -> Json:
    """Move a reference; only forward, unless forced."""
    full = f"refs/{ref}"
    old = here.git.ref(full)
    if old is None:
        raise ApiError(422, "Reference does not exist")
    if here.git.object_type(body.sha) is None:
        raise ApiError(422, "Object does not exist")
    forward = here.git.is_ancestor(old, body.sha)
    if not (forward or body.force):
        raise ApiError(422, "Update is not a fast forward")
    _guard(here, full, forced=not forward, deleted=False)
    here.git.update_ref(full, body.sha, old)
    if old != body.sha:
        ref_changed(here, full, old, body.sha)
    return _reference(here, full, body.sha)


@router.delete("/refs/{ref:path}", status_code=204)
def delete_ref(here: Here, ref: str) -> Response:
    """Delete a reference."""
    full = f"refs/{ref}"
    old = here.git.ref(full)
    if old is None:
        raise ApiError(422, "Reference does not exist")
    _guard(here, full, forced=False, deleted=True)
    here.git.delete_ref(full)
    ref_changed(here, full, old, None)
    return Response(status_code=204)


def _guard(here: RepoSession, ref: str, *, forced: bool, deleted: bool) -> None:
    if ref.startswith("refs/heads/"):
        branch = ref.removeprefix("refs/heads/")
        protection.refuse_push(here, branch, forced=forced, deleted=deleted)


# -- blobs


class NewBlob(Body):
    """Body of "create a blob"."""

    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


@router.post("/blobs", status_code=201)
def create_blob(here: Here, body: NewBlob) -> Json:
    """Store a blob."""
    data = body.content.encode()
    if body.encoding == "base64":
        try:
            data = base64.b64decode(body.content)
        except binascii.Error:
            raise ApiError(422, "content is not valid Base64") from None
    sha = here.git.write_blob(data)
    return {"sha": sha, "url": urls.api(f"{here.path}/git/blobs/{sha}")}


@router.get("/blobs/{sha}")
def get_blob(here: Here, sha: str) -> Json:
    """Get a blob."""
    if here.git.object_type(sha) != "blob":
        raise not_found()
    data = here.git.blob(sha)
    return {
        "sha": sha,
        "node_id": base64.urlsafe_b64encode(f"B:{sha}".encode()).decode(),
        "url": urls.api(f"{here.path}/git/blobs/{sha}"),
        "size": len(data),
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }


# -- trees


class NewEntry(Body):
    """One entry of a new tree: a SHA (null: delete), or the content itself."""

    path: str
    mode: Literal["100644", "100755", "040000", "160000", "120000"] = "100644"
    type: Literal["blob", "tree", "commit"] | None = None
    sha: str | None = None
    content: str | None = None


class NewTree(Body):
    """Body of "create a tree"."""

    tree: list[NewEntry] = Field(min_length=1)
    base_tree: str | None = None


def _tree(here: RepoSession, sha: str, *, recursive: bool) -> Json:
    entries = here.git.tree(sha, recursive=recursive)
    return {
        "sha": sha,
        "url": urls.api(f"{here.path}/git/trees/{sha}"),
        "truncated": False,
        "tree": [
            {
                "path": entry.path,
                "mode": entry.mode,
                "type": entry.type,
                "sha": entry.sha,
                "url": urls.api(f"{here.path}/git/{entry.type}s/{entry.sha}"),
                **({"size": entry.size} if entry.size is not None else {}),
            }
            for entry in entries
        ],
    }


@router.get("/trees/{treeish:path}")
def get_tree(here: Here, treeish: str, recursive: str | None = None) -> Json:
    """Get a tree by its SHA, a commit's or a branch's name; any `recursive` recurses."""
    return _tree(here, _treeish(here, treeish, not_found()), recursive=recursive is not None)


def _treeish(here: RepoSession, name: str, refusal: ApiError) -> str:
    if here.git.object_type(name) == "tree":
        return name
    commit = here.git.resolve(name)
    if commit is None:
        raise refusal
    return here.git.commit(commit).tree


@router.post("/trees", status_code=201)
def create_tree(here: Here, body: NewTree) -> Json:
    """Store a tree, on top of another one if `base_tree` is given."""
    base = None
    if body.base_tree:
        refusal = ApiError(422, "base_tree is not a valid tree oid")
        base = _treeish(here, body.base_tree, refusal)
    entries: dict[str, tuple[str, str] | None] = {}
    for entry in body.tree:
        _check_path(entry.path)
        if entry.content is not None:
            entries[entry.path] = (entry.mode, here.git.write_blob(entry.content.encode()))
        elif entry.sha is not None:
            if entry.mode != "160000" and here.git.object_type(entry.sha) is None:
                raise ApiError(422, f"tree.sha {entry.sha} is not a valid {entry.type or 'blob'}")
            entries[entry.path] = (entry.mode, entry.sha)
        elif "sha" not in entry.model_fields_set:
            raise ApiError(422, "Must supply either tree.sha or tree.content")
        elif base and here.git.tree(base, path=entry.path):
            entries[entry.path] = None
        else:
            raise ApiError(422, "GitRPC::BadObjectState")
    try:
        sha = here.git.write_tree(base, entries)
    except GitError as error:
        raise ApiError(422, f"Invalid tree info: {error}") from None
    return _tree(here, sha, recursive=False)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if path.startswith("/"):
        raise ApiError(422, "tree.path cannot start with a slash")
    bad = {"", ".", ".."} & set(parts) or any(part.lower() == ".git" for part in parts)
    if bad or any(ord(char) < 32 for char in path):
        raise ApiError(422, "tree.path contains a malformed path component")


# -- commits


class Signature(Body):
    """Author or committer of a new commit."""

    name: str
    email: str
    date: datetime | None = None


class NewCommit(Body):
    """Body of "create a commit"."""

    message: str
    tree: str
    parents: list[str] = Field(default_factory=list)
    author: Signature | None = None
    committer: Signature | None = None


@router.post("/commits", status_code=201)
def create_commit(here: Here, body: NewCommit) -> Json:
    """Store a commit; with dates given, the same input gives the same SHA."""
    if here.git.object_type(body.tree) != "tree":
        raise ApiError(422, "Tree SHA does not exist")
    if any(here.git.object_type(sha) != "commit" for sha in body.parents):
        raise ApiError(422, "Parent SHA does not exist or is not a commit object")
    author = person(here, body.author)
    committer = person(here, body.committer) if body.committer else author
    # https://docs.github.com/authentication/managing-commit-signature-verification/about-commit-signature-verification#signature-verification-for-bots
    signed = here.actor.kind == "installation" and not (body.author or body.committer)
    try:
        sha = here.git.write_commit(
            body.message, body.tree, body.parents, author, committer, signed=signed
        )
    except GitError as error:
        raise validation_failed("Commit", "commit", "invalid", str(error)) from None
    return shapes.git_commit(here.git.commit(sha), here.path)


def person(here: RepoSession, given: Signature | None) -> Person:
    """Return a commit's author: as given, else the actor; the time without an offset is UTC."""
    when = (given.date if given else None) or datetime.now(UTC)
    stamp = (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat(timespec="seconds")
    if given:
        return Person(given.name, given.email, stamp)
    account = here.account(here.actor.login)
    return Person(here.actor.login, account.email if account else "noreply@github.com", stamp)


@router.get("/commits/{sha}")
def get_commit(here: Here, sha: str) -> Json:
    """Get a commit of the git database."""
    if here.git.object_type(sha) != "commit":
        raise not_found()
    return shapes.git_commit(here.git.commit(sha), here.path)
