"""The command line: `sandbox up | status | logs | down`, as a person uses it."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.attached import start_heir
from sandbox.cli import apply_again
from sandbox.stack import Sandbox
from sandbox.state import SandboxError, State, alone
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import LIMIT

pytestmark = pytest.mark.waits
CLI = Path(sys.executable).parent / "sandbox"
VARIABLES = {
    "PORT_BASE_URL", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET", "PORT_ORG_ID",
    "KAFKA_BOOTSTRAP_SERVERS", "GITHUB_API_URL", "GITHUB_TOKEN", "SERVICES_REPO",
    "AWS_ENDPOINT_URL", "AWS_REGION", "CLUSTER_URL", "SANDBOX_TOKEN",
}  # fmt: skip


def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLI, *arguments, "--folder", folder],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running sandbox whose default port for Port was in use by another process."""
    folder = tmp_path_factory.mktemp("sandbox")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Not from a sandbox that restarts its Port now, and needs it again.
        with alone(), contextlib.suppress(OSError):  # taken already: just what this is about
            taken.bind(("127.0.0.1", 3100))
            taken.listen()
        # A sandbox that is not attached would outlive a test run that is killed.
        with start_heir(Sandbox(folder)) as heir:
            done = cli(folder, "up")
            assert done.returncode == 0, done.stdout + done.stderr
            yield folder
            cli(folder, "down")
            heir.kill()


def environment(folder: Path) -> dict[str, str]:
    words = shlex.split((folder / "env").read_text())
    return dict(word.split("=", 1) for word in words)


def test_another_port_is_chosen_when_the_default_is_taken(folder: Path) -> None:
    state = Sandbox(folder).state()

    assert state is not None
    assert state.ports["port"] != 3100
    own_routes = {"X-Sandbox-Token": environment(folder)["SANDBOX_TOKEN"]}
    url = environment(folder)["PORT_BASE_URL"] + "/_sandbox/health"
    assert HTTP.get(url, headers=own_routes).status_code == 200


def test_env_file_is_complete_and_private(folder: Path) -> None:
    assert environment(folder).keys() == VARIABLES
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "env").stat().st_mode & 0o077 == 0
    assert (folder / "state.json").stat().st_mode & 0o077 == 0


def test_second_up_changes_nothing(folder: Path) -> None:
    before = (folder / "state.json").read_text()

    done = cli(folder, "up")

    assert done.returncode == 0
    assert (folder / "state.json").read_text() == before


def test_up_keeps_data_when_the_env_file_is_gone(folder: Path) -> None:
    before, text = Sandbox(folder).state(), (folder / "env").read_text()
    (folder / "env").unlink()

    done = cli(folder, "up")

    assert done.returncode == 0, done.stdout
    assert Sandbox(folder).state() == before
    assert (folder / "env").read_text() == text


def test_status_names_each_part(folder: Path) -> None:
    done = cli(folder, "status")

    assert done.returncode == 0
    for name in ("broker", "port", "github", "aws", "cluster"):
        assert name in done.stdout
    assert "ended" not in done.stdout


def test_log_is_shown_and_an_unknown_one_is_named(folder: Path) -> None:
    assert "Uvicorn running" in cli(folder, "logs", "port").stdout

    unknown = cli(folder, "logs", "nonsense")
    assert unknown.returncode == 1
    assert "the log of 'nonsense' does not exist. Logs: aws, broker, cluster, github, port." in (
        unknown.stdout
    )


def test_logs_have_no_deprecation_banner(folder: Path) -> None:
    logs = sorted((folder / "logs").glob("*.log"))

    assert len(logs) == 5
    for log in logs:
        assert "deprecat" not in log.read_text(errors="replace").lower(), log.name


def test_restarted_part_keeps_its_data(
    folder: Path,
) -> None:
    before = Sandbox(folder).state()
    repository = f"{environment(folder)['GITHUB_API_URL']}/repos/acme/services"
    login = {"Authorization": f"Bearer {environment(folder)['GITHUB_TOKEN']}"}
    assert HTTP.patch(repository, json={"description": "kept"}, headers=login).status_code == 200

    done = cli(folder, "restart", "github")

    after = Sandbox(folder).state()
    assert done.returncode == 0, done.stdout
    assert before is not None
    assert after is not None
    assert {n for n in after.pids if after.pids[n] != before.pids[n]} == {"github"}
    assert HTTP.get(repository, headers=login).json()["description"] == "kept"


def end(folder: Path, *names: str) -> State:
    """Kill parts, with all that they started; returns what was known before."""
    state = Sandbox(folder).state()
    assert state is not None
    for name in names:
        leader = psutil.Process(state.pids[name])
        processes = [leader, *leader.children(recursive=True)]
        for process in processes:
            process.kill()
        # One that has ended is in the process table until its parent has waited for it.
        psutil.wait_procs(processes, timeout=LIMIT)
    return state


def test_up_restarts_a_dead_part_on_its_data(folder: Path) -> None:
    repository = f"{environment(folder)['GITHUB_API_URL']}/repos/acme/services"
    login = {"Authorization": f"Bearer {environment(folder)['GITHUB_TOKEN']}"}
    assert HTTP.patch(repository, json={"description": "mine"}, headers=login).status_code == 200
    before = end(folder, "github")

    done = cli(folder, "up")

    after = Sandbox(folder).state()
    assert done.returncode == 0, done.stdout
    assert "github had ended; it runs again on its data." in done.stdout
    assert after is not None
    assert {n for n in after.pids if after.pids[n] != before.pids[n]} == {"github"}
    assert HTTP.get(repository, headers=login).json()["description"] == "mine"


def test_up_says_what_is_lost_when_the_broker_had_ended(folder: Path) -> None:
    before = end(folder, "broker")

    done = cli(folder, "up")

    after = Sandbox(folder).state()
    assert done.returncode == 0, done.stdout
    assert "what was not read yet is lost" in done.stdout
    assert "AWS kept its state in memory" in done.stdout
    assert "port depends on what had ended; it runs again on its data." in done.stdout
    assert after is not None
    changed = {n for n in after.pids if after.pids[n] != before.pids[n]}
    assert changed == {"broker", "port", "aws"}


def test_stack_is_applied_again_when_aws_has_lost_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The root that scripts/apply_sandbox applies, and where Terraform therefore keeps the state.
    for mode in ("external", "msk"):
        (tmp_path / f"terraform-{mode}" / "examples" / "sandbox").mkdir(parents=True)
    (tmp_path / "terraform-msk" / "examples" / "sandbox" / "terraform.tfstate").write_text("{}")
    apply = tmp_path / "apply"
    apply.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/applied\n')
    apply.chmod(0o700)

    apply_again(Sandbox(tmp_path), lambda _: None, apply)

    assert (tmp_path / "applied").read_text() == f"--folder {tmp_path} --mode external\n"
    assert "applied again (external)" in capsys.readouterr().out


def test_refused_apply_is_told_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "terraform-external").mkdir()
    apply = tmp_path / "apply"
    apply.write_text("#!/bin/sh\necho 'no such provider' >&2\nexit 1\n")
    apply.chmod(0o700)

    with pytest.raises(SandboxError, match="no such provider"):
        apply_again(Sandbox(tmp_path), lambda _: None, apply)


def test_restart_is_refused_for_a_part_that_stores_nothing(folder: Path) -> None:
    done = cli(folder, "restart", "broker")

    assert done.returncode == 1
    assert "it must be one of port, github, cluster" in done.stdout


def test_missing_sandbox_says_how_to_start_it(tmp_path: Path) -> None:
    status = cli(tmp_path, "status")
    down = cli(tmp_path, "down")

    assert (status.returncode, down.returncode) == (1, 0)
    assert "The sandbox is down. Start it with: scripts/sandbox up" in status.stdout
    assert "The sandbox was not running." in down.stdout


def test_down_leaves_no_process_and_no_secret(folder: Path) -> None:
    state = Sandbox(folder).state()
    assert state is not None
    parts = [psutil.Process(pid) for pid in state.pids.values()]
    processes = [*parts, *(child for part in parts for child in part.children())]

    done = cli(folder, "down")

    assert done.returncode == 0
    assert "Ended: aws, broker, cluster, github, port." in done.stdout
    # One that has ended is in the process table until its new parent has waited for it.
    assert psutil.wait_procs(processes, timeout=LIMIT)[1] == []
    assert sorted(path.name for path in folder.iterdir()) == ["logs"]
