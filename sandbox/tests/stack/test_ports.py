"""How sandboxes on one machine keep out of each other's way."""

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox import state
from sandbox.ports import free_port
from sandbox.stack import Sandbox
from sandbox.state import SandboxError, State, alone, decide
from sandbox.tests.waiting import LIMIT


def test_every_part_has_its_own_port_when_defaults_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextlib.ExitStack() as held:
        taken = held.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = taken.getsockname()[1]
        monkeypatch.setattr(
            state, "_DEFAULT_PORTS", dict.fromkeys("abcde", used) | {"broker": used}
        )

        ports = decide("").ports.values()

    assert used not in ports
    assert len(set(ports)) == 6


def test_free_port_is_not_one_of_outgoing_connections() -> None:
    # https://docs.kernel.org/networking/ip-sysctl.html: ip_local_port_range
    assert max(free_port() for _ in range(100)) < 32_768


@pytest.mark.waits
def test_second_sandbox_waits_while_another_starts() -> None:
    inside = threading.Event()

    def start() -> None:
        with alone():
            inside.set()

    with alone():
        other = threading.Thread(target=start)
        other.start()
        assert not inside.wait(0.2)
    assert inside.wait(LIMIT)
    other.join()


@pytest.mark.waits
def test_part_is_not_ready_when_another_program_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sandbox = Sandbox(tmp_path)
        sandbox.log_file("broker").parent.mkdir(parents=True)
        decided = State({"broker": port}, "", "", "", f"127.0.0.1:{port}")

        command = [sys.executable, "-m", "sandbox.broker", "--port", str(port)]
        with (
            sandbox.log_file("broker").open("wb") as log,
            subprocess.Popen(command, stderr=log) as process,
        ):
            decided.pids["broker"] = process.pid
            with pytest.raises(SandboxError, match=f"cannot listen on 127.0.0.1:{port}"):
                sandbox._wait("broker", decided)
