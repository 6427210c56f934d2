"""How sandboxes on one machine keep out of each other's way."""

import contextlib
import socket
import threading

import pytest

from sandbox import stack
from sandbox.stack import _alone, _decide
from sandbox.tests.waiting import LIMIT


def test_given_taken_defaults_when_decided_then_every_part_has_a_port_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextlib.ExitStack() as held:
        taken = held.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = taken.getsockname()[1]
        monkeypatch.setattr(
            stack, "_DEFAULT_PORTS", dict.fromkeys("abcde", used) | {"broker": used}
        )

        ports = _decide("").ports.values()

    assert used not in ports
    assert len(set(ports)) == 6


@pytest.mark.waits
def test_given_a_sandbox_that_starts_when_another_starts_then_it_waits() -> None:
    inside = threading.Event()

    def start() -> None:
        with _alone():
            inside.set()

    with _alone():
        other = threading.Thread(target=start)
        other.start()
        assert not inside.wait(0.2)
    assert inside.wait(LIMIT)
    other.join()
