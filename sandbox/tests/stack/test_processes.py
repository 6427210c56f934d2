"""A part's process in the process table."""

import select
import subprocess

import pytest

from sandbox.processes import is_ours

pytestmark = pytest.mark.waits
# Becomes the next of 200 programs, then waits for its caller.
SHELL = (
    'if [ "$1" = 0 ]; then echo ready; read -r _; else exec sh -c "$0" "$0" $(($1 - 1)) "$2"; fi'
)


def test_process_is_ours_while_it_becomes_another_program() -> None:
    with subprocess.Popen(
        ["sh", "-c", SHELL, SHELL, "200", "sandbox.thing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        ready = process.stdout
        seen = []
        while not select.select([ready], [], [], 0)[0]:
            seen.append(is_ours(process.pid, "thing"))
        process.stdin.close()

    assert seen
    assert all(seen)
