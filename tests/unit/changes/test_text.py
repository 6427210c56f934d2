"""Input is shown as plain text in GitHub's Markdown."""

import html
import json
import re

import pytest
from slipway.markdown import as_text, hidden_comment, table


@pytest.mark.parametrize(
    "typed",
    [
        "@acme/platform please",
        "<script>alert(1)</script>",
        "${{ secrets.PORT_CLIENT_SECRET }}",
        "**bold** [x](https://evil.example) #12 `code`",
        "a | b | c",
        "</code>@team",
    ],
)
def test_text_is_shown_as_plain_characters_and_references(
    typed: str,
) -> None:
    shown = as_text(typed)

    inside = shown.removeprefix("<code>").removesuffix("</code>")
    assert re.fullmatch(r"(?:[A-Za-z0-9 ]|&#\d+;)+", inside)
    assert html.unescape(inside) == typed


def test_table_row_stays_one_line_with_line_breaks() -> None:
    shown = table({"Owner": "one\ntwo\r\n\nfour"})

    assert len(shown.splitlines()) == 3
    assert shown.endswith("<code>one</code><br><code>two</code><br><br><code>four</code> |")


def test_long_text_is_truncated() -> None:
    assert html.unescape(as_text("x" * 1000)) == f"<code>{'x' * 300}…</code>"


def test_control_characters_are_replaced() -> None:
    assert as_text("a\x07\u202eb") == "<code>a&#65533;&#65533;b</code>"


def test_hidden_comment_cannot_be_ended_by_its_data() -> None:
    data = {"requested_by": "a--> <img> & -- b"}

    comment = hidden_comment(data)

    assert comment.count("-->") == 1
    assert comment.count("--") == 2
    found = re.fullmatch(r"<!-- slipway (.+) -->", comment)
    assert found
    assert json.loads(found.group(1)) == data
