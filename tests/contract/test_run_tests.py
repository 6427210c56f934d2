"""The runner of test lanes: its report, and that it leaves no process behind."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from scripts import run_tests
from scripts.apply_sandbox import ROOT
from scripts.lanes import LANES, Lane, changed_lanes, named, touched
from scripts.run_tests import Result, Runner, report
from scripts.terraform_test import PARTS

pytestmark = pytest.mark.waits
# Starts a process in its own session, where signals to the lane's group do not arrive.
STARTS_ANOTHER = """
import subprocess, sys, time
sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleeps, start_new_session=True)
print(child.pid, flush=True)
"""


def lane(name: str, code: str) -> Lane:
    command = (sys.executable, "-c", textwrap.dedent(code))
    return Lane(name, f"what {name} does", command, budget=10)


def run(*lanes: Lane, logs: Path) -> dict[str, Result]:
    return {result.lane.name: result for result in Runner(2, logs).run(lanes, lambda _result: None)}


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_runner_finishes_other_lanes_when_one_fails(tmp_path: Path) -> None:
    results = run(
        lane("bad", "raise SystemExit(3)"),
        lane("good", "print('fine')"),
        lane("last", ""),
        logs=tmp_path,
    )

    assert {name: result.status for name, result in results.items()} == {
        "bad": 3,
        "good": 0,
        "last": 0,
    }
    assert (tmp_path / "good.log").read_text() == "fine\n"


def test_runner_counts_processor_time_of_children(tmp_path: Path) -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    idle = "import time; time.sleep(0)"

    results = run(lane("busy", busy), lane("idle", idle), logs=tmp_path)

    assert results["busy"].processor_seconds > results["idle"].processor_seconds


def test_runner_ends_and_names_a_leftover_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, "GRACE_SECONDS", 0)

    result = run(lane("careless", STARTS_ANOTHER), logs=tmp_path)["careless"]

    pid = int((tmp_path / "careless.log").read_text())
    assert [left.split()[0] for left in result.left_behind] == [str(pid)]
    assert not result.passed
    assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_runner_leaves_no_process_when_ended(number: signal.Signals) -> None:
    program = f"""
    import sys
    from scripts.lanes import Lane
    from scripts.run_tests import play
    code = {STARTS_ANOTHER!r} + "time.sleep(600)"
    sys.exit(play([Lane("endless", "", (sys.executable, "-c", code), 10)], 1))
    """
    runner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    pid = int(runner.stdout.readline())

    os.kill(runner.pid, number)
    output, _ = runner.communicate(timeout=50)

    assert runner.returncode == run_tests.INTERRUPTED
    assert f"Interrupted by {number.name}" in output
    assert gone(pid)


def test_report_names_output_and_repeat_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "unit.log"
    log.write_text("1 failed\n")

    report(Result(named("unit"), 1, 2.0, 3.0, log))

    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert "1 failed" in printed
    assert "make lane LANE=unit" in printed


def test_report_names_a_lane_over_budget(capsys: pytest.CaptureFixture[str]) -> None:
    report(Result(lane("greedy", ""), 0, 2.0, 11.0, None))

    assert "11 of 10 processor seconds over budget" in capsys.readouterr().out


def test_lanes_run_every_folder_of_tests() -> None:
    folders = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("test_*.py")}
    commands = [*(each.command for each in LANES), *(part.split() for part in PARTS)]
    run_by_lanes = {word for command in commands for word in command}

    assert {f"tests/{folder}" for folder in folders} <= run_by_lanes


def test_lane_with_a_browser_keeps_its_own_screenshots() -> None:
    folders = [word for each in LANES for word in each.command if word.startswith("--output=")]

    assert len(folders) == len({*folders}) == 3


@pytest.mark.parametrize(("check", "kept"), [("True", 0), ("False", 1)])
def test_run_keeps_its_temporary_files_only_when_a_test_failed(
    tmp_path: Path, check: str, kept: int
) -> None:
    test, temporary = tmp_path / "test_it.py", tmp_path / "temporary"
    test.write_text(f"def test_it(tmp_path):\n    assert {check}\n")
    temporary.mkdir()

    result = subprocess.run(
        (sys.executable, "-m", "pytest", "-n", "1", "-p", "sandbox.testing", test),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        capture_output=True,
        check=False,
        text=True,
    )

    folders = [*temporary.iterdir()]
    assert len(folders) == kept
    assert all(f"Temporary files: {folder}" in result.stdout for folder in folders)


def test_lane_is_selected_by_its_files() -> None:
    assert touched(named("browser"), ["README.md", "sandbox/portal/src/main.tsx"])
    assert not touched(named("browser"), ["shared/slipway/aws.py"])


def test_changed_lanes_omit_slow_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGED_SINCE", _empty_tree())

    chosen, left_out = changed_lanes(ROOT, within_minutes=8, side_by_side=2)

    assert sum(each.minutes for each in chosen) <= 8 * 2
    assert {each.name for each in (*chosen, *left_out)} == {
        each.name for each in LANES if not each.in_test
    }
    assert "all-faults" in {each.name for each in left_out}


def _empty_tree() -> str:
    """Return git's name of a tree without files, from which every file differs."""
    made = subprocess.run(
        ["git", "hash-object", "-t", "tree", "--stdin", "-w"],
        cwd=ROOT, input=b"", capture_output=True, check=True,
    )  # fmt: skip
    return made.stdout.decode().strip()
