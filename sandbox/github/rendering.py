"""What people read of GitHub as HTML: Markdown, diffs and whole pages."""

from html import escape

import nh3
from fastapi import Response
from markdown_it import MarkdownIt

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;
margin:0 auto;padding:1.5rem 1rem;color:#1f2328;overflow-wrap:anywhere}
a{color:#0969da;text-decoration:none}h1{line-height:1.25}
h1 small,h3 small{color:#59636e;font-weight:normal}
pre{background:#f6f8fa;padding:1rem;overflow:auto;font-size:.85rem;overflow-wrap:normal}
code,kbd{font-family:ui-monospace,monospace;font-size:.85em;background:#818b981f;
padding:.2em .4em;border-radius:6px}
pre code{background:none;padding:0;font-size:inherit}
section{border:1px solid #d1d9e0;border-radius:6px;padding:0 1rem;margin:1rem 0}
table{border-collapse:collapse;display:block;max-width:100%;overflow-x:auto;overflow-wrap:normal}
td,th{border:1px solid #d1d9e0;padding:.25rem .75rem}
td:last-child{overflow-wrap:anywhere;min-width:9rem}
details{margin:.75rem 0}summary{cursor:pointer}
blockquote{margin:0;padding-left:1rem;border-left:.25rem solid #d1d9e0;color:#59636e}
.state{color:#fff;border-radius:2rem;padding:.2rem .8rem;background:#1a7f37}
.merged,.success{background:#8250df}.closed,.failure{background:#cf222e}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;margin:1rem 0}
button{font:inherit;padding:.4rem 1rem;border:1px solid #d1d9e0;border-radius:6px;cursor:pointer}
button.primary{color:#fff;background:#1a7f37;border-color:#1a7f37}
button:disabled{color:#59636e;background:#eff2f5;border-color:#d1d9e0;cursor:not-allowed}
.diff{padding:0}.diff span{display:block;padding:0 1rem;min-width:max-content;min-height:1.5em}
.diff .added{background:#dafbe1}.diff .removed{background:#ffebe9}
.diff .place{background:#ddf4ff;color:#59636e}
"""
# What GitHub keeps of the HTML in Markdown:
# https://github.com/gjtorikian/html-pipeline/blob/main/lib/html_pipeline/sanitization_filter.rb
_TAG_LIST = """
h1 h2 h3 h4 h5 h6 br b i strong em a pre code img tt div ins del sup sub p picture ol ul table thead
tbody tfoot blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike summary details
caption figure figcaption abbr bdo cite dfn mark small source span time wbr
"""
_TAGS = set(_TAG_LIST.split())
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "height", "width"},
    "details": {"open"},
    "ol": {"start", "type"},
    "*": {"align", "colspan", "rowspan", "title", "dir", "lang", "datetime"},
}
_SCHEMES = {"http", "https", "mailto"}
_markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def page(title: str, body: str) -> Response:
    """Return a page that runs no script and loads nothing; `body` is HTML."""
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style>{body}</html>"
    )
    return Response(html, media_type="text/html; charset=utf-8", headers=HEADERS)


def markdown(text: str | None) -> str:
    """Markdown as HTML, with the tags and attributes that GitHub allows and no others."""
    return nh3.clean(
        _markdown.render(text or ""),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow",
    )


def diff(patch: str | None) -> str:
    """Return a patch as HTML, each line in the colour of what happened to it."""
    lines = (patch or "").splitlines()
    shown = "".join(f'<span class="{_kind(line)}">{escape(line)}</span>' for line in lines)
    return f'<pre class="diff" tabindex="0">{shown}</pre>' if lines else ""


def _kind(line: str) -> str:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return kinds.get(line[:1], "same")
