"""Number of replicas and image tag in a service's merged values.

JSON is read as such. Of YAML, for which Python has no reader of its own, only what needs none is
read: `replicas: 2` at the start of a line, and `tag: 1.0` right inside `image:`. In a block mapping
a line that starts in the first column is a key of the document, because what belongs to another key
is indented (https://yaml.org/spec/1.2.2/#821-block-sequences), but for quoted text and flow
collections that go over several lines. With these, as with all else that is unusual, nothing is
read, and the catalogue keeps what it has.
"""

import json
import re
from dataclasses import dataclass
from itertools import takewhile

_SCALAR = r"""(?:"([\w.-]+)"|'([\w.-]+)'|([A-Za-z0-9_][\w.-]*))"""
_ENDED = r"[ \t]*(?:[ \t]#.*)?"
_REPLICAS = re.compile(rf"replicas:[ ]+{_SCALAR}{_ENDED}")
_IMAGE = re.compile(rf"image:{_ENDED}")
_TAG = re.compile(rf"[ ]+tag:[ ]+{_SCALAR}{_ENDED}")
_KEY = re.compile(r"[ ]+[\w.-]+:(?:[ ].*)?")
# A quote within a word, as an apostrophe, begins nothing.
_BEGIN = r"(?<![^\s\[{,:])"
_QUOTED = re.compile(rf"""{_BEGIN}(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_OPEN_QUOTE = re.compile(rf"""{_BEGIN}["']""")
# A document in flow style, directives, tags, anchors, explicit or quoted keys, document markers.
_UNUSUAL = re.compile(r"[%{\[&*!?\"'|>}\]]|---|\.\.\.")


@dataclass(frozen=True)
class Values:
    """What of the values goes into the catalogue; None: not said, or not certain.

    Attributes:
        replicas: number of replicas.
        image_tag: tag of the container image.
    """

    replicas: int | None = None
    image_tag: str | None = None


def read_values(text: str, extension: str) -> Values:
    """Read a `common_values` file.

    Args:
        text: its content.
        extension: `json` or `yaml`.
    """
    return _read_json(text) if extension == "json" else _read_yaml(text)


def _read_json(text: str) -> Values:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return Values()
    if not isinstance(data, dict):
        return Values()
    replicas, image = data.get("replicas"), data.get("image")
    tag = image.get("tag") if isinstance(image, dict) else None
    return Values(
        replicas if isinstance(replicas, int) and not isinstance(replicas, bool) else None,
        tag if isinstance(tag, str) else None,
    )


def _read_yaml(text: str) -> Values:
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    if lines and lines[0].rstrip() == "---":
        del lines[0]
    if any(_UNUSUAL.match(line) or not _is_closed(line) for line in lines):
        return Values()
    count = _value(lines, _REPLICAS)
    replicas = int(count) if count and re.fullmatch(r"0|[1-9]\d{0,5}", count) else None
    return Values(replicas, _value(_inside_image(lines), _TAG))


def _is_closed(line: str) -> bool:
    """Whether no quoted text and no flow collection goes on in the next line, for certain."""
    rest = _QUOTED.sub("", line).split(" #", 1)[0]
    counts = [rest.count(bracket) for bracket in "[]{}"]
    return not _OPEN_QUOTE.search(rest) and counts[0] == counts[1] and counts[2] == counts[3]


def _inside_image(lines: list[str]) -> list[str]:
    """The lines right inside `image:`; none if that is anything but a block of keys."""
    starts = [index for index, line in enumerate(lines) if _IMAGE.fullmatch(line)]
    if len(starts) != 1:
        return []
    block = list(takewhile(lambda line: line.startswith(" "), lines[starts[0] + 1 :]))
    depth = min(map(_indent, block), default=0)
    keys = all(_KEY.fullmatch(line) for line in block if _indent(line) == depth)
    return block if keys else []


def _value(lines: list[str], pattern: re.Pattern[str]) -> str | None:
    """The value of a key in a block; None if it is there twice, or goes on in the next line."""
    depth = min(map(_indent, lines), default=0)
    found = [
        (match, lines[index + 1 : index + 2])
        for index, line in enumerate(lines)
        if _indent(line) == depth and (match := pattern.fullmatch(line))
    ]
    if len(found) != 1 or any(_indent(line) > depth for line in found[0][1]):
        return None
    return next(text for text in found[0][0].groups() if text)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
