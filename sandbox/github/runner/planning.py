"""Decisions about runs: where an event's workflows start, and what their jobs may do."""

import logging
from dataclasses import dataclass
from typing import Any

from sandbox.github.auth import JOB_DEFAULTS
from sandbox.github.runner.process import Cancellation
from sandbox.github.runner.triggers import starts
from sandbox.github.runner.workflow import Permissions, WorkflowError, parse
from sandbox.github.server import Event, RepoSession

_ALL_PERMISSIONS = (
    "actions",
    "checks",
    "contents",
    "id_token",
    "issues",
    "packages",
    "pull_requests",
    "statuses",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """Where the workflows start for an event.

    Attributes:
        ref: the full reference that they run for.
        sha: the commit that they run for, which also has the workflow files.
        head_branch: the branch that the run is listed under.
        head_sha: the commit that its checks are shown at.
        title: the run's title.
    """

    ref: str
    sha: str
    head_branch: str
    head_sha: str
    title: str


def wanted(event: Event, path: str, text: str) -> bool:
    """Return whether an event starts a workflow file.

    A file that cannot be run is started by what people look at, so that its fault is seen.
    """
    if event.name == "workflow_dispatch":
        return bool(path == event.payload["workflow"])
    try:
        workflow = parse(text)
    except WorkflowError as error:
        _log.warning("%s: %s", path, error)
        return event.name == "push" or (
            event.name == "pull_request" and event.action in {"opened", "closed"}
        )
    trigger = workflow.triggers.get(event.name)
    return trigger is not None and starts(trigger, event.name, event.action)


def start_of(here: RepoSession, event: Event) -> Start | None:
    """Return where an event's workflows start, or None if it starts none.

    https://docs.github.com/actions/reference/events-that-trigger-workflows
    """
    payload = event.payload
    if event.name in {"pull_request", "pull_request_target"}:
        return _pull_start(here, event)
    if event.name == "push":
        ref, sha = payload["ref"], payload["after"]
        if payload["deleted"]:
            return None
    else:
        ref = payload["ref"]
        sha = here.git.ref(ref)
        if sha is None:
            return None
    return Start(ref, sha, ref.split("/", 2)[2], sha, here.git.commit(sha).message.split("\n")[0])


def _pull_start(here: RepoSession, event: Event) -> Start | None:
    pull = event.payload["pull_request"]
    head, base, title = pull["head"]["sha"], pull["base"]["ref"], pull["title"]
    if event.name == "pull_request_target":
        # From the default branch since 2025-12-08, for any base branch.
        # https://github.blog/changelog/2025-11-07-actions-pull_request_target-and-environment-branch-protections-changes/
        ref = f"refs/heads/{here.repo.default_branch}"
        newest = here.git.ref(ref)
        if newest is None:
            return None
        return Start(ref, newest, pull["head"]["ref"], head, title)
    ref, sha = f"refs/pull/{pull['number']}/merge", pull["merge_commit_sha"]
    if pull["merged"]:
        # Of a merged pull request the branch is meant that it was merged into.
        ref = f"refs/heads/{base}"
    elif pull["mergeable"] is False or sha is None:
        # GitHub runs nothing for a pull request with conflicts.
        return None
    return Start(ref, sha, pull["head"]["ref"], head, title)


def status_functions(cancellation: Cancellation) -> dict[str, Any]:
    """Return the status functions as a job's `if` has them."""
    cancelled = cancellation.requested
    return {
        "success": lambda: not cancelled,
        "failure": lambda: False,
        "always": lambda: True,
        "cancelled": lambda: cancelled,
    }


def token_permissions(given: Permissions | None) -> dict[str, str]:
    """Return what a job's token may do; without `permissions` GitHub's restricted default."""
    if given is None:
        return dict(JOB_DEFAULTS)
    if isinstance(given, str):
        return dict.fromkeys(_ALL_PERMISSIONS, given.removesuffix("-all"))
    # Workflow files write a hyphen where the API has an underscore.
    return {name.replace("-", "_"): level for name, level in given.items() if level != "none"}
