"""Match path patterns (`apps/{name}/**`) in exactly one way.

`{…}` is a part of the identifier, `*` stays within a segment, and a last segment `**` matches
everything below. Values of parts begin and end with a letter or a digit and do not contain what
separates two parts in a segment. So the first separator is the pattern's, and no two entities can
share a path.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

type Parts = Mapping[str, str]

# Rule for every value, in any catalog: safe in paths, identifiers and branch names.
_SAFE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
SAFE = (
    "1 to 100 letters, digits, '.', '_' or '-', which begin and end with a letter or digit, "
    "without '..' and without '.lock' at the end"
)
_TOKEN = re.compile(r"\{(?P<part>[a-z][a-z0-9_]*)\}|(?P<any>\*)|(?P<literal>[A-Za-z0-9 ._@+=,~-]+)")
# Names that file systems and git itself treat as git's own folders.
_GITS_OWN = re.compile(r"(\.git|git~[0-9]+)[ .]*", re.IGNORECASE)
_SEPARATOR = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Part:
    """A part of an identifier.

    Attributes:
        pattern: regular expression that a value matches as a whole.
        message: what a value must be, for people.
        example: a value.
        separators: what a value must not contain, because it stands between two parts.
    """

    pattern: str
    message: str
    example: str
    separators: frozenset[str] = frozenset()

    def accepts(self, value: object) -> bool:
        """Return whether a value is valid for this part."""
        return (
            isinstance(value, str)
            and is_safe(value)
            and re.fullmatch(self.pattern, value) is not None
            and not any(separator in value for separator in self.separators)
        )


def is_safe(value: str) -> bool:
    """Return whether the engine allows a text as a part's value."""
    return _SAFE.fullmatch(value) is not None and ".." not in value and not value.endswith(".lock")


@dataclass(frozen=True)
class Token:
    """A piece of a segment.

    Attributes:
        kind: `part`, `any` (a `*`) or `literal`.
        text: the part's name or the literal.
    """

    kind: str
    text: str


type Segment = tuple[Token, ...]


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths, or of identifiers, which have one segment.

    Attributes:
        text: the pattern as it is written.
        segments: its segments, without a last `**`.
        below: whether it ends in `**`.
    """

    text: str
    segments: tuple[Segment, ...]
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern.

        Raises:
            ValueError: it is not one. The text says why, as the end of "The pattern …".
        """
        names = text.split("/")
        below = names[-1] == "**"
        if below:
            names.pop()
        if not names:
            raise ValueError("must have a segment before '**'")
        return cls(text, tuple(_segment(name) for name in names), below)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in order of appearance."""
        tokens = (token for segment in self.segments for token in segment)
        return tuple(dict.fromkeys(token.text for token in tokens if token.kind == "part"))

    @property
    def is_one_path(self) -> bool:
        """Whether the pattern is a single path for each entity."""
        return not self.below and all(
            token.kind != "any" for segment in self.segments for token in segment
        )

    @property
    def owns_folder(self) -> bool:
        """Whether the pattern includes everything in one folder."""
        return self.below and all(
            token.kind != "any" for segment in self.segments for token in segment
        )

    def separators(self) -> Iterator[tuple[str, str]]:
        """Pairs of a part and its separator from another part or a `*`."""
        for segment in self.segments:
            for before, between, after in zip(segment, segment[1:], segment[2:], strict=False):
                if between.kind == "literal":
                    for token in (before, after):
                        if token.kind == "part":
                            yield token.text, between.text

    def fill(self, parts: Parts) -> str:
        """Fill values into a pattern that is a single path."""
        return "/".join(
            "".join(parts[token.text] if token.kind == "part" else token.text for token in segment)
            for segment in self.segments
        )

    def folder(self, parts: Parts) -> str:
        """Return the deepest folder above all paths; empty for the root."""
        names = []
        for segment in self.segments if self.below else self.segments[:-1]:
            if any(token.kind == "any" for token in segment):
                break
            names.append(Pattern("", (segment,)).fill(parts))
        return "/".join(names)

    def covers(self, path: str, parts: Parts) -> bool:
        """Return whether a path matches the pattern for an entity."""
        expression = "/".join(
            "".join(_of_token(token, parts) for token in segment) for segment in self.segments
        )
        below = "(?:/[^/]+)+" if self.below else ""
        return re.fullmatch(expression + below, path) is not None

    def covers_all(self, other: "Pattern") -> bool:
        """Return whether every path of another pattern also matches this one.

        For any entity.
        """
        fake = {name: f"\x00{name}\x00" for name in (*self.parts, *other.parts)}
        return other.is_one_path and self.covers(other.fill(fake), fake)

    def read(self, text: str, parts: Mapping[str, Part]) -> dict[str, str] | None:
        """Find the values of parts in an identifier or path; None if it does not match."""
        names = text.split("/")
        if len(names) < len(self.segments) + self.below:
            return None
        if not self.below and len(names) > len(self.segments):
            return None
        found: dict[str, str] = {}
        for segment, name in zip(self.segments, names, strict=False):
            values = _read_segment(segment, name)
            for part, value in values or ():
                if not parts[part].accepts(value) or found.setdefault(part, value) != value:
                    return None
            if values is None:
                return None
        return found

    def is_disjoint(
        self, other: "Pattern", parts: Mapping[str, Part], others: Mapping[str, Part]
    ) -> bool:
        """Return whether provably no path belongs to both patterns.

        Args:
            other: the other pattern.
            parts: the parts of this pattern.
            others: the parts of the other one.
        """
        shortest, longest = _lengths(self)
        other_shortest, other_longest = _lengths(other)
        if shortest > other_longest or other_shortest > longest:
            return True
        pairs = zip(self.segments, other.segments, strict=False)
        return any(_are_disjoint(one, two, parts, others) for one, two in pairs)

    def reads_alike(self, other: "Pattern") -> bool:
        """Return whether a path of both patterns has the same parts in both."""
        return self._head() == other._head()

    def _head(self) -> tuple[Segment, ...]:
        """Return the segments up to the last one with a new part."""
        seen: set[str] = set()
        end = 0
        for index, segment in enumerate(self.segments):
            new = {token.text for token in segment if token.kind == "part"} - seen
            if new:
                seen, end = seen | new, index + 1
        return self.segments[:end]


def _segment(name: str) -> Segment:
    if name in {"", ".", ".."} or _GITS_OWN.fullmatch(name):
        raise ValueError(f"must not have the segment '{name}'")
    if name == "**":
        raise ValueError("may have '**' as the last segment only")
    tokens: list[Token] = []
    position = 0
    while match := _TOKEN.match(name, position):
        kind = str(match.lastgroup)
        tokens.append(Token(kind, match[kind]))
        position = match.end()
    if position < len(name):
        raise ValueError(
            f"has {name[position]!r} in '{name}': segments are made of '{{part}}', '*' and "
            "letters, digits, spaces and ._@+=,~-"
        )
    _refuse_ambiguous(name, tokens)
    return tuple(tokens)


def _refuse_ambiguous(name: str, tokens: list[Token]) -> None:
    if sum(token.kind == "any" for token in tokens) > 1:
        raise ValueError(f"must have at most one '*' in '{name}'")
    variable = [token.kind != "literal" for token in tokens]
    for index, token in enumerate(tokens):
        between = 0 < index < len(tokens) - 1 and variable[index - 1] and variable[index + 1]
        if variable[index] and index and variable[index - 1]:
            raise ValueError(f"must have a separator between two parts in '{name}'")
        if between and token.kind == "literal" and not _SEPARATOR.fullmatch(token.text):
            raise ValueError(
                f"has {token.text!r} between two parts in '{name}': only characters that are "
                "neither letters nor digits separate parts"
            )


def _of_token(token: Token, parts: Parts) -> str:
    if token.kind == "any":
        return "[^/]+"
    return re.escape(parts[token.text] if token.kind == "part" else token.text)


def _read_segment(segment: Segment, name: str) -> list[tuple[str, str]] | None:
    """Return the values in a segment.

    Before a `*`, it is read from the left; after it, from the right.
    """
    found: list[tuple[str, str]] = []
    tokens = list(segment)
    while tokens:
        first = tokens.pop(0)
        if first.kind == "literal":
            if not name.startswith(first.text):
                return None
            name = name.removeprefix(first.text)
        elif first.kind == "any":
            return _read_backwards(tokens, name, found)
        elif len(tokens) == 1 and tokens[0].kind == "literal":
            # A separator at the end of the segment separates nothing, so a value may contain it.
            value, name = name.removesuffix(tokens[0].text), name[-len(tokens[0].text) :]
            found.append((first.text, value))
        else:
            end = name.find(tokens[0].text) if tokens else len(name)
            if end < 0:
                return None
            found.append((first.text, name[:end]))
            name = name[end:]
    return found if not name else None


def _read_backwards(
    tokens: list[Token], name: str, found: list[tuple[str, str]]
) -> list[tuple[str, str]] | None:
    while tokens:
        last = tokens.pop()
        if last.kind == "literal":
            if not name.endswith(last.text):
                return None
            name = name.removesuffix(last.text)
        else:
            start = name.rfind(tokens[-1].text) + len(tokens[-1].text)
            found.append((last.text, name[start:]))
            name = name[:start]
    return found if name else None


def _lengths(pattern: Pattern) -> tuple[int, float]:
    count = len(pattern.segments)
    return (count + 1, float("inf")) if pattern.below else (count, count)


def _are_disjoint(
    one: Segment, two: Segment, parts: Mapping[str, Part], others: Mapping[str, Part]
) -> bool:
    if _is_literal(one):
        return not _may_be(two, one[0].text, others)
    if _is_literal(two):
        return not _may_be(one, two[0].text, parts)
    starts = _literal_at(one, 0), _literal_at(two, 0)
    ends = _literal_at(one, -1), _literal_at(two, -1)
    return not (
        (starts[0].startswith(starts[1]) or starts[1].startswith(starts[0]))
        and (ends[0].endswith(ends[1]) or ends[1].endswith(ends[0]))
    )


def _is_literal(segment: Segment) -> bool:
    return [token.kind for token in segment] == ["literal"]


def _may_be(segment: Segment, name: str, parts: Mapping[str, Part]) -> bool:
    """Return whether a segment matches this name."""
    values = _read_segment(segment, name)
    return values is not None and all(parts[part].accepts(value) for part, value in values)


def _literal_at(segment: Segment, index: int) -> str:
    token = segment[index]
    return token.text if token.kind == "literal" else ""
