"""Serve health URLs, and the switches that break and fix services."""

import asyncio
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sandbox.cluster.cluster import Cluster, UnknownService
from sandbox.cluster.model import Cure, Symptom

# Longer than any probe waits, and short enough that a browser gives an answer in the end.
HANG_SECONDS = 30.0
_LOOK_SECONDS = 0.05

Json = dict[str, Any]


class Break(BaseModel):
    """Body of "break a service"; `for_seconds`: how long, until it is well again by itself."""

    model_config = ConfigDict(extra="forbid")

    cure: Cure
    symptom: Symptom = "error"
    for_seconds: float | None = Field(None, gt=0, allow_inf_nan=False)


def create_app(cluster: Cluster, hang_seconds: float = HANG_SECONDS) -> FastAPI:
    """Return the application for a cluster.

    Args:
        cluster: the services.
        hang_seconds: how long a health URL that answers nothing keeps a connection.
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.get("/_sandbox/health")
    def ready() -> Json:
        return {"status": "ok"}

    @app.get("/services")
    def list_services() -> list[Json]:
        return cluster.list()

    @app.get("/services/{name}/health")
    async def health(name: str, request: Request) -> Response:
        answer = cluster.health(name)
        if answer is None:
            await _hang(request, hang_seconds)
            return JSONResponse({"status": "failing"}, 504)
        status, body = answer
        return JSONResponse(body, status)

    @app.post("/services/{name}/break")
    def break_service(name: str, body: Break) -> Json:
        return cluster.break_service(name, body.cure, body.symptom, body.for_seconds)

    @app.post("/services/{name}/heal")
    def heal(name: str) -> Json:
        return cluster.heal(name)

    @app.post("/services/{name}/restart")
    def restart(name: str) -> Json:
        return cluster.restart(name)

    @app.exception_handler(UnknownService)
    def unknown(_request: Request, error: UnknownService) -> JSONResponse:
        return JSONResponse({"message": f"No service '{error}' runs here."}, 404)

    return app


async def _hang(request: Request, seconds: float) -> None:
    """Keep the caller waiting until time is up or it disconnects."""
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends and not await request.is_disconnected():
        await asyncio.sleep(_LOOK_SECONDS)
