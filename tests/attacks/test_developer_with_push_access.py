"""The developer with push access: may push any branch, start workflows and open pull requests.

A push does not reach the base branch without a review. GitHub is the sandbox's, with its runner.
The function behind `POST /reports` listens at an address of its own.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from github import GithubException, InputGitTreeElement
from github.Repository import Repository
from github.WorkflowRun import WorkflowRun
from nacl.public import PublicKey, SealedBox
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.errors import BranchTaken
from slipway.github.models import Change
from slipway.reports import endpoint
from slipway.runs import clients

from functions.report_pull_request.handler import handler
from scripts.apply_sandbox import PROTECTION, RULESET
from tests.contract.github.conftest import Services
from tests.entities import service_files
from tests.scripted import ScriptedServer
from tests.unit.conftest import POLICY, RUN_ID, set_policy
from tests.unit.reports.installation import RUN, Context, open_run

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

TEMPLATE = Path(__file__).resolve().parents[2] / "services-repo" / ".github" / "workflows"
REPORT = ".github/workflows/slipway-report.yml"
BRANCH = f"slipway/upscale_service/{RUN_ID}"
SECRET = "port-client-secret-value"
# The attacker's workflow: it runs on pushes and pull requests, and reports any number.
CHANGED = (
    (TEMPLATE / "slipway-report.yml")
    .read_text()
    .replace("  workflow_dispatch:", "  push:\n  pull_request:\n  workflow_dispatch:")
    .replace("if: github.event_name", "if: true || github.event_name")
    .replace("${{ github.event.pull_request.number || inputs.pull_request }}", "1")
)
# The runner masks secrets in logs, so the attacker reverses them.
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
        open_run(port, 1)

    def function(self, headers: dict[str, str], body: str) -> tuple[int, str]:
        """Serve the function as API Gateway does."""
        event = {"httpMethod": "POST", "path": "/reports", "headers": headers, "body": body}
        context: Any = Context()
        answer = handler(event, context)
        status, text = int(answer["statusCode"]), str(answer["body"])
        self.answers.append((status, json.loads(text)))
        self.tokens.append(headers["Authorization"])
        return status, text

    def push(self, branch: str, path: str, text: str) -> None:
        """Push a file to a new branch, as the developer."""
        tip = self.repository.get_git_ref("heads/main").object.sha
        self.repository.create_git_ref(f"refs/heads/{branch}", tip)
        self.services.push({path: text}, branch)

    def ended(self, event: str) -> WorkflowRun:
        """Return the newest workflow run of an event after it has ended."""
        deadline = time.monotonic() + 300
        while True:
            runs = [run for run in self.repository.get_workflow_runs() if run.event == event]
            if runs and runs[0].status == "completed":
                return runs[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)  # between two checks of a condition with a time limit

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
    set_policy({**POLICY, "repositories": {"services": {"name": services.github.full_name}}})
    with ScriptedServer().running() as port, _serving(services, port) as (house, url):
        for name, value in {
            "PORT_BASE_URL": port.url,
            "GITHUB_API_URL": services.server.api,
            "GITHUB_OIDC_ISSUER": f"{services.server.url}/_services/token",
            "REPORTS_AUDIENCE": url,
            "REPORTS_PER_MINUTE": "10",
        }.items():
            monkeypatch.setenv(name, value)
        services.github.create_variable("SLIPWAY_REPORTS_URL", url)
        repositories = {"services": {"name": services.github.full_name}}
        set_policy({**POLICY, "repositories": repositories})
        _forget()
        yield house
    _forget()


@contextmanager
def _serving(services: Services, port: ScriptedServer) -> Iterator[tuple[House, str]]:
    house = House(services, port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = house.function(dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args: object) -> None:
            """Keep the tests' output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
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
    endpoint._tokens.cache_clear()


def propose(house: House, branch: str = BRANCH) -> Any:
    """Open a pull request that changes one file on the branch."""
    house.push(branch, "apps/shop/common_values.json", '{"replicas": 9}')
    return house.repository.create_pull(base="main", head=branch, title="Scale shop")


def test_workflow_of_the_base_branch_is_trusted(house: House) -> None:
    # This shows that the attacks below do not fail for another reason.
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


def test_changed_workflow_in_a_pull_request_is_not_run(house: House) -> None:
    house.push("attack", REPORT, CHANGED)
    pull = house.repository.create_pull(base="main", head="attack", title="Attack")

    pull.edit(state="closed")

    # The base branch's workflow runs only for Slipway's branches.
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
    # The developer creates the branch of a run's pull request before Slipway does.
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


def test_replayed_token_causes_only_one_more_read(house: House) -> None:
    pull = propose(house)
    pull.edit(state="closed")
    house.ended("pull_request_target")
    ended = {"id": RUN_ID, "status": "FAILURE", "action": "upscale_service", "entity": "shop"}
    house.port.script(f"GET {RUN}", (200, {"ok": True, "run": ended}, {}))
    before = house.writes()

    # The developer has the token of their own job on the base branch.
    status, _ = house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 1}')
    other, _ = house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 99}')

    assert (status, other) == (200, 409)
    assert house.writes() == before


def test_report_flood_is_limited_per_repository(house: House) -> None:
    propose(house).edit(state="closed")
    house.ended("pull_request_target")

    statuses = [
        house.function({"Authorization": house.tokens[-1]}, '{"pull_request": 1}')[0]
        for _ in range(30)
    ]

    # The limit is ten a minute, and a new minute may begin once in between.
    assert statuses.count(429) >= 10
    assert statuses.count(200) <= 20


def test_workflow_template_names_no_secret_of_port() -> None:
    for path in TEMPLATE.parent.rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert "PORT_" not in text
        assert "secrets." not in text.replace("secrets.RESTART_CREDENTIALS", "")
        assert not path.name.endswith(".py")


def test_repository_secret_is_readable_by_any_branch(house: House) -> None:
    # This is why `scripts/doctor` fails if Port's secret is a repository secret.
    house.repository.create_secret("PORT_CLIENT_SECRET", SECRET)
    text = STEALING.replace("NAME", "PORT_CLIENT_SECRET").replace("    ENVIRONMENT\n", "")

    house.push("attack", ".github/workflows/steal.yml", text)

    assert f"stolen:{SECRET[::-1]}:" in house.log(house.ended("push"))


def test_restart_credential_is_hidden_from_other_branches(house: House) -> None:
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
    """Apply the settings that `scripts/doctor` requires."""
    ask = house.repository.requester.requestJsonAndCheck
    ask("PUT", f"{house.repository.url}/branches/main/protection", input=PROTECTION)
    ask("POST", f"{house.repository.url}/rulesets", input=RULESET)
    return house


def make_branch(house: House, name: str) -> None:
    """Create a branch, as the developer."""
    tip = house.repository.get_git_ref("heads/main").object.sha
    house.services.as_user("developer").create_git_ref(f"refs/heads/{name}", tip)


def test_run_branch_cannot_be_taken_with_a_ruleset(protected: House) -> None:
    with pytest.raises(GithubException, match="creations being restricted"):
        make_branch(protected, BRANCH)

    make_branch(protected, "slipway-of-mine")  # Others can.


def test_run_branch_can_be_taken_without_a_ruleset(house: House) -> None:
    make_branch(house, BRANCH)

    assert house.repository.get_git_ref(f"heads/{BRANCH}").ref == f"refs/heads/{BRANCH}"


def test_push_to_a_runs_pull_request_is_refused_by_a_ruleset(protected: House) -> None:
    propose(protected)
    mine = protected.services.as_user("developer")

    with pytest.raises(GithubException, match="protected ref"):
        mine.create_file("apps/shop/more.json", "More", "{}", branch=BRANCH)


def test_push_to_the_protected_base_branch_is_refused(protected: House) -> None:
    mine = protected.services.as_user("developer")

    with pytest.raises(GithubException, match="through a pull request"):
        mine.create_file("apps/shop/portData.json", "Mine", "{}", branch="main")


def test_new_commit_dismisses_approvals_when_configured(protected: House) -> None:
    protected.push("mine", "apps/shop/a.json", "{}")
    pull = protected.repository.create_pull(base="main", head="mine", title="Mine")
    protected.services.as_user("devops").get_pull(pull.number).create_review(event="APPROVE")

    protected.services.push({"apps/shop/a.json": '{"replicas": 99}'}, "mine")

    assert [review.state for review in pull.get_reviews()] == ["DISMISSED"]


# -- the pull request of a run

FOLDER = "apps/shop"
PATH = f"{FOLDER}/common_values.yaml"
UPSCALE = Change(
    entity=service_files("shop"),
    branch=BRANCH,
    title="Upscale shop to 3",
    body="Why",
    files={PATH: "replicas: 3\n"},
)


@pytest.fixture
def developer(services: Services) -> Repository:
    """Return the services repository as the developer, with the service of the change."""
    services.push({PATH: "replicas: 2\n", "apps/other/portData.json": "{}\n"})
    return services.as_user("developer")


def commit(repository: Repository, files: dict[str, str], parent: str, mode: str = "100644") -> str:
    """Make a commit that is on no branch yet."""
    elements = [InputGitTreeElement(path, mode, "blob", content=t) for path, t in files.items()]
    above = repository.get_git_commit(parent)
    tree = repository.create_git_tree(elements, base_tree=above.tree)
    return repository.create_git_commit("Attack", tree, [above]).sha


def main(repository: Repository) -> str:
    return repository.get_git_ref("heads/main").object.sha


def move(repository: Repository, sha: str) -> None:
    """Force-push a commit to the run's branch."""
    repository.get_git_ref(f"heads/{BRANCH}").edit(sha, force=True)


def main_has(repository: Repository, path: str = PATH) -> str:
    content: Any = repository.get_contents(path, ref="main")
    return str(content.decoded_content.decode())


@pytest.mark.parametrize("opens", [True, False])
def test_branch_created_first_by_a_developer_is_not_adopted(
    services: Services, developer: Repository, opens: bool
) -> None:
    evil = commit(developer, {PATH: "replicas: 3\n", "apps/other/evil": "x"}, main(developer))
    developer.create_git_ref(f"refs/heads/{BRANCH}", evil)
    if opens:
        developer.create_pull(base="main", head=BRANCH, title=UPSCALE.title)

    with pytest.raises(BranchTaken):
        services.slipway.propose(UPSCALE)

    assert services.slipway.find(BRANCH) is None
    assert [pull.user.login for pull in developer.get_pulls()] == ["developer"] * opens


def test_branch_with_another_file_mode_is_not_adopted(
    services: Services, developer: Repository
) -> None:
    executable = commit(developer, {PATH: "replicas: 3\n"}, main(developer), "100755")
    developer.create_git_ref(f"refs/heads/{BRANCH}", executable)

    with pytest.raises(BranchTaken):
        services.slipway.propose(UPSCALE)


def test_branch_on_another_history_is_not_adopted(
    services: Services, developer: Repository
) -> None:
    # The last commit equals the change, but its parent is not on the base branch.
    below = commit(developer, {"apps/other/evil": "x"}, main(developer))
    developer.create_git_ref(
        f"refs/heads/{BRANCH}", commit(developer, {PATH: "replicas: 3\n"}, below)
    )

    with pytest.raises(BranchTaken):
        services.slipway.propose(UPSCALE)


def test_branch_that_moves_while_proposed_is_closed(
    services: Services, developer: Repository
) -> None:
    # The branch appears between the query and the mutations.
    services.server.fault(method="POST", path="/api/graphql$", skip=1, hold=True)

    with ThreadPoolExecutor() as pool:
        proposing = pool.submit(services.slipway.propose, UPSCALE)
        while services.server.faults_left():
            assert not proposing.done()
        evil = commit(developer, {"apps/other/evil": "x"}, main(developer))
        developer.create_git_ref(f"refs/heads/{BRANCH}", evil)
        services.server.control("DELETE", "faults")

        with pytest.raises(BranchTaken):
            proposing.result()
    assert [pull.state for pull in developer.get_pulls(state="all")] == ["closed"]


def test_fork_of_the_same_owner_is_not_adopted(services: Services, developer: Repository) -> None:
    name = f"fork-of-{services.github.name}"
    fork = services.github.create_fork(organization="acme", name=name)
    fork.create_git_ref(f"refs/heads/{BRANCH}", commit(fork, {"apps/other/evil": "x"}, main(fork)))
    theirs = services.github.create_pull(
        base="main", head=f"acme:{BRANCH}", head_repo=name, title="Fork"
    )
    (listed,) = services.github.get_pulls(head=f"acme:{BRANCH}")
    assert listed.number == theirs.number

    ours = services.slipway.propose(UPSCALE)

    assert ours.number != theirs.number
    assert services.slipway.find(BRANCH) == ours
    assert services.slipway.close(BRANCH, "Not wanted any more") is not None
    assert services.github.get_pull(theirs.number).state == "open"


def test_head_that_changes_back_is_not_merged(services: Services, developer: Repository) -> None:
    # A-B-A: another head while the pull request is read and while it is merged, and the approved
    # one in between, when its files are compared.
    number = services.propose(UPSCALE)
    approved = services.heads[number]
    evil = commit(developer, {PATH: "replicas: 3\n", "apps/other/evil": "x"}, main(developer))
    move(developer, evil)
    services.server.fault(method="GET", path="/files$", hold=True)
    services.server.fault(method="PUT", path="/merge$", hold=True)

    with ThreadPoolExecutor() as pool:
        merging = pool.submit(services.merge, UPSCALE, number)
        while services.server.faults_left() > 1 and not merging.done():
            """Slipway has read the evil head, and asks for the files."""
        if not merging.done():
            move(developer, approved)
            services.server.control("DELETE", "faults")
            services.server.fault(method="PUT", path="/merge$", hold=True)
            while services.server.faults_left():
                """Slipway has compared the approved files, and asks for the merge."""
            move(developer, evil)
        services.server.control("DELETE", "faults")

        assert merging.result().state == "changed"
    assert main_has(developer) == "replicas: 2\n"


def test_executable_file_is_not_merged(services: Services, developer: Repository) -> None:
    number = services.propose(UPSCALE)
    move(developer, commit(developer, {PATH: "replicas: 3\n"}, main(developer), "100755"))

    assert services.merge(UPSCALE, number).state == "changed"
    assert main_has(developer) == "replicas: 2\n"


def test_update_with_other_content_is_not_merged(services: Services, developer: Repository) -> None:
    # It looks like a branch update: the recorded commit, the base branch, the same folder.
    number = services.propose(UPSCALE)
    services.push({"apps/other/portData.json": '{"a": 1}\n'})
    head, base = (
        developer.get_git_commit(sha) for sha in (services.heads[number], main(developer))
    )
    elements = [
        InputGitTreeElement(PATH, "100644", "blob", content="replicas: 3\n"),
        InputGitTreeElement("apps/other/evil", "100644", "blob", content="x"),
    ]
    tree = developer.create_git_tree(elements, base_tree=base.tree)
    move(developer, developer.create_git_commit("Merge", tree, [head, base]).sha)

    assert services.merge(UPSCALE, number).state == "changed"
    assert main_has(developer) == "replicas: 2\n"


def test_pull_request_to_another_branch_is_closed_not_merged(
    services: Services, developer: Repository
) -> None:
    number = services.propose(UPSCALE)
    developer.create_git_ref("refs/heads/elsewhere", main(developer))
    developer.get_pull(number).edit(base="elsewhere")

    assert services.merge(UPSCALE, number).state == "retargeted"
    found = services.slipway.find(BRANCH)
    assert found is not None
    assert found.retargeted_to == "elsewhere"


def test_merge_into_another_branch_does_not_count(
    services: Services, developer: Repository
) -> None:
    number = services.propose(UPSCALE)
    developer.create_git_ref("refs/heads/elsewhere", main(developer))
    pull = developer.get_pull(number)
    pull.edit(base="elsewhere")
    pull.merge()

    with pytest.raises(GithubException, match="base branch of a closed pull request"):
        pull.edit(base="main")
    found = services.slipway.find(BRANCH)
    assert found is not None
    assert found.state == "closed"
    assert services.merge(UPSCALE, number).state == "closed"


def test_merge_into_another_branch_fails_the_run(house: House) -> None:
    pull = propose(house)
    house.repository.create_git_ref("refs/heads/elsewhere", main(house.repository))
    pull.edit(base="elsewhere")
    pull.merge()

    assert house.ended("pull_request_target").conclusion == "success"
    (update,) = house.port.bodies(f"PATCH {RUN}")
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Merged elsewhere")
    assert "was merged into 'elsewhere'" in update["summary"]
    assert not any("entities" in route for route in house.writes())
