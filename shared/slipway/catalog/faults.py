"""Describe faults of a catalog and their places."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.errors import DocumentRefused


@dataclass(frozen=True, order=True)
class Fault:
    """One fault of a catalog.

    Attributes:
        file: path of the file within the catalog.
        line: line in the file, counted from 1.
        problem: what is wrong, as a full sentence.
        cure: how to fix it, as a full sentence.
    """

    file: str
    line: int
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem} {self.cure}"


@dataclass(frozen=True)
class Source:
    """A YAML or JSON file of the catalog, with the line of each key.

    Attributes:
        path: the file's path within the catalog.
        text: its text.
    """

    path: str
    text: str

    @cached_property
    def document(self) -> Document:
        """The file's content.

        Raises:
            DocumentRefused: the file cannot be read.
        """
        return read_document(self.text, "json" if self.path.endswith(".json") else "yaml")

    @cached_property
    def value(self) -> dict[str, Any]:
        """The file's content as JSON has it.

        Raises:
            DocumentRefused: the file cannot be read, or readers of YAML disagree about a value.
        """
        return self.document.value()

    def fault(self, keys: Iterable[object], problem: str, cure: str) -> Fault:
        """Make a fault at the last of these keys that exists."""
        try:
            line = self.document.line_of(tuple(map(str, keys)))
        except DocumentRefused as error:
            line = error.line or 1
        return Fault(self.path, line, problem, cure)

    def refused(self, error: DocumentRefused) -> Fault:
        """Make a fault of a file that cannot be read."""
        cure = "Correct the file; quote texts that YAML may read as another type."
        return Fault(self.path, error.line or 1, str(error), cure)


def listed(names: Iterable[object]) -> str:
    """Show names in a sentence: `a, b, c`, or `none`."""
    return ", ".join(map(str, names)) or "none"


def known(names: Sequence[str], wanted: str) -> str:
    """Return a fix for an unknown name: the nearest known name, or all."""
    import difflib

    near = difflib.get_close_matches(wanted, names, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known names: {listed(names)}."


def shown(value: object) -> str:
    """Show a value in a sentence: as JSON, cut after 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
