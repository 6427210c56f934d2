"""A pytest plug-in for all suites: draws examples, gives the sandbox's servers their token.

It gives each run a folder of its own, and prints the command that repeats a failure.
"""

import os
import secrets
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow example says nothing on a busy machine; pytest's time limit bounds the test as a whole.
# A merge must not fail by a draw: CI always draws the same examples, contributors draw new ones.
settings.register_profile(
    "slipway",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("slipway")

# The servers that a suite starts read it in its environment, and their clients send it.
TOKEN = os.environ.setdefault("SANDBOX_TOKEN", secrets.token_urlsafe(32))
OWN_ROUTES = {"X-Sandbox-Token": TOKEN}
_FOLDER = pytest.StashKey[str]()
# What decides which cases a suite draws.
_SETTINGS = ("FAULTS", "FUZZ")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put `tmp_path` in a new folder, unless `--basetemp` names one."""
    # In pytest's usual place, runs at the same time remove the same old folders, and fail.
    if config.option.basetemp is None:
        config.option.basetemp = config.stash[_FOLDER] = tempfile.mkdtemp(prefix="pytest-")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove that folder, unless a test failed, because its files may show why."""
    folder = session.config.stash.get(_FOLDER, None)
    if folder and exitstatus != pytest.ExitCode.TESTS_FAILED:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print a command for each test that failed, and where their files are if they stay."""
    failed = terminalreporter.getreports("failed") + terminalreporter.getreports("error")
    tests = list(dict.fromkeys(report.nodeid for report in failed))
    if not tests:
        return
    chosen = [f"{name}={os.environ[name]}" for name in _SETTINGS if name in os.environ]
    python = os.path.relpath(sys.executable)
    root = os.path.relpath(terminalreporter.config.rootpath)
    settings = os.path.relpath(terminalreporter.config.inipath or "pyproject.toml")
    place = [] if settings == "pyproject.toml" else ["-c", settings, "--rootdir", root]
    terminalreporter.section("repeat")
    for test in tests:
        command = [*chosen, python, "-m", "pytest", *place, str(Path(root) / test)]
        terminalreporter.write_line(shlex.join(command))
    folder = terminalreporter.config.stash.get(_FOLDER, None)
    if folder and exitstatus == pytest.ExitCode.TESTS_FAILED:
        terminalreporter.write_line(f"Temporary files: {folder}")
