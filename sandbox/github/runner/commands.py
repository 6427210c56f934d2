"""What a step says to the runner by `::commands::` in its output.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

import re
from collections.abc import Iterable

_MASK = re.compile(r"::add-mask::(.*)")
_SHOWN = re.compile(r"::(error|warning|notice|debug|group|endgroup)( [^:]*)?::(.*)")


class Masker:
    """Replaces secrets in logs by `***`, line by line of each secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this from now on."""
        self._secrets |= {line.strip() for line in secret.splitlines() if line.strip()}

    def mask(self, text: str) -> str:
        """Return the text without secrets; the longest first, as one may be part of another."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def show(self, line: str) -> str | None:
        """Return a line of a step's output for the log, or None if it is only for the runner."""
        if command := _MASK.fullmatch(line.strip()):
            self.add(command.group(1))
            return None
        if command := _SHOWN.fullmatch(line.strip()):
            line = f"##[{command.group(1)}]{command.group(3)}"
        return self.mask(line)
