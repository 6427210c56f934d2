"""Check the Terraform code: tests, variables, permissions and plans.

All parts share one process of AWS's provider, which runs as it does for a debugger. Otherwise
Terraform starts one for each walk through a plan, which takes most of the time.
https://developer.hashicorp.com/terraform/plugin/debugging
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "terraform" / ".terraform.lock.hcl"
PROVIDERS = ROOT / "terraform" / ".terraform" / "providers"
PROVIDER = "registry.terraform.io/hashicorp/aws"

INIT = "scripts/terraform -chdir=terraform init -backend=false -input=false -lockfile=readonly"
# `terraform test` validates what it plans, as `terraform validate` does.
PARTS = (
    "scripts/terraform -chdir=terraform test -no-color",
    ".venv/bin/pytest --quiet tests/terraform",
    "scripts/permissions --check",
    "scripts/counts --check",
)
_FAILED_FILE = re.compile(r"^(tests/\S+\.tftest\.hcl)\.\.\. fail$", re.MULTILINE)
# On an interrupt, Terraform finishes its current work; with a mocked provider that is soon.
_SECONDS_TO_END = 10


class _End:
    """Handles a termination signal: at once, or after the current start."""

    is_held = False
    _number = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        if not self.is_held:
            self.release()

    def release(self) -> None:
        """End now if a signal came, and from now on at once."""
        self.is_held = False
        if self._number:
            raise SystemExit(128 + self._number)


_end = _End()


def main() -> int:
    """Run all parts; 1 if one failed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    # Each run plans from the start: otherwise the garbage collector takes a quarter of the time.
    environment = {"GOGC": "800"} | without_account(os.environ)
    if failed := run([INIT], environment):
        return report(failed)
    with shared_provider(environment) as reattach:
        return report(run(PARTS, environment | {"TF_REATTACH_PROVIDERS": reattach}))


def without_account(environment: Mapping[str, str]) -> dict[str, str]:
    """Remove AWS settings, so that no plan depends on the caller's account."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def run(commands: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Run commands in turn, and print the output of those that fail.

    Returns:
        A command that repeats each failure.
    """
    failed: list[str] = []
    for command in commands:
        with _started(shlex.split(command), environment) as process:
            output, _ = process.communicate()
        print(f"{'failed' if process.returncode else 'passed'}: {command}", flush=True)
        if process.returncode:
            print(output, flush=True)
            files = _FAILED_FILE.findall(output)
            failed += [f"{command} -filter={file}" for file in files] or [command]
    return failed


def report(failed: Sequence[str]) -> int:
    """Print how to repeat each failure; 1 if there is one."""
    for command in failed:
        print(f"terraform_test: to repeat a failure: {command}", file=sys.stderr)
    return int(bool(failed))


@contextmanager
def shared_provider(environment: Mapping[str, str]) -> Iterator[str]:
    """Start AWS's provider, of the version in the lock file.

    Yields:
        The value of TF_REATTACH_PROVIDERS with which Terraform uses this process.

    Raises:
        SystemExit: The provider is missing, or ended before it could be used.
    """
    version = re.search(r'^ *version *= *"(.*)"', LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    pattern = f"{PROVIDER}/{version and version[1]}/*/terraform-provider-aws_*"
    program = next(PROVIDERS.glob(pattern), None)
    if program is None:
        raise SystemExit(f"terraform_test: {PROVIDERS / pattern} is missing after terraform init.")
    # Otherwise it logs each call to a pipe that is not read, and blocks.
    quiet = {**environment, "TF_LOG_SDK": "off"}
    with _started([program, "-debug"], quiet, stderr=subprocess.DEVNULL) as process:
        for line in process.stdout or ():
            if found := re.search("TF_REATTACH_PROVIDERS='(.*)'", line):
                yield found[1]
                return
        raise SystemExit(f"terraform_test: {program} ended before it could be used.")


@contextmanager
def _started(
    command: Sequence[str | Path], environment: Mapping[str, str], stderr: int = subprocess.STDOUT
) -> Iterator[subprocess.Popen[str]]:
    """Start a program; end it and its children on exit."""
    _end.is_held = True
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )
    try:
        _end.release()
        yield process
    finally:
        _end.is_held = True
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        _end.release()


def command() -> None:
    """Check the Terraform code: tests, variables, permissions and plans."""
    raise typer.Exit(main())


if __name__ == "__main__":
    start(command, "")
