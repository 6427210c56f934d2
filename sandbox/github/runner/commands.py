"""What a step says to the runner: environment files and `::commands::` in its output.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

import re
from collections.abc import Iterable

_HEREDOC = re.compile(r"([^=<\s][^=<]*)<<(.+)")
_MASK = re.compile(r"::add-mask::(.*)")
_SHOWN = re.compile(r"::(error|warning|notice|debug|group|endgroup)( [^:]*)?::(.*)")


class CommandError(Exception):
    """A line of an environment file is malformed."""


def parse_environment_file(text: str) -> dict[str, str]:
    """Read `NAME=value` lines and `NAME<<DELIMITER … DELIMITER` blocks.

    Raises:
        CommandError: a line is neither, or a block is not closed.
    """
    found: dict[str, str] = {}
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        if not line.strip():
            continue
        block = _HEREDOC.fullmatch(line)
        name, equals, value = line.partition("=")
        # `A=<<B` is a value, `A<<B=C` a block whose delimiter has an equals sign.
        if block and (not equals or line.index("<<") < line.index("=")):
            found[block.group(1)] = _block(lines, block.group(2))
        elif equals and name:
            found[name] = value
        else:
            raise CommandError(f"Invalid format '{line}'")
    return found


def _block(lines: Iterable[str], delimiter: str) -> str:
    collected: list[str] = []
    for line in lines:
        if line == delimiter:
            return "\n".join(collected)
        collected.append(line)
    raise CommandError(f"Matching delimiter not found '{delimiter}'")


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
        """The text without secrets; the longest first, as one may be part of another."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def show(self, line: str) -> str | None:
        """A line of a step's output for the log, or None if it is only for the runner."""
        if command := _MASK.fullmatch(line.strip()):
            self.add(command.group(1))
            return None
        if command := _SHOWN.fullmatch(line.strip()):
            line = f"##[{command.group(1)}]{command.group(3)}"
        return self.mask(line)
