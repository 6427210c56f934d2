"""Webhooks of a repository.

https://docs.github.com/rest/repos/webhooks
"""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from sandbox.github import shapes
from sandbox.github.errors import not_found, validation_failed
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.server import RepoSession
from sandbox.github.store import Delivery, Hook, now

router = APIRouter(prefix="/repos/{owner}/{name}/hooks")


class NewHook(Body):
    """Body of "create a repository webhook"."""

    name: str = "web"
    config: dict[str, Any]
    events: list[str] = Field(default_factory=lambda: ["push"])
    active: bool = True


class ChangedHook(Body):
    """Body of "update a repository webhook"."""

    config: dict[str, Any] | None = None
    events: list[str] | None = None
    add_events: list[str] = Field(default_factory=list)
    remove_events: list[str] = Field(default_factory=list)
    active: bool | None = None


def _check(config: dict[str, Any]) -> dict[str, Any]:
    if not str(config.get("url", "")).startswith(("http://", "https://")):
        raise validation_failed("Hook", "url", "missing_field")
    return {"content_type": "form", "insecure_ssl": "0", **config}


def _hook(here: RepoSession, number: int) -> Hook:
    row = here.session.get(Hook, number)
    if row is None or row.repo_id != here.repo.id:
        raise not_found()
    return row


def _ping(here: RepoSession, row: Hook) -> None:
    here.emit(
        "ping", zen="Keep it logically awesome.", hook_id=row.id, hook=shapes.hook(row, here.path)
    )


@router.post("", status_code=201)
def create_hook(here: Here, body: NewHook) -> Json:
    """Make a webhook, which is pinged at once."""
    row = Hook(
        repo_id=here.repo.id, config=_check(body.config), events=body.events, active=body.active
    )
    here.session.add(row)
    here.session.flush()
    _ping(here, row)
    return shapes.hook(row, here.path)


@router.get("")
def list_hooks(here: Here, page: PageDep) -> Response:
    """List webhooks."""
    rows = here.session.scalars(select(Hook).filter_by(repo_id=here.repo.id).order_by(Hook.id))
    return page.of(list(rows), lambda row: shapes.hook(row, here.path))


@router.get("/{number}")
def get_hook(here: Here, number: int) -> Json:
    """Get a webhook."""
    return shapes.hook(_hook(here, number), here.path)


@router.patch("/{number}")
def edit_hook(here: Here, number: int, body: ChangedHook) -> Json:
    """Change a webhook."""
    row = _hook(here, number)
    if body.config is not None:
        row.config = _check(body.config)
    events = row.events if body.events is None else body.events
    kept = [name for name in events if name not in body.remove_events]
    row.events = list(dict.fromkeys([*kept, *body.add_events]))
    if body.active is not None:
        row.active = body.active
    row.updated_at = now()
    return shapes.hook(row, here.path)


@router.delete("/{number}", status_code=204)
def delete_hook(here: Here, number: int) -> Response:
    """Delete a webhook."""
    here.session.delete(_hook(here, number))
    return Response(status_code=204)


@router.post("/{number}/pings", status_code=204)
def ping_hook(here: Here, number: int) -> Response:
    """Send a `ping` event."""
    _ping(here, _hook(here, number))
    return Response(status_code=204)


@router.get("/{number}/deliveries")
def list_deliveries(here: Here, number: int, page: PageDep) -> Response:
    """List what was delivered, newest first."""
    query = select(Delivery).filter_by(hook_id=_hook(here, number).id)
    return page.of(list(here.session.scalars(query.order_by(Delivery.id.desc()))), _delivery)


@router.get("/{number}/deliveries/{delivery}")
def get_delivery(here: Here, number: int, delivery: int) -> Json:
    """Get a delivery with request and response."""
    row = here.session.get(Delivery, delivery)
    if row is None or row.hook_id != _hook(here, number).id:
        raise not_found()
    return {**_delivery(row), "request": row.request, "response": row.response}


def _delivery(row: Delivery) -> Json:
    return {
        "id": row.id,
        "guid": row.guid,
        "event": row.event,
        "action": row.action,
        "status": row.status,
        "status_code": row.status_code,
        "duration": row.duration,
        "delivered_at": row.delivered_at,
        "redelivery": False,
    }
