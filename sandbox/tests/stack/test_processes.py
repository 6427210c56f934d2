"""A part's process in the process table."""

import os
import select
import subprocess

import psutil
import pytest

from sandbox import mark
from sandbox.processes import is_ours, read_program

pytestmark = pytest.mark.waits
# Becomes the next of 200 programs, then waits for its caller.
SHELL = (
    'if [ "$1" = 0 ]; then echo ready; read -r _; else exec sh -c "$0" "$0" $(($1 - 1)) "$2"; fi'
)


def test_part_is_known_while_it_becomes_another_program() -> None:
    with subprocess.Popen(
        ["sh", "-c", SHELL, SHELL, "200", "sandbox.thing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, mark.VARIABLE: "folder:thing"},
    ) as part:
        assert part.stdin
        assert part.stdout
        process = psutil.Process(part.pid)
        known = []
        while not select.select([part.stdout], [], [], 0)[0]:
            known.append(is_ours(part.pid, "thing"))
            known.append(mark.VARIABLE in read_program(process, process.environ))
        part.stdin.close()

    assert known
    assert all(known)
