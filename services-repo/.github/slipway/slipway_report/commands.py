"""Lines in a job's log, in which no text can pass for a command of its own.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A job that tells what it does.

    Attributes:
        title: what it is called where a notice or an error is shown.
    """

    title: str

    def say(self, text: str) -> None:
        """Write a line to the log."""
        _write("Slipway: ", text)

    def notice(self, text: str) -> None:
        """Show a sentence on the run's page."""
        _write(f"::notice title={self.title}::", text)

    def fail(self, text: str) -> int:
        """Show an error on the run's page; returns the exit status of a job that has failed."""
        _write(f"::error title={self.title}::", text)
        return 1


def _write(prefix: str, text: str) -> None:
    encoded = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"{prefix}{encoded}\n")
    sys.stdout.flush()
