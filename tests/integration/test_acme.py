"""Run another company's catalog: three repositories, in an installation of its own.

It shares the sandbox's Port organisation with the shipped installation, whose actions have no
prefix. During this test it is the only consumer.
"""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github
from github.PullRequest import PullRequest
from github.Repository import Repository

from scripts.apply_sandbox import ROOT, Mode, OwnCatalog, Stack
from tests.catalogs.samples import ACME
from tests.integration.conftest import SandboxClient, pause, resume, set_up_port, wait_for
from tests.integration.world import DEVOPS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]

PREFIX = "acme_"
# Separates test runs in a sandbox that continues to run.
TAIL = secrets.token_hex(3)
UNITS = ("pay", "shop", "core")
REDEPLOY = """
name: Redeploy
on:
  workflow_dispatch:
    inputs:
      service: { required: true, type: string }
      environment: { required: true, type: string }
      reason: { required: false, type: string }
      run: { required: true, type: string }
run-name: Redeploy ${{ inputs.service }} in ${{ inputs.environment }} (${{ inputs.run }})
jobs:
  redeploy:
    runs-on: ubuntu-latest
    steps:
      - env: { SERVICE: "${{ inputs.service }}" }
        run: echo "$SERVICE is deployed again"
"""
FORM: dict[str, Any] = {
    "team": "billing",
    "env": "qa",
    "tier": "gold",
    "cost_center": "CC-0042",
    "language": "python",
    "slack_channel": "#billing-alerts",
    "regions": ["eu-west-1"],
    "replicas": 2,
    "image": "1.10",
}


class Acme:
    """The company: its repositories, and the actions of its people."""

    def __init__(self, sandbox: SandboxClient, stack: Stack) -> None:
        self.sandbox = sandbox
        self.outputs = stack.outputs()

    def repository(self, unit: str) -> Repository:
        """Return a unit's repository with administrator rights."""
        return github(self.sandbox).get_repo(f"acme/{unit}-{TAIL}")

    def execute(self, action: str, entity: str | None = None, **inputs: Any) -> str:
        return self.sandbox.execute(f"{PREFIX}{action}", inputs, entity=entity)

    def ended(self, run_id: str, status: str = "SUCCESS") -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            run = self.sandbox.run(run_id)
            return run if run["status"] != "IN_PROGRESS" else None

        run = wait_for(f"end of {run_id}", over)
        assert run["status"] == status, (run["summary"], self.sandbox.logs(run_id))
        return run

    def pull(self, unit: str, run_id: str, action: str) -> PullRequest:
        head = f"acme:slipway/{PREFIX}{action}/{run_id}"

        def opened() -> PullRequest | None:
            run = self.sandbox.run(run_id)
            assert run["status"] != "FAILURE", (run["summary"], self.sandbox.logs(run_id))
            return next(iter(self.repository(unit).get_pulls(state="all", head=head)), None)

        return wait_for(f"the pull request of {run_id}", opened)

    def approve(self, run_id: str) -> None:
        """Approve a run's request in Port."""
        asked = wait_for(
            f"the request of {run_id}",
            lambda: self.sandbox.port.get_entity("approval_request", f"{run_id}.1"),
        )
        inputs = {"decision": "APPROVE", "change": asked.properties["change_hash"]}
        decision = self.sandbox.execute(
            f"{PREFIX}decide_approval", inputs, entity=asked.identifier, person=DEVOPS
        )
        self.ended(decision)

    def properties(self, identifier: str) -> dict[str, Any]:
        entity = self.sandbox.port.get_entity("service", identifier)
        return entity.properties if entity else {}

    def text(self, unit: str, path: str) -> str:
        file = self.repository(unit).get_contents(path)
        assert not isinstance(file, list)
        return file.decoded_content.decode()

    def create(self, name: str, unit: str = "pay", **inputs: Any) -> str:
        """Create a service and merge it; return its identifier."""
        form = {**FORM, "unit": unit, "name": name, **inputs}
        run_id = self.execute("create_service", **form)
        self.pull(unit, run_id, "create_service").merge(merge_method="squash")
        self.ended(run_id)
        return f"{unit}.{form['team']}.{name}.{form['env']}"

    def adopt(self, *arguments: str) -> str:
        """Run the operator's command; return its output."""
        env_file = str(self.sandbox.folder / "env")
        options = ["--name-prefix", "slipway-acme", "--env-file", env_file]
        done = subprocess.run(
            [ROOT / "scripts" / "adopt", "service", *arguments, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def github(sandbox: SandboxClient) -> Github:
    return Github(
        base_url=sandbox.env["GITHUB_API_URL"],
        auth=Auth.Token(sandbox.env["GITHUB_TOKEN"]),
        seconds_between_writes=None,
        seconds_between_requests=None,
    )


@pytest.fixture(scope="module")
def acme(sandbox_folder: Path, sandbox: SandboxClient, stack: Stack) -> Iterator[Acme]:
    """Install the acme catalog alongside the shipped one."""
    report = (ROOT / "services-repo/.github/workflows/slipway-report.yml").read_text()
    for unit in UNITS:
        made = (
            github(sandbox).get_organization("acme").create_repo(f"{unit}-{TAIL}", auto_init=True)
        )
        for name, text in (("slipway-report", report), ("redeploy", REDEPLOY)):
            made.create_file(f".github/workflows/{name}.yml", f"Add {name}", text)
    catalog = OwnCatalog(
        dir=ACME,
        name_prefix="slipway-acme",
        identifier_prefix=PREFIX,
        repositories={unit: f"acme/{unit}-{TAIL}" for unit in UNITS},
        environments=("dev", "qa", "prod"),
    )
    pause(sandbox, stack)
    installed = Stack(sandbox_folder, stack.mode, catalog=catalog)
    installed.init()
    installed.apply()
    set_up_port(sandbox_folder, installed)
    yield Acme(sandbox, installed)
    pause(sandbox, installed)
    set_up_port(sandbox_folder, stack)
    resume(sandbox, stack)


def test_dry_run_shows_files_and_creates_nothing(acme: Acme) -> None:
    form = {**FORM, "unit": "pay", "name": f"tried-{TAIL}", "dry_run": True}

    run_id = acme.execute("create_service", **form)

    acme.ended(run_id)
    said = "\n".join(acme.sandbox.logs(run_id))
    assert f"+++ b/services/billing/tried-{TAIL}/values-qa.yaml" in said
    assert list(acme.repository("pay").get_pulls(state="all")) == []


@pytest.mark.parametrize("unit", UNITS)
def test_create_goes_to_the_repository_of_its_unit(acme: Acme, unit: str) -> None:
    identifier = acme.create(f"made-{TAIL}", unit)

    shown = acme.properties(identifier)
    assert (shown["tier"], shown["regions"], shown["replicas"]) == ("gold", ["eu-west-1"], 2)
    assert shown["image"] == "1.10"
    assert shown["health_url"] == f"https://made-{TAIL}.qa.acme.example/health"
    folder = f"services/billing/made-{TAIL}"
    metadata = json.loads(acme.text(unit, f"{folder}/port-qa.json"))
    assert metadata["identifier"] == identifier
    assert 'regions     = ["eu-west-1"]' in acme.text(unit, f"{folder}/qa/main.tf")


def test_update_is_approved_merged_and_reported(acme: Acme) -> None:
    identifier = acme.create(f"configured-{TAIL}")

    run_id = acme.execute(
        "configure_service", identifier, image="2.0", debug=True, region="us-east-1"
    )
    acme.approve(run_id)

    acme.ended(run_id)
    shown = acme.properties(identifier)
    assert (shown["image"], shown["debug"]) == ("2.0", True)
    assert shown["regions"] == ["eu-west-1", "us-east-1"]
    values = acme.text("pay", f"services/billing/configured-{TAIL}/values-qa.yaml")
    assert "replicaCount: 2 # scaled by hand in dev" in values


def test_workflow_action_runs_its_workflow(acme: Acme) -> None:
    identifier = acme.create(f"redeployed-{TAIL}", "shop")

    run_id = acme.execute("redeploy_service", identifier, reason="a test")
    acme.approve(run_id)

    acme.ended(run_id)
    # A repair may have redeployed it, too: no server answers at its address.
    assert _redeployed(acme, "shop", f"redeployed-{TAIL} in qa ({run_id})") == 1


def test_unhealthy_service_is_restarted_by_its_workflow(acme: Acme) -> None:
    identifier = acme.create(f"bad-{TAIL}", "core")
    # No server answers at its address, so the health check finds it unhealthy.
    acme.sandbox.port.update_entity("service", identifier, {"health_status": "Degraded"})

    wait_for("the restart", lambda: _redeployed(acme, "core", f"bad-{TAIL} in qa") or None)
    wait_for(
        "the finding",
        lambda: "restart" in str(acme.properties(identifier).get("health_detail")).lower() or None,
    )


def test_delete_leaves_the_other_environments(acme: Acme) -> None:
    kept = acme.create(f"gone-{TAIL}", env="dev")
    identifier = acme.create(f"gone-{TAIL}", env="qa")

    run_id = acme.execute("delete_service", identifier, confirm=identifier)
    acme.approve(run_id)

    acme.ended(run_id)
    assert acme.properties(identifier) == {}
    assert acme.properties(kept)["tier"] == "gold"
    assert "replicaCount" in acme.text("pay", f"services/billing/gone-{TAIL}/values-dev.yaml")


def test_existing_service_is_adopted(acme: Acme, tmp_path: Path) -> None:
    repository = acme.repository("core")
    values = "deployment: {replicaCount: 2, image: {tag: '1.0'}}\nregions: [eu-west-1]\n"
    for path, text in {
        f"services/billing/old-{TAIL}/values-prod.yaml": values,
        f"services/billing/old-{TAIL}/prod/config.json": '{"debug": true}',
        "services/billing/Wrong/values-prod.yaml": values,
    }.items():
        repository.create_file(path, "By hand", text)
    file = tmp_path / "values.yaml"
    file.write_text(
        '"*": { tier: silver, cost_center: CC-0001, language: java, slack_channel: "#platform" }\n'
    )
    before = acme.adopt("--values", str(file))

    done = acme.adopt("--values", str(file), "--apply")
    (pull,) = repository.get_pulls(state="open")
    pull.merge(merge_method="squash")

    identifier = f"core.billing.old-{TAIL}.prod"
    shown = wait_for("the entity", lambda: acme.properties(identifier) or None)
    assert (shown["tier"], shown["debug"], shown["replicas"]) == ("silver", True, 2)
    assert shown["pr_url"] == pull.html_url
    assert [each.filename for each in pull.get_files()] == [
        f"services/billing/old-{TAIL}/port-prod.json"
    ]
    row = next(line for line in before.splitlines() if identifier in line)
    assert "would be proposed" in row
    assert "cannot be 'name'" in before
    assert pull.html_url in done
    assert "would be" not in acme.adopt("--values", str(file))


def _redeployed(acme: Acme, unit: str, what: str) -> int:
    runs = acme.repository(unit).get_workflow("redeploy.yml").get_runs()
    return sum(f"Redeploy {what}" in run.display_title for run in runs)
