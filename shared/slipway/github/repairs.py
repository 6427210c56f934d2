"""What the services repository does for a service that is ill: restart, roll back, hand over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from github.Commit import Commit
from github.Issue import Issue
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository
from github.Workflow import Workflow
from github.WorkflowRun import WorkflowRun

from slipway.errors import GitHubError, UserError
from slipway.github.folder import read_folder
from slipway.github.models import RestartTarget, service_folder
from slipway.github.repository import ServicesRepository
from slipway.github.roll_back import (
    REMEDIATION_ID,
    REPAIR_BRANCH,
    LastChange,
    NothingToRollBack,
    texts_before,
)

RESTART_WORKFLOW = "slipway-restart.yml"
# How many of the newest runs and open issues are looked through, a hundred with each request.
_LOOKED_THROUGH = 300


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A restart by the workflow of the services repository.

    Attributes:
        state: `queued` also where somebody has to let the run go on.
        url: the run's page; None while GitHub does not list a run that was just asked for.
        conclusion: how it ended in GitHub's word, as `timed_out`; None while it has not ended.
    """

    state: Literal["queued", "running", "succeeded", "failed"]
    url: str | None = None
    conclusion: str | None = None


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """The issue that hands a service over to people.

    Attributes:
        number: its number in the repository.
        url: its page.
        created: whether it was opened now.
    """

    number: int
    url: str
    created: bool


class Repairs:
    """The services repository, as a remediation uses it.

    Args:
        repository: the services repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def restart(self, target: RestartTarget, remediation_id: str, *, since: datetime) -> Restart:
        """Start the restart workflow, or find the run that was started before.

        GitHub lists a run some moments after it was asked for. Who calls this twice within these
        gets two runs, one after the other, which do the same.

        Args:
            target: what to restart, which the workflow is told whole.
            remediation_id: a new one for each attempt; the run's name is made of it.
            since: no run of this attempt is older.

        Raises:
            ValueError: the name or the id breaks its rule.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused; the text says what to do if the workflow is not there.
        """
        name = _restart_name(target.service, remediation_id)

        def act(repository: Repository, branch: str) -> Restart:
            workflow = repository.get_workflow(RESTART_WORKFLOW)
            run = _find_run(workflow, name, since)
            if run:
                return _restart(run)
            inputs = {
                "service": target.service,
                "namespace": target.namespace,
                "environment": target.environment,
                "remediation": remediation_id,
            }
            workflow.create_dispatch(branch, inputs, throw=True)
            return Restart(state="queued")

        try:
            return self._repository.using(f"restart service '{target.service}'", act)
        except GitHubError as error:
            if error.status != 404:
                raise
            raise GitHubError(
                404,
                f"The services repository's workflow {RESTART_WORKFLOW} was not found. Copy it to "
                "the default branch, and let the credentials have 'Actions' as read and write.",
            ) from error

    def last_change(self, service: str) -> LastChange | NothingToRollBack:
        """The last change of a service on the base branch, if it can be taken back.

        That is a pull request as a whole if it came by a merge commit or squashed; of one that was
        rebased, its last commit. A repair of Slipway is not taken back, nor what came before it:
        so look first for the pull request of `roll_back_branch`, which is one once it is merged.

        Raises:
            ValueError: the name breaks the rule for service names.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """
        service_folder(service)
        what = f"find the last change of service '{service}'"
        try:
            return self._repository.using(
                what, lambda repository, branch: _last_change(repository, branch, service)
            )
        except UserError as error:
            # Not all of the folder can be known.
            return NothingToRollBack(str(error))

    def escalate(
        self,
        *,
        title: str,
        body: str,
        labels: Sequence[str],
        marker: str,
        comment: str | None = None,
    ) -> HandOver:
        """Open an issue, or bring the open one of the same marker up to date.

        The body is Slipway's: what people add to it is replaced, what they comment stays. GitHub
        tells people of a comment, but not of a new body.

        Args:
            title: the issue's title.
            body: its body in GitHub's Markdown, which holds the marker.
            labels: its labels, at least one; the issue is found again only while it has them all.
            marker: a hidden comment, the same for all that belongs into one issue.
            comment: what to add to an issue that is open already, unless its body or a comment says
                the same.

        Raises:
            ValueError: the body does not hold the marker, or there is no label.
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """
        if not marker or marker not in body or not labels:
            raise ValueError("an issue needs its marker in the body, and a label")

        def act(repository: Repository, _branch: str) -> HandOver:
            issue = _find_issue(repository, labels, marker)
            if issue is None:
                opened = repository.create_issue(title, body, labels=list(labels))
                return HandOver(number=opened.number, url=opened.html_url, created=True)
            if not _same(issue.body, body):
                # Before the body, which says that an attempt that was cut off had come this far.
                said = [each.body for each in issue.get_comments()] if comment else []
                if comment and not any(_same(one, comment) for one in said):
                    issue.create_comment(comment)
                issue.edit(body=body)
            return HandOver(number=issue.number, url=issue.html_url, created=False)

        return self._repository.using("hand a service over by an issue", act)


def _restart_name(service: str, remediation_id: str) -> str:
    """The run's name, as the workflow's `run-name` makes it of its inputs."""
    service_folder(service)
    if not REMEDIATION_ID.fullmatch(remediation_id):
        raise ValueError(f"not the id of a remediation: {remediation_id!r}")
    return f"Restart {service} ({remediation_id})"


def _find_run(workflow: Workflow, name: str, since: datetime) -> WorkflowRun | None:
    created = f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    runs = workflow.get_runs(event="workflow_dispatch", created=created)
    return next((run for run in islice(runs, _LOOKED_THROUGH) if run.display_title == name), None)


def _restart(run: WorkflowRun) -> Restart:
    """https://docs.github.com/rest/actions/workflow-runs names the states and conclusions."""
    state: Literal["queued", "running", "succeeded", "failed"] = "queued"
    if run.status == "completed":
        state = "succeeded" if run.conclusion == "success" else "failed"
    elif run.status == "in_progress":
        state = "running"
    return Restart(state=state, url=run.html_url, conclusion=run.conclusion)


def _find_issue(repository: Repository, labels: Sequence[str], marker: str) -> Issue | None:
    issues = repository.get_issues(state="open", labels=list(labels))
    return next(
        (
            issue
            for issue in islice(issues, _LOOKED_THROUGH)
            # GitHub lists pull requests among the issues.
            if marker in (issue.body or "") and "/pull/" not in issue.html_url
        ),
        None,
    )


def _same(found: str | None, wanted: str) -> bool:
    """Whether a text is what was sent, whatever GitHub has made of white space at its ends."""
    return (found or "").strip() == wanted.strip()


def _last_change(
    repository: Repository, branch: str, service: str
) -> LastChange | NothingToRollBack:
    folder = service_folder(service)
    base = repository.get_git_ref(f"heads/{branch}").object.sha
    newest = next(iter(repository.get_commits(sha=base, path=folder)), None)
    if newest is None:
        return NothingToRollBack("The service has no folder on the base branch.")
    pull = _pull_of(newest, branch)
    if pull and REPAIR_BRANCH.fullmatch(pull.head.ref):
        return NothingToRollBack(
            f"The service's last change, #{pull.number}, was a repair by Slipway itself."
        )
    commit = _merge_of(repository, newest, pull)
    if not commit.parents:
        return NothingToRollBack("The service has not been changed since it was created.")
    touched = _touched(commit, f"{folder}/")
    names = frozenset(path.rpartition("/")[2] for path in touched)
    before = read_folder(repository, service, commit.parents[0].sha, names)
    texts = texts_before(touched, before, read_folder(repository, service, base, frozenset()))
    if isinstance(texts, NothingToRollBack):
        return texts
    return LastChange(
        service=service,
        commit=commit.sha,
        url=pull.html_url if pull else commit.html_url,
        pull_number=pull.number if pull else None,
        before=texts,
        after={path: touched[path] for path in texts},
        base_commit=base,
    )


def _pull_of(commit: Commit, branch: str) -> GitHubPull | None:
    """The merged pull request that brought a commit to the base branch."""
    pulls = (pull for pull in commit.get_pulls() if pull.merged_at and pull.base.ref == branch)
    return next(pulls, None)


def _merge_of(repository: Repository, newest: Commit, pull: GitHubPull | None) -> Commit:
    """The merge commit that brought a commit to the base branch; the commit itself without one."""
    if pull and pull.merge_commit_sha and pull.merge_commit_sha != newest.sha:
        merge = repository.get_commit(pull.merge_commit_sha)
        if len(merge.parents) > 1:
            return merge
    return repository.get_commit(newest.sha)


def _touched(commit: Commit, prefix: str) -> dict[str, str | None]:
    """Path → blob SHA after a commit, of what it changed below a folder."""
    touched: dict[str, str | None] = {}
    for file in commit.files:
        if file.status == "renamed":
            touched[file.previous_filename] = None
        touched[file.filename] = None if file.status == "removed" else file.sha
    return {path: sha for path, sha in touched.items() if path.startswith(prefix)}
