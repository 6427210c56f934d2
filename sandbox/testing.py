"""A pytest plug-in for all suites: prints the command that repeats each failure."""

import os
import shlex
import sys
from pathlib import Path

import pytest

# What decides which cases a suite draws.
_SETTINGS = ("FAULTS", "FUZZ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a command for each test that failed."""
    failed = terminalreporter.getreports("failed") + terminalreporter.getreports("error")
    tests = list(dict.fromkeys(report.nodeid for report in failed))
    if not tests:
        return
    settings = [f"{name}={os.environ[name]}" for name in _SETTINGS if name in os.environ]
    python = os.path.relpath(sys.executable)
    root = os.path.relpath(terminalreporter.config.rootpath)
    place = [] if root == "." else ["-c", str(Path(root) / "pyproject.toml"), "--rootdir", root]
    terminalreporter.section("repeat")
    for test in tests:
        command = [*settings, python, "-m", "pytest", *place, str(Path(root) / test)]
        terminalreporter.write_line(shlex.join(command))
