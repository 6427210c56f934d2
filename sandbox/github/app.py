"""The application: every route, and GitHub's answers to what goes wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from sandbox import faults
from sandbox.github import urls
from sandbox.github.errors import DOCUMENTATION, ApiError
from sandbox.github.gateway import Gateway
from sandbox.github.routes import (
    actions,
    app_manifests,
    commits,
    contents,
    environments,
    gitdata,
    graphql,
    identity,
    issues,
    meta,
    pulls,
    repos,
    rulesets,
    sandbox,
    smart_http,
    web,
)
from sandbox.github.runner.engine import Runner
from sandbox.github.server import Server


def create_app(server: Server) -> ASGIApp:
    """Return the ASGI application for a server's state.

    Its lifespan owns the background threads.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runner = Runner(server)
        server.listen(runner.tell)
        app.state.runner = runner
        yield
        runner.stop()
        server.store.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.server = server
    app.state.faults, app.state.requests = server.faults, server.requests
    app.include_router(faults.router)
    app.include_router(sandbox.router)
    app.include_router(graphql.router)
    app.include_router(identity.router)
    app.include_router(app_manifests.router)
    # `meta` first: its installation route is below a repository's path.
    for module in (
        meta, repos, gitdata, contents, commits, pulls, issues, actions, environments, rulesets,
    ):  # fmt: skip
        app.include_router(module.router, prefix=urls.API_PREFIX)
    # git addresses a repository with and without the suffix.
    for suffix in (".git", ""):
        app.include_router(smart_http.router, prefix="/{owner}/{name}" + suffix)
    app.include_router(web.router)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(Exception, _crashed)
    return Gateway(app, server)


def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this class
    return JSONResponse(error.body, error.status, error.headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    found = error.errors()
    if any(fault["type"] == "json_invalid" for fault in found):
        return JSONResponse(ApiError(400, "Problems parsing JSON").body, 400)
    texts = [f"{'.'.join(str(p) for p in fault['loc'][1:])}: {fault['msg']}" for fault in found]
    return JSONResponse(ApiError(422, f"Invalid request.\n\n{'; '.join(texts)}", texts).body, 422)


def _unknown(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    # GitHub answers 404 also where only the method is wrong.
    status = 404 if error.status_code == 405 else error.status_code
    text = "Not Found" if status == 404 else str(error.detail)
    return JSONResponse({"message": text, "documentation_url": DOCUMENTATION}, status)


def _crashed(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"message": "Server Error", "documentation_url": DOCUMENTATION}, 500)
