"""The cluster's HTTP side: health URLs, and the switches that break and mend services."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from sandbox.cluster.cluster import Cluster, UnknownService
from sandbox.cluster.model import Cure

Json = dict[str, Any]


class Break(BaseModel):
    """Body of "break a service"."""

    model_config = ConfigDict(extra="forbid")

    cure: Cure


def create_app(cluster: Cluster) -> FastAPI:
    """The application for a cluster."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.get("/_sandbox/health")
    def ready() -> Json:
        return {"status": "ok"}

    @app.get("/services")
    def list_services() -> list[Json]:
        return cluster.list()

    @app.get("/services/{name}/health")
    def health(name: str) -> JSONResponse:
        status, body = cluster.health(name)
        return JSONResponse(body, status)

    @app.post("/services/{name}/break")
    def break_service(name: str, body: Break) -> Json:
        return cluster.break_service(name, body.cure)

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
