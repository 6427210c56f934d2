"""Check GitHub: credentials, permissions, and each repository."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from github import Auth, Github, GithubException, GithubIntegration
from github.Repository import Repository
from slipway.catalog.files import WorkflowFile
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.models import Place
from slipway.github.retry import reason
from slipway.github.sign_in import app_of, authenticate

from scripts.checks.aws import reports_url
from scripts.checks.places import VARIABLE, distinct
from scripts.checks.result import Installation, Result
from scripts.environment import require

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "services-repo"
TIMEOUT_SECONDS = 10
REPORT_WORKFLOW = ".github/workflows/slipway-report.yml"
RESTART_ENVIRONMENT = "slipway-restart"
# A branch name as runs have it.
RUN_BRANCH = "slipway/action/r_0000000000000000"
REPORTS_VARIABLE = "SLIPWAY_REPORTS_URL"
# Before 0.1.0 the services repository had Port's credentials.
FORBIDDEN_SECRETS = {"PORT_CLIENT_ID", "PORT_CLIENT_SECRET", "RESTART_CREDENTIALS"}
# Permissions that Slipway needs. Actions and issues are for repairs: the restart workflow, and the
# issue that escalates to people.
PERMISSIONS = ("contents", "pull_requests", "actions", "issues")
# Whether it is right (None: unknown), what was found, and the fix.
type Found = tuple[bool | None, str, str]


@dataclass(frozen=True)
class Services:
    """A repository that an installation may change.

    Attributes:
        installation: the installation.
        place: the repository.
        keys: its keys in the map of repositories.
    """

    installation: Installation
    place: Place
    keys: frozenset[str]

    @cached_property
    def repository(self) -> Repository:
        """The repository, read with the credentials that Slipway uses for it."""
        client = Github(
            base_url=_api(self.installation),
            auth=authenticate(self.credentials),
            timeout=TIMEOUT_SECONDS,
            retry=None,
            seconds_between_requests=None,
        )
        return client.get_repo(self.place.name)

    @cached_property
    def credentials(self) -> GitHubCredentials:
        """The credentials for this repository."""
        found = _credentials(self.installation)
        own = self.place.installation_id
        return found.model_copy(update={"installation_id": own}) if own else found

    @property
    def workflows(self) -> list[str]:
        """The workflows that actions of the catalog run in this repository."""
        found: set[str] = set()
        for kind in self.installation.catalog.kinds.values():
            fits = {kind.repository.text}
            if kind.repository.parts:
                part = kind.parts[kind.repository.parts[0]]
                fits = {key for key in self.keys if part.accepts(key)}
            if fits & self.keys:
                specs = (action.spec for action in kind.actions.values())
                found |= {spec.file for spec in specs if isinstance(spec, WorkflowFile)}
        return sorted(found)


type _All = Callable[[Installation], list[Result]]


def _each(name: str) -> Callable[[Callable[[Services], Found]], _All]:
    """Run a check of one repository for all; one fault does not stop others."""

    def decorate(check: Callable[[Services], Found]) -> _All:
        @wraps(check)
        def check_all(installation: Installation) -> list[Result]:
            found = distinct(installation).items()
            return [_checked(Services(installation, *one)) for one in found]

        def _checked(services: Services) -> Result:
            title = f"{name} of {services.place.name}"
            try:
                return Result(title, *check(services))
            except GithubException as error:
                return Result(title, *_refused(error))
            except ConfigurationError as error:
                return Result(title, False, "not set up", str(error))

        return check_all

    return decorate


@_each("GitHub: permissions")
def permissions(services: Services) -> Found:
    """Check that the credentials may push branches and open pull requests."""
    if app := app_of(services.credentials):
        return _of_app(services, *app)
    may_push = services.repository.permissions.push
    cure = (
        "Give the token's user write access to the repository; a fine-grained token needs "
        "'Contents', 'Pull requests', 'Actions' and 'Issues' as read and write."
    )
    return may_push, "may push" if may_push else "may only read", cure


@_each("GitHub: repository")
def repository(services: Services) -> Found:
    """Check that the repository, base branch and branch deletion are set up."""
    found = services.repository
    branch = found.get_branch(services.place.base_branch)
    # GitHub hides this setting from some users, which is not a fault.
    stay = found.delete_branch_on_merge is False
    said = f"{branch.name} at {branch.commit.sha[:7]}"
    cure = "Switch on 'Automatically delete head branches' in the repository's general settings."
    return not stay, f"{said}; merged branches stay" if stay else said, cure


@_each("GitHub: workflows")
def workflow(services: Services) -> Found:
    """Check that the report workflow is current and the others exist.

    The team writes the other workflows, so only the report must match the template. An action runs
    a workflow of the base branch; the report runs from the default branch.
    """
    found, base = services.repository, services.place.base_branch
    report = _state(found, REPORT_WORKFLOW, found.default_branch)
    wrong = [f"{REPORT_WORKFLOW} is {report}"] if report else []
    missing = [path for path in services.workflows if _state(found, path, base) == "missing"]
    wrong += [f"{path} is missing" for path in missing]
    cure = f"Copy services-repo/.github to the default branch, {found.default_branch}."
    if missing:
        cure += f" Add to {base} the workflows that the catalog's actions run."
    return not wrong, ", ".join(wrong) or "as in services-repo/ and the catalog", cure


@_each("GitHub: base branch")
def protection(services: Services) -> Found:
    """Check that the base branch is protected and stale approvals end.

    A ruleset or a branch protection may say so; GitHub shows the latter to administrators only.
    https://docs.github.com/rest/repos/rules#get-rules-for-a-branch
    """
    base = services.place.base_branch
    cure = (
        f"Protect the branch {base} (Settings → Rules): require a pull request before merging, and "
        "'Dismiss stale pull request approvals when new commits are pushed'."
    )
    try:
        found = services.repository
        dismisses = [
            bool(rule["parameters"]["dismiss_stale_reviews_on_push"])
            for rule in _rules(found, base)
            if rule["type"] == "pull_request"
        ]
        if not any(dismisses) and found.get_branch(base).protected:
            reviews = _protection(found, base).get("required_pull_request_reviews")
            dismisses += [bool(reviews["dismiss_stale_reviews"])] if reviews else []
    except GithubException as error:
        if error.status != 403:
            raise
        cure += " Then check it with credentials that may read 'Administration'."
        return None, f"{base} is protected, but GitHub hides the details: check it by hand", cure
    if not dismisses:
        return False, f"{base} accepts changes without a pull request", cure
    detail = "stale approvals are dismissed" if any(dismisses) else "stale approvals stay"
    return any(dismisses), f"{base} accepts pull requests only; {detail}", cure


@_each("GitHub: signatures")
def signatures(services: Services) -> Found:
    """Whether a base branch that requires signed commits gets them.

    GitHub signs the commits of pull requests, squashes and merges, but not those that it rebases.
    https://docs.github.com/authentication/managing-commit-signature-verification/about-commit-signature-verification
    """
    found, place = services.repository, services.place
    required = "required_signatures" in {rule["type"] for rule in _rules(found, place.base_branch)}
    if not required and found.get_branch(place.base_branch).protected:
        try:
            shown = _protection(found, place.base_branch).get("required_signatures") or {}
        except GithubException as error:
            if error.status != 403:
                raise
            return None, "how the branch is protected is not shown: look by hand", ""
        required = bool(shown.get("enabled"))
    if not required:
        return True, "not required; GitHub signs Slipway's commits", ""
    only_rebase = place.merge_method == "auto" and {
        found.allow_squash_merge,
        found.allow_merge_commit,
    } == {False}
    rebases = only_rebase or place.merge_method == "rebase"
    cure = (
        f"Let Slipway merge by squash: allow it in the repository's settings, and set merge_method "
        f"of {place.name} in github.repositories ({VARIABLE}) to auto or squash."
    )
    detail = "required; GitHub does not sign what it rebases" if rebases else "required and given"
    return not rebases, detail, cure


@_each("GitHub: branches of runs")
def own_branches(services: Services) -> Found:
    """Check that a ruleset reserves the branches of runs for Slipway."""
    kinds = {rule["type"] for rule in _rules(services.repository, RUN_BRANCH)}
    missing = [kind for kind in ("creation", "update") if kind not in kinds]
    cure = (
        "Make a ruleset for the branches 'slipway/**/*' (Settings → Rules) that restricts "
        "creations and updates, with Slipway's App on its bypass list. Otherwise every developer "
        "with push access can create a run's branch, or add to its pull request."
    )
    detail = f"not restricted: {', '.join(missing)}" if missing else "for Slipway only"
    return not missing, detail, cure


@_each("GitHub: secrets")
def secrets(services: Services) -> Found:
    """Check that no secret is stored where every branch can read it.

    Any pushed workflow may read such a secret.
    """
    try:
        found = services.repository
        there = {secret.name for secret in found.get_secrets()} | _of_organization(found)
    except GithubException as error:
        if error.status != 403:
            raise
        return None, "these credentials may not list them: check by hand", ""
    exposed = sorted(there & FORBIDDEN_SECRETS)
    cure = (
        "Every developer with push access can read these. Slipway no longer uses Port's: rotate "
        "Port's client secret (docs/runbook.md, 'Port's credentials leaked'), then delete "
        "PORT_CLIENT_ID and PORT_CLIENT_SECRET under Settings → Secrets and variables → Actions. "
        f"Move RESTART_CREDENTIALS, rotated, to the environment {RESTART_ENVIRONMENT}."
    )
    return not exposed, ", ".join(exposed) or "none that Slipway knows", cure


@_each("GitHub: restart environment")
def restart_environment(services: Services) -> Found:
    """Check that only chosen branches may use the restart environment.

    It has the credential of the cluster.
    """
    try:
        found = services.repository.get_environment(RESTART_ENVIRONMENT)
    except GithubException as error:
        if error.status not in {403, 404}:
            raise
        return None, f"{RESTART_ENVIRONMENT} does not exist, or these credentials cannot see it", ""
    # Null if every branch may, although PyGithub's annotation differs.
    limited: object = found.deployment_branch_policy
    cure = (
        f"In Settings → Environments → {RESTART_ENVIRONMENT}, let only the branch "
        f"{services.place.base_branch} deploy. Private repositories need a plan that has "
        "environments."
    )
    detail = "for chosen branches only" if limited else "every branch may use it"
    return limited is not None, detail, cure


@_each("GitHub: reports")
def reports_variable(services: Services) -> Found:
    """Check that the report workflow has this installation's address."""
    given, wanted = "", reports_url(services.installation)
    cure = (
        f"Set the repository variable {REPORTS_VARIABLE} to Terraform's output reports_url"
        f"{f', {wanted}' if wanted else ''}."
    )
    try:
        given = services.repository.get_variable(REPORTS_VARIABLE).value
    except GithubException as error:
        if error.status == 403:
            return None, "these credentials may not read variables: check by hand", cure
        if error.status != 404:
            raise
    if not given:
        return False, f"{REPORTS_VARIABLE} is not set", cure
    return wanted in {None, given}, f"{REPORTS_VARIABLE} is {given}", cure


def _rules(repository: Repository, branch: str) -> list[dict[str, Any]]:
    """Return the rulesets' rules for a branch, which need not exist."""
    url = f"{repository.url}/rules/branches/{quote(branch, safe='/')}?per_page=100"
    _, answer = repository.requester.requestJsonAndCheck("GET", url)
    rules: list[dict[str, Any]] = answer
    return rules


def _protection(repository: Repository, branch: str) -> dict[str, Any]:
    """Return a branch's protection; empty if only rulesets protect it."""
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
    """Return names of the organisation's secrets that are shared with it.

    Empty if GitHub hides them.

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


def _of_app(services: Services, app: Auth.AppAuth, number: int) -> Found:
    integration = GithubIntegration(auth=app, base_url=_api(services.installation), retry=None)
    granted = integration.get_access_token(number).permissions
    # GitHub hides a repository that the installation does not cover.
    _ = services.repository.full_name
    missing = [permission for permission in PERMISSIONS if granted.get(permission) != "write"]
    cure = (
        "Give the App 'Contents', 'Pull requests', 'Actions' and 'Issues' as read and write, and "
        "accept the new permissions in the installation."
    )
    detail = f"not writable: {', '.join(missing)}" if missing else "the App may write these four"
    if "members" not in granted:
        # https://github.com/github/docs/issues/35057
        detail += "; it cannot ask teams for a review: that needs 'Members' as read"
    return not missing, detail, cure


def _refused(error: GithubException) -> Found:
    cure = {
        401: "GitHub refused these credentials: create new ones.",
        403: "These credentials may not do this, or GitHub throttles them: see the message.",
        404: f"Check name and base_branch of this repository in github.repositories ({VARIABLE}), "
        "and that the token, or the App's installation of this number, has access to it.",
    }.get(error.status, "Retry later; see https://www.githubstatus.com.")
    return False, f"GitHub answered {error.status}: {reason(error)}", cure


def _api(installation: Installation) -> str:
    return installation.settings.get("GITHUB_API_URL") or "https://api.github.com"
