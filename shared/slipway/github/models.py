"""What a change of the services repository is, as plain data."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

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


@dataclass(frozen=True, kw_only=True)
class Change:
    """One pull request to be: all of it follows from the run, so that it can be made again.

    Attributes:
        service: the service's name; every path lies in its folder.
        branch: `slipway/<action>/<run id>`.
        title: the pull request's title, also the commit's first line.
        body: the pull request's body in GitHub's Markdown.
        files: path → new content, or None to delete the file.
        committed_at: the commit's date. A fixed one makes the same change the same commit.
        labels: labels of the pull request.
        reviewers: GitHub logins asked for a review, teams as `team:<slug>`.
        creates_service: the service's folder must not be there yet.
    """

    service: str
    branch: str
    title: str
    body: str
    files: dict[str, str | None]
    committed_at: datetime
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = field(default=())
    creates_service: bool = False

    def __post_init__(self) -> None:
        folder = PurePosixPath(service_folder(self.service))
        for path in self.files:
            if PurePosixPath(path).parent != folder or PurePosixPath(path).name in {"", ".", ".."}:
                raise ValueError(f"{path!r} is outside {folder}")


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as GitHub knows it.

    Attributes:
        number: its number in the repository.
        url: its page for people.
        state: `merged` is a closed one whose change is on the base branch.
        notes: what did not go as asked but does not spoil the change, as sentences.
    """

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    notes: tuple[str, ...] = ()
