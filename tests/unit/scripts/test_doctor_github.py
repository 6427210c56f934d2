"""Check GitHub with a server that answers like the real one."""

import base64
import json
from typing import Any

import pytest

from scripts import doctor
from scripts.checks import github
from scripts.checks.result import Check, Installation, Result
from tests.catalogs.samples import ACME
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

REPOSITORY = "GET /repos/acme/services"


def repository(server: ScriptedServer, **fields: Any) -> None:
    body = {
        "full_name": "acme/services",
        "url": f"{server.url}/repos/acme/services",
        "permissions": {"push": True, "pull": True},
        **fields,
    }
    server.script(REPOSITORY, (200, body, {}))


def one(check: Check, installation: Installation) -> Result:
    """Return a check's result for the only repository."""
    found = check(installation)
    assert isinstance(found, list)
    (result,) = found
    return result


def file(path: str, content: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"type": "file", "path": path, "encoding": "base64", "content": encoded}


@pytest.mark.parametrize("push", [True, False])
def test_token_is_fine_only_with_push_permission(
    server: ScriptedServer, installation: Installation, push: bool
) -> None:
    repository(server, permissions={"push": push, "pull": True})

    assert one(github.permissions, installation).ok is push


def of_app(installation: Installation, key: str, **changes: str) -> Installation:
    """Return the installation with an App instead of the token."""
    app = {"APP_ID": "1", "INSTALLATION_ID": "2", "PRIVATE_KEY": key, **changes}
    settings = {f"GITHUB_{name}": value for name, value in app.items()}
    given = {**installation.settings, **settings}
    return Installation(given, catalog_folder=installation.catalog_folder)


@pytest.mark.parametrize(("members", "told"), [({}, True), ({"members": "read"}, False)])
def test_app_without_team_permission_is_reported(
    server: ScriptedServer,
    installation: Installation,
    key: str,
    members: dict[str, str],
    told: bool,
) -> None:
    granted = dict.fromkeys(github.PERMISSIONS, "write") | members
    token = {"token": "ghs_a", "expires_at": "2030-01-01T00:00:00Z", "permissions": granted}
    server.script("POST /app/installations/2/access_tokens", (201, token, {}))
    repository(server)

    result = one(github.permissions, of_app(installation, key))

    assert result.ok
    assert ("'Members'" in result.detail) is told


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"APP_ID": "Iv23liABCDEFGHIJKLMN"}, "'app_id'"),
        ({"INSTALLATION_ID": "acme"}, "'installation_id'"),
        ({"PRIVATE_KEY": "hidden-value"}, "'private_key'"),
    ],
)
def test_each_check_names_a_wrong_field_of_an_app(
    installation: Installation, key: str, changes: dict[str, str], field: str
) -> None:
    checks = [check for check in doctor.CHECKS if check[1].__module__ == github.__name__]

    results = doctor.examine(of_app(installation, key, **changes), checks)

    assert len(results) == 9
    assert all(result.ok is False and field in result.cure for result in results)
    assert "hidden-value" not in str(results)


@pytest.mark.parametrize(("status", "cure"), [(401, "new ones"), (404, "github.repositories")])
def test_invisible_repository_is_a_fault(
    server: ScriptedServer, installation: Installation, status: int, cure: str
) -> None:
    server.script(REPOSITORY, (status, {"message": "no"}, {}))

    result = one(github.repository, installation)

    assert result.ok is False
    assert cure in result.cure


def of_three(installation: Installation, **pay: Any) -> Installation:
    """Return the acme installation: three keys, two repositories."""
    given = {
        "pay": {"name": "acme/pay", **pay},
        "shop": {"name": "acme/services", "base_branch": "trunk"},
        "core": {"name": "Acme/Services", "base_branch": "trunk"},
    }
    settings = {**installation.settings, "GITHUB_REPOSITORIES": json.dumps(given)}
    return Installation(settings, catalog_folder=ACME)


def test_each_repository_of_the_map_is_checked_once(
    server: ScriptedServer, installation: Installation
) -> None:
    repository(server)
    branch = {"name": "trunk", "commit": {"sha": "a" * 40}}
    server.script(f"{REPOSITORY}/branches/trunk", (200, branch, {}))
    server.script("GET /repos/acme/pay", (404, {"message": "Not Found"}, {}))

    pay, services = github.repository(of_three(installation))

    assert (pay.name, pay.ok) == ("GitHub: repository of acme/pay", False)
    assert (services.name, services.ok) == ("GitHub: repository of acme/services", True)


def test_each_repository_has_its_own_installation(
    server: ScriptedServer, installation: Installation, key: str
) -> None:
    granted = dict.fromkeys(github.PERMISSIONS, "write")
    token = {"token": "ghs_a", "expires_at": "2030-01-01T00:00:00Z", "permissions": granted}
    server.script("POST /app/installations/2/access_tokens", (201, token, {}))
    server.script("POST /app/installations/7/access_tokens", (201, token, {}))
    repository(server)
    server.script("GET /repos/acme/pay", (404, {"message": "Not Found"}, {}))

    pay, services = github.permissions(of_app(of_three(installation, installation_id="7"), key))

    asked = {request.route for request in server.requests}
    assert "POST /app/installations/7/access_tokens" in asked
    assert (pay.ok, services.ok) == (False, True)
    assert "the App's installation" in pay.cure


def test_action_workflow_is_fine_only_when_it_exists(
    server: ScriptedServer, installation: Installation
) -> None:
    repository(server, default_branch="main")
    report = (github.TEMPLATE / github.REPORT_WORKFLOW).read_bytes()
    path = f"{REPOSITORY}/contents/{github.REPORT_WORKFLOW}"
    server.script(path, (200, file(github.REPORT_WORKFLOW, report), {}))
    server.script("GET /repos/acme/pay", (404, {"message": "Not Found"}, {}))

    _, services = github.workflow(of_three(installation))

    assert services.ok is False
    assert services.detail == ".github/workflows/redeploy.yml is missing"
    assert "Add to trunk" in services.cure


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "Set GITHUB_REPOSITORIES"), ("[]", "is not a map"), ('{"a": {"name": "x"}}', "a.name")],
)
def test_unreadable_map_is_named(installation: Installation, text: str, fault: str) -> None:
    settings = {"GITHUB_TOKEN": "t", "GITHUB_REPOSITORIES": text}

    (result,) = doctor.examine(Installation(settings), [("GitHub: reports", github.secrets)])

    assert result.ok is False
    assert fault in result.cure


@pytest.mark.parametrize(("told", "ok"), [(True, True), (False, False), (None, True)])
def test_merged_branches_are_fine_only_when_deleted(
    server: ScriptedServer, installation: Installation, told: bool | None, ok: bool
) -> None:
    repository(server, delete_branch_on_merge=told)
    branch = {"name": "main", "commit": {"sha": "a" * 40}}
    server.script(f"{REPOSITORY}/branches/main", (200, branch, {}))

    result = one(github.repository, installation)

    assert result.ok is ok
    assert ("merged branches stay" in result.detail) is not ok


def workflows(server: ScriptedServer, **changes: bytes) -> None:
    """Provide the workflows on the default branch, by default those of the template."""
    repository(server, default_branch="main")
    for path in (github.REPORT_WORKFLOW, ".github/workflows/slipway-restart.yml"):
        kind = path.removeprefix(".github/workflows/slipway-").removesuffix(".yml")
        content = changes.get(kind, (github.TEMPLATE / path).read_bytes())
        if content:
            server.script(f"{REPOSITORY}/contents/{path}", (200, file(path, content), {}))


def test_workflows_as_in_the_template_are_fine(
    server: ScriptedServer, installation: Installation
) -> None:
    workflows(server)

    assert one(github.workflow, installation).ok


def test_restart_workflow_of_the_team_is_fine(
    server: ScriptedServer, installation: Installation
) -> None:
    workflows(server, restart=b"on: workflow_dispatch")

    assert one(github.workflow, installation).ok


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"report": b"on: push"}, "slipway-report.yml is different"),
        ({"report": b""}, "slipway-report.yml is missing"),
        ({"restart": b""}, "slipway-restart.yml is missing"),
    ],
)
def test_changed_or_missing_workflow_is_named(
    server: ScriptedServer, installation: Installation, changes: dict[str, bytes], said: str
) -> None:
    workflows(server, **changes)

    result = one(github.workflow, installation)

    assert result.ok is False
    assert said in result.detail
    assert "services-repo/.github" in result.cure


CLASSIC = {"dismiss_stale_reviews": True, "required_approving_review_count": 1}
RULES = f"{REPOSITORY}/rules/branches/main"
RUN_RULES = f"{REPOSITORY}/rules/branches/{github.RUN_BRANCH}"


def protect(
    server: ScriptedServer, *, ruleset: bool | None = None, classic: dict[str, Any] | None = None
) -> None:
    """Protect the base branch with a ruleset (dismissing or not) or a branch protection."""
    repository(server)
    parameters = {"dismiss_stale_reviews_on_push": ruleset}
    rules = [{"type": "pull_request", "parameters": parameters}] if ruleset is not None else []
    server.script(RULES, (200, [{"type": "deletion"}, *rules], {}))
    protected = classic is not None or ruleset is not None
    server.script(
        f"{REPOSITORY}/branches/main", (200, {"name": "main", "protected": protected}, {})
    )
    shown = {"required_pull_request_reviews": classic} if classic else {}
    server.script(f"{REPOSITORY}/branches/main/protection", (200, shown, {}))


@pytest.mark.parametrize(
    "given",
    [{"ruleset": True}, {"classic": CLASSIC}, {"ruleset": False, "classic": CLASSIC}],
)
def test_base_branch_that_dismisses_stale_approvals_is_fine(
    server: ScriptedServer, installation: Installation, given: dict[str, Any]
) -> None:
    protect(server, **given)

    assert one(github.protection, installation).ok


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "without a pull request"),
        ({"classic": {}}, "without a pull request"),
        ({"ruleset": False}, "stale approvals stay"),
        ({"classic": {**CLASSIC, "dismiss_stale_reviews": False}}, "stale approvals stay"),
    ],
)
def test_base_branch_without_such_protection_is_a_fault(
    server: ScriptedServer, installation: Installation, given: dict[str, Any], said: str
) -> None:
    protect(server, **given)

    result = one(github.protection, installation)

    assert result.ok is False
    assert said in result.detail
    assert "Protect the branch main" in result.cure


def require_signatures(server: ScriptedServer, *, by_ruleset: bool, **settings: Any) -> None:
    """Require signed commits on the base branch."""
    repository(server, **settings)
    rules = [{"type": "required_signatures"}] if by_ruleset else []
    server.script(RULES, (200, rules, {}))
    server.script(f"{REPOSITORY}/branches/main", (200, {"name": "main", "protected": True}, {}))
    shown = {"required_signatures": {"enabled": not by_ruleset}}
    server.script(f"{REPOSITORY}/branches/main/protection", (200, shown, {}))


@pytest.mark.parametrize("by_ruleset", [True, False])
def test_signatures_are_fine_when_required(
    server: ScriptedServer, installation: Installation, by_ruleset: bool
) -> None:
    require_signatures(server, by_ruleset=by_ruleset)

    result = one(github.signatures, installation)

    assert (result.ok, result.detail) == (True, "required and given")


def test_signatures_are_fine_when_not_required(
    server: ScriptedServer, installation: Installation
) -> None:
    protect(server, classic=CLASSIC)

    result = one(github.signatures, installation)

    assert (result.ok, result.detail) == (True, "not required; GitHub signs Slipway's commits")


def test_signatures_are_a_fault_when_only_rebase_is_allowed(
    server: ScriptedServer, installation: Installation
) -> None:
    only = {"allow_squash_merge": False, "allow_merge_commit": False}
    require_signatures(server, by_ruleset=True, **only)

    result = one(github.signatures, installation)

    assert result.ok is False
    assert "merge by squash" in result.cure


def test_signatures_are_unknown_when_protection_is_not_shown(
    server: ScriptedServer, installation: Installation
) -> None:
    protect(server, classic=CLASSIC)
    server.script(f"{REPOSITORY}/branches/main/protection", (403, {"message": "no"}, {}))

    assert one(github.signatures, installation).ok is None


def test_hidden_protection_gives_no_verdict(
    server: ScriptedServer, installation: Installation
) -> None:
    protect(server, classic=CLASSIC)
    server.script(f"{REPOSITORY}/branches/main/protection", (403, {"message": "no"}, {}))

    assert one(github.protection, installation).ok is None


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        (["creation", "update"], ""),
        (["creation", "deletion"], "not restricted: update"),
        ([], "not restricted: creation, update"),
    ],
)
def test_run_branches_are_fine_only_when_restricted(
    server: ScriptedServer, installation: Installation, kinds: list[str], missing: str
) -> None:
    repository(server)
    server.script(RUN_RULES, (200, [{"type": kind} for kind in kinds], {}))

    result = one(github.own_branches, installation)

    assert result.ok is (not missing)
    assert missing in result.detail


def secrets_of(server: ScriptedServer, own: list[str], shared: list[str]) -> None:
    repository(server)
    for kind, names in (("secrets", own), ("organization-secrets", shared)):
        listed = {"total_count": len(names), "secrets": [{"name": name} for name in names]}
        server.script(f"{REPOSITORY}/actions/{kind}", (200, listed, {}))


@pytest.mark.parametrize("where", ["own", "shared"])
@pytest.mark.parametrize("name", ["PORT_CLIENT_SECRET", "RESTART_CREDENTIALS"])
def test_secret_readable_by_every_branch_is_a_fault(
    server: ScriptedServer, installation: Installation, where: str, name: str
) -> None:
    lists = {"own": ["OTHER"], "shared": ["OTHER"], where: [name]}
    secrets_of(server, lists["own"], lists["shared"])

    result = one(github.secrets, installation)

    assert (result.ok, result.detail) == (False, name)
    assert "rotate Port's client secret" in result.cure


def test_other_secrets_are_fine(server: ScriptedServer, installation: Installation) -> None:
    secrets_of(server, ["DEPLOY_KEY"], [])

    assert one(github.secrets, installation).ok


def test_hidden_secrets_give_no_verdict(server: ScriptedServer, installation: Installation) -> None:
    repository(server)
    server.script(f"{REPOSITORY}/actions/secrets", (403, {"message": "not accessible"}, {}))

    assert one(github.secrets, installation).ok is None


@pytest.mark.parametrize(
    ("policy", "ok"),
    [
        (None, False),
        ({"protected_branches": True, "custom_branch_policies": False}, True),
        ({"protected_branches": False, "custom_branch_policies": True}, True),
    ],
)
def test_restart_environment_is_fine_only_for_chosen_branches(
    server: ScriptedServer, installation: Installation, policy: dict[str, bool] | None, ok: bool
) -> None:
    repository(server)
    shown = {"name": "slipway-restart", "deployment_branch_policy": policy}
    server.script(f"{REPOSITORY}/environments/slipway-restart", (200, shown, {}))

    assert one(github.restart_environment, installation).ok is ok


def test_missing_restart_environment_gives_no_verdict(
    server: ScriptedServer, installation: Installation
) -> None:
    repository(server)

    assert one(github.restart_environment, installation).ok is None


@pytest.mark.parametrize(
    ("given", "ok"),
    [("https://x.test/reports", True), ("https://other.test/reports", False), (None, False)],
)
def test_reports_variable_is_fine_only_for_this_installation(
    server: ScriptedServer, installation: Installation, given: str | None, ok: bool
) -> None:
    repository(server)
    function = "GET /2015-03-31/functions/slipway-report_pull_request/configuration"
    known = {"Environment": {"Variables": {"REPORTS_AUDIENCE": "https://x.test/reports"}}}
    alias = "GET /2015-03-31/functions/slipway-report_pull_request/aliases/live"
    server.script(alias, (200, {"FunctionVersion": "1"}, {}))
    server.script(function, (200, known, {}))
    if given:
        variable = {"name": "SLIPWAY_REPORTS_URL", "value": given}
        url = f"{REPOSITORY}/actions/variables/SLIPWAY_REPORTS_URL"
        server.script(url, (200, variable, {}))

    result = one(github.reports_variable, installation)

    assert result.ok is ok
    assert ok or "https://x.test/reports" in result.cure
