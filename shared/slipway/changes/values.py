"""The values that a person typed for a service: as an object (JSON) or as text (YAML)."""

import json
from dataclasses import dataclass

from slipway.catalog.documents import Document, read_document
from slipway.errors import DocumentRefused, InvalidInput


@dataclass(frozen=True)
class Values:
    """A values document.

    Attributes:
        field: the input that it was typed into.
        document: what was typed: YAML is the text as it came.
    """

    field: str
    document: Document

    def with_missing(self, path: str, value: object) -> "Values":
        """Add a value that was left out.

        Raises:
            InvalidInput: it cannot be added without changing anything else.
        """
        try:
            return Values(self.field, self.document.add_missing(path, value))
        except DocumentRefused as error:
            raise InvalidInput(self.field, error.problem) from None

    def read(self, path: str) -> object:
        """Read a value; None if it was left out.

        Raises:
            InvalidInput: readers of YAML disagree about it.
        """
        try:
            return self.document.read(path)
        except DocumentRefused as error:
            raise InvalidInput(self.field, error.problem) from None


def read_values(field: str, typed: object) -> Values:
    """Read what was typed into an input: an object, or a text of YAML.

    Raises:
        InvalidInput: not an object, or refused by `read_document`. The text names the input and,
            where there is one, line and column.
    """
    try:
        if isinstance(typed, str):
            return Values(field, read_document(typed, "yaml"))
        text = json.dumps(typed, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        return Values(field, read_document(text, "json"))
    except DocumentRefused as error:
        raise InvalidInput(field, error.problem) from None
    except (ValueError, RecursionError):
        raise InvalidInput(field, "must be JSON of reasonable depth, without NaN") from None
