"""Prepare the services repository with a pull request and a variable.

The App cannot do this: it may write neither workflows nor variables, which Slipway needs only once.
"""

import hashlib

from github import Auth, Github, GithubException, InputGitTreeElement
from github.Repository import Repository
from slipway.github.models import Place
from slipway.github.retry import reason

from scripts.checks.github import REPORT_WORKFLOW, REPORTS_VARIABLE, TEMPLATE
from scripts.installing.config import Config
from scripts.installing.stopped import Stopped

BRANCH = "slipway-setup"
_TITLE = "Add Slipway's workflows"
_BODY = """\
* `slipway-report.yml` reports each merged or closed pull request to Slipway.
  It has no secret.
* `slipway-restart.yml` restarts a service: replace its last line with the command for your cluster.

Slipway's `services-repo/README.md` has the settings to make; `scripts/doctor` checks them.
"""
_TIMEOUT_SECONDS = 30


def find_repositories(config: Config, token: str) -> list[Repository]:
    """Check all repositories with the operator's token.

    Raises:
        Stopped: one does not exist, or the token may not write to it.
    """
    client = Github(
        base_url=config.github.api_url,
        auth=Auth.Token(token),
        timeout=_TIMEOUT_SECONDS,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    return [_found(client, each) for each in config.github.repositories.values()]


def _found(client: Github, wanted: Place) -> Repository:
    try:
        found = client.get_repo(wanted.name)
        found.get_branch(wanted.base_branch)
    except GithubException as error:
        raise _refused(error, wanted.name) from None
    if not found.permissions.push:
        raise Stopped("GITHUB_TOKEN may only read this repository.", wanted.name, _RIGHTS)
    return found


def prepare(repository: Repository, reports_url: str) -> str | None:
    """Set the variable, and propose the missing workflows.

    Returns:
        The pull request's address; None if the default branch has everything.

    Raises:
        Stopped: GitHub refused.
    """
    try:
        _set_variable(repository, reports_url)
        missing = _missing(repository)
        return _propose(repository, missing) if missing else None
    except GithubException as error:
        raise _refused(error, repository.full_name) from None


def _set_variable(repository: Repository, value: str) -> None:
    try:
        variable = repository.get_variable(REPORTS_VARIABLE)
    except GithubException as error:
        if error.status != 404:
            raise
        repository.create_variable(REPORTS_VARIABLE, value)
        return
    if variable.value != value:
        variable.edit(value)


def _missing(repository: Repository) -> dict[str, str]:
    """Return the workflows to add.

    A team's restart workflow stays unchanged.
    """
    files = (TEMPLATE / ".github/workflows").glob("*.yml")
    ours = {file.relative_to(TEMPLATE).as_posix(): file.read_bytes() for file in sorted(files)}
    there = {path: _read(repository, path) for path in ours}
    return {
        path: text.decode()
        for path, text in ours.items()
        if there[path] is None or (path == REPORT_WORKFLOW and there[path] != text)
    }


def _read(repository: Repository, path: str) -> bytes | None:
    try:
        found = repository.get_contents(path)
    except GithubException as error:
        if error.status != 404:
            raise
        return None
    return b"" if isinstance(found, list) else found.decoded_content


def _propose(repository: Repository, files: dict[str, str]) -> str:
    """Open the pull request, or find that of a past run with these files."""
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:8]
    branch = f"{BRANCH}-{digest}"
    base = repository.default_branch
    refs = repository.get_git_matching_refs(f"heads/{branch}")
    if not any(each.ref == f"refs/heads/{branch}" for each in refs):
        tip = repository.get_git_commit(repository.get_branch(base).commit.sha)
        blobs = [InputGitTreeElement(path, "100644", "blob", text) for path, text in files.items()]
        tree = repository.create_git_tree(blobs, tip.tree)
        commit = repository.create_git_commit(_TITLE, tree, [tip])
        repository.create_git_ref(f"refs/heads/{branch}", commit.sha)
    head = f"{repository.owner.login}:{branch}"
    for pull in repository.get_pulls(state="open", head=head, base=base):
        return pull.html_url
    return repository.create_pull(base=base, head=branch, title=_TITLE, body=_BODY).html_url


_RIGHTS = (
    "Give GITHUB_TOKEN 'Contents', 'Pull requests', 'Workflows' and 'Variables' as read and write "
    "on it, then run the command again."
)


def _refused(error: GithubException, repository: str) -> Stopped:
    what = f"GitHub answered {error.status}: {reason(error)}."
    cure = {
        401: "Create a new token, and set GITHUB_TOKEN to it.",
        404: f"Check the name and the base branch. {_RIGHTS}",
    }.get(error.status, _RIGHTS)
    return Stopped(what, repository, cure)
