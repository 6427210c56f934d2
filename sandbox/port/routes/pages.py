"""The files of the web portal, and every address that is a page of it."""

from html import escape
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from sandbox.port.services import Services

DIST = Path(__file__).resolve().parents[2] / "portal" / "dist"
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox Port</title>
<body style="font: 16px/1.6 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The portal's pages are not built</h1>
<p>The sandbox's Port server runs, and its API answers under <code>/v1</code>. Its web pages are
missing: <code>{folder}</code> has no <code>index.html</code>.</p>
<p>They are built with Node.js 20.19 or later. Install it, run <code>make setup</code>, which says
what else may be missing, and load this page again. The server does not need a restart.</p>
</body></html>"""
_POLICY = (
    # The form's validator compiles JSON schemas to functions.
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class _Pages(Route):
    """A route for every path that is none of the API's."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """No match for the API, so that what it does not know is a 404 of its own."""
        if scope["type"] == "http" and scope["path"].startswith(("/v1", "/_sandbox")):
            return Match.NONE, {}
        return super().matches(scope)


def _serve_page(request: Request) -> Response:
    """Return a file of the portal; other paths are pages of its own router."""
    if request.url.path == "/" and "text/html" not in request.headers.get("accept", ""):
        services: Services = request.app.state.services
        about = {"ok": True, "service": "port", "organization": services.settings.org_id}
        return JSONResponse(about)
    file = (DIST / request.path_params["path"]).resolve()
    if file.is_relative_to(DIST) and file.is_file() and file.suffix != ".html":
        # Vite puts a hash of its content into the name of each file under assets/.
        hashed = file.parent.name == "assets"
        kept = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return FileResponse(file, headers={"cache-control": kept})
    if request.url.path.startswith("/assets/"):
        # A page of an older build asks for what is gone: HTML would be no answer to that.
        return Response("This file does not exist.", 404, media_type="text/plain")
    index = DIST / "index.html"
    if not index.is_file():
        return HTMLResponse(_MISSING.format(folder=escape(str(DIST))), 503)
    headers = {"cache-control": "no-cache", "content-security-policy": _POLICY}
    return FileResponse(index, headers=headers)


route = _Pages("/{path:path}", _serve_page, methods=["GET"], include_in_schema=False)
