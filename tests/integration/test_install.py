"""`scripts/install` from a release's folders to the first pull request, with interruptions."""

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from github.Repository import Repository

from scripts import demo
from scripts.apply_sandbox import ROOT, host_architecture
from tests import person
from tests.integration.conftest import SandboxClient, run_sandbox

pytestmark = pytest.mark.integration
# The parts of a release's archive that scripts/install needs.
RELEASED = (
    "build", "catalog", "port", "requirements", "scripts", "services-repo", "shared", "terraform",
    ".python-version",
)  # fmt: skip
ACCOUNT = "000000000000"
SECRETS = ("PORT_CLIENT_SECRET", "GITHUB_TOKEN")
INPUTS = {**demo.INPUTS, "service_name": "first", "environment": "Test"}


@dataclass
class Operator:
    """An operator of a new installation, at a terminal and in a browser."""

    sandbox: SandboxClient
    release: Path
    home: Path
    repository: Repository
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.home / "installation"

    @property
    def commands(self) -> Path:
        """Return the arguments with which Terraform was started."""
        return self.home / "commands"

    def environment(self) -> dict[str, str]:
        env = self.sandbox.env
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **mine,
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": env["AWS_ENDPOINT_URL"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PORT_CLIENT_ID": env["PORT_CLIENT_ID"],
            "PORT_CLIENT_SECRET": env["PORT_CLIENT_SECRET"],
            "GITHUB_TOKEN": env["GITHUB_TOKEN"],
            # The sandbox's brokers need no authentication.
            "KAFKA_USERNAME": "",
        }

    def write_config(self, source: str) -> None:
        env = self.sandbox.env
        api = f"{env['AWS_ENDPOINT_URL']}/_aws/execute-api/{{api_id}}/live"
        (self.home / "slipway.toml").write_text(f"""
source = "{source}"
approvers = ["devops@acme.example"]
[aws]
account = "{ACCOUNT}"
region = "{env["AWS_REGION"]}"
[port]
base_url = "{env["PORT_BASE_URL"]}"
app_url = "{env["PORT_BASE_URL"]}"
[github]
api_url = "{env["GITHUB_API_URL"]}"
repositories.services.name = "{self.repository.full_name}"
[terraform]
deletion_protection = false
links_base_url = "{api}"
reports.base_url = "{api}"
functions = {{ architecture = "{host_architecture()}", timeout_seconds = 60 }}
features = {{ records_lifecycle = false, xray_group = false, broker_storage_scaling = false }}
approvals.audit = {{ mode = "GOVERNANCE", retention_days = 1 }}
{'kafka.starting_position = "TRIM_HORIZON"' if source == "port-hosted" else ""}
""")

    def install(self, **stops: signal.Signals) -> int:
        """Run scripts/install, and send a signal when its output contains one of the stops."""
        with subprocess.Popen(
            [
                *("sh", self.release / "scripts" / "install", "--yes", "--no-browser"),
                *("--config", self.home / "slipway.toml", "--folder", self.folder),
            ],
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                self.said.append(line)
                if stop := next((stops.pop(word) for word in [*stops] if word in line), None):
                    process.send_signal(stop)
                else:
                    self._act(line.strip())
        return process.returncode

    def _act(self, line: str) -> None:
        _, asked, address = line.partition(": open ")
        if asked and "/installations/" in address:
            person.install_app(address, self.repository.full_name)
        elif asked:
            person.create_app(address)


@pytest.fixture(scope="module", params=["port-hosted", "webhook"])
def operator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """Make an operator with an empty repository, a release's files and no installation."""
    home = tmp_path_factory.mktemp("operator")
    release = home / "release"
    release.mkdir()
    for name in RELEASED:
        place = ROOT / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, release / name)
    # `scripts/setup operate` would create it in 13 s.
    (release / ".venv").symlink_to(ROOT / ".venv")
    program, log = home / "bin" / "terraform", home / "commands"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>"{log}"\nexec {shutil.which("terraform")} "$@"\n')
    program.chmod(0o755)
    with run_sandbox(tmp_path_factory.mktemp("sandbox")) as folder:
        sandbox = SandboxClient(folder)
        acme = sandbox.github.get_organization("acme")
        repository = acme.create_repo(f"first-{secrets.token_hex(3)}", auto_init=True)
        made = Operator(sandbox, release, home, repository)
        made.write_config(request.param)
        yield made


def test_interrupted_installation_continues_to_a_pull_request(
    operator: Operator,
) -> None:
    killed = operator.install(**{"Install the App": signal.SIGKILL})
    interrupted = operator.install(**{"Creation complete": signal.SIGINT})
    installed = operator.install()
    said = "".join(operator.said)

    assert killed == -signal.SIGKILL, said
    assert interrupted == 130, said
    assert installed == 0, said
    assert said.count("Create the GitHub App") == 1

    run = operator.sandbox.execute("create_service", INPUTS)
    link = operator.sandbox.wait_for_link(run)
    first = operator.repository.get_pull(int(link.rpartition("/")[2]))
    assert first.user.login == "slipway-acme[bot]"


def test_repository_is_prepared_by_a_pull_request(operator: Operator) -> None:
    (pull,) = (
        pull
        for pull in operator.repository.get_pulls()
        if pull.head.ref.startswith("slipway-setup")
    )

    assert f"Merge {pull.html_url}" in "".join(operator.said)


def test_no_secret_is_on_disk_or_in_a_command(operator: Operator) -> None:
    env = operator.sandbox.env
    secret = operator.sandbox.aws("secretsmanager").get_secret_value(SecretId="slipway/github")
    key = json.loads(secret["SecretString"])["private_key"]
    written = [operator.commands, *operator.folder.glob("*")]

    text = "".join(file.read_text(errors="replace") for file in written if file.is_file())

    found = [each for each in [*(env[name] for name in SECRETS), key[30:90]] if each in text]
    assert not found
    assert "apply" in operator.commands.read_text()


def test_app_key_is_stored_in_one_secret(operator: Operator) -> None:
    listed = operator.sandbox.aws("secretsmanager").list_secrets()["SecretList"]

    assert "slipway/install-github" not in [each["Name"] for each in listed]


def test_second_run_changes_nothing(operator: Operator) -> None:
    operator.said.clear()

    status = operator.install()

    said = "".join(operator.said)
    assert status == 0, said
    assert "0 resources would change" in said
    assert "Nothing to change." in said
    assert "Creation complete" not in said


def test_lost_folder_finds_resources_of_another_installation(operator: Operator) -> None:
    shutil.rmtree(operator.folder)
    operator.said.clear()

    status = operator.install()

    assert status == 1
    assert "Another installation has function slipway-sweep_runs" in "".join(operator.said)
