"""The application: routes, errors in Port's shape, and what runs beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sandbox import faults
from sandbox.port import people
from sandbox.port.edge import Edge
from sandbox.port.errors import PortApiError
from sandbox.port.outbox import Outbox, Publisher
from sandbox.port.routes import actions, catalogue, own, pages, portal, system
from sandbox.port.services import Services
from sandbox.port.settings import Settings
from sandbox.port.store import Store
from sandbox.port.webhooks import Webhooks
from sandbox.port.work import Caller, bare_work


def create_app(settings: Settings, publisher: Publisher) -> FastAPI:
    """Make the application. Its outbox sends while the application's lifespan lasts.

    Args:
        settings: of the server.
        publisher: takes the messages.
    """
    store = Store(settings.state_dir / "port.sqlite")
    outbox = Outbox(store, publisher, Webhooks(settings.client_secret))
    services = Services(settings, store, outbox)
    with bare_work(store, settings, Caller(user_id=settings.client_id)) as work:
        people.seed(work)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        outbox.start()
        yield
        outbox.stop()
        store.close()

    app = FastAPI(title="Port", lifespan=lifespan, openapi_url=None)
    app.state.services = services
    app.state.faults, app.state.requests = faults.Faults(), faults.RequestLog()
    app.add_middleware(
        Edge, settings=settings, faults=app.state.faults, requests=app.state.requests
    )
    # Asked by what streams, which would keep a server that ends waiting.
    app.state.is_stopping = lambda: False
    for module in (faults, own, system, actions, catalogue, portal):
        # Not `include_router`, which would build every route once more for each application.
        app.router.routes.extend(module.router.routes)
    app.router.routes.append(pages.route)
    app.add_exception_handler(PortApiError, _port_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _port_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PortApiError)  # noqa: S101  what it is registered for
    return JSONResponse(error.body(), error.status)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  what it is registered for
    found = [(".".join(map(str, each["loc"])), each) for each in error.errors()]
    text = "; ".join(f"{where}: {fault['msg']}" for where, fault in found)
    if any(fault["type"] == "json_invalid" for _, fault in found):
        return await _port_error(_request, PortApiError(400, "bad_request", text))
    return await _port_error(_request, PortApiError(422, "invalid_request", text))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  what it is registered for
    if error.status_code == 404:
        # What Port says of an unknown route is not published, but it says nothing of an object.
        text = f"Route {request.method}:{request.url.path} not found"
        return JSONResponse({"message": text, "error": "Not Found", "statusCode": 404}, 404)
    text = f"{request.method} {request.url.path}: {error.detail}"
    return await _port_error(request, PortApiError(error.status_code, "bad_request", text))
