"""Run `scripts/terraform` and pass on its output."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGES_EXIT_STATUS = 2  # of `terraform plan -detailed-exitcode`
_TAIL = 40


class TerraformFailed(Exception):
    """Terraform ended with an error; the text has its last lines."""


def run_terraform(
    arguments: list[str], folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> int:
    """Run Terraform in a folder.

    An interrupt is passed on once, and waited for: Terraform then writes its state. A terminal and
    this process together would send it twice. Then Terraform would end at once and might lose
    state.

    Returns:
        Its exit status, 0 or that of a plan with changes.

    Raises:
        TerraformFailed: it ended with another status.
    """
    lines: list[str] = []
    with subprocess.Popen(
        ["sh", ROOT / "scripts" / "terraform", *arguments],
        cwd=folder,
        # Otherwise Go's garbage collector takes a fifth of the processor time.
        env={"GOGC": "400", **environment, "TF_IN_AUTOMATION": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line)
                say(line.rstrip("\n"))
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            for line in process.stdout or ():
                say(line.rstrip("\n"))
            process.wait()
            raise
    if process.returncode not in (0, CHANGES_EXIT_STATUS):
        tail = "".join(lines[-_TAIL:])
        raise TerraformFailed(f"terraform {arguments[0]} ended with {process.returncode}:\n{tail}")
    return process.returncode
