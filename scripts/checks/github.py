"""GitHub: credentials, permissions, and the services repository."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from github import Auth, Github, GithubException, GithubIntegration
from github.Repository import Repository
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.retry import reason
from slipway.github.sign_in import app_of, authenticate

from scripts.checks.aws import reports_url
from scripts.checks.result import Installation, Result
from scripts.environment import require

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "services-repo"
TIMEOUT_SECONDS = 10
REPORT_WORKFLOW = ".github/workflows/slipway-report.yml"
RESTART_WORKFLOW = ".github/workflows/slipway-restart.yml"
RESTART_ENVIRONMENT = "slipway-restart"
# As the branches of runs are named.
RUN_BRANCH = "slipway/upscale_service/r_0000000000000000"
REPORTS_VARIABLE = "SLIPWAY_REPORTS_URL"
# Before 0.1.0 the services repository had Port's credentials.
FORBIDDEN_SECRETS = {"PORT_CLIENT_ID", "PORT_CLIENT_SECRET", "RESTART_CREDENTIALS"}
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
    """Whether the default branch has the template's report workflow, and one that restarts.

    How a service is restarted is the team's to write, so only the report must be as it is here.
    """
    name = "GitHub: workflows"
    try:
        found = _repository(installation)
        report = _state(found, REPORT_WORKFLOW, found.default_branch)
        restart = _state(found, RESTART_WORKFLOW, found.default_branch)
    except GithubException as error:
        return _refused(name, error)
    wrong = [f"{REPORT_WORKFLOW} is {report}"] if report else []
    wrong += [f"{RESTART_WORKFLOW} is missing"] if restart == "missing" else []
    cure = f"Copy services-repo/.github to the default branch, {found.default_branch}."
    return Result(name, not wrong, ", ".join(wrong) or "as in services-repo/", cure)


def protection(installation: Installation) -> Result:
    """Whether the base branch takes pull requests only, and new commits dismiss approvals.

    A ruleset or a branch protection may say so; GitHub shows the latter to administrators only.
    https://docs.github.com/rest/repos/rules#get-rules-for-a-branch
    """
    name = "GitHub: base branch"
    base = _base(installation)
    cure = (
        f"Protect the branch {base} (Settings → Rules): require a pull request before merging, and "
        "'Dismiss stale pull request approvals when new commits are pushed'."
    )
    try:
        found = _repository(installation)
        dismisses = [
            bool(rule["parameters"]["dismiss_stale_reviews_on_push"])
            for rule in _rules(found, base)
            if rule["type"] == "pull_request"
        ]
        if not any(dismisses) and found.get_branch(base).protected:
            reviews = _protection(found, base).get("required_pull_request_reviews")
            dismisses += [bool(reviews["dismiss_stale_reviews"])] if reviews else []
    except GithubException as error:
        if error.status == 403:
            cure += " Then look at it with credentials that may read 'Administration'."
            return Result(name, None, f"{base} is protected; how is not shown: look by hand", cure)
        return _refused(name, error)
    if not dismisses:
        return Result(name, False, f"{base} takes changes without a pull request", cure)
    detail = "stale approvals are dismissed" if any(dismisses) else "stale approvals stay"
    return Result(name, any(dismisses), f"{base} takes pull requests only; {detail}", cure)


def own_branches(installation: Installation) -> Result:
    """Whether a ruleset keeps the branches of runs for Slipway."""
    name = "GitHub: branches of runs"
    try:
        kinds = {rule["type"] for rule in _rules(_repository(installation), RUN_BRANCH)}
    except GithubException as error:
        return _refused(name, error)
    missing = [kind for kind in ("creation", "update") if kind not in kinds]
    cure = (
        "Make a ruleset for the branches 'slipway/**/*' (Settings → Rules) that restricts "
        "creations and updates, with Slipway's App on its bypass list. Otherwise every developer "
        "with push access can take a run's branch, or add to its pull request."
    )
    detail = f"not restricted: {', '.join(missing)}" if missing else "for Slipway only"
    return Result(name, not missing, detail, cure)


def secrets(installation: Installation) -> Result:
    """Whether a secret is kept where every branch can read it: any pushed workflow may."""
    name = "GitHub: secrets"
    try:
        found = _repository(installation)
        there = {secret.name for secret in found.get_secrets()} | _of_organization(found)
    except GithubException as error:
        if error.status == 403:
            return Result(name, None, "these credentials may not list them: look by hand")
        return _refused(name, error)
    exposed = sorted(there & FORBIDDEN_SECRETS)
    cure = (
        "Every developer with push access can read these. Slipway no longer uses Port's: rotate "
        "Port's client secret (docs/runbook.md, 'Port's credentials leaked'), then delete "
        "PORT_CLIENT_ID and PORT_CLIENT_SECRET under Settings → Secrets and variables → Actions. "
        f"Move RESTART_CREDENTIALS, rotated, to the environment {RESTART_ENVIRONMENT}."
    )
    return Result(name, not exposed, ", ".join(exposed) or "none that Slipway knows", cure)


def restart_environment(installation: Installation) -> Result:
    """Whether only chosen branches may use the environment that keeps the cluster's credential."""
    name = "GitHub: restart environment"
    try:
        found = _repository(installation)
        policy = found.get_environment(RESTART_ENVIRONMENT).deployment_branch_policy
    except GithubException as error:
        if error.status in {403, 404}:
            return Result(name, None, f"{RESTART_ENVIRONMENT} is not there, or not shown")
        return _refused(name, error)
    # Null if every branch may, whatever PyGithub's annotation says.
    limited: object = policy
    cure = (
        f"In Settings → Environments → {RESTART_ENVIRONMENT}, let only the branch "
        f"{_base(installation)} deploy. Private repositories need a plan that has environments."
    )
    detail = "for chosen branches only" if limited else "every branch may use it"
    return Result(name, limited is not None, detail, cure)


def reports_variable(installation: Installation) -> Result:
    """Whether the report workflow knows the address of this installation."""
    name = "GitHub: reports"
    try:
        found = _repository(installation)
        given = found.get_variable(REPORTS_VARIABLE).value
    except GithubException as error:
        if error.status == 403:
            return Result(name, None, "these credentials may not read variables: look by hand")
        given = ""
        if error.status != 404:
            return _refused(name, error)
    wanted = reports_url(installation)
    cure = (
        f"Set the repository variable {REPORTS_VARIABLE} to Terraform's output reports_url"
        f"{f', {wanted}' if wanted else ''}."
    )
    if not given:
        return Result(name, False, f"{REPORTS_VARIABLE} is not set", cure)
    return Result(name, wanted in {None, given}, f"{REPORTS_VARIABLE} is {given}", cure)


def _rules(repository: Repository, branch: str) -> list[dict[str, Any]]:
    """The rules of rulesets for a branch, which need not exist."""
    url = f"{repository.url}/rules/branches/{quote(branch, safe='/')}?per_page=100"
    _, answer = repository.requester.requestJsonAndCheck("GET", url)
    rules: list[dict[str, Any]] = answer
    return rules


def _protection(repository: Repository, branch: str) -> dict[str, Any]:
    """A branch's protection; empty if rulesets alone protect it."""
    url = f"{repository.url}/branches/{quote(branch, safe='/')}/protection"
    try:
        _, answer = repository.requester.requestJsonAndCheck("GET", url)
    except GithubException as error:
        if error.status != 404:
            raise
        return {}
    shown: dict[str, Any] = answer
    return shown


def _state(repository: Repository, path: str, branch: str) -> str:
    try:
        found = repository.get_contents(path, ref=branch)
    except GithubException as error:
        if error.status != 404:
            raise
        return "missing"
    same = not isinstance(found, list) and found.decoded_content == (TEMPLATE / path).read_bytes()
    return "" if same else "different"


def _of_organization(repository: Repository) -> set[str]:
    """Names of secrets that the organisation shares with it; none where it does not show them.

    https://docs.github.com/rest/actions/secrets#list-repository-organization-secrets
    """
    url = f"{repository.url}/actions/organization-secrets?per_page=30"
    try:
        _, answer = repository.requester.requestJsonAndCheck("GET", url)
    except GithubException as error:
        if error.status not in {403, 404}:
            raise
        return set()
    return {item["name"] for item in answer["secrets"]}


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
