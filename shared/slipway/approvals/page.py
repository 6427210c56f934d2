"""Render the page of an approval link: plain HTML without scripts."""

from dataclasses import dataclass
from html import escape

from slipway.approvals.decision import moment, outcome
from slipway.approvals.models import MAX_COMMENT, Approval, Status

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --quiet: #59636e; --bad: #b42318;
  --good: #1a6e38; --bg: #fff; --fg: #1f2328; --code: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --quiet: #9198a1; --bad: #ff8f85;
  --good: #4ac26b; --bg: #0d1117; --fg: #f0f6fc; --code: #151b23 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--bg); color: var(--fg) }
h1 { font-size: 1.4rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1.5rem 0 }
dt { color: var(--quiet) } dd { margin: 0; overflow-wrap: anywhere }
pre { border: 1px solid var(--line); border-radius: 6px; background: var(--code); padding: 1rem;
  overflow-x: auto; font-size: .85rem }
.add { color: var(--good) } .del { color: var(--bad) }
textarea { width: 100%; box-sizing: border-box; font: inherit; min-height: 5rem }
button { font: inherit; padding: .5rem 1.25rem; border-radius: 6px; border: 1px solid var(--line);
  cursor: pointer; margin: 1rem .5rem 0 0 }
button[value=APPROVE] { background: #1a6e38; color: #fff } button:focus-visible,
textarea:focus-visible, a:focus-visible { outline: 3px solid #4493f8; outline-offset: 2px }
.note { border-left: 4px solid var(--line); padding: .5rem 1rem }
"""


@dataclass(frozen=True)
class Page:
    """A page to answer with.

    Attributes:
        status: HTTP status.
        html: the document.
    """

    status: int
    html: str


# The page loads nothing and runs no script; the form goes to the page's own address. The address is
# the credential, so the page is not cached and sends no referrer.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def request_page(approval: Approval, preview: str, approver: str, run_url: str) -> Page:
    """Return the page of a request, with two buttons if it is open."""
    open_ = approval.status is Status.PENDING
    facts = {
        "For": f"{approval.name} ({approval.environment})",
        "Requested by": approval.requested_by,
        "Change": approval.summary,
        "Decide until": moment(approval.expires_at),
        "Approvals": f"{approval.approvals} of {approval.needed}",
        "You are": approver,
    }
    listing = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    body = (
        f"<h1>{escape(approval.action.replace('_', ' ').capitalize())}: "
        f"{escape(approval.name)}</h1>"
        f"<dl>{listing}<dt>Run</dt><dd><a href='{escape(run_url)}' rel='noreferrer'>"
        f"{escape(approval.run_id)}</a></dd></dl>"
        f"<pre tabindex='0' aria-label='The change'>{_coloured(preview)}</pre>"
    )
    body += _form(approval) if open_ else f"<p class='note'>{escape(outcome(approval))}</p>"
    return Page(200, _document(f"Approve {approval.name}", body))


def answer_page(status: int, title: str, sentence: str) -> Page:
    """Return the page of an outcome."""
    body = f"<h1>{escape(title)}</h1><p class='note' role='status'>{escape(sentence)}</p>"
    return Page(status, _document(title, body))


def _form(approval: Approval) -> str:
    return (
        "<form method='post'>"
        f"<input type='hidden' name='change_hash' value='{escape(approval.change_hash)}'>"
        f"<p><label for='comment'>Comment for the requester (up to {MAX_COMMENT} characters)"
        f"</label><br><textarea id='comment' name='comment' maxlength='{MAX_COMMENT}'></textarea>"
        "</p><button name='decision' value='APPROVE'>Approve</button>"
        "<button name='decision' value='DECLINE'>Decline</button></form>"
    )


def _coloured(diff: str) -> str:
    kinds = {"+": "add", "-": "del"}
    return "\n".join(
        f"<span class='{kinds[line[0]]}'>{escape(line)}</span>"
        if line[:1] in kinds
        else escape(line)
        for line in diff.splitlines()
    )


def _document(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)} · Slipway</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )
