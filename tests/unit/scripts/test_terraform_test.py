"""`scripts/terraform_test`: its behaviour when a part fails or it is terminated."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import terraform_test

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = dict(os.environ)


def test_run_continues_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    failed = terraform_test.run(["sh -c 'echo broken; exit 3'", "true", "false"], ENVIRONMENT)

    assert failed == ["sh -c 'echo broken; exit 3'", "false"]
    out = capsys.readouterr().out
    assert "broken\n" in out
    assert "passed: true\n" in out


def test_run_repeats_only_the_files_that_failed() -> None:
    output = "tests/a.tftest.hcl... fail\ntests/b.tftest.hcl... pass\ntests/c.tftest.hcl... fail"
    command = f"sh -c 'echo \"{output}\"; exit 1'"

    assert terraform_test.run([command], ENVIRONMENT) == [
        f"{command} -filter=tests/a.tftest.hcl",
        f"{command} -filter=tests/c.tftest.hcl",
    ]


def test_report_fails_when_a_part_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert terraform_test.report([]) == 0
    assert terraform_test.report(["scripts/plan msk"]) == 1
    assert "scripts/plan msk" in capsys.readouterr().err


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_ends_its_processes(end: signal.Signals, tmp_path: Path) -> None:
    # Given a part that waits in its own process, which keeps a pipe open
    os.mkfifo(pipe := tmp_path / "pipe")
    waiting = f"sh -c 'exec 3>{pipe}; echo started >&3; sleep 100 & wait'"
    program = "import sys; from scripts import terraform_test as t; t.INIT = sys.argv[1]; t.main()"
    lane = subprocess.Popen([sys.executable, "-c", program, waiting], cwd=ROOT)

    # When the lane is terminated
    with pipe.open() as reader:
        assert reader.readline() == "started\n"
        lane.send_signal(end)

        # Then the pipe is closed, because all of them have ended
        assert reader.read() == ""
    assert lane.wait() != 0
