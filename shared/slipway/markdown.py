"""Text that people typed, made safe to show in GitHub's Markdown."""

import json
import re
from collections.abc import Mapping
from typing import Any

SHOWN_CHARACTERS = 300
_PLAIN = re.compile(r"[A-Za-z0-9 ]")


def as_text(value: object) -> str:
    """Show a value as the text that it is, in one line, whatever it contains.

    Within `<code>` GitHub mentions nobody and links nothing, and a character reference is never
    read as Markdown or HTML (https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references).
    Long values are cut after 300 characters; line breaks stay visible as such.
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
    """Return an HTML comment that carries `data` as JSON and that no value can end early."""
    text = json.dumps(data, separators=(",", ":"))
    # Each of these stands inside JSON strings only, where an escape means the same.
    for special in ("--", "<", ">", "&", "@"):
        text = text.replace(special, "".join(f"\\u{ord(c):04x}" for c in special))
    return f"<!-- slipway {text} -->"
