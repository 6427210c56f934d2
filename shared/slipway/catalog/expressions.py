r"""Evaluate Port's expressions: `{{ jq }}`, as in its own templates.

A text that is exactly one expression yields the JSON value; otherwise results become text. Authors
of a catalog are trusted as authors of Terraform are. Expressions can only read their context:
`env`, `$ENV`, the clock, files and modules are not available.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import islice
from typing import Any

from slipway.catalog.faults import shown
from slipway.errors import ExpressionRefused

type Context = Mapping[str, Any]

# Roots of the context, each available in some places: see docs/catalog.md.
ROOTS = (
    "inputs", "identifier", "parts", "metadata", "properties", "current", "new", "limits",
    "settings", "requester", "run",
)  # fmt: skip
HIDDEN = (
    "env", "input", "inputs", "debug", "debug($message)", "stderr", "now", "localtime",
    "strflocaltime($format)", "halt", "halt_error", "halt_error($code)", "input_filename",
    "input_line_number", "modulemeta", "get_search_list", "get_jq_origin", "get_prog_origin",
)  # fmt: skip
_HCL = (
    'def _double: split("${") | join("$${") | split("%{") | join("%%{");'
    # HCL has fewer escapes than JSON: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
    'def hcl: if any(.. | strings; gsub("[\\n\\r\\t]"; "") | test("[[:cntrl:]]"))'
    ' then error("a control character cannot be written as HCL") else tojson | _double end;'
)
# Fills values into a text of the installation, for example an address with {name}.
_FILL = (
    "def fill($text; $values): if $text == null then null else reduce ($values | to_entries[])"
    ' as $one ($text; split("{" + $one.key + "}") | join($one.value | tostring | @uri)) end;'
)
# In a text file the skeleton has the quotes; in JSON the editor writes them.
_HCL_TEXT = {
    False: 'def hcl_text: walk(if type == "string" then _double else . end);',
    True: "def hcl_text: tostring | hcl | .[1:-1];",
}
# Each definition hides the real function from all later code.
_PRELUDE = "".join(f'def {name}: error("{name} is not available here");' for name in HIDDEN)
_ENCODERS = frozenset({"@json", "@sh", "@uri", "@base64", "@html", "hcl", "hcl_text"})
# A double represents every whole number up to this one; beyond it, jq would change digits.
LARGEST = 2**53


@dataclass(frozen=True)
class Expression:
    """One expression.

    Attributes:
        source: the jq program.
        code: the program with each literal text replaced by a number in quotes.
        literals: the literal texts.
    """

    source: str
    code: str = field(compare=False)
    literals: tuple[str, ...] = field(compare=False)

    @property
    def encoder(self) -> str | None:
        """The last filter of the pipe, if it encodes its input."""
        last = self.code[_last_pipe(self.code) + 1 :].strip()
        return last if last in _ENCODERS and _last_pipe(self.code) >= 0 else None

    @cached_property
    def references(self) -> frozenset[tuple[str, str | None]]:
        """What it reads of its context: `("inputs", "by")`; None: all of it."""
        found = set()
        for match in _REFERENCE.finditer(self.code):
            index = match["index"]
            name = self.literals[int(index)] if index else match["name"]
            found.add((match["root"], name))
        return frozenset(found)

    @cached_property
    def unknown_roots(self) -> tuple[str, ...]:
        """Names that the context lacks, where the meaning is certain."""
        return tuple(name for name in _first_names(self.code) if name not in ROOTS)

    def compile(self) -> None:
        """Check that the expression is jq.

        Raises:
            ValueError: it is not; the text is jq's own.
        """
        for quoted in (False, True):
            _compiled(self.source, quoted)

    def evaluate(self, context: Context, *, quoted: bool = False) -> Any:
        """Evaluate the expression, which must give exactly one result.

        Args:
            context: the values it can read.
            quoted: whether the result goes between quotes of a text file.

        Raises:
            ExpressionRefused: it fails, or has no or several results.
        """
        program = _compiled(self.source, quoted)
        try:
            results = list(islice(iter(program.input_value(dict(context))), 2))
        except ValueError as error:
            # jq's message may quote untrusted input.
            raise self.refused(f"fails: {str(error)[:200]}") from None
        if len(results) != 1:
            raise self.refused(f"must give one result, but gives {len(results) or 'none'}")
        return results[0]

    def refused(self, problem: str) -> ExpressionRefused:
        """Make a refusal: the expression, and what is wrong with it."""
        return ExpressionRefused(f"The catalog's expression '{{{{ {self.source} }}}}' {problem}.")


_REFERENCE = re.compile(
    rf"""(?:(?<![\w\]\)\}}"?.$])|\$\w+)\.(?P<root>{"|".join(ROOTS)})\b
    (?:\.(?P<name>[A-Za-z_]\w*)|\.?\[?\s*"(?P<index>\d+)")?""",
    re.VERBOSE,
)
_FIRST_NAME = re.compile(r'(?<![\w\]\)}"?.$])\.(?P<name>[A-Za-z_]\w*)')


@dataclass(frozen=True)
class Template:
    """A text with expressions.

    Attributes:
        pieces: texts and expressions in turn.
    """

    pieces: tuple[str | Expression, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Expression))

    @property
    def single(self) -> Expression | None:
        """The expression, if there is nothing else in the text."""
        piece = self.pieces[0] if len(self.pieces) == 1 else None
        return piece if isinstance(piece, Expression) else None

    def evaluate(self, context: Context) -> Any:
        """Put results into the text; a single expression keeps its type.

        Raises:
            ExpressionRefused: an expression fails, or gives what is not text.
        """
        if self.single:
            return self.single.evaluate(context)
        return "".join(
            piece if isinstance(piece, str) else as_text(piece, piece.evaluate(context))
            for piece in self.pieces
        )


def as_text(expression: Expression, value: Any) -> str:
    """Return a result as text within other text.

    Raises:
        ExpressionRefused: it is null, a list or an object.
    """
    match value:
        case str():
            return value
        case bool() | int() | float():
            return shown(value)
    raise expression.refused(f"gives {shown(value)}, which cannot be part of a text")


@cache
def parse_template(text: str) -> Template:
    """Read a text with expressions.

    Raises:
        ValueError: an expression does not end. The text says so, as the end of "The text …".
    """
    pieces: list[str | Expression] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        if start > position:
            pieces.append(text[position:start])
        expression, position = _scan(text, start + 2)
        pieces.append(expression)
    if position < len(text) or not pieces:
        pieces.append(text[position:])
    return Template(tuple(pieces))


def templates(value: Any) -> Iterator[Template]:
    """Yield all texts with expressions in a value; keys have none.

    Raises:
        ValueError: as `parse_template`.
    """
    if isinstance(value, str):
        template = parse_template(value)
        if template.expressions:
            yield template
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from templates(inner)


def references_of(value: Any, root: str) -> set[str]:
    """Return the names that a value's expressions read from a root.

    Raises:
        ValueError: as `parse_template`.
    """
    return {
        name
        for template in templates(value)
        for expression in template.expressions
        for one, name in expression.references
        if one == root and name
    }


def evaluate(value: Any, context: Context) -> Any:
    """Evaluate the expressions in a value of any shape.

    Raises:
        ExpressionRefused: one fails.
    """
    if isinstance(value, str):
        return parse_template(value).evaluate(context)
    if isinstance(value, dict):
        return {key: evaluate(inner, context) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [evaluate(inner, context) for inner in value]
    return value


def has_exact_numbers(value: Any) -> bool:
    """Return whether jq keeps each digit of the numbers in a value."""
    if isinstance(value, dict | list):
        return all(map(has_exact_numbers, value.values() if isinstance(value, dict) else value))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return not is_number or -LARGEST <= value <= LARGEST


@cache
def _compiled(source: str, quoted: bool) -> Any:
    # Imported when first needed: most cold starts of other functions do not need jq.
    import jq

    # The parenthesis is on a separate line, so that a comment cannot hide it.
    hcl = f"{_HCL}{_HCL_TEXT[quoted]}{_FILL}"
    return jq.compile(f"{hcl}{_PRELUDE}null as $ENV | (\n{source}\n)")


def _scan(text: str, start: int) -> tuple[Expression, int]:
    """Read an expression up to the `}}` outside a jq string or brace."""
    code: list[str] = []
    literals: list[str] = []
    depth, position = 0, start
    while position < len(text):
        char = text[position]
        if char == '"':
            piece, inner, position = _scan_string(text, position, literals)
            code.append(piece + inner)
            continue
        if depth == 0 and text.startswith("}}", position):
            source = text[start:position].strip()
            if not source:
                break
            return Expression(source, "".join(code).strip(), tuple(literals)), position + 2
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            break
        code.append(char)
        position += 1
    problem = "has an empty" if text.startswith("}}", position) else "has an unfinished"
    raise ValueError(f"{problem} expression: '{text[start - 2 : start + 40]}'")


def _scan_string(text: str, start: int, literals: list[str]) -> tuple[str, str, int]:
    r"""Read a jq string.

    Returns:
        A number in quotes for the literal, the code of its interpolations `\( … )`, and the index
        after the string.
    """
    literal: list[str] = []
    inner: list[str] = []
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == '"':
            literals.append("".join(literal))
            return f'"{len(literals) - 1}"', "".join(inner), position + 1
        if text.startswith("\\(", position):
            code, position = _scan_interpolation(text, position + 2, literals)
            inner.append(f"({code})")
            continue
        width = 2 if char == "\\" else 1
        literal.append(text[position : position + width])
        position += width
    raise ValueError(f"has an unfinished text in an expression: '{text[start : start + 40]}'")


def _scan_interpolation(text: str, start: int, literals: list[str]) -> tuple[str, int]:
    code, depth, position = [], 0, start
    while position < len(text):
        char = text[position]
        if char == '"':
            piece, inner, position = _scan_string(text, position, literals)
            code.append(piece + inner)
            continue
        if char == ")" and depth == 0:
            return "".join(code), position + 1
        depth += {"(": 1, ")": -1}.get(char, 0)
        code.append(char)
        position += 1
    raise ValueError(f"has an unfinished text in an expression: '{text[start : start + 40]}'")


def _last_pipe(code: str) -> int:
    """Return the index of the last `|` outside brackets; -1 without one."""
    depth, found = 0, -1
    for index, char in enumerate(code):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(char, 0)
        if char == "|" and depth == 0 and code[index : index + 2] != "|=":
            found = index
    return found


def _first_names(code: str) -> Iterator[str]:
    """Yield the names after a dot that certainly belong to the context.

    After a pipe, and in the arguments of a filter, a dot refers to another value.
    """
    certain, index = [True], 0
    while index < len(code):
        char = code[index]
        if char in "([{":
            is_argument = char == "(" and index > 0 and (code[index - 1].isalnum())
            certain.append(certain[-1] and not is_argument)
        elif char in ")]}" and len(certain) > 1:
            certain.pop()
        elif char == "|":
            certain[-1] = False
        elif match := _FIRST_NAME.match(code, index):
            if certain[-1]:
                yield match["name"]
            index = match.end()
            continue
        index += 1
