"""Model a repository, an entity's files in it, and a change. Plain data."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# `auto`: the first of squash, merge and rebase that the repository allows.
MergeMethod = Literal["auto", "squash", "merge", "rebase"]


class Place(BaseModel):
    """A repository that this installation may change.

    Attributes:
        name: `owner/name`.
        base_branch: the branch whose files count.
        merge_method: how Slipway merges.
        installation_id: number of the App's installation; None: the one that the secret names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    base_branch: str = Field("main", min_length=1)
    merge_method: MergeMethod = "auto"
    installation_id: int | str | None = None


@dataclass(frozen=True, kw_only=True)
class EntityFiles:
    """The files of a repository that belong to one entity.

    Attributes:
        name: what people call the entity.
        folders: the folders that contain all of them, and possibly other files.
        whole: the folders whose whole content belongs to the entity.
        owns: whether a path belongs to the entity.
    """

    name: str
    folders: tuple[str, ...]
    whole: frozenset[str] = frozenset()
    owns: Callable[[str], bool] = field(compare=False, repr=False)


def lies_in(path: str, folder: str) -> bool:
    """Return whether a path is a folder or below it; empty is the root."""
    return folder in {"", path} or path.startswith(f"{folder}/")


# Names that file systems and git itself treat as git's own folders, and so refuse or obey.
# https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreprotectNTFS
_GITS_OWN = re.compile(r"(\.git|git~[0-9]+)[ .]*(:.*)?", re.IGNORECASE | re.DOTALL)


def is_plain(path: str) -> bool:
    """Return whether a path means the same place on every system.

    Otherwise it must not be written. Dots lead elsewhere, as do backslashes on Windows. macOS
    ignores invisible characters in names.
    """
    plain = path.isprintable() and "\\" not in path
    parts = path.split("/")
    return plain and not any(part in {"", ".", ".."} or _GITS_OWN.fullmatch(part) for part in parts)


def run_branch(action: str, run_id: str) -> str:
    """Return the branch of a run's pull request, which the workflow parses."""
    return f"slipway/{action}/{run_id}"


def retargeted(to: str, base: str) -> str:
    """Return why Slipway closes a pull request with another base branch.

    Args:
        to: that branch.
        base: the base branch.
    """
    return (
        f"Slipway closed this pull request because its base branch is '{to}'. Only a merge into "
        f"'{base}' is allowed."
    )


@dataclass(frozen=True, kw_only=True)
class Change:
    """A planned pull request, derived only from the run and so repeatable.

    Attributes:
        entity: the entity; every path is one of its files.
        branch: `slipway/<action>/<run id>`.
        title: the pull request's title, also the commit's first line.
        body: the pull request's body in GitHub's Markdown.
        files: path → new content, or None to delete the file.
        labels: labels of the pull request.
        reviewers: GitHub logins asked for a review, teams as `team:<slug>`.
        creates: whether the entity must not have any files yet.
        base_commit: the commit that the files were planned from. The pull request starts there, so
            that concurrent changes conflict and are not undone. None: the newest one.
    """

    entity: EntityFiles
    branch: str
    title: str
    body: str
    files: dict[str, str | None]
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = field(default=())
    creates: bool = False
    base_commit: str | None = None

    def __post_init__(self) -> None:
        for path, text in self.files.items():
            if not self.entity.owns(path) or not {"", ".", ".."}.isdisjoint(path.split("/")):
                raise ValueError(f"{path!r} is not a file of {self.entity.name}")
            # People may have such names there, and may have them removed.
            if text is not None and not is_plain(path):
                raise ValueError(f"{path!r} is not the same path on every system")


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as GitHub shows it.

    Attributes:
        number: its number in the repository.
        url: its page for people.
        state: `merged` means closed, with its change on the base branch.
        head_sha: the commit that it would merge.
        retargeted_to: its base branch, if that is not the repository's.
        opened_at: in UTC.
        ended_at: when it was merged or closed; None while it is open.
        notes: problems that do not affect the change, as sentences.
    """

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    head_sha: str
    opened_at: datetime
    ended_at: datetime | None = None
    retargeted_to: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An entity's files at one commit of the base branch.

    Attributes:
        commit: the commit's SHA.
        files: path in the repository → blob SHA; empty without files.
        texts: path → text of each requested UTF-8 file.
    """

    commit: str
    files: Mapping[str, str]
    texts: Mapping[str, str]


def blob_sha(text: str) -> str:
    """Return Git's blob SHA for a file's content.

    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_object_storage
    """
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
