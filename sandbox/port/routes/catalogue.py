"""Blueprints and entities."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import Field

from sandbox.port import blueprints, catalogue, entities
from sandbox.port.entities import Mode, Options
from sandbox.port.errors import PortApiError, forbidden, invalid
from sandbox.port.properties import Closed
from sandbox.port.services import CallDep
from sandbox.port.store import Blueprint, Entity
from sandbox.port.work import Work

Json = dict[str, Any]
router = APIRouter(prefix="/v1")
JsonBody = Annotated[Json, Body()]
_BULK, _BULK_DELETE = 20, 100


class _Shown:
    """Which parts of entities a query string asks for; arrays come as `include` or `include[]`."""

    def __init__(
        self,
        request: Request,
        *,
        exclude_calculated_properties: bool = False,
        attach_title_to_relation: bool = False,
    ) -> None:
        query = request.query_params
        self.include = query.getlist("include") + query.getlist("include[]")
        self.exclude = query.getlist("exclude") + query.getlist("exclude[]")
        self._calculated = not exclude_calculated_properties
        self._titles = attach_title_to_relation

    def view(self, work: Work, row: Entity) -> Json:
        entity = catalogue.view(work, row, calculated=self._calculated, titles=self._titles)
        return _without_nulls(catalogue.pick(entity, self.include, self.exclude))


def _without_nulls(entity: Json) -> Json:
    """Leave out the fields without a value, for which Port's description has no null."""
    return {key: value for key, value in entity.items() if value is not None}


class _Writing:
    """The query string of `POST …/entities` and of bulk upserts."""

    def __init__(
        self,
        *,
        upsert: bool = False,
        merge: bool = False,
        create_missing_related_entities: bool = False,
        validation_only: bool = False,
        run_id: str | None = None,
    ) -> None:
        mode: Mode = "create" if not upsert else "merge" if merge else "overwrite"
        self.options = Options(mode, create_missing_related_entities, run_id, validation_only)


class _SearchRequest(Closed):
    query: Json | None = None
    include: list[str] = Field([])
    exclude: list[str] = Field([])
    limit: int = Field(200, ge=1, le=1000)
    from_: str | None = Field(None, alias="from")


class _BulkDelete(Closed):
    entities: list[str] = Field(max_length=_BULK_DELETE)


ShownDep = Annotated[_Shown, Depends()]
WritingDep = Annotated[_Writing, Depends()]


@router.get("/blueprints")
def list_blueprints(call: CallDep) -> Json:
    """Return all blueprints."""
    with call.work() as work:
        rows = work.db.query(Blueprint).order_by(Blueprint.identifier)
        return {"ok": True, "blueprints": [blueprints.view(row) for row in rows]}


@router.post("/blueprints", status_code=201)
def create_blueprint(body: JsonBody, call: CallDep) -> Json:
    """Make a blueprint."""
    with call.work() as work:
        return {"ok": True, "blueprint": blueprints.create(work, body)}


@router.get("/blueprints/{identifier}")
def get_blueprint(identifier: str, call: CallDep) -> Json:
    """Return one blueprint."""
    with call.work() as work:
        return {"ok": True, "blueprint": blueprints.view(blueprints.get(work, identifier))}


@router.put("/blueprints/{identifier}")
def replace_blueprint(identifier: str, body: JsonBody, call: CallDep) -> Json:
    """Replace a blueprint's definition."""
    with call.work() as work:
        return {"ok": True, "blueprint": blueprints.replace(work, identifier, body)}


@router.patch("/blueprints/{identifier}")
def update_blueprint(identifier: str, body: JsonBody, call: CallDep) -> Json:
    """Change parts of a blueprint's definition."""
    with call.work() as work:
        return {"ok": True, "blueprint": blueprints.update(work, identifier, body)}


@router.delete("/blueprints/{identifier}")
def delete_blueprint(identifier: str, call: CallDep, *, delete_actions: bool = False) -> Json:
    """Remove a blueprint."""
    with call.work() as work:
        blueprints.delete(work, identifier, delete_actions=delete_actions)
    return {"ok": True}


@router.get("/blueprints/{blueprint}/entities")
def list_entities(blueprint: str, call: CallDep, shown: ShownDep) -> Json:
    """Return all entities of a blueprint."""
    with call.work() as work:
        found = catalogue.listed(work, blueprint)
        return {"ok": True, "entities": [shown.view(work, row) for row in found]}


@router.get("/blueprints/{blueprint}/entities-count")
def count_entities(blueprint: str, call: CallDep) -> Json:
    """Return how many entities a blueprint has."""
    with call.work() as work:
        return {"ok": True, "count": len(catalogue.listed(work, blueprint))}


@router.post("/blueprints/{blueprint}/entities", status_code=201)
def post_entity(
    blueprint: str,
    body: Annotated[Any, Body()],
    writing: WritingDep,
    call: CallDep,
    reply: Response,
) -> Json:
    """Create or upsert an entity: 201 if it is new, else 200."""
    try:
        entities.check_shape(body)
    except ValueError as error:
        raise PortApiError(400, "bad_request", str(error)) from None
    with call.work() as work:
        saved = entities.post(work, blueprint, body, writing.options)
    if not saved.created:
        reply.status_code = 200
    return {"ok": True, "entity": _without_nulls(saved.entity)}


@router.post("/blueprints/{blueprint}/entities/bulk")
def bulk_upsert(
    blueprint: str, body: JsonBody, writing: WritingDep, call: CallDep, reply: Response
) -> Json:
    """Create or upsert up to twenty entities; 207 if one of them failed."""
    items = body.get("entities")
    if not isinstance(items, list) or len(items) > _BULK:
        raise invalid(f'"entities" must be an array of at most {_BULK} entities')
    saved: list[Json] = []
    errors: list[Json] = []
    with call.work() as work:
        for index, item in enumerate(items):
            noted = len(work.changes)
            try:
                with work.db.begin_nested():
                    entities.check_shape(item)
                    one = entities.post(work, blueprint, item, writing.options)
            except (PortApiError, ValueError) as error:
                del work.changes[noted:]
                errors.append(_bulk_error(index, item, error))
                continue
            name = one.entity["identifier"]
            saved.append({"created": one.created, "identifier": name, "index": index})
    if errors:
        reply.status_code = 207
    return {"ok": not errors, "entities": saved, "errors": errors}


def _bulk_error(index: int, item: Any, error: PortApiError | ValueError) -> Json:
    if not isinstance(error, PortApiError):
        error = PortApiError(422, "invalid_request", str(error))
    identifier = item.get("identifier") if isinstance(item, dict) else None
    return {
        "identifier": identifier if isinstance(identifier, str) else "unknown",
        "index": index,
        "statusCode": error.status,
        "error": error.code,
        "message": error.message,
    }


@router.post("/blueprints/{blueprint}/bulk/entities/delete")
def bulk_delete(
    blueprint: str,
    body: _BulkDelete,
    call: CallDep,
    *,
    delete_dependents: bool = False,
    run_id: str | None = None,
) -> Json:
    """Remove up to a hundred entities, all or none."""
    with call.work() as work:
        removed = entities.delete_many(
            work,
            blueprint,
            body.entities,
            Options(run_id=run_id),
            delete_dependents=delete_dependents,
        )
    return {"ok": True, "deletedEntities": removed}


@router.delete("/blueprints/{blueprint}/all-entities")
def delete_all(
    blueprint: str, call: CallDep, *, run_id: str | None = None, delete_blueprint: bool = False
) -> Json:
    """Remove every entity of a blueprint, and the blueprint itself if that is asked for."""
    if blueprint in blueprints.PROTECTED:
        raise forbidden(f'Blueprint "{blueprint}" is protected')
    with call.work() as work:
        entities.delete_all(work, blueprint, Options(run_id=run_id))
        if delete_blueprint:
            blueprints.delete(work, blueprint, delete_actions=False)
    return {"ok": True}


@router.post("/blueprints/{blueprint}/entities/search")
def search_blueprint(blueprint: str, body: _SearchRequest, call: CallDep) -> Json:
    """Search the entities of a blueprint, page by page."""
    if body.from_ is not None and not body.from_.isdecimal():
        raise invalid('"from" must be the "next" of the last answer')
    start = int(body.from_ or 0)
    with call.work() as work:
        query = body.query or {"combinator": "and", "rules": []}
        found = catalogue.query(work, query, blueprint)
        page = [
            _without_nulls(catalogue.pick(catalogue.view(work, row), body.include, body.exclude))
            for row in found[start : start + body.limit]
        ]
    more = len(found) > start + body.limit
    return {"ok": True, "entities": page} | ({"next": str(start + body.limit)} if more else {})


@router.post("/entities/search")
def search(body: JsonBody, call: CallDep, shown: ShownDep) -> Json:
    """Search the whole catalogue."""
    with call.work() as work:
        found = catalogue.query(work, body)
        names = sorted({row.blueprint for row in found})
        views = [shown.view(work, row) for row in found]
    return {"ok": True, "matchingBlueprints": names, "entities": views}


# An identifier may contain slashes, which arrive decoded: hence `:path`, and these routes last.


@router.get("/blueprints/{blueprint}/entities/{identifier:path}")
def get_entity(blueprint: str, identifier: str, call: CallDep, shown: ShownDep) -> Json:
    """Return one entity."""
    with call.work() as work:
        row = catalogue.get(work, blueprint, identifier)
        return {"ok": True, "entity": shown.view(work, row)}


@router.patch("/blueprints/{blueprint}/entities/{identifier:path}")
def patch_entity(
    blueprint: str,
    identifier: str,
    body: Annotated[Any, Body()],
    writing: WritingDep,
    call: CallDep,
) -> Json:
    """Change the given parts of an entity."""
    return _change(call, (blueprint, identifier), body, writing.options, "merge")


@router.put("/blueprints/{blueprint}/entities/{identifier:path}")
def put_entity(
    blueprint: str,
    identifier: str,
    body: Annotated[Any, Body()],
    writing: WritingDep,
    call: CallDep,
) -> Json:
    """Overwrite an entity."""
    return _change(call, (blueprint, identifier), body, writing.options, "overwrite")


def _change(call: CallDep, key: tuple[str, str], body: Any, options: Options, mode: Mode) -> Json:
    try:
        entities.check_shape(body, closed=mode == "merge")
    except ValueError as error:
        raise invalid(str(error)) from None
    with call.work() as work:
        options = Options(mode, options.create_missing, options.run_id)
        saved = entities.change(work, *key, body, options)
    return {"ok": True, "entity": _without_nulls(saved.entity)}


@router.delete("/blueprints/{blueprint}/entities/{identifier:path}")
def delete_entity(
    blueprint: str,
    identifier: str,
    call: CallDep,
    *,
    delete_dependents: bool = False,
    run_id: str | None = None,
) -> Json:
    """Remove an entity."""
    options = Options(run_id=run_id)
    with call.work() as work:
        entities.delete(work, blueprint, identifier, options, delete_dependents=delete_dependents)
    return {"ok": True}
