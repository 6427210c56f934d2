"""Each check of the doctor, with a server that answers like the real one."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from botocore.stub import Stubber
from confluent_kafka import Producer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from slipway.catalog.reading import read_folder
from typer.testing import CliRunner

from scripts import doctor
from scripts.checks import aws, github, kafka, port
from scripts.checks.places import places
from scripts.checks.result import Check, Installation, Result
from scripts.port_definitions import load_definitions
from tests.catalogs.samples import ACME, SHIPPED
from tests.scripted import NO_ANSWER, Answer, ScriptedServer

pytestmark = pytest.mark.waits

TOKEN = "POST /v1/auth/access_token"
CREDENTIALS = "GET /v1/kafka-credentials"
ENTITIES = [f"POST /v1/blueprints/{name}/entities" for name in ("bucket", "service")]
REPOSITORY = "GET /repos/acme/services"
FUNCTIONS = aws.function_names(Installation({}))
ALIASES = [f"GET /2015-03-31/functions/slipway-{name}/aliases/live" for name in FUNCTIONS]
MAPPINGS = "GET /2015-03-31/event-source-mappings"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer().running() as running:
        running.script(TOKEN, (200, {"ok": True, "accessToken": "t", "expiresIn": 3600}, {}))
        yield running


@pytest.fixture
def installation(server: ScriptedServer) -> Installation:
    return Installation(
        {
            "PORT_BASE_URL": server.url,
            "PORT_CLIENT_ID": "id",
            "PORT_CLIENT_SECRET": "a-long-secret",
            "PORT_ORG_ID": "org_1",
            "GITHUB_API_URL": server.url,
            "GITHUB_TOKEN": "ghp_" + "a" * 36,
            "GITHUB_REPOSITORIES": json.dumps({"services": {"name": "acme/services"}}),
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "eu-west-1",
        }
    )


def refusal(status: int, code: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    return status, {"ok": False, "error": code, "message": code}, {}


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


# -- Port


def test_right_credentials_are_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /v1/organization", (200, {"ok": True, "organization": {"id": "org_1"}}, {}))

    assert port.sign_in(installation).ok


def test_wrong_credentials_are_a_fault(server: ScriptedServer, installation: Installation) -> None:
    server.script(TOKEN, refusal(401, "invalid_credentials"))

    result = port.sign_in(installation)

    assert result.ok is False
    assert "PORT_CLIENT_SECRET" in result.cure
    assert "a-long-secret" not in result.detail


@pytest.mark.parametrize("status", [200, 404])
def test_wrong_base_url_is_named(
    server: ScriptedServer, installation: Installation, status: int
) -> None:
    server.script(TOKEN, (status, b"<!doctype html>", {"Content-Type": "text/html"}))

    (result,) = doctor.examine(installation, [("Port: credentials", port.sign_in)])

    assert result.ok is False
    assert "PORT_BASE_URL" in result.cure


def test_credentials_of_another_organisation_are_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /v1/organization", (200, {"ok": True, "organization": {"id": "org_2"}}, {}))

    result = port.sign_in(installation)

    assert result.ok is False
    assert "org_2" in result.cure


def test_role_check_stores_nothing(server: ScriptedServer, installation: Installation) -> None:
    for route in ENTITIES:
        server.script(route, (200, {"ok": True}, {}))

    assert [result.ok for result in port.role(installation)] == [True, True]
    asked = [request for request in server.requests if request.route in ENTITIES]
    assert [request.route for request in asked] == ENTITIES
    assert all("validation_only=true" in request.query for request in asked)


@pytest.mark.parametrize(
    ("answer", "cure"),
    [
        (refusal(403, "missing_permissions"), "role"),
        (refusal(404, "not_found"), "Install the blueprint: scripts/port_setup --apply"),
        (refusal(404, "not_resolvable"), "Compare the blueprint with the catalog's"),
        (refusal(422, "blueprint_schema_mismatch"), "scripts/port_setup"),
    ],
)
def test_insufficient_role_is_a_fault(
    server: ScriptedServer, installation: Installation, answer: Any, cure: str
) -> None:
    server.script(ENTITIES[0], (200, {"ok": True}, {}))
    server.script(ENTITIES[1], answer)

    bucket, service = port.role(installation)

    assert (bucket.ok, service.ok) == (True, False)
    assert cure in service.cure


def test_installed_definitions_are_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    for kind, body in load_definitions():
        path = f"GET /v1/{kind}s/{body['identifier']}"
        server.script(path, (200, {"ok": True, kind: {**body, "createdAt": "then"}}, {}))

    assert port.definitions(installation).ok


def test_missing_and_outdated_definitions_are_named(
    server: ScriptedServer, installation: Installation
) -> None:
    for kind, body in load_definitions():
        path = f"GET /v1/{kind}s/{body['identifier']}"
        server.script(path, (200, {"ok": True, kind: {**body, "title": "Old"}}, {}))
    server.script("GET /v1/actions/create_service", refusal(404, "not_found"))

    result = port.definitions(installation)

    assert result.ok is False
    assert "action create_service is missing" in result.detail
    assert "blueprint service is out of date" in result.detail


RECORD = "GET /v1/blueprints/slipway_setup/entities/installed"
SWEEP = "GET /2015-03-31/functions/slipway-sweep_runs/configuration"


@pytest.mark.parametrize(
    ("recorded", "ok"),
    [("111122223333/eu-west-1/slipway", True), ("111122223333/eu-west-1/other", False), ("", None)],
)
def test_second_consumer_of_the_actions_is_a_fault(
    server: ScriptedServer, installation: Installation, recorded: str, ok: bool | None
) -> None:
    entity = {
        "identifier": "installed",
        "blueprint": "slipway_setup",
        "properties": {"definitions": {}, "installation": recorded},
    }
    server.script(RECORD, (200, {"ok": True, "entity": entity}, {}))
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs"
    server.script(SWEEP, (200, {"FunctionArn": arn}, {}))

    result = port.consumers(installation)

    assert result.ok is ok
    assert ("identifier_prefix" in result.cure) is (ok is not None)


# -- Kafka


@pytest.fixture
def broker() -> Iterator[tuple[Producer, str]]:
    # librdkafka's own mock cluster, which speaks the real protocol on a real socket.
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "replaced"})
    (address,) = producer.list_topics(timeout=300).brokers.values()
    yield producer, f"{address.host}:{address.port}"
    producer.purge()


PORTS = ["b-1.port:9196", "b-2.port:9196"]


@pytest.mark.parametrize(
    ("configured", "credentials", "ok"),
    [
        ("b-1.port:9196,B-2.port:9196", {"brokers": PORTS}, True),
        ("b-2.port:9196", {"brokers": PORTS}, True),
        ("b-1.port:9196,b-1.old:9196", {"brokers": PORTS}, False),
        ("b-1.port:9196", {"username": "me"}, None),
        ("b-1.port:9196", None, None),
    ],
)
def test_configured_brokers_are_compared_with_ports_brokers(
    server: ScriptedServer,
    installation: Installation,
    configured: str,
    credentials: object,
    ok: bool | None,
) -> None:
    server.script(CREDENTIALS, (200, {"ok": True, "credentials": credentials}, {}))
    settings = {**installation.settings, "KAFKA_BOOTSTRAP_SERVERS": configured}

    result = kafka.brokers(Installation(settings))

    assert result.ok is ok
    assert ("b-1.old:9196" in result.detail) == (ok is False)
    assert (PORTS[1] in result.cure) == (ok is False)


def test_brokers_of_an_msk_cluster_are_not_compared(installation: Installation) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": "msk:9098", "KAFKA_MODE": "msk"}

    assert kafka.brokers(Installation({**installation.settings, **settings})).ok is None


def test_existing_topics_are_not_a_fault(broker: tuple[Producer, str]) -> None:
    producer, servers = broker
    producer.produce("org_1.runs", b"{}")
    assert producer.flush(10) == 0

    result = kafka.topics(
        Installation({"KAFKA_BOOTSTRAP_SERVERS": servers, "PORT_ORG_ID": "org_1"})
    )

    assert result.ok, result


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("automations", "org_other.runs"),
        ("change_log", "org_other.runs, org_other.change.log"),
    ],
)
def test_missing_topics_are_named(broker: tuple[Producer, str], source: str, missing: str) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": broker[1], "PORT_ORG_ID": "org_other"}

    result = kafka.topics(Installation({**settings, "CHANGES_SOURCE": source}))

    assert result.ok is False
    assert result.detail == f"missing: {missing}"


def test_unreachable_brokers_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "TIMEOUT_SECONDS", 0.5)
    settings = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "PORT_ORG_ID": "org_1"}

    result = kafka.topics(Installation(settings))

    assert result.ok is False
    assert "KAFKA_BOOTSTRAP_SERVERS" in result.cure


# -- GitHub


@pytest.mark.parametrize("push", [True, False])
def test_token_is_fine_only_with_push_permission(
    server: ScriptedServer, installation: Installation, push: bool
) -> None:
    repository(server, permissions={"push": push, "pull": True})

    assert one(github.permissions, installation).ok is push


@pytest.fixture(scope="module")
def key() -> str:
    """Return the private key of an App."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


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


# -- AWS


def secret(**fields: str) -> tuple[int, dict[str, str], dict[str, str]]:
    return 200, {"SecretString": json.dumps(fields)}, {}


POLICY = {
    "schema_version": 1,
    "repositories": {"services": {"name": "acme/services"}},
    "rules": [{"actions": ["*"], "environments": ["*"], "auto_merge": True}],
    "default": {"approval": {"emails": ["ops@acme.example"]}},
    "own_actions": {},
}


def deployed(server: ScriptedServer, policy: dict[str, Any], **changes: str) -> None:
    """Deploy the shipped catalog with replaced texts, and a policy."""
    files = {**read_folder(SHIPPED), **{path: text.encode() for path, text in changes.items()}}
    stored = {path: base64.b64encode(data).decode() for path, data in files.items()}
    variables = {
        "CATALOG_BUCKET": "records",
        "CATALOG_KEY": "catalog/catalog.json",
        "CATALOG_VERSION": "v1",
        "RECORDS_BUCKET": "records",
        "POLICY_KEY": "policy/policy.json",
    }
    for function in ("sweep_runs", "approval"):
        place = f"GET /2015-03-31/functions/slipway-{function}"
        server.script(f"{place}/aliases/live", (200, {"FunctionVersion": "1"}, {}))
        known = {"Environment": {"Variables": variables}}
        server.script(f"{place}/configuration", (200, known, {}))
    server.script("GET /records/catalog/catalog.json", (200, {"files": stored}, {}))
    server.script("GET /records/policy/policy.json", (200, policy, {}))


def test_deployed_catalog_with_a_fitting_policy_is_fine(
    server: ScriptedServer, installation: Installation
) -> None:
    deployed(server, POLICY)

    result = aws.catalog(installation)

    assert result.ok, result
    (asked,) = [each for each in server.requests if each.route.endswith("catalog.json")]
    assert "versionId=v1" in asked.query


def test_undeployed_catalog_is_named(server: ScriptedServer, installation: Installation) -> None:
    deployed(server, POLICY, **{"bucket/resource.yaml": "identifier: other"})

    result = aws.catalog(installation)

    assert (result.ok, result.detail) == (False, "not as deployed: bucket/resource.yaml")
    assert "catalog_dir" in result.cure


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repositories": {"other": {"name": "acme/other"}}}, "has no 'services'"),
        ({"limits": {"upscale": {"max": 3}}}, "Limits are for 'upscale'"),
        ({"rules": [{"actions": ["*"], "environments": ["Live"]}]}, "environment 'Live'"),
    ],
)
def test_policy_mismatch_with_the_catalog_is_named(
    server: ScriptedServer, installation: Installation, change: dict[str, Any], said: str
) -> None:
    deployed(server, POLICY | change)

    result = aws.catalog(installation)

    assert result.ok is False
    assert said in result.detail


def test_map_is_read_from_the_deployment(
    server: ScriptedServer, installation: Installation
) -> None:
    deployed(server, POLICY)
    settings = {**installation.settings, "GITHUB_REPOSITORIES": ""}

    found = places(Installation(settings))

    assert [place.name for place in found.values()] == ["acme/services"]


NO_SECRET: Answer = (400, {"__type": "ResourceNotFoundException", "message": "no"}, {})
PORT_SECRET = secret(client_id="a", client_secret="b")
KAFKA_SECRET = secret(username="a", password="b")


@pytest.mark.parametrize(
    "fields",
    [{"token": "t"}, {"app_id": "1", "installation_id": "2"}],
)
def test_complete_secrets_are_not_a_fault(
    server: ScriptedServer, installation: Installation, key: str, fields: dict[str, str]
) -> None:
    github_secret = secret(**fields, private_key=key)
    links = secret(key="c")
    server.script("POST /", PORT_SECRET, github_secret, NO_SECRET, KAFKA_SECRET, links)

    assert aws.secrets(installation).ok


def test_unusable_secret_is_named(server: ScriptedServer, installation: Installation) -> None:
    wrong = secret(app_id="1", installation_id="2", private_key="hidden-value")
    links = secret(key="c")
    server.script("POST /", PORT_SECRET, wrong, NO_SECRET, KAFKA_SECRET, links)

    result = aws.secrets(installation)

    assert result.ok is False
    assert "slipway/github is wrong: 'private_key'" in result.detail
    assert "hidden-value" not in result.detail


def test_incomplete_secrets_are_named_without_their_values(
    server: ScriptedServer, installation: Installation
) -> None:
    half = secret(app_id="hidden-value", private_key="")
    server.script("POST /", PORT_SECRET, half, NO_SECRET, NO_SECRET)

    result = aws.secrets(installation)

    assert result.ok is False
    assert "slipway/github lacks fields" in result.detail
    assert "slipway/kafka is missing or has no value" in result.detail
    assert "hidden-value" not in result.detail


@pytest.mark.parametrize(("state", "ok"), [("Enabled", True), ("Disabled", False)])
def test_event_source_mapping_is_fine_only_when_enabled(
    server: ScriptedServer, installation: Installation, state: str, ok: bool
) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"
    for alias in ALIASES:
        server.script(alias, (200, {"AliasArn": arn}, {}))
    answer = {"EventSourceMappings": [{"State": state, "StateTransitionReason": "by hand"}]}
    server.script(MAPPINGS, (200, answer, {}))

    result = aws.functions(installation)

    assert result.ok is ok
    assert ok or "Disabled (by hand)" in result.detail


@pytest.mark.parametrize(("source", "asked"), [("kafka", False), ("webhook", True)])
def test_receiving_function_is_checked_for_webhooks_only(
    server: ScriptedServer, installation: Installation, source: str, asked: bool
) -> None:
    by = Installation({**installation.settings, "RUN_SOURCE": source}, installation.name_prefix)
    missing = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
    for alias in ALIASES:
        server.script(alias, (404, {"Type": "User", "Message": "no"}, missing))

    aws.functions(by)

    assert any("slipway-receive_webhook" in route for route in server.routes()) is asked


def test_kafka_secret_is_not_checked_for_webhooks(
    server: ScriptedServer, installation: Installation
) -> None:
    by = Installation({**installation.settings, "RUN_SOURCE": "webhook"}, installation.name_prefix)
    server.script("POST /", PORT_SECRET, secret(token="t"), secret(key="c"))

    assert aws.secrets(by).ok


def test_missing_function_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    error = {"Type": "User", "Message": "no"}
    for alias in ALIASES:
        server.script(alias, (404, error, {"X-Amzn-ErrorType": "ResourceNotFoundException"}))

    result = aws.functions(installation)

    assert result.ok is False
    assert "has no alias 'live'" in result.detail


def test_account_with_a_log_role_is_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    role = "arn:aws:iam::123456789012:role/api-gateway-log"
    server.script("GET /account", (200, {"cloudwatchRoleArn": role}, {}))

    result = aws.api_log_role(installation)

    assert (result.ok, result.detail) == (True, role)


def test_account_without_a_log_role_is_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /account", (200, {"throttleSettings": {"burstLimit": 5000}}, {}))

    result = aws.api_log_role(installation)

    assert (result.ok, result.detail) == (False, "the account has none")
    assert "manage_account = true" in result.cure


def test_unreadable_account_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    denied = {"message": "not authorized"}
    headers = {"X-Amzn-ErrorType": "AccessDeniedException"}
    server.script("GET /account", (403, denied, headers))

    result = aws.api_log_role(installation)

    assert result.ok is False
    assert "AccessDenied" in result.detail


CANARY = {"canary_url": "https://canary.example/"}
ALLOWED = ["https://*.acme.example/"]


@pytest.mark.parametrize(
    ("mode", "allowed", "limits", "ok", "detail"),
    [
        ("repair", ALLOWED, CANARY, True, "by https://*.acme.example/"),
        ("repair", [], CANARY, False, "no health URL is allowed"),
        ("repair", ALLOWED, {"canary_url": None}, False, "no canary"),
        ("verify", [], {}, True, "remediation.mode is verify"),
    ],
)
def test_repairs_need_allowed_urls_and_a_canary(
    mode: str, allowed: list[str], limits: dict[str, Any], ok: bool, detail: str
) -> None:
    result = aws.repair_result("repairs", mode, allowed, limits)

    assert result.ok is ok
    assert result.detail.startswith(detail)
    assert ok or "Set health" in result.cure


def test_aws_checks_are_skipped_without_aws() -> None:
    assert aws.api_log_role(Installation({})).ok is None
    assert aws.secrets(Installation({})).ok is None
    assert aws.functions(Installation({})).ok is None
    assert aws.repairs(Installation({})).ok is None
    assert [row.ok for row in aws.approvers(Installation({}))] == [None]


APPROVER = "devops@acme.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:slipway-approvals"


@pytest.mark.parametrize(
    ("arn", "authenticated", "fault"),
    [
        (f"{TOPIC}:1", "true", ""),
        (f"{TOPIC}:1", "false", "a click on a link in any e-mail ends it"),
        ("PendingConfirmation", None, "not confirmed"),
        (None, None, "not subscribed"),
    ],
)
def test_each_approver_has_a_row(arn: str | None, authenticated: str | None, fault: str) -> None:
    sns = boto3.client("sns", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(sns) as answers:
        found = [{"Endpoint": APPROVER, "SubscriptionArn": arn}] if arn else []
        answers.add_response("list_subscriptions_by_topic", {"Subscriptions": found})
        if authenticated:
            attributes = {"ConfirmationWasAuthenticated": authenticated}
            answers.add_response("get_subscription_attributes", {"Attributes": attributes})

        (row,) = aws.subscriptions(sns, TOPIC, [APPROVER])

    assert row.name == f"AWS: e-mails to {APPROVER}"
    assert (row.ok, row.detail if fault else "") == (not fault, fault)
    assert fault == "" or "scripts/confirm" in row.cure


# -- all of them


def test_impossible_check_is_a_fault_and_the_others_continue() -> None:
    def passing(_: Installation) -> Result:
        return Result("second", True, "fine")

    results = doctor.examine(Installation({}), [("first", port.sign_in), ("second", passing)])

    assert [result.ok for result in results] == [False, True]
    assert "PORT_BASE_URL" in results[0].cure


def test_closed_connection_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    server.script(REPOSITORY, (NO_ANSWER, None, {}))

    (result,) = doctor.examine(installation, [("GitHub", github.repository)])

    assert result.ok is False


def test_crashed_check_is_a_fault_without_details(
    installation: Installation,
) -> None:
    def crash(_: Installation) -> Result:
        raise RuntimeError("hidden-value")

    (result,) = doctor.examine(installation, [("GitHub", crash)])

    assert result.ok is False
    assert "RuntimeError" in result.detail
    assert "hidden-value" not in str(result)


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_exit_status_shows_whether_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ok: bool | None, code: int
) -> None:
    def check(_: Installation) -> Result:
        return Result("a", ok, "found", "cure")

    monkeypatch.setattr(doctor.examine, "__defaults__", ([("a", check)],))
    app = typer.Typer()
    app.command()(doctor.main)

    for_people = CliRunner().invoke(app, [])
    for_machines = CliRunner().invoke(app, ["--json"])

    assert (for_people.exit_code, for_machines.exit_code) == (code, code)
    assert json.loads(for_machines.stdout) == [
        {"name": "a", "ok": ok, "detail": "found", "cure": "cure"}
    ]
    assert ("cure" in for_people.stdout.splitlines()[3]) is (ok is False)
