"""The sandbox's processes: starts, finds and ends them, and keeps what is needed to do so."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import psutil

from sandbox import guard, mark
from sandbox.broker import wait_until_ready
from sandbox.processes import end, is_ours, read_program
from sandbox.state import (
    ORG_ID,
    REGION,
    SERVICES_REPO,
    SandboxError,
    State,
    alone,
    decide,
    write_private,
)

ROOT = Path(__file__).resolve().parent.parent
RESTART_ENVIRONMENT = "slipway-restart"
START_SECONDS = 600  # reached only by what hangs
_ATTEMPTS = 3
# What a part asks for as it starts; all others start side by side.
_NEEDS = {"port": ("broker",), "cluster": ("port", "github")}
_RESTARTABLE = ("port", "github", "cluster")
# Parts to restart with a part that keeps its state in memory. Port creates the topics when it
# starts, and AWS's event sources know their offsets.
_TAKES_ALONG = {"broker": ("port", "aws")}
_LOST = {
    "broker": "The broker kept its records in memory: what was not read yet is lost.",
    "aws": "AWS kept its state in memory: its tables, functions and executions are lost.",
}
_HEALTH = {
    "port": "/_sandbox/health",
    "github": "/_sandbox/health",
    "aws": "/_localstack/health",
    "cluster": "/_sandbox/health",
}
# Within the copy of a stack, wherever the root that scripts/apply_sandbox applies is.
_STATE = "**/terraform.tfstate"


class _PortTaken(SandboxError):
    """A part ended because another program took its port."""


class Sandbox:
    """A sandbox in a folder of its own.

    Args:
        folder: holds the state, the logs, the data and the `env` file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.env_file = self.folder / "env"
        self._state_file = self.folder / "state.json"

    def state(self) -> State | None:
        """Return what the last `up` decided, or None if the sandbox is down."""
        if not self._state_file.exists():
            return None
        return State(**json.loads(self._state_file.read_text()))

    def running(self, state: State) -> dict[str, bool]:
        """Return which of the processes are alive."""
        return {name: is_ours(pid, name) for name, pid in state.pids.items()}

    def up(
        self,
        progress: Callable[[str], None],
        *,
        attached: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> State:
        """Start the parts that are not running; if all run, change nothing.

        A part that has ended is started again on its data. What kept its state in memory is said
        to be lost; its stack is then among `unapplied`.

        Args:
            progress: told each step as it begins.
            attached: the parts are to stay children of this process.
            say: told what became of parts that had ended, as sentences.

        Raises:
            SandboxError: a process ended or did not become ready; names its log.
        """
        state = self.state()
        # A sandbox of an older checkout has no such mark.
        if state and (state.complete or self.env_file.exists()):
            ended = {name for name, runs in self.running(state).items() if not runs}
            if ended:
                with alone():
                    self._revive(state, ended, progress, say)
        else:
            if state:
                say("The last start did not finish, so the sandbox starts again.")
                self.down()
            progress("Waiting for another sandbox that starts")
            with alone():
                state = self._start_anew(progress, attached=attached)
        lines = [f"{key}={shlex.quote(value)}\n" for key, value in state.environment().items()]
        write_private(self.env_file, "".join(lines))
        return state

    def down(self) -> list[str]:
        """End every process of this sandbox and forget its data; the logs stay.

        Returns:
            The names of the processes that were ended.
        """
        sessions = self._sessions()
        end(sessions)
        self.env_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        # What Terraform knows of an AWS that is gone would keep it from making the next one.
        for folder in self.folder.glob("terraform-*"):
            shutil.rmtree(folder, ignore_errors=True)
        self._state_file.unlink(missing_ok=True)
        return sorted(sessions.values())

    def restart(self, name: str, down_seconds: float) -> None:
        """End one part, and start it again with the data that it has on disk.

        Args:
            name: `port`, `github` or `cluster`; the others keep theirs in memory.
            down_seconds: how long the part stays down.

        Raises:
            SandboxError: the part is unknown, or did not become ready again; names its log.
        """
        state = self.state()
        if state is None or name not in _RESTARTABLE or not is_ours(state.pids[name], name):
            known = ", ".join(_RESTARTABLE)
            raise SandboxError(
                f"'{name}' cannot be restarted: it must be one of {known}, and be running."
            )
        before = state.pids[name]
        # A sandbox that starts now would take the part's port.
        with alone():
            end({before})
            time.sleep(down_seconds)
            if state.attached_to:
                # Only its parent can start it as a child of its own.
                os.kill(state.attached_to, signal.SIGUSR1)
                state = self._wait_for_another(name, before)
            else:
                self.start_missing()
                state = self.state() or state
            self._wait(name, state)

    def start_missing(self) -> None:
        """Start each part that has ended, as a child of this process."""
        state = self.state()
        if state is None:
            return
        running = self.running(state)
        for name, command in self._commands(state):
            if not running[name]:
                state.pids[name] = self._spawn(name, command, state)
                self._save(state)

    def unapplied(self) -> list[str]:
        """Return the modes of stacks whose state AWS lost, or that were never applied."""
        return sorted(
            folder.name.removeprefix("terraform-")
            for folder in self.folder.glob("terraform-*")
            if not any(folder.glob(_STATE))
        )

    def _revive(
        self,
        state: State,
        ended: Collection[str],
        progress: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        """Start parts again on their data, in the order in which they need each other."""
        again = {*ended, *(other for name in ended for other in _TAKES_ALONG.get(name, ()))}
        end({session for session, name in self._sessions().items() if name in again})
        if "aws" in again:
            # What Terraform knows of an AWS that is gone would keep it from making the next one.
            for known in self.folder.glob(f"terraform-*/{_STATE}*"):
                known.unlink()
        for name, command in self._commands(state):
            if name not in again:
                continue
            progress(f"Starting {name}")
            for needed in _NEEDS.get(name, ()):
                if needed in state.ports:
                    self._wait(needed, state)
            state.pids[name] = self._spawn(name, command, state)
            self._save(state)
            try:
                self._wait(name, state)
            except _PortTaken as error:
                raise SandboxError(
                    f"Port {state.ports[name]} of {name} now belongs to another program. End that "
                    "program, or start without the data: scripts/sandbox down"
                ) from error
            had = "had ended" if name in ended else "depends on what had ended"
            say(_LOST.get(name, f"{name} {had}; it runs again on its data."))

    def log_file(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self.folder / "logs" / f"{name}.log"

    def _commands(self, state: State) -> Iterator[tuple[str, list[str]]]:
        data = self.folder / "data"
        port = {name: str(number) for name, number in state.ports.items()}
        if "broker" in port:
            yield "broker", ["sandbox.broker", "--port", port["broker"]]
        yield (
            "port",
            ["sandbox.port", "--port", port["port"], "--state-dir", f"{data}/port",
             "--kafka", state.kafka, "--org-id", ORG_ID],
        )  # fmt: skip
        yield (
            "github",
            ["sandbox.github", "--port", port["github"], "--state-dir", f"{data}/github",
             "--seed-repo", f"{SERVICES_REPO}={ROOT / 'services-repo'}"],
        )  # fmt: skip
        yield (
            "aws",
            ["sandbox.aws", "--port", port["aws"], "--state-dir", f"{data}/aws",
             "--kafka", state.kafka],
        )  # fmt: skip
        yield (
            "cluster",
            ["sandbox.cluster", "--port", port["cluster"], "--state-dir", f"{data}/cluster",
             "--github-url", f"{state.url('github')}/api/v3", "--repo", SERVICES_REPO,
             "--port-url", state.url("port")],
        )  # fmt: skip

    def _start_anew(self, progress: Callable[[str], None], *, attached: bool) -> State:
        """Start all parts; use other ports if another program takes one."""
        attempt = 1
        while True:
            state = decide(os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
            state.attached_to = os.getpid() if attached else 0
            try:
                self._start(state, progress)
            except _PortTaken:
                if attempt == _ATTEMPTS:
                    raise
                progress("Another program took a port: starting again")
                attempt += 1
            else:
                return state

    def _start(self, state: State, progress: Callable[[str], None]) -> None:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        # The databases hold access tokens.
        self.folder.chmod(0o700)
        for name in state.ports:
            self.log_file(name).unlink(missing_ok=True)
        self._save(state)
        try:
            for name, command in self._commands(state):
                progress(f"Starting {name}")
                for needed in _NEEDS.get(name, ()):
                    if needed in state.ports:
                        self._wait(needed, state)
                state.pids[name] = self._spawn(name, command, state)
                self._save(state)
            for name in state.ports:
                progress(f"Waiting for {name}")
                self._wait(name, state)
            progress("Filling in the services repository's settings")
            _prepare_services_repo(state)
            state.complete = True
            self._save(state)
        except BaseException:
            self.down()
            raise

    def _spawn(self, name: str, module: list[str], state: State) -> int:
        # Secrets go through the environment: a command line is readable by every user.
        environment = {
            **os.environ,
            "PORT_CLIENT_ID": state.client_id,
            "PORT_CLIENT_SECRET": state.client_secret,
            "GITHUB_TOKEN": state.github_token,
            guard.VARIABLE: state.token,
            "SANDBOX_KAFKA_USERNAME": ORG_ID,
            "SANDBOX_KAFKA_PASSWORD": state.client_secret,
            "AWS_REGION": REGION,
            "PYTHONUNBUFFERED": "1",
            mark.VARIABLE: f"{self.folder}:{name}",
        }
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A separate session, so that all child processes can be found and ended.
                start_new_session=True,
            )
        return process.pid

    def _wait(self, name: str, state: State) -> None:
        deadline = time.monotonic() + START_SECONDS
        # On loopback, without any proxy of the environment.
        with httpx.Client(timeout=2, trust_env=False) as client:
            while time.monotonic() < deadline:
                if not is_ours(state.pids[name], name):
                    log = self.log_file(name).read_text(errors="replace")
                    # Every part says this of a port that another program has.
                    ended = _PortTaken if "in use" in log else SandboxError
                    raise ended(
                        f"{name} ended while it started. "
                        f"Its output is in {self.log_file(name)}:\n"
                        + "\n".join(log.splitlines()[-15:])
                    )
                if _answers(name, state, client):
                    return
                time.sleep(0.1)
        raise SandboxError(
            f"{name} was not ready after {START_SECONDS} s. Look at {self.log_file(name)}."
        )

    def _wait_for_another(self, name: str, before: int) -> State:
        """Wait until a part has another process than `before`."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = self.state()
            if state is None:
                break
            if state.pids[name] != before:
                return state
            time.sleep(0.05)
        raise SandboxError(f"{name} was not started again by the attached sandbox.")

    def _sessions(self) -> dict[int, str]:
        """Session id → part, of all processes that belong to this sandbox.

        The mark is looked up, too: a process that was killed while it started a part has not
        written down that part's id.
        """
        state = self.state()
        pids = state.pids if state else {}
        found = {pid: name for name, pid in pids.items() if is_ours(pid, name)}
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                value = read_program(process, process.environ).get(mark.VARIABLE, "")
                folder, _, name = value.rpartition(":")
                if folder == str(self.folder):
                    found[os.getsid(pid)] = name
        return found

    def _save(self, state: State) -> None:
        write_private(self._state_file, json.dumps(asdict(state), indent=2))


def _answers(name: str, state: State, client: httpx.Client) -> bool:
    """Return whether the part answers, and not another program that has its port."""
    try:
        process = psutil.Process(state.pids[name])
        if not any(
            one.status == psutil.CONN_LISTEN and one.laddr.port == state.ports[name]
            for one in process.net_connections("tcp")
        ):
            return False
    except psutil.Error:  # It has just ended.
        return False
    if name == "broker":
        wait_until_ready(state.kafka, START_SECONDS)
        return True
    try:
        headers = {guard.HEADER: state.token}
        return client.get(state.url(name) + _HEALTH[name], headers=headers).status_code == 200
    except httpx.TransportError:
        return False


def _prepare_services_repo(state: State) -> None:
    """Set what the repository's README asks for before Slipway is there: how to restart."""
    with httpx.Client(
        base_url=f"{state.url('github')}/api/v3/repos/{SERVICES_REPO}",
        headers={"Authorization": f"Bearer {state.github_token}"},
        trust_env=False,
    ) as client:
        variable = {"name": "CLUSTER_URL", "value": state.url("cluster")}
        client.post("/actions/variables", json=variable).raise_for_status()
        policy = {"protected_branches": False, "custom_branch_policies": True}
        here = f"/environments/{RESTART_ENVIRONMENT}"
        client.put(here, json={"deployment_branch_policy": policy}).raise_for_status()
        patterns = f"{here}/deployment-branch-policies"
        client.post(patterns, json={"name": "main"}).raise_for_status()
