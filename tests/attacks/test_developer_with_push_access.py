"""The developer with push access: may push any branch, start any workflow and open pull requests.

What a developer pushes does not get onto the base branch without a review. GitHub is the sandbox's,
with its runner; the function behind `POST /reports` listens at an address of its own.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from github import GithubException
from github.WorkflowRun import WorkflowRun
from nacl.public import PublicKey, SealedBox
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.reports import door
from slipway.runs import clients

from functions.report_pull_request.handler import handler
from scripts.apply_sandbox import PROTECTION, RULESET
from tests.contract.github.conftest import Services
from tests.scripted import ScriptedServer
from tests.unit.conftest import RUN_ID
from tests.unit.reports.installation import RUN, Context

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

TEMPLATE = Path(__file__).resolve().parents[2] / "services-repo" / ".github" / "workflows"
REPORT = ".github/workflows/slipway-report.yml"
BRANCH = f"slipway/upscale_service/{RUN_ID}"
SECRET = "port-client-secret-value"
# What an attacker makes of the workflow: for pushes and pull requests, and for any number.
CHANGED = (
    (TEMPLATE / "slipway-report.yml")
    .read_text()
    .replace("  workflow_dispatch:", "  push:\n  pull_request:\n  workflow_dispatch:")
    .replace("if: github.event_name", "if: true || github.event_name")
    .replace("${{ github.event.pull_request.number || inputs.pull_request }}", "1")
)
# The runner masks secrets in logs, so the attacker turns them around.
STEALING = """
name: Steal
on: [push, workflow_dispatch]
jobs:
  steal:
    runs-on: ubuntu-latest
    ENVIRONMENT
    steps:
      - env: {STOLEN: '${{ secrets.NAME }}'}
        run: echo "stolen:$(printf %s "$STOLEN" | rev):"
"""


class House:
    """An installation with one run, whose pull request #1 is merged but not reported."""

    def __init__(self, services: Services, port: ScriptedServer) -> None:
        self.services, self.port = services, port
        self.repository = services.github
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.tokens: list[str] = []
        run = {
            "id": RUN_ID,
            "status": "IN_PROGRESS",
            "action": {"identifier": "upscale_service"},
            "entity": "shop",
        }
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        port.script("POST /v1/auth/access_token", (200, token, {}))
        port.script(f"GET {RUN}", (200, {"ok": True, "run": run}, {}))
        port.script(f"PATCH {RUN}", (200, {"ok": True, "run": run}, {}))
        port.script(f"POST {RUN}/logs", (201, {"ok": True, "runLog": {}}, {}))
        row: Any = {"run_id": RUN_ID, "service": "shop", "pr_number": 1}
        dynamodb_table("runs").put_item(Item=row)

    def function(self, headers: dict[str, str], body: str) -> tuple[int, str]:
        """What API Gateway makes of a request."""
        event = {"httpMethod": "POST", "path": "/reports", "headers": headers, "body": body}
        context: Any = Context()
        answer = handler(event, context)
        status, text = int(answer["statusCode"]), str(answer["body"])
        self.answers.append((status, json.loads(text)))
        self.tokens.append(headers["Authorization"])
        return status, text

    def push(self, branch: str, path: str, text: str) -> None:
        """Push a file to a branch of its own, as the developer."""
        tip = self.repository.get_git_ref("heads/main").object.sha
        self.repository.create_git_ref(f"refs/heads/{branch}", tip)
        self.services.push({path: text}, branch)

    def ended(self, event: str) -> WorkflowRun:
        """The newest workflow run of an event, once it is over."""
        deadline = time.monotonic() + 300
        while True:
            runs = [run for run in self.repository.get_workflow_runs() if run.event == event]
            if runs and runs[0].status == "completed":
                return runs[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)  # between two looks at a condition that has a limit

    def log(self, run: WorkflowRun) -> str:
        (job,) = run.jobs()
        _, text = self.repository.requester.requestJsonAndCheck(
            "GET", f"{self.repository.url}/actions/jobs/{job.id}/logs.txt"
        )
        return str(text)

    def writes(self) -> list[str]:
        routes = self.port.routes()
        return [r for r in routes if not r.startswith("GET ") and "access_token" not in r]


@pytest.fixture
def house(aws: None, services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name, secret in (
        ("slipway/port", {"client_id": "id", "client_secret": SECRET}),
        ("slipway/github", {"token": services.server.token_of("slipway[bot]")}),
    ):
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    files = {f".github/workflows/{p.name}": p.read_text() for p in TEMPLATE.iterdir()}
    services.push({**files})
    with ScriptedServer().running() as port, _serving(services, port) as (house, url):
        for name, value in {
            "PORT_BASE_URL": port.url,
            "GITHUB_API_URL": services.server.api,
            "GITHUB_OIDC_ISSUER": f"{services.server.url}/_services/token",
            "SERVICES_REPO": services.github.full_name,
            "REPORTS_AUDIENCE": url,
            "REPORTS_PER_MINUTE": "10",
        }.items():
            monkeypatch.setenv(name, value)
        services.github.create_variable("SLIPWAY_REPORTS_URL", url)
        _forget()
        yield house
    _forget()


@contextmanager
def _serving(services: Services, port: ScriptedServer) -> Iterator[tuple[House, str]]:
    house = House(services, port)

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = house.function(dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args: object) -> None:
            """Nothing in the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield house, f"http://127.0.0.1:{server.server_address[1]}/reports"
        finally:
            server.shutdown()
            thread.join()


def _forget() -> None:
    load.cache_clear()
    clients.port_client.cache_clear()
    door._tokens.cache_clear()


def propose(house: House, branch: str = BRANCH) -> Any:
    """A pull request of the branch, which changes one file."""
    house.push(branch, "apps/shop/common_values.json", '{"replicas": 9}')
    return house.repository.create_pull(base="main", head=branch, title="Scale shop")


def test_workflow_of_the_base_branch_is_believed(house: House) -> None:
    # Without this, every attack below could fail for another reason than it should.
    pull = propose(house)
    assert pull.number == 1

    pull.edit(state="closed")

    assert house.ended("pull_request_target").conclusion == "success"
    (update,) = house.port.bodies(f"PATCH {RUN}")
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Closed")


def test_changed_workflow_of_a_pushed_branch_is_refused(house: House) -> None:
    propose(house)
    house.push("attack", REPORT, CHANGED)

    run = house.ended("push")

    assert run.conclusion == "failure"
    assert {(status, said["error"]) for status, said in house.answers} == {(401, "event")}
    assert house.port.routes() == []


def test_pull_request_with_a_changed_workflow_runs_ours(house: House) -> None:
    house.push("attack", REPORT, CHANGED)
    pull = house.repository.create_pull(base="main", head="attack", title="Attack")

    pull.edit(state="closed")

    # The base branch's file, whose condition leaves other branches than Slipway's alone.
    assert house.ended("pull_request_target").conclusion == "skipped"
    assert {(status, said["error"]) for status, said in house.answers} <= {(401, "event")}
    assert house.writes() == []


def test_workflow_dispatched_on_another_branch_is_refused(house: House) -> None:
    propose(house)
    house.repository.create_git_ref(
        "refs/heads/other", house.repository.get_git_ref("heads/main").object.sha
    )
    workflow = house.repository.get_workflow("slipway-report.yml")

    assert workflow.create_dispatch("other", {"pull_request": "1"})

    assert house.ended("workflow_dispatch").conclusion == "failure"
    assert {(status, said["error"]) for status, said in house.answers} == {(401, "workflow")}
    assert house.port.routes() == []


def test_foreign_pull_request_on_a_runs_branch_ends_no_run(house: House) -> None:
    # The developer takes the branch that a run's pull request would have, before Slipway does.
    pull = propose(house)
    dynamodb_table("runs").update_item(
        Key={"run_id": RUN_ID},
        UpdateExpression="SET pr_number = :other",
        ExpressionAttributeValues={":other": 2},
    )

    pull.edit(state="closed")

    assert house.ended("pull_request_target").conclusion == "failure"
    assert house.answers[-1][0] == 409
    assert "is #2, not #1" in house.answers[-1][1]["message"]
    assert house.writes() == []


def test_replayed_token_causes_one_more_look_only(house: House) -> None:
    pull = propose(house)
    pull.edit(state="closed")
    house.ended("pull_request_target")
    ended = {"id": RUN_ID, "status": "FAILURE", "action": "upscale_service", "entity": "shop"}
    house.port.script(f"GET {RUN}", (200, {"ok": True, "run": ended}, {}))
    before = house.writes()

    # As the developer, who has read the token of a job of theirs on the base branch.
    status, _ = house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 1}')
    other, _ = house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 99}')

    assert (status, other) == (200, 409)
    assert house.writes() == before


def test_flood_of_reports_is_bounded_per_repository(house: House) -> None:
    propose(house).edit(state="closed")
    house.ended("pull_request_target")

    statuses = [
        house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 1}')[0]
        for _ in range(30)
    ]

    # Ten a minute; the clock's minute may change once in between.
    assert statuses.count(429) >= 10
    assert statuses.count(200) <= 20


def test_workflow_template_names_no_secret_of_port() -> None:
    for path in TEMPLATE.parent.rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert "PORT_" not in text
        assert "secrets." not in text.replace("secrets.RESTART_CREDENTIALS", "")
        assert not path.name.endswith(".py")


def test_repository_secret_is_read_by_any_branch(house: House) -> None:
    # Why Port's secret must not be one, and `scripts/doctor` fails as long as it is.
    house.repository.create_secret("PORT_CLIENT_SECRET", SECRET)
    text = STEALING.replace("NAME", "PORT_CLIENT_SECRET").replace("    ENVIRONMENT\n", "")

    house.push("attack", ".github/workflows/steal.yml", text)

    assert f"stolen:{SECRET[::-1]}:" in house.log(house.ended("push"))


def test_restart_credential_is_kept_from_other_branches(house: House) -> None:
    here = f"{house.repository.url}/environments/slipway-restart"
    ask = house.repository.requester.requestJsonAndCheck
    policy = {"protected_branches": False, "custom_branch_policies": True}
    ask("PUT", here, input={"deployment_branch_policy": policy})
    ask("POST", f"{here}/deployment-branch-policies", input={"name": "main"})
    _, key = ask("GET", f"{here}/secrets/public-key")
    sealed = SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(b"kubeconfig")
    secret = {"key_id": key["key_id"], "encrypted_value": base64.b64encode(sealed).decode()}
    ask("PUT", f"{here}/secrets/RESTART_CREDENTIALS", input=secret)
    text = STEALING.replace("NAME", "RESTART_CREDENTIALS").replace(
        "ENVIRONMENT", "environment: slipway-restart"
    )

    house.push("attack", ".github/workflows/steal.yml", text)

    run = house.ended("push")
    assert run.conclusion == "failure"
    assert "is not allowed to deploy to slipway-restart" in house.log(run)
    assert "stolen:" not in house.log(run)


@pytest.fixture
def protected(house: House) -> House:
    """The same house with the settings that `scripts/doctor` asks for."""
    ask = house.repository.requester.requestJsonAndCheck
    ask("PUT", f"{house.repository.url}/branches/main/protection", input=PROTECTION)
    ask("POST", f"{house.repository.url}/rulesets", input=RULESET)
    return house


def make_branch(house: House, name: str) -> None:
    """Take a branch, as the developer."""
    tip = house.repository.get_git_ref("heads/main").object.sha
    house.services.as_user("developer").create_git_ref(f"refs/heads/{name}", tip)


def test_branch_of_a_run_cannot_be_taken_where_a_ruleset_is(protected: House) -> None:
    with pytest.raises(GithubException, match="creations being restricted"):
        make_branch(protected, BRANCH)

    make_branch(protected, "slipway-of-mine")  # Others can.


def test_branch_of_a_run_can_be_taken_without_a_ruleset(house: House) -> None:
    make_branch(house, BRANCH)


def test_push_to_a_runs_pull_request_is_refused_by_a_ruleset(protected: House) -> None:
    propose(protected)
    mine = protected.services.as_user("developer")

    with pytest.raises(GithubException, match="protected ref"):
        mine.create_file("apps/shop/more.json", "More", "{}", branch=BRANCH)


def test_push_to_the_protected_base_branch_is_refused(protected: House) -> None:
    mine = protected.services.as_user("developer")

    with pytest.raises(GithubException, match="through a pull request"):
        mine.create_file("apps/shop/portData.json", "Mine", "{}", branch="main")


def test_new_commit_dismisses_approvals_where_that_is_set(protected: House) -> None:
    protected.push("mine", "apps/shop/a.json", "{}")
    pull = protected.repository.create_pull(base="main", head="mine", title="Mine")
    protected.services.as_user("devops").get_pull(pull.number).create_review(event="APPROVE")

    protected.services.push({"apps/shop/a.json": '{"replicas": 99}'}, "mine")

    assert [review.state for review in pull.get_reviews()] == ["DISMISSED"]
