"""Run workflows of a repository, always those of its base branch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from github import GithubException
from github.Repository import Repository
from github.WorkflowRun import WorkflowRun as GitHubRun

from slipway.errors import GitHubError
from slipway.github.repository import ServicesRepository

# Number of the newest runs to search, a hundred per request.
_LOOKED_THROUGH = 300
_DETAILS = "return_run_details"


@dataclass(frozen=True, kw_only=True)
class WorkflowRun:
    """A run of a workflow.

    Attributes:
        id: its number on GitHub.
        state: `queued` also if a person must approve the run.
        url: its page.
        commit: the commit whose workflow file it runs.
        conclusion: GitHub's conclusion, for example `timed_out`; None while it runs.
    """

    id: int
    state: Literal["queued", "running", "succeeded", "failed"]
    url: str
    commit: str
    conclusion: str | None = None


class Workflows:
    """The workflows of a repository.

    Args:
        repository: the repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def blob(self, file: str, commit: str | None = None) -> str | None:
        """Return the blob SHA of a workflow file; None if it does not exist.

        Args:
            file: path in the repository.
            commit: a commit; None: the current base branch.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, branch: str) -> str | None:
            try:
                found = repository.get_contents(file, ref=commit or branch)
            except GithubException as error:
                if error.status != 404:
                    raise
                return None
            return None if isinstance(found, list) else found.sha

        return self._repository.using(f"read {file}", act)

    def find(self, file: str, mark: str, *, since: datetime) -> WorkflowRun | None:
        """Find the run whose name has a mark; None while GitHub does not list it.

        Args:
            file: path of the workflow's file.
            mark: unique text that its `run-name` derives from its inputs.
            since: the run is not older.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        created = f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

        def act(repository: Repository, _branch: str) -> WorkflowRun | None:
            workflow = repository.get_workflow(_name(file))
            runs = workflow.get_runs(event="workflow_dispatch", created=created)
            named = (run for run in islice(runs, _LOOKED_THROUGH) if mark in run.display_title)
            found = next(named, None)
            return _described(found) if found else None

        return self._with_cure(file, f"find a run of {file}", act)

    def dispatch(self, file: str, inputs: Mapping[str, str]) -> int | None:
        """Start a workflow of the base branch. A repeated call starts it again.

        https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids

        Returns:
            The run's number; None if GitHub does not return it, as older Enterprise Servers.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, branch: str) -> int | None:
            url = f"{repository.url}/actions/workflows/{_name(file)}/dispatches"
            body: dict[str, Any] = {"ref": branch, "inputs": dict(inputs)}
            post = repository.requester.requestJsonAndCheck
            try:
                _, answer = post("POST", url, input={**body, _DETAILS: True})
            except GithubException as error:
                if error.status != 422 or _DETAILS not in str(error.data):
                    raise
                _, answer = post(
                    "POST", url, input=body
                )  # This GitHub does not support the option.
            number = answer.get("workflow_run_id") if isinstance(answer, dict) else None
            return number if isinstance(number, int) else None

        return self._with_cure(file, f"run {file}", act)

    def get(self, file: str, number: int) -> WorkflowRun:
        """Read a run.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> WorkflowRun:
            return _described(repository.get_workflow_run(number))

        return self._repository.using(f"read a run of {file}", act)

    def cancel(self, file: str, number: int) -> None:
        """Cancel a run; one that has ended stays as it is.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> None:
            # https://docs.github.com/rest/actions/workflow-runs#cancel-a-workflow-run
            try:
                url = f"{repository.url}/actions/runs/{number}/cancel"
                repository.requester.requestJsonAndCheck("POST", url)
            except GithubException as error:
                if error.status != 409:
                    raise

        self._repository.using(f"cancel a run of {file}", act)

    def _with_cure[T](self, file: str, what: str, act: Callable[[Repository, str], T]) -> T:
        try:
            return self._repository.using(what, act)
        except GitHubError as error:
            if error.status != 404:
                raise
            raise GitHubError(
                404,
                f"The workflow {file} was not found in {self._repository.place.name}. Copy it to "
                "the default branch, and give the credentials 'Actions' as read and write.",
            ) from error


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _described(run: GitHubRun) -> WorkflowRun:
    """Return the state and conclusion of a run.

    https://docs.github.com/rest/actions/workflow-runs has the values.
    """
    state: Literal["queued", "running", "succeeded", "failed"] = "queued"
    if run.status == "completed":
        state = "succeeded" if run.conclusion == "success" else "failed"
    elif run.status == "in_progress":
        state = "running"
    return WorkflowRun(
        id=run.id,
        state=state,
        url=run.html_url,
        commit=run.head_sha,
        conclusion=run.conclusion,
    )
