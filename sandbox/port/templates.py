"""Port's payload templates: JSON in whose strings `{{ … }}` holds jq.

https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-the-backend/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.port.jq_program import JqError, compiles, evaluate
from sandbox.port.signature import stringify

_SPREAD = re.compile(r"\s*\{\{\s*spreadValue\(\)\s*\}\}\s*\Z")


class TemplateError(Exception):
    """A template cannot be rendered, or renders to something that cannot be sent."""


@dataclass(frozen=True)
class _Expression:
    program: str


def render(template: Any, context: dict[str, Any]) -> Any:
    """Render a template.

    A string that is one expression gives the expression's value with its type; in other text the
    values are inserted as text. A key that evaluates to null drops its pair; the key
    `{{ spreadValue() }}` puts its value's pairs in its place.

    Args:
        template: any JSON.
        context: what `.` is in expressions.

    Raises:
        TemplateError: jq failed, or a key or a spread value has a wrong type.
    """
    if isinstance(template, str):
        return _render_text(template, context)
    if isinstance(template, list):
        return [render(item, context) for item in template]
    if isinstance(template, dict):
        return _render_object(template, context)
    return template


def _render_object(template: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    for key, item in template.items():
        if _SPREAD.match(key):
            value = render(item, context)
            if not isinstance(value, dict | None):
                raise TemplateError(f"spreadValue() needs an object, not {stringify(value)}")
            rendered.update(value or {})
            continue
        name = _render_text(key, context)
        if name is None:
            continue
        if not isinstance(name, str):
            raise TemplateError(f"The key {key!r} evaluates to {stringify(name)}, not to text")
        rendered[name] = render(item, context)
    return rendered


def _render_text(text: str, context: dict[str, Any]) -> Any:
    parts = list(_parts(text))
    values = [part if isinstance(part, str) else _value(part.program, context) for part in parts]
    if len(parts) == 1 and isinstance(parts[0], _Expression):
        return values[0]
    return "".join(value if isinstance(value, str) else stringify(value) for value in values)


def _value(program: str, context: dict[str, Any]) -> Any:
    try:
        return evaluate(program, context)
    except JqError as error:
        raise TemplateError(str(error)) from error


def _parts(text: str) -> Iterator[str | _Expression]:
    """Split into plain text and expressions. Space around a lone expression is not text."""
    if text.strip().startswith("{{") and text.strip().endswith("}}"):
        text = text.strip()
    position = 0
    while (start := text.find("{{", position)) >= 0:
        if start > position:
            yield text[position:start]
        end = _end_of_expression(text, start + 2)
        yield _Expression(text[start + 2 : end].strip())
        position = end + 2
    if position < len(text) or not text:
        yield text[position:]


def _end_of_expression(text: str, start: int) -> int:
    """Return where the expression's `}}` is: the first one before which there is a jq program.

    An expression may itself have `}}` in it, in an object or a string.
    """
    first = end = text.find("}}", start)
    while end >= 0:
        if compiles(text[start:end].strip()):
            return end
        end = text.find("}}", end + 1)
    if first < 0:
        raise TemplateError(f"{{{{ without }}}} in {text!r}")
    return first  # evaluating this one says what is wrong with it
