"""Read and write paths of keys: `image.tag`, `labels."app.io/name"`."""

import json
import re

_BARE = re.compile(r'[^."\s][^."]*')
_SEGMENT = re.compile(rf'("(?:[^"\\]|\\.)*"|{_BARE.pattern})(?:\.(?!$)|$)')


def parse_path(path: str) -> tuple[str, ...]:
    r"""Split a dotted path into its keys.

    A key with a dot in it is quoted as in JSON: `a."b.c"` is `("a", "b.c")`. Within a list, a key
    is the index of an item: `env.0.value`.

    Raises:
        ValueError: the path is empty or not well-formed.
    """
    keys, position = [], 0
    while match := _SEGMENT.match(path, position):
        key = match[1]
        keys.append(str(json.loads(key)) if key.startswith('"') else key)
        position = match.end()
    if position < len(path) or not keys:
        raise ValueError(f"not a path: {path!r}")
    return tuple(keys)


def join_path(keys: tuple[str, ...]) -> str:
    """Write keys as a path that `parse_path` reads."""
    return ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in keys)
