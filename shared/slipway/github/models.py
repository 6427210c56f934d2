"""What a change of the services repository is, as plain data."""

import hashlib
import re
from collections.abc import Mapping
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    base_branch: str = Field("main", min_length=1)
    merge_method: MergeMethod = "auto"
    installation_id: int | str | None = None


# A DNS label (RFC 1123), because a service's name becomes a namespace, a host and a folder.
SERVICE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def service_folder(service: str) -> str:
    """The folder that holds everything of a service: `apps/<service>`.

    Raises:
        ValueError: the name breaks the rule for service names, so that no path made of it can
            leave `apps/`.
    """
    if not SERVICE_NAME.fullmatch(service):
        raise ValueError(f"not a service name: {service!r}")
    return f"apps/{service}"


# What file systems and git itself take for one of git's own folders, and so refuse or obey.
# https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreprotectNTFS
_GITS_OWN = re.compile(r"(\.git|git~[0-9]+)[ .]*(:.*)?", re.IGNORECASE | re.DOTALL)


def is_plain(path: str) -> bool:
    """Whether a path leads to the same place on every system, so that it may be written.

    Dots lead elsewhere; so do backslashes on Windows. Characters that cannot be seen are ignored in
    names on a Mac.
    """
    plain = path.isprintable() and "\\" not in path
    parts = path.split("/")
    return plain and not any(part in {"", ".", ".."} or _GITS_OWN.fullmatch(part) for part in parts)


def run_branch(action: str, run_id: str) -> str:
    """The branch of a run's pull request; the services repository's workflow reads it again."""
    return f"slipway/{action}/{run_id}"


def retargeted(to: str, base: str) -> str:
    """Say why Slipway closes a pull request that goes to another branch.

    Args:
        to: that branch.
        base: the base branch.
    """
    return (
        f"This pull request goes to branch '{to}'. Slipway closes it, because only a merge into "
        f"'{base}' counts."
    )


@dataclass(frozen=True, kw_only=True)
class Change:
    """One pull request to be: all of it follows from the run, so that it can be made again.

    Attributes:
        service: the service's name; every path lies in its folder.
        branch: `slipway/<action>/<run id>`.
        title: the pull request's title, also the commit's first line.
        body: the pull request's body in GitHub's Markdown.
        files: path → new content, or None to delete the file.
        labels: labels of the pull request.
        reviewers: GitHub logins asked for a review, teams as `team:<slug>`.
        creates_service: the service's folder must not be there yet.
        base_commit: the commit that the files were planned from. The pull request starts there, so
            that what others change meanwhile is a conflict, and not undone. None: the newest one.
    """

    service: str
    branch: str
    title: str
    body: str
    files: dict[str, str | None]
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = field(default=())
    creates_service: bool = False
    base_commit: str | None = None

    def __post_init__(self) -> None:
        folder = service_folder(self.service)
        for path, text in self.files.items():
            below = path.removeprefix(f"{folder}/")
            if below == path or not {"", ".", ".."}.isdisjoint(below.split("/")):
                raise ValueError(f"{path!r} is outside {folder}")
            # People may have such names there, and may have them removed.
            if text is not None and not is_plain(path):
                raise ValueError(f"{path!r} is not the same path on every system")


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as GitHub knows it.

    Attributes:
        number: its number in the repository.
        url: its page for people.
        state: `merged` is a closed one whose change is on the base branch.
        head_sha: the commit that it would merge.
        retargeted_to: another branch than the base branch, which it goes to or was merged into.
        opened_at: in UTC.
        ended_at: when it was merged or closed; None while it is open.
        notes: what did not go as asked but does not spoil the change, as sentences.
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
class RestartTarget:
    """What the restart workflow is told, so that it needs no code of ours.

    Attributes:
        service: the service's name.
        namespace: where it runs.
        environment: as in its reviewed `portData.json`.
    """

    service: str
    namespace: str
    environment: str


@dataclass(frozen=True, kw_only=True)
class ServiceFolder:
    """`apps/<service>/` at one commit of the base branch.

    Attributes:
        service: the service's name.
        commit: the commit's SHA.
        files: path in the repository → blob SHA, with all sub-folders; empty if there is no folder.
        texts: path → text, of the files that were asked for and are UTF-8.
    """

    service: str
    commit: str
    files: Mapping[str, str]
    texts: Mapping[str, str]


def blob_sha(text: str) -> str:
    """Git's name of a file's content.

    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_object_storage
    """
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
