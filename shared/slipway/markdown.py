"""Show untrusted text safely in GitHub's Markdown."""

import json
import re
from collections.abc import Mapping
from typing import Any

SHOWN_CHARACTERS = 300
_PLAIN = re.compile(r"[A-Za-z0-9 ]")


def as_text(value: object) -> str:
    """Show a value literally, in one line, for any content.

    Within `<code>` GitHub creates no mentions and no links. A character reference is never read as
    Markdown or HTML (https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references).
    Values are cut after 300 characters; line breaks stay visible.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "…"
    lines = text.splitlines() or [""]
    return "<br>".join(f"<code>{_encode(line)}</code>" if line else "" for line in lines)


def _encode(line: str) -> str:
    return "".join(
        c if _PLAIN.fullmatch(c) else f"&#{ord(c)};" if c.isprintable() else "&#65533;"
        for c in line
    )


def table(rows: Mapping[str, Any]) -> str:
    """Return a Markdown table of names (trusted) and values (shown as text)."""
    lines = ["| Input | Value |", "| --- | --- |"]
    lines += [f"| {name} | {as_text(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def hidden_comment(data: dict[str, Any]) -> str:
    """Return an HTML comment with `data` as JSON that no value can end."""
    text = json.dumps(data, separators=(",", ":"))
    # These characters appear inside JSON strings only, where an escape is equivalent.
    for special in ("--", "<", ">", "&", "@"):
        text = text.replace(special, "".join(f"\\u{ord(c):04x}" for c in special))
    return f"<!-- slipway {text} -->"
