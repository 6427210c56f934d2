"""Test start and end of the sandbox's AWS, next to another one and after a kill."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import BotoCoreError

from sandbox.tests.waiting import LIMIT, wait_for

from .conftest import REPOSITORY, RunningAws, function_processes, running_aws

HANGS = """
import pathlib, subprocess, threading
subprocess.Popen(['sleep', '600'])
def handler(event, context):
    pathlib.Path(event).touch()
    threading.Event().wait()
"""


def test_killed_aws_leaves_no_process_of_a_function(aws: RunningAws, tmp_path: Path) -> None:
    # Given a second AWS, beside the first one, with a function that hangs in an invocation
    with (
        running_aws(tmp_path / "second", aws.kafka) as second,
        ThreadPoolExecutor() as pool,
    ):
        function = second.function(HANGS, Timeout=900)
        called = tmp_path / "called"

        def invoke() -> None:
            try:
                second.invoke_raw(function, str(called))
            except BotoCoreError:  # the connection is lost with the server
                return

        pool.submit(invoke)
        wait_for(called.exists)
        assert len(function_processes(second)) == 2

        # When it is killed
        second.process.kill()
        second.process.wait(timeout=LIMIT)

    # Then function and child end by themselves
    wait_for(lambda: function_processes(second) == [])


def test_port_in_use_is_an_error(aws: RunningAws, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.aws", "--port", str(aws.port), "--kafka", aws.kafka]

    ended = subprocess.run(
        [*command, "--state-dir", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert ended.returncode == 2
    assert f"port {aws.port} is in use" in ended.stderr
