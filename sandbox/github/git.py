"""A bare git repository, driven by git's own plumbing commands."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path

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
# Whether a push is forced is known only when its objects have arrived: asked of git's own hook.
_UPDATE_HOOK = """#!/bin/sh
case " $NO_FORCE_REFS " in *" $1 "*) ;; *) exit 0 ;; esac
[ "$2" = 0000000000000000000000000000000000000000 ] && exit 0
git merge-base --is-ancestor "$2" "$3" && exit 0
echo "GH006: Protected branch update failed for $1: cannot force-push." >&2
exit 1
"""
_COMMIT_FORMAT = "%x00".join(
    ("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B%x00%x1e")
)


class GitError(Exception):
    """git refused; the text is what it wrote to stderr."""


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
    """A commit object."""

    sha: str
    tree: str
    parents: list[str]
    author: Person
    committer: Person
    message: str


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
    """Ask git but once for what two commits, named by their SHAs, always say of each other.

    "No" and "none" are asked again: a commit may come that is not there yet.
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
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def init(self, default_branch: str) -> None:
        """Make the repository, ready to be cloned and pushed to over HTTP."""
        self.path.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(self.path))
        for key, value in {
            "http.receivepack": "true",
            "uploadpack.allowAnySHA1InWant": "true",
            "receive.advertisePushOptions": "false",
            "core.logAllRefUpdates": "false",
            "gc.auto": "0",
        }.items():
            self.run("config", key, value)
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK)
        hook.chmod(0o755)

    def run(
        self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> bytes:
        """Run a git command in the repository.

        Raises:
            GitError: it ended with another status than 0.
        """
        done = self._spawn(arguments, stdin, env)
        if done.returncode:
            raise GitError(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]}")
        return done.stdout

    def _spawn(
        self,
        arguments: Iterable[str],
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**ENVIRONMENT, **(env or {})},
            input=stdin or b"",
            capture_output=True,
            check=False,
        )

    # -- references

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag, full reference or SHA stands for."""
        for candidate in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if not (candidate.startswith("refs/") or SHA.fullmatch(candidate)):
                continue
            arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options")
            done = self._spawn((*arguments, f"{candidate}^{{commit}}"))
            if done.returncode == 0:
                return done.stdout.decode().strip()
        return None

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """References whose full name begins with `prefix` → SHA, sorted by name."""
        out = self.run("for-each-ref", "--format=%(refname)%00%(objectname)", "refs/").decode()
        pairs = (line.split("\0") for line in out.splitlines())
        return {name: sha for name, sha in pairs if name.startswith(prefix)}

    def ref(self, name: str) -> str | None:
        """The SHA that a full reference points at."""
        done = self._spawn(("show-ref", "--verify", "--hash", "--", name))
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def valid_ref(self, name: str) -> bool:
        """Whether the name obeys git's rules for references."""
        return name.startswith("refs/") and self._spawn(("check-ref-format", name)).returncode == 0

    def update_ref(self, name: str, new: str, old: str | None) -> None:
        """Point a reference at `new`, if it still points at `old` (None: does not exist).

        Raises:
            GitError: it points elsewhere by now.
        """
        self.run("update-ref", name, new, old or "0" * 40)

    def delete_ref(self, name: str) -> None:
        """Remove a reference."""
        self.run("update-ref", "-d", name)

    @_known_by_sha
    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether `commit` has `ancestor` in its history (or is it)."""
        return self._spawn(("merge-base", "--is-ancestor", ancestor, commit)).returncode == 0

    @_known_by_sha
    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor."""
        done = self._spawn(("merge-base", one, other))
        return done.stdout.decode().split("\n")[0] if done.returncode == 0 else None

    # -- objects

    def object_type(self, sha: str) -> str | None:
        """`blob`, `tree`, `commit`, `tag`, or None if there is no such object."""
        if not SHA.fullmatch(sha):
            return None
        done = self._spawn(("cat-file", "-t", sha))
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def blob(self, sha: str) -> bytes:
        """A blob's bytes."""
        return self.run("cat-file", "blob", sha)

    def file(self, revision: str, path: str) -> bytes | None:
        """A file's bytes at a commit, or None."""
        done = self._spawn(("cat-file", "blob", f"{revision}:{path}"))
        return done.stdout if done.returncode == 0 else None

    def write_blob(self, data: bytes) -> str:
        """Store bytes as a blob; returns its SHA."""
        return self.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()

    def tree(self, treeish: str, *, recursive: bool = False, path: str = "") -> list[TreeEntry]:
        """The entries of a tree, or what lies at `path` in it (`path/` for a folder's content)."""
        flags = ("-r", "-t") if recursive else ()
        out = self.run(
            "--literal-pathspecs",
            "ls-tree",
            "-z",
            "-l",
            *flags,
            treeish,
            "--",
            *([path] if path else []),
        )
        entries = []
        for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
            meta, name = line.split("\t", 1)
            mode, kind, sha, size = meta.split()
            entries.append(TreeEntry(mode, kind, sha, None if size == "-" else int(size), name))
        return entries

    def write_tree(self, base: str | None, entries: Mapping[str, tuple[str, str] | None]) -> str:
        """Store a tree: that of `base` with entries (path → mode and SHA, None: removed).

        Raises:
            GitError: a path or an object is not valid.
        """
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            self.run("read-tree", *([base] if base else ["--empty"]), env=index)
            lines, folders = [], []
            for path, entry in entries.items():
                if entry is None:
                    lines.append(f"0 {'0' * 40}\t{path}\0")
                elif entry[0] == "040000":
                    folders.append((path, entry[1]))
                else:
                    lines.append(f"{entry[0]} {entry[1]}\t{path}\0")
            self.run("update-index", "-z", "--index-info", stdin="".join(lines).encode(), env=index)
            for path, sha in folders:
                self.run("read-tree", f"--prefix={path}/", sha, env=index)
            return self.run("write-tree", env=index).decode().strip()

    def write_commit(
        self, message: str, tree: str, parents: list[str], author: Person, committer: Person
    ) -> str:
        """Store a commit with exactly these contents, so that the same input has the same SHA.

        Raises:
            GitError: git finds the commit malformed.
            ValueError: a date is malformed.
        """
        head = [f"tree {tree}", *(f"parent {sha}" for sha in parents)]
        head += [f"author {author.line()}", f"committer {committer.line()}"]
        raw = ("\n".join(head) + "\n\n" + message).encode()
        return self.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).decode().strip()

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
        """A commit by its SHA."""
        return self.log(sha, "--max-count=1")[0]

    def log(self, *arguments: str, path: str = "") -> list[Commit]:
        """Commits, newest first; the arguments are those of `git log` (revisions, limits)."""
        out = self.run(
            "--literal-pathspecs",
            "log",
            f"--format={_COMMIT_FORMAT}",
            *arguments,
            "--",
            *([path] if path else []),
        ).decode(errors="replace")
        commits = []
        for record in out.split("\0\x1e"):
            if not record.strip("\n"):
                continue
            sha, tree, parents, *people, message = record.lstrip("\n").split("\0")
            author, committer = Person(*people[:3]), Person(*people[3:6])
            commits.append(
                Commit(sha, tree, parents.split(), author, committer, message.rstrip("\n"))
            )
        return commits

    @_known_by_sha
    def changes(self, old: str, new: str) -> list[FileChange]:
        """The files that differ between two commits, with their patches."""
        options = ("-M", "--full-index", "--no-abbrev", "--no-color", "--no-ext-diff")
        raw = self.run("diff", *options, "--raw", "-z", old, new).decode(errors="replace")
        counts = self.run("diff", *options, "--numstat", "-z", old, new).decode(errors="replace")
        text = self.run("diff", *options, old, new).decode(errors="replace")
        patches = iter(re.split(r"^diff --git .*\n", text, flags=re.MULTILINE)[1:])
        found = zip(_raw_changes(raw), _numbers(counts), strict=True)
        return [
            FileChange(
                status=status,
                path=path,
                previous=previous,
                sha=sha,
                additions=added,
                deletions=removed,
                # A file that becomes a link has two patches: one removes it, one adds the link.
                patch=_hunks(next(patches) + (next(patches) if status == "changed" else "")),
            )
            for (status, path, previous, sha), (added, removed) in found
        ]

    def changed_paths(self, old: str | None, new: str) -> list[str]:
        """Paths that differ between two commits; without `old`, all paths of `new`."""
        arguments = ("diff", "--name-only", "--no-renames", "-z", old, new) if old else None
        out = self.run(*(arguments or ("ls-tree", "-r", "--name-only", "-z", new)))
        return out.decode(errors="surrogateescape").split("\0")[:-1]

    @_known_by_sha
    def merge_tree(self, base: str, head: str) -> str | None:
        """The tree of a merge of two commits, or None if they conflict."""
        done = self._spawn(("merge-tree", "--write-tree", base, head))
        if done.returncode == 1:
            return None
        if done.returncode:
            raise GitError(done.stderr.decode(errors="replace"))
        return done.stdout.decode().split("\n")[0]


_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}


def _raw_changes(raw: str) -> Iterable[tuple[str, str, str | None, str]]:
    fields = iter(raw.split("\0")[:-1])
    for meta in fields:
        _, _, old_sha, new_sha, letter = meta.lstrip(":").split()
        status = _STATUS[letter[0]]
        first = next(fields)
        previous, path = (first, next(fields)) if status == "renamed" else (None, first)
        yield status, path, previous, old_sha if status == "removed" else new_sha


def _numbers(counts: str) -> Iterable[tuple[int, int]]:
    fields = iter(counts.split("\0")[:-1])
    for line in fields:
        added, removed, path = line.split("\t")
        if not path:  # A rename: its two paths follow.
            next(fields), next(fields)
        # A binary file has dashes.
        yield (0, 0) if added == "-" else (int(added), int(removed))


def _hunks(patch: str) -> str | None:
    start = patch.find("@@ ")
    return patch[start:].rstrip("\n") if start >= 0 else None
