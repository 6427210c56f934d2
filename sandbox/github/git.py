"""A bare git repository, read and written in this process by libgit2.

Only the transfer of objects runs git: `fetch` here, `git http-backend` in `routes/smart_http.py`.
"""

import heapq
import hmac
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property, wraps
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, DiffOption, FileMode, ObjectType, SortMode

SHA = re.compile(r"[0-9a-f]{40}")
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
    # Nothing of the user's own git configuration may change what the server does.
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}
for _level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
    pygit2.settings.search_path[_level] = os.devnull
# Whether a push is forced is known only when its objects have arrived: asked of git's own hook.
_UPDATE_HOOK = """#!/bin/sh
case " $NO_FORCE_REFS " in *" $1 "*) ;; *) exit 0 ;; esac
[ "$2" = 0000000000000000000000000000000000000000 ] && exit 0
git merge-base --is-ancestor "$2" "$3" && exit 0
echo "GH006: Protected branch update failed for $1: cannot force-push." >&2
exit 1
"""
# What libgit2 raises for an object, a reference or a name that is missing or malformed.
_REFUSED = (pygit2.GitError, KeyError, ValueError, TypeError)


class GitError(Exception):
    """git refused; the text is its message."""


@dataclass(frozen=True)
class Person:
    """Who, and when (ISO 8601 with offset)."""

    name: str
    email: str
    date: str

    def line(self) -> str:
        """As a commit object has it: `Name <email> epoch offset`."""
        when = datetime.fromisoformat(self.date)
        if when.tzinfo is None:
            raise ValueError(f"a date without offset: {self.date}")
        clean = [re.sub(r"[<>\n\0]", "", text).strip() for text in (self.name, self.email)]
        return f"{clean[0]} <{clean[1]}> {int(when.timestamp())} {when:%z}"


@dataclass(frozen=True)
class Commit:
    """A commit object; `payload` is what `signature` signs, `verified` that GitHub signed it."""

    sha: str
    tree: str
    parents: list[str]
    author: Person
    committer: Person
    message: str
    signature: str = ""
    payload: str = ""
    verified: bool = False


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree; `size` only for blobs."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits, with GitHub's word for how."""

    status: str
    path: str
    previous: str | None
    sha: str
    additions: int
    deletions: int
    patch: str | None


def _known_by_sha[T](
    ask: Callable[["GitRepository", str, str], T],
) -> Callable[["GitRepository", str, str], T]:
    """Compute once what two commits, named by their SHAs, always say of each other.

    "None" is computed again, because a missing commit may arrive later.
    """
    known: dict[tuple[Path, str, str], T] = {}

    @wraps(ask)
    def answer(self: "GitRepository", one: str, other: str, /) -> T:
        key = (self.path, one, other)
        if key in known:
            return known[key]
        found = ask(self, one, other)
        if found and SHA.fullmatch(one) and SHA.fullmatch(other):
            known[key] = found
        return found

    return answer


class GitRepository:
    """A bare repository in a folder.

    Args:
        path: the folder, which `init` makes.
        key: what GitHub's own signature of a commit is made with.
    """

    def __init__(self, path: Path, key: bytes = b"") -> None:
        self.path = path
        self._key = key

    @cached_property
    def _git(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.path))

    def init(self, default_branch: str) -> None:
        """Make the repository, ready to be cloned and pushed to over HTTP."""
        self.path.mkdir(parents=True)
        made = pygit2.init_repository(str(self.path), bare=True, initial_head=default_branch)
        for key, value in {
            "http.receivepack": "true",
            "uploadpack.allowAnySHA1InWant": "true",
            "receive.advertisePushOptions": "false",
            "core.logAllRefUpdates": "false",
            "gc.auto": "0",
        }.items():
            made.config[key] = value
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK)
        hook.chmod(0o755)

    def fetch(self, url: str, commit: str, env: Mapping[str, str]) -> None:
        """Bring a commit with its history here.

        Raises:
            GitError: the server does not give it.
        """
        done = subprocess.run(
            ["git", "fetch", "--quiet", url, commit],
            cwd=self.path,
            env={**ENVIRONMENT, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise GitError(done.stderr.decode(errors="replace").strip())

    def _object(self, name: str) -> pygit2.Object:
        """Return the object that a SHA or a full reference stands for."""
        try:
            if SHA.fullmatch(name):
                return self._git[name]
            return self._git[self._git.lookup_reference(name).target]
        except _REFUSED as error:
            raise GitError(str(error)) from error

    def _commit(self, name: str) -> pygit2.Commit:
        """Return the commit that a SHA or a full reference stands for."""
        try:
            return self._object(name).peel(pygit2.Commit)
        except _REFUSED as error:
            raise GitError(str(error)) from error

    def _tree(self, name: str) -> pygit2.Tree:
        """Return the tree that a SHA or a full reference stands for."""
        try:
            return self._object(name).peel(pygit2.Tree)
        except _REFUSED as error:
            raise GitError(str(error)) from error

    # -- references

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, tag, full reference or SHA stands for."""
        for candidate in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if candidate.startswith("refs/") or SHA.fullmatch(candidate):
                try:
                    return str(self._commit(candidate).id)
                except GitError:
                    continue
        return None

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """References whose full name begins with `prefix` → SHA, sorted by name."""
        names = sorted(self._git.listall_references())
        return {
            name: str(self._git.lookup_reference(name).target)
            for name in names
            if name.startswith(prefix)
        }

    def ref(self, name: str) -> str | None:
        """Return the SHA that a full reference points at."""
        try:
            return str(self._git.lookup_reference(name).target)
        except _REFUSED:
            return None

    @staticmethod
    def valid_ref(name: str) -> bool:
        """Return whether the name obeys git's rules for references."""
        return name.startswith("refs/") and pygit2.reference_is_valid_name(name)

    def update_ref(self, name: str, new: str, old: str | None) -> None:
        """Point a reference at `new`, if it still points at `old` (None: does not exist).

        Raises:
            GitError: it points elsewhere by now, or a branch would not point at a commit.
        """
        try:
            if name.startswith("refs/heads/") and self.object_type(new) != "commit":
                raise GitError(f"{new} is not a commit")
            if old is None:
                self._git.references.create(name, new)
                return
            reference = self._git.lookup_reference(name)
            if str(reference.target) != old:
                raise GitError(f"{name} is at {reference.target}, not at {old}")
            # libgit2 refuses if the reference moved since it was looked up.
            reference.set_target(new)
        except _REFUSED as error:
            raise GitError(str(error)) from error

    def delete_ref(self, name: str) -> None:
        """Remove a reference."""
        self._git.lookup_reference(name).delete()

    def set_default_branch(self, branch: str) -> None:
        """Choose the branch that a clone checks out."""
        self._git.set_head(f"refs/heads/{branch}")

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Return whether `commit` has `ancestor` in its history (or is it)."""
        if self.object_type(ancestor) != "commit" or self.object_type(commit) != "commit":
            return False
        return ancestor == commit or self._git.descendant_of(commit, ancestor)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor."""
        try:
            found = self._git.merge_base(one, other)
        except _REFUSED:
            return None
        return str(found) if found else None

    # -- objects

    def object_type(self, sha: str) -> str | None:
        """Return `blob`, `tree`, `commit`, `tag`, or None for an unknown object."""
        if not SHA.fullmatch(sha) or sha not in self._git:
            return None
        return self._git[sha].type_str

    def blob(self, sha: str) -> bytes:
        """Return a blob's bytes."""
        found = self._object(sha)
        if not isinstance(found, pygit2.Blob):
            raise GitError(f"{sha} is not a blob")
        return found.data

    def file(self, revision: str, path: str) -> bytes | None:
        """Return a file's bytes at a commit, or None."""
        try:
            found = self._tree(revision)[path]
        except (GitError, KeyError, ValueError):
            return None
        return found.data if isinstance(found, pygit2.Blob) else None

    def write_blob(self, data: bytes) -> str:
        """Store bytes as a blob; returns its SHA."""
        return str(self._git.create_blob(data))

    def tree(self, treeish: str, *, recursive: bool = False, path: str = "") -> list[TreeEntry]:
        """Return the entries of a tree, or the entry at `path`.

        `path/` gives a folder's content.
        """
        root = self._tree(treeish)
        if not path:
            return list(self._entries(root, "", recursive=recursive))
        try:
            found = root[path.removesuffix("/")]
        except (KeyError, ValueError):
            return []
        if not path.endswith("/"):
            return [self._entry(found, path)]
        if not isinstance(found, pygit2.Tree):
            return []
        return list(self._entries(found, path, recursive=recursive))

    def _entries(self, folder: pygit2.Tree, prefix: str, *, recursive: bool) -> Iterator[TreeEntry]:
        for found in folder:
            path = prefix + (found.raw_name or b"").decode(errors="surrogateescape")
            yield self._entry(found, path)
            if recursive and isinstance(found, pygit2.Tree):
                yield from self._entries(found, f"{path}/", recursive=True)

    def _entry(self, found: pygit2.Object, path: str) -> TreeEntry:
        size = self._git.odb.read_header(found.id)[1] if found.type_str == "blob" else None
        return TreeEntry(f"{found.filemode:06o}", found.type_str, str(found.id), size, path)

    def write_tree(self, base: str | None, entries: Mapping[str, tuple[str, str] | None]) -> str:
        """Store a tree: that of `base` with entries (path → mode and SHA, None: removed).

        Raises:
            GitError: a path or an object is not valid.
        """
        tree = self._tree(base) if base else None
        try:
            written = self._write_folder(tree, entries)
            return str(written or self._git.TreeBuilder().write())
        except _REFUSED as error:
            raise GitError(str(error)) from error

    def _write_folder(
        self, base: pygit2.Tree | None, entries: Mapping[str, tuple[str, str] | None]
    ) -> pygit2.Oid | None:
        """Store a folder and those in it that change; None: nothing is left in it."""
        builder = self._git.TreeBuilder(base) if base else self._git.TreeBuilder()
        inside: dict[str, dict[str, tuple[str, str] | None]] = defaultdict(dict)
        for path, entry in entries.items():
            name, slash, rest = path.partition("/")
            there = builder.get(name)
            if slash:
                inside[name][rest] = entry
            elif entry:
                builder.insert(name, entry[1], FileMode(int(entry[0], 8)))
            elif there is not None and not isinstance(there, pygit2.Tree):
                builder.remove(name)
        for name, below in inside.items():
            there = builder.get(name)
            if there is not None and not isinstance(there, pygit2.Tree):
                raise GitError(f"{name} is a file, and a folder in another entry")
            written = self._write_folder(there, below)
            if written:
                builder.insert(name, written, FileMode.TREE)
            elif there is not None:
                builder.remove(name)
        return builder.write() if len(builder) else None

    def write_commit(
        self,
        message: str,
        tree: str,
        parents: list[str],
        author: Person,
        committer: Person,
        *,
        signed: bool = False,
    ) -> str:
        """Store a commit with exactly these contents, so that the same input has the same SHA.

        Args:
            message: its message.
            tree: its tree.
            parents: its parents.
            author: who wrote it.
            committer: who commits it.
            signed: whether GitHub signs it.

        Raises:
            GitError: libgit2 finds the commit malformed.
            ValueError: a date is malformed.
        """
        head = [f"tree {tree}", *(f"parent {sha}" for sha in parents)]
        head += [f"author {author.line()}", f"committer {committer.line()}"]
        raw = ("\n".join(head) + "\n\n" + message).encode()
        if signed:
            head.append("gpgsig " + self._sign(raw).replace("\n", "\n "))
            raw = ("\n".join(head) + "\n\n" + message).encode()
        sha = str(self._git.write(ObjectType.COMMIT, raw))
        self._commit(sha)
        return sha

    def _sign(self, payload: bytes) -> str:
        digest = hmac.new(self._key, payload, "sha256").hexdigest()
        return f"-----BEGIN PGP SIGNATURE-----\n\n{digest}\n-----END PGP SIGNATURE-----"

    def seed(self, files: Mapping[str, bytes], branch: str, executable: Container[str] = ()) -> str:
        """Make the first commit, of these files (path → content); returns its SHA."""
        entries = {
            path: ("100755" if path in executable else "100644", self.write_blob(data))
            for path, data in files.items()
        }
        author = Person(
            "GitHub", "noreply@github.com", datetime.now(UTC).isoformat(timespec="seconds")
        )
        tree = self.write_tree(None, entries)
        sha = self.write_commit("Initial commit", tree, [], author, author)
        self.update_ref(f"refs/heads/{branch}", sha, None)
        return sha

    def commit(self, sha: str) -> Commit:
        """Return a commit by its SHA."""
        return self._read(self._commit(sha))

    def _read(self, found: pygit2.Commit) -> Commit:
        signature, payload = (part or b"" for part in found.gpg_signature)
        good = self._key and hmac.compare_digest(signature, self._sign(payload).encode())
        return Commit(
            str(found.id),
            str(found.tree_id),
            [str(parent) for parent in found.parent_ids],
            _person(found.author),
            _person(found.committer),
            found.raw_message.decode(errors="replace").rstrip("\n"),
            signature.decode(errors="replace"),
            payload.decode(errors="replace"),
            verified=bool(good),
        )

    def log(self, head: str, *, without: str = "", path: str = "") -> list[Commit]:
        """Return the commits of a history, newest first.

        Args:
            head: where it begins.
            without: a commit whose own history is left out.
            path: only the commits that changed what lies there, as `git log -- path` has them.
        """
        start = self._commit(head)
        if path:
            return [self._read(found) for found in _changing(start, path)]
        walker = self._git.walk(start.id, SortMode.TOPOLOGICAL | SortMode.TIME)
        if without:
            walker.hide(self._commit(without).id)
        return [self._read(found) for found in walker]

    @_known_by_sha
    def changes(self, old: str, new: str) -> list[FileChange]:
        """Return the files that differ between two commits or trees, with their patches."""
        found = self._diff(old, new)
        found.find_similar()
        return [self._file_change(patch) for patch in found if patch]

    def _file_change(self, patch: pygit2.Patch) -> FileChange:
        delta = patch.delta
        status = _STATUS[delta.status_char()]
        patches = [patch]
        if status == "changed":
            # A file that becomes a link: one patch removes the file, one adds the link.
            old, new = (self.blob(str(side.id)) for side in (delta.old_file, delta.new_file))
            patches = [pygit2.Patch.create_from(old, None), pygit2.Patch.create_from(None, new)]
        lines = [part.line_stats for part in patches]
        hunks = [text for part in patches if (text := _hunks(part.data.decode(errors="replace")))]
        return FileChange(
            status=status,
            path=delta.new_file.path,
            previous=delta.old_file.path if status == "renamed" else None,
            sha=str((delta.old_file if status == "removed" else delta.new_file).id),
            additions=sum(added for _, added, _ in lines),
            deletions=sum(removed for _, _, removed in lines),
            patch="\n".join(hunks) or None,
        )

    def _diff(self, old: str, new: str) -> pygit2.Diff:
        one, other = (self._tree(name) for name in (old, new))
        return one.diff_to_tree(other, DiffOption.INCLUDE_TYPECHANGE)

    def rebase(self, commits: list[Commit], onto: str, committer: Person) -> str | None:
        """Make commits again on top of another one, without merge commits.

        Args:
            commits: oldest first.
            onto: where the first one goes.
            committer: who makes them again; their authors stay.

        Returns:
            The SHA of the last one, or None on a conflict.
        """
        tip = onto
        for commit in commits:
            if len(commit.parents) != 1:
                continue
            parent = self._tree(commit.parents[0])
            merged = self._git.merge_trees(parent, self._tree(tip), self._tree(commit.sha))
            if merged.conflicts:
                return None
            tree = str(merged.write_tree(self._git))
            tip = self.write_commit(commit.message, tree, [tip], commit.author, committer)
        return tip

    @_known_by_sha
    def merge_tree(self, base: str, head: str) -> str | None:
        """Return the tree of a merge of two commits, or None if they conflict."""
        try:
            merged = self._git.merge_commits(base, head)
        except _REFUSED as error:
            raise GitError(str(error)) from error
        return None if merged.conflicts else str(merged.write_tree(self._git))


def _person(found: pygit2.Signature) -> Person:
    when = datetime.fromtimestamp(found.time, timezone(timedelta(minutes=found.offset)))
    name, email = (text.decode(errors="replace") for text in (found.raw_name, found.raw_email))
    return Person(name, email, when.isoformat())


def _changing(start: pygit2.Commit, path: str) -> Iterator[pygit2.Commit]:
    """Yield the commits that changed what lies at a path, newest first.

    A merge that took it over from one parent as it was is followed to that parent only.
    """
    met = {start.id}
    # The number decides between commits of the same second: in the order in which they were met.
    left = [(-start.commit_time, 0, start)]
    while left:
        commit = heapq.heappop(left)[2]
        here, parents = _id_at(commit, path), commit.parents
        same = next((parent for parent in parents if _id_at(parent, path) == here), None)
        if same is None and (parents or here):
            yield commit
        for parent in [same] if same else parents:
            if parent.id not in met:
                met.add(parent.id)
                heapq.heappush(left, (-parent.commit_time, len(met), parent))


def _id_at(commit: pygit2.Commit, path: str) -> pygit2.Oid | None:
    try:
        return commit.tree[path].id
    except KeyError:
        return None


_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}


def _hunks(patch: str) -> str | None:
    start = patch.find("@@ ")
    return patch[start:].rstrip("\n") if start >= 0 else None
