"""Run a sandbox for the tests: its own folder and ports, an applied stack, definitions in Port."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from github import Auth, Github
from github.Repository import Repository
from slipway.config import PortCredentials
from slipway.port.client import PortClient
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships none

from sandbox.browser.fixtures import browser_context_args, browser_type_launch_args, visit
from scripts.apply_sandbox import ROOT, Mode, Stack, knob, read_environment
from scripts.environment import person_client

__all__ = ["browser_context_args", "browser_type_launch_args", "visit"]
WAIT_SECONDS = 600  # only a hanging test takes this long
# Files whose calls `test_policies` checks; they share one sandbox with it.
LOOKED_AT = {
    "test_abandoned_runs",
    "test_approval_operations",
    "test_approvals",
    "test_approved_merges",
    "test_batches",
    "test_create_service",
    "test_health",
    "test_hold",
}


class TwoSandboxes(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Divides the tests between two sandboxes, because they mostly wait.

    MSK is applied in the second one only, after all else there: only one mode consumes at a time.
    """

    def _split_scope(self, nodeid: str) -> str:
        looked_at = Path(nodeid.partition("::")[0]).stem in {*LOOKED_AT, "test_policies"}
        return "looked at" if looked_at and not nodeid.endswith(f"{Mode.MSK}]") else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoSandboxes:
    return TwoSandboxes(config, log)


def wait_for[T](what: str, probe: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    """Repeat a probe until it returns a true value, within a time limit."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


class SandboxClient:
    """The actions of a person and an operator in the sandbox, over its public interfaces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = read_environment(folder)
        credentials = PortCredentials.model_validate(
            {
                "client_id": self.env["PORT_CLIENT_ID"],
                "client_secret": self.env["PORT_CLIENT_SECRET"],
            }
        )
        self.port = PortClient(self.env["PORT_BASE_URL"], lambda fresh: credentials)
        self._people: dict[str, PortClient] = {}

    @property
    def github(self) -> Github:
        return Github(
            base_url=self.env["GITHUB_API_URL"],
            auth=Auth.Token(self.env["GITHUB_TOKEN"]),
            seconds_between_writes=None,
            seconds_between_requests=None,
        )

    @property
    def services(self) -> Repository:
        return self.github.get_repo(self.env["SERVICES_REPO"])

    def execute(
        self,
        action: str,
        properties: dict[str, Any],
        *,
        entity: str | None = None,
        person: str = "developer@acme.example",
    ) -> str:
        """Run an action as its form does; return the run's id."""
        if person not in self._people:
            self._people[person] = person_client(self.env["PORT_BASE_URL"], person)
        answer = self._people[person].request(
            "POST",
            f"/v1/actions/{action}/runs",
            json={"properties": properties} | ({"entity": entity} if entity else {}),
        )
        return str(answer["run"]["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.port.request("GET", f"/v1/actions/runs/{run_id}", params={"version": "v2"})
        run: dict[str, Any] = answer["run"]
        return run

    def logs(self, run_id: str) -> list[str]:
        answer = self.port.request("GET", f"/v1/actions/runs/{run_id}/logs", params={"limit": 50})
        return [str(log["message"]) for log in answer["runLogs"]]

    def wait_for_status(self, run_id: str, status: str) -> dict[str, Any]:
        return wait_for(
            f"run {run_id} {status}",
            lambda: run if (run := self.run(run_id))["status"] == status else None,
        )

    def wait_for_link(self, run_id: str) -> str:
        return wait_for(f"link of {run_id}", lambda: next(map(str, self.run(run_id)["link"]), None))

    def label(self, run_id: str) -> str:
        return str(self.run(run_id).get("statusLabel") or "")

    def aws(self, service: str) -> Any:
        """Return a boto3 client of this sandbox's AWS."""
        return boto3.client(  # type: ignore[call-overload]  # the name is not a literal
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=self.env["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def sandbox(self, part: str, method: str, path: str, body: object = None) -> Any:
        """Send a request to a part's own route, which only the sandbox has."""
        return knob(self.env, part, method, path, body)


@contextmanager
def run_sandbox(folder: Path) -> Iterator[Path]:
    """Run a sandbox in a folder."""
    environment = {**os.environ, "SANDBOX_DIR": str(folder)}
    # It ends with its input, also when this process is killed without a teardown.
    with subprocess.Popen(
        [ROOT / "scripts" / "sandbox", "up", "--attached"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as attached:
        assert attached.stdout is not None
        said = list(until_up(attached.stdout))
        assert said[-1].startswith("Up after"), "".join(said)
        yield folder
        attached.communicate(timeout=300)
    assert attached.returncode == 0


@pytest.fixture(scope="session")
def sandbox_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if kept := os.environ.get("KEEP_SANDBOX"):
        # For work on a test: a sandbox that already runs, and continues to run.
        yield Path(kept)
        return
    with run_sandbox(tmp_path_factory.mktemp("sandbox")) as folder:
        yield folder


def until_up(lines: Iterable[str]) -> Iterator[str]:
    """Return what `sandbox up` prints until everything runs, or all of it if it fails."""
    for line in lines:
        yield line
        if line.startswith("Up after"):
            return


MODES = [Mode.EXTERNAL, pytest.param(Mode.MSK, marks=pytest.mark.msk)]


@pytest.fixture(scope="session", params=MODES)
def stack(sandbox_folder: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Apply the stack in one Kafka mode after the other; only one consumes at a time."""
    applied = Stack(sandbox_folder, request.param)
    applied.init()
    applied.apply()
    yield applied
    if not os.environ.get("KEEP_SANDBOX"):
        pause(SandboxClient(sandbox_folder), applied)


def pause(sandbox: "SandboxClient", stack: Stack) -> None:
    """Stop consuming, as an operator does."""
    _switch(sandbox, stack, "Disabled")


def resume(sandbox: "SandboxClient", stack: Stack) -> None:
    """Consume again."""
    _switch(sandbox, stack, "Enabled")


def _switch(sandbox: "SandboxClient", stack: Stack, state: str) -> None:
    functions = sandbox.aws("lambda")
    # A test may have destroyed the stack, so there is nothing to switch.
    for function in stack.outputs().get("functions", {}).values():
        uuid = function["event_source_mapping"]
        if uuid is None:
            continue
        functions.update_event_source_mapping(UUID=uuid, Enabled=state == "Enabled")

        def done(uuid: str = uuid) -> bool | None:
            return functions.get_event_source_mapping(UUID=uuid)["State"] == state or None

        wait_for(f"the mapping to be {state}", done)


@pytest.fixture(scope="session")
def sandbox(sandbox_folder: Path, stack: Stack) -> SandboxClient:
    """The sandbox with blueprint and actions installed."""
    set_up_port(sandbox_folder, stack)
    return SandboxClient(sandbox_folder)


def set_up_port(sandbox_folder: Path, stack: Stack) -> None:
    """Install a stack's definitions in Port. The stacks of a sandbox take turns."""
    setup = [sys.executable, "-m", "scripts.port_setup", "--apply", "--take-over"]
    options = ["--env-file", str(sandbox_folder.resolve() / "env")]
    if stack.catalog:
        options += ["--catalog", str(stack.catalog.dir)]
    settings = {**os.environ, **stack.outputs()["port_setup"]}
    subprocess.run([*setup, *options], cwd=ROOT, env=settings, check=True, timeout=300)


@pytest.fixture(scope="session")
def base_url(sandbox: SandboxClient) -> str:
    """Return the portal's address for the browser tests."""
    return sandbox.env["PORT_BASE_URL"]
