"""GitHub: credentials, permissions, and the services repository."""

from pathlib import Path
from typing import Literal

from github import Auth, Github, GithubException, GithubIntegration
from github.Repository import Repository
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.retry import reason
from slipway.github.sign_in import app_of, authenticate

from scripts.checks.result import Installation, Result
from scripts.environment import require

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "services-repo"
TIMEOUT_SECONDS = 10
SECRETS = ("PORT_CLIENT_ID", "PORT_CLIENT_SECRET")
# What the workflow takes for PORT_BASE_URL if the variable is not set.
DEFAULT_PORT = "https://api.port.io"
# What Slipway asks of an App installation.
# Actions and issues are for repairs: the restart workflow, and the hand-over to people.
PERMISSIONS = ("contents", "pull_requests", "actions", "issues")


def permissions(installation: Installation) -> Result:
    """Whether the credentials are taken and may push branches and open pull requests."""
    name = "GitHub: permissions"
    credentials = _credentials(installation)
    try:
        if app := app_of(credentials):
            return _of_app(name, installation, *app)
        may_push = _repository(installation).permissions.push
    except GithubException as error:
        return _refused(name, error)
    cure = (
        "Give the token's user write access to the repository; a fine-grained token needs "
        "'Contents', 'Pull requests', 'Actions' and 'Issues' as read and write."
    )
    return Result(name, may_push, "may push" if may_push else "may only read", cure)


def repository(installation: Installation) -> Result:
    """Whether the services repository and its base branch are there, and merged branches go."""
    name = "GitHub: services repository"
    try:
        found = _repository(installation)
        branch = found.get_branch(_base(installation))
    except GithubException as error:
        return _refused(name, error)
    # Not told to everybody, which is no fault.
    stay = found.delete_branch_on_merge is False
    said = f"{found.full_name}, {branch.name} at {branch.commit.sha[:7]}"
    cure = "Switch on 'Automatically delete head branches' in the repository's general settings."
    return Result(name, not stay, f"{said}; merged branches stay" if stay else said, cure)


def workflow(installation: Installation) -> Result:
    """Whether the base branch has the template's workflow and script, unchanged."""
    name = "GitHub: workflow"
    try:
        found = _repository(installation)
        states = {path: _state(found, path, _base(installation)) for path in template_files()}
    except GithubException as error:
        return _refused(name, error)
    wrong = [f"{path} is {state}" for path, state in states.items() if state]
    if len(wrong) == len(states):
        wrong = ["none of its files is there as in services-repo/"]
    cure = f"Copy services-repo/.github to the branch {_base(installation)} of the repository."
    return Result(name, not wrong, ", ".join(wrong) or "as in services-repo/", cure)


def actions_settings(installation: Installation) -> Result:
    """Whether the secrets and the variable are set that the workflow needs."""
    name = "GitHub: secrets and variables"
    try:
        found = _repository(installation)
        secrets = {secret.name for secret in found.get_secrets()}
        variables = {variable.name: variable.value for variable in found.get_variables()}
        secrets |= _of_organization(found, "secrets")
        shared = _of_organization(found, "variables")
    except GithubException as error:
        if error.status == 403:
            return Result(name, None, "these credentials may not list them")
        return _refused(name, error)
    missing = [f"secret {name}" for name in SECRETS if name not in secrets]
    base_url = installation.settings.get("PORT_BASE_URL", "")
    given = variables.get("PORT_BASE_URL")
    if given is None and "PORT_BASE_URL" not in shared:
        given = DEFAULT_PORT
    if given is not None and base_url and given.rstrip("/") != base_url.rstrip("/"):
        missing.append(f"variable PORT_BASE_URL (is {given}, must be {base_url})")
    cure = "Set them in the repository: Settings → Secrets and variables → Actions."
    detail = f"to set: {', '.join(missing)}" if missing else "all set"
    return Result(name, not missing, detail, cure)


def template_files() -> list[str]:
    """Paths of what the workflow needs, as they are in the repository."""
    folders = (TEMPLATE / ".github" / "workflows", TEMPLATE / ".github" / "slipway")
    return sorted(
        str(file.relative_to(TEMPLATE))
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )


def _state(repository: Repository, path: str, branch: str) -> str:
    try:
        found = repository.get_contents(path, ref=branch)
    except GithubException as error:
        if error.status != 404:
            raise
        return "missing"
    same = not isinstance(found, list) and found.decoded_content == (TEMPLATE / path).read_bytes()
    return "" if same else "different"


def _of_organization(repository: Repository, kind: Literal["secrets", "variables"]) -> set[str]:
    """Names that the organisation shares with it; none where it does not show them.

    https://docs.github.com/rest/actions/secrets#list-repository-organization-secrets
    """
    url = f"{repository.url}/actions/organization-{kind}?per_page=30"
    try:
        _, answer = repository.requester.requestJsonAndCheck("GET", url)
    except GithubException as error:
        if error.status not in {403, 404}:
            raise
        return set()
    return {item["name"] for item in answer[kind]}


def _credentials(installation: Installation) -> GitHubCredentials:
    settings = installation.settings
    if app_id := settings.get("GITHUB_APP_ID"):
        require(settings, "GITHUB_INSTALLATION_ID", "GITHUB_PRIVATE_KEY")
        return GitHubCredentials.model_validate(
            {
                "app_id": app_id,
                "installation_id": settings["GITHUB_INSTALLATION_ID"],
                "private_key": settings["GITHUB_PRIVATE_KEY"],
            }
        )
    if not settings.get("GITHUB_TOKEN"):
        raise ConfigurationError(
            "Set GITHUB_TOKEN, or GITHUB_APP_ID with GITHUB_INSTALLATION_ID and GITHUB_PRIVATE_KEY."
        )
    return GitHubCredentials.model_validate({"token": settings["GITHUB_TOKEN"]})


def _repository(installation: Installation) -> Repository:
    require(installation.settings, "SERVICES_REPO")
    client = Github(
        base_url=_api(installation),
        auth=authenticate(_credentials(installation)),
        timeout=TIMEOUT_SECONDS,
        retry=None,
        seconds_between_requests=None,
    )
    return client.get_repo(installation.settings["SERVICES_REPO"])


def _of_app(name: str, installation: Installation, app: Auth.AppAuth, number: int) -> Result:
    integration = GithubIntegration(auth=app, base_url=_api(installation), retry=None)
    granted = integration.get_access_token(number).permissions
    missing = [permission for permission in PERMISSIONS if granted.get(permission) != "write"]
    cure = (
        "Give the App 'Contents', 'Pull requests', 'Actions' and 'Issues' as read and write, and "
        "accept the new permissions in the installation."
    )
    detail = f"not writable: {', '.join(missing)}" if missing else "the App may write these four"
    if "members" not in granted:
        # https://github.com/github/docs/issues/35057
        detail += "; it cannot ask teams for a review: that needs 'Members' as read"
    return Result(name, not missing, detail, cure)


def _refused(name: str, error: GithubException) -> Result:
    cure = {
        401: "GitHub does not take these credentials: make new ones.",
        403: "These credentials may not do this, or are being throttled: see the message.",
        404: "Check SERVICES_REPO (owner/name) and SERVICES_BASE_BRANCH, and that the token or App "
        "has access to that repository.",
    }.get(error.status, "Try again later; see https://www.githubstatus.com.")
    return Result(name, False, f"GitHub answered {error.status}: {reason(error)}", cure)


def _api(installation: Installation) -> str:
    return installation.settings.get("GITHUB_API_URL") or "https://api.github.com"


def _base(installation: Installation) -> str:
    return installation.settings.get("SERVICES_BASE_BRANCH") or "main"
