"""Lines in a job's log, in which no text can pass for a command of its own.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

import sys
from dataclasses import dataclass
from traceback import extract_tb

# What is raised while an answer is read that is not of the shape that its sender documents.
ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


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

    def fail_oddly(self, error: Exception) -> int:
        """Show one of `ODD` as an error: where it happened, but nothing of what was read."""
        last = extract_tb(error.__traceback__)[-1]
        return self.fail(
            "An answer of Port or GitHub is not what was expected "
            f"({type(error).__name__} in {last.name}, line {last.lineno}). Re-run this job; if it "
            "fails again, tell the platform team."
        )


def _write(prefix: str, text: str) -> None:
    # Half of a surrogate pair cannot be written.
    text = text.encode(errors="backslashreplace").decode()
    encoded = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"{prefix}{encoded}\n")
    sys.stdout.flush()
