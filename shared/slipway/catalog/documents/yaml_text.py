"""Read YAML text by the events of libyaml's parser."""

import re
from typing import Any

from slipway.catalog.documents.nodes import BYTE_ORDER_MARK, Form, TreeBuilder, refuse
from slipway.errors import DocumentRefused

_FORMS: dict[str, Form] = {"": "plain", "'": "quoted", '"': "quoted"}
# Characters that YAML allows (https://yaml.org/spec/1.2.2/#51-character-set), without YAML 1.1's
# extra line breaks and byte order marks.
_NOT_ALLOWED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LINE_BREAKS_OF_1_1 = frozenset("\x85\u2028\u2029")


def read_yaml(text: str) -> tuple[TreeBuilder, int]:
    """Read a YAML text.

    Returns:
        The tree, and the index in the text at which its only document ends.

    Raises:
        DocumentRefused: the text is not YAML, or uses features that are not supported.
    """
    _refuse_characters(text)
    offset = len(text) - len(text.removeprefix(BYTE_ORDER_MARK))
    reader = _EventReader(text, offset)
    # Imported when first needed, because most handlers do not read YAML and start faster without
    # it.
    import yaml

    try:
        for event in yaml.parse(text[offset:], Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_valid(text, mark.index + offset if mark else 0, str(error.problem)) from None
    if reader.builder.is_empty:  # Comments only: null.
        reader.builder.scalar(len(text), len(text), "", "plain")
    return reader.builder, reader.end


class _EventReader:
    """Receives the events of one text."""

    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._offset = offset
        self._documents = 0
        self.builder = TreeBuilder(text)
        self.end = len(text)

    def take(self, event: Any) -> None:
        """Process one event.

        Raises:
            DocumentRefused: the text uses features that are not supported.
        """
        kind = type(event).__name__
        start = event.start_mark.index + self._offset
        end = event.end_mark.index + self._offset
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise refuse(self._text, start, f"must not use YAML tags, but has '{tag[:40]}'")
        match kind:
            case "ScalarEvent":
                form = _FORMS.get(event.style, "block")
                self.builder.scalar(start, end, event.value, form, event.anchor)
            case "AliasEvent":
                self.builder.alias(start, end, event.anchor)
            case "SequenceStartEvent":
                self.builder.open("list", start, end, event.anchor, flow=event.flow_style)
            case "MappingStartEvent":
                self.builder.open("object", start, end, event.anchor, flow=event.flow_style)
            case "SequenceEndEvent" | "MappingEndEvent":
                self.builder.close(end)
            case "DocumentStartEvent":
                self._begin(event, start)
            case "DocumentEndEvent" if event.explicit:
                self.end = start

    def _begin(self, event: Any, start: int) -> None:
        if event.version or event.tags:
            raise refuse(self._text, start, "must not use YAML directives, but has one")
        self._documents += 1
        if self._documents > 1:
            raise refuse(self._text, start, "must be one YAML document, but a second starts")


def _refuse_characters(text: str) -> None:
    offset = len(text) - len(text.removeprefix(BYTE_ORDER_MARK))
    found = _NOT_ALLOWED.search(text, offset)
    if not found:
        return
    name = f"U+{ord(found[0]):04X}"
    if found[0] in _LINE_BREAKS_OF_1_1:
        consequence = ", which is a line break in YAML 1.1 but not in YAML 1.2. Remove or escape it"
        raise refuse(text, found.start(), f"has the character {name}", consequence)
    raise refuse(text, found.start(), f"is not valid YAML: it has the character {name}")


def _not_valid(text: str, index: int, problem: str) -> DocumentRefused:
    hint = ""
    line = text[:index].rpartition("\n")[2] + text[index:].partition("\n")[0]
    if "{{" in line:
        hint = ". An unquoted '{{ … }}' is not YAML: put it in quotes"
    return refuse(text, index, "is not valid YAML", f": {problem}{hint}")
