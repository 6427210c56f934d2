"""Write entities: create, merge, overwrite, rename, delete.

Port's checks and errors apply.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import select

from sandbox.port import catalogue
from sandbox.port.blueprints import PROTECTED
from sandbox.port.blueprints import get as get_blueprint
from sandbox.port.catalogue import document, get
from sandbox.port.errors import PortApiError, forbidden, invalid, not_found, taken
from sandbox.port.naming import check_identifier, new_id
from sandbox.port.properties import faults
from sandbox.port.store import Blueprint, Entity, Run
from sandbox.port.work import Change, Work

Json = dict[str, Any]
Mode = Literal["create", "merge", "overwrite"]
_FIELDS = frozenset({"identifier", "title", "icon", "team", "properties", "relations"})


@dataclass(frozen=True)
class Options:
    """What a write's query string says.

    Attributes:
        mode: `create` refuses what exists, `merge` changes what is given, `overwrite` replaces.
        create_missing: make the entities that relations point at, if they are missing.
        run_id: the run in whose name this is written.
        validation_only: check, but write nothing.
    """

    mode: Mode = "create"
    create_missing: bool = False
    run_id: str | None = None
    validation_only: bool = False


@dataclass(frozen=True)
class Saved:
    """The outcome of a write.

    Attributes:
        entity: the entity's document.
        created: whether it is new.
    """

    entity: Json
    created: bool


def check_shape(body: Any, *, closed: bool = False) -> Json:
    """Check the types of an entity's own fields.

    Args:
        body: the request's JSON.
        closed: refuse fields that an entity does not have (PATCH).

    Raises:
        ValueError: what is wrong.
    """
    if not isinstance(body, dict):
        raise ValueError("The entity must be an object")
    if closed and (unknown := body.keys() - _FIELDS):
        raise ValueError(f"must NOT have additional properties: {', '.join(sorted(unknown))}")
    for key in ("title", "icon"):
        if not isinstance(body.get(key), str | None):
            raise ValueError(f'"{key}" must be a string')
    for key in ("properties", "relations"):
        if not isinstance(body.get(key, {}), dict):
            raise ValueError(f'"{key}" must be an object')
    if not isinstance(body.get("identifier"), str | dict | None):
        raise ValueError('"identifier" must be a string or a search query')
    team = body.get("team")
    if isinstance(team, list) and not all(isinstance(name, str) for name in team):
        raise ValueError('"team" must be a string or an array of strings')
    if not isinstance(team, str | list | dict | None):
        raise ValueError('"team" must be a string, an array of strings or a search query')
    return body


def post(work: Work, blueprint: str, body: Json, options: Options) -> Saved:
    """Create an entity; if it exists and the mode says so, merge into it or overwrite it.

    Raises:
        PortApiError: 409 `identifier_taken`, 404 `not_found`, 422, 400 `run_exhausted`.
    """
    definition = _begin(work, blueprint, options)
    identifier = _resolve_identifier(work, blueprint, body.get("identifier"))
    exists = work.db.get(Entity, (blueprint, identifier)) is not None
    if exists and options.mode == "create":
        raise taken("Entity", identifier)
    if not exists:
        options = replace(options, mode="create")
    return _write(work, definition, {**body, "identifier": identifier}, options)


def change(work: Work, blueprint: str, identifier: str, body: Json, options: Options) -> Saved:
    """Merge into or overwrite an existing entity.

    Another `identifier` in the body renames it.

    Raises:
        PortApiError: 404 `not_found`, 409 `identifier_taken`, 422, 400 `run_exhausted`.
    """
    definition = _begin(work, blueprint, options)
    row = get(work, blueprint, identifier)
    before = document(row)
    wanted = body.get("identifier")
    if isinstance(wanted, str) and wanted != identifier:
        _rename(work, row, check_identifier("Entity", wanted))
    body = {**body, "identifier": row.identifier}
    return _write(work, definition, body, options, before)


def delete(
    work: Work, blueprint: str, identifier: str, options: Options, *, delete_dependents: bool
) -> list[str]:
    """Remove an entity, and with `delete_dependents` everything that is related to it.

    Returns:
        The identifiers that were removed from this blueprint.

    Raises:
        PortApiError: 404; 403 `has_dependents`; 400 `run_exhausted`.
    """
    _begin(work, blueprint, options)
    row = get(work, blueprint, identifier)
    dependents = catalogue.dependents(work, blueprint, identifier)
    if dependents and not delete_dependents:
        names = ", ".join(f"{entity.blueprint}/{entity.identifier}" for entity in dependents)
        text = f'Entity "{identifier}" has dependents: {names}'
        raise forbidden(text, "has_dependents")
    before = document(row)
    work.db.delete(row)
    work.db.flush()
    removed = [identifier]
    for entity in dependents:
        # A dependent of two removed entities may be gone already.
        if work.db.get(Entity, (entity.blueprint, entity.identifier)):
            gone = delete(
                work, entity.blueprint, entity.identifier, options, delete_dependents=True
            )
            removed += gone if entity.blueprint == blueprint else []
    _note(work, "DELETE", before, None, options.run_id)
    return removed


def delete_many(
    work: Work, blueprint: str, identifiers: list[str], options: Options, *, delete_dependents: bool
) -> list[str]:
    """Remove several entities, all or none.

    Raises:
        PortApiError: as for `delete`; dependents that are on the list themselves do not count.
    """
    listed = {(blueprint, identifier) for identifier in identifiers}
    for identifier in identifiers:
        get(work, blueprint, identifier)
        others = {
            (entity.blueprint, entity.identifier)
            for entity in catalogue.dependents(work, blueprint, identifier)
        }
        if others - listed and not delete_dependents:
            raise forbidden(f'Entity "{identifier}" has dependents', "has_dependents")
    for identifier in identifiers:
        if work.db.get(Entity, (blueprint, identifier)):
            delete(work, blueprint, identifier, options, delete_dependents=True)
    return identifiers


def delete_all(work: Work, blueprint: str, options: Options) -> None:
    """Remove every entity of a blueprint."""
    rows = work.db.scalars(select(Entity.identifier).where(Entity.blueprint == blueprint))
    delete_many(work, blueprint, list(rows), options, delete_dependents=False)


def _begin(work: Work, blueprint: str, options: Options) -> Blueprint:
    work.caller.require_admin()
    definition = get_blueprint(work, blueprint)
    if options.run_id is not None:
        run = work.db.scalar(select(Run).where(Run.id == options.run_id))
        if run is None:
            raise not_found("Run", options.run_id)
        if run.status != "IN_PROGRESS":
            text = f'Action run "{run.id}" is not in progress: its status is {run.status}'
            raise PortApiError(400, "run_exhausted", text)
    return definition


def _write(
    work: Work, blueprint: Blueprint, body: Json, options: Options, before: Json | None = None
) -> Saved:
    identifier = check_identifier("Entity", body["identifier"])
    row = work.db.get(Entity, (blueprint.identifier, identifier))
    before = before or (document(row) if row else None)
    merged = _merge(blueprint.definition, row, body, options.mode)
    merged["team"] = _resolve_team(work, blueprint, body, merged["team"])
    _check_properties(blueprint, merged["properties"])
    merged["relations"] = _resolve_relations(work, blueprint, row, merged["relations"], options)
    if options.validation_only:
        # The answer is what would have been written.
        now = {"createdAt": None, "createdBy": None, "updatedAt": None, "updatedBy": None}
        entity = {"identifier": identifier, "blueprint": blueprint.identifier, **merged, **now}
        return Saved(entity, created=row is None)
    if row is None:
        stamp = work.stamp_new()
        row = Entity(blueprint=blueprint.identifier, identifier=identifier, **stamp)
        work.db.add(row)
    else:
        work.stamp(row)
    for key, value in merged.items():
        setattr(row, key, value)
    row.datasource = work.caller.user_agent
    work.db.flush()
    after = document(row)
    _note(work, "CREATE" if before is None else "UPDATE", before, after, options.run_id)
    return Saved(after, created=before is None)


def _merge(definition: Json, row: Entity | None, body: Json, mode: Mode) -> Json:
    """Return the entity as it shall be. A property that the blueprint has lost is left out."""
    known = definition["schema"]["properties"]
    given = {
        "title": body.get("title") or body["identifier"],
        "icon": body.get("icon"),
        "team": body.get("team"),
        "properties": dict(body.get("properties") or {}),
        "relations": dict(body.get("relations") or {}),
    }
    if mode == "create" or row is None:
        defaults = {name: prop["default"] for name, prop in known.items() if "default" in prop}
        return {**given, "properties": {**defaults, **given["properties"]}}
    if mode == "overwrite":
        return given
    kept = {name: value for name, value in row.properties.items() if name in known}
    related = {k: v for k, v in row.relations.items() if k in definition["relations"]}
    return {
        "title": given["title"] if "title" in body else row.title,
        "icon": given["icon"] if "icon" in body else row.icon,
        "team": given["team"] if "team" in body else row.team,
        "properties": {**kept, **given["properties"]},
        "relations": {**related, **given["relations"]},
    }


def _check_properties(blueprint: Blueprint, values: Json) -> None:
    schema = blueprint.definition["schema"]
    if wrong := faults(schema["properties"], schema["required"], values):
        text = f'Entity does not match the schema of "{blueprint.identifier}": {"; ".join(wrong)}'
        raise invalid(text, "blueprint_schema_mismatch")


def _resolve_identifier(work: Work, blueprint: str, given: Any) -> str:
    if given is None:
        return new_id("e_")
    if isinstance(given, dict):
        found = catalogue.query(work, given, blueprint)
        if len(found) != 1:
            raise not_found(f"One {blueprint} entity", str(given))
        return found[0].identifier
    return check_identifier("Entity", given)


def _resolve_team(work: Work, blueprint: Blueprint, body: Json, team: Any) -> list[str]:
    inherited = (blueprint.definition.get("ownership") or {}).get("type") == "Inherited"
    if inherited and body.get("team"):
        text = f'Entities of "{blueprint.identifier}" inherit their team'
        raise invalid(text, "team_inheritance_enabled")
    if isinstance(team, dict):
        return [row.identifier for row in catalogue.query(work, team, "_team")]
    return [team] if isinstance(team, str) else list(team or [])


def _resolve_relations(
    work: Work, blueprint: Blueprint, row: Entity | None, values: Json, options: Options
) -> Json:
    definitions = blueprint.definition["relations"]
    if unknown := values.keys() - definitions.keys():
        text = f'Blueprint "{blueprint.identifier}" has no relation {", ".join(sorted(unknown))}'
        raise invalid(text, "blueprint_schema_mismatch")
    resolved: Json = {}
    for name, relation in definitions.items():
        value = _resolve_relation(work, name, relation, values.get(name))
        if relation.get("required") and not value:
            if row and row.relations.get(name):
                text = f'Relation "{name}" is required and cannot be removed'
                raise forbidden(text, "required_relation")
            raise invalid(f'Relation "{name}" is required', "required_relation")
        for target in value if isinstance(value, list) else [value] if value else []:
            _require_target(work, relation["target"], target, options)
        resolved[name] = value
    return resolved


def _resolve_relation(work: Work, name: str, relation: Json, value: Any) -> Any:
    many = bool(relation.get("many"))
    if isinstance(value, dict):
        found = [row.identifier for row in catalogue.query(work, value, relation["target"])]
        if many:
            return found
        return _only(name, found)
    if value is None:
        return [] if many else None
    if isinstance(value, list) is not many:
        expected = "an array" if many else "one identifier"
        raise invalid(f'Relation "{name}" must be {expected}', "relation_many_violation")
    for identifier in value if many else [value]:
        check_identifier("Entity", identifier)
    return value


def _only(name: str, found: list[str]) -> str | None:
    if len(found) > 1:
        text = f'The query of relation "{name}" finds {len(found)} entities'
        raise invalid(text, "relation_many_violation")
    return found[0] if found else None


def _require_target(work: Work, blueprint: str, identifier: str, options: Options) -> None:
    if work.db.get(Entity, (blueprint, identifier)):
        return
    if not options.create_missing or blueprint in PROTECTED:
        raise not_found("Entity", identifier)
    related = replace(options, create_missing=False, mode="create")
    target = get_blueprint(work, blueprint)
    _write(work, target, {"identifier": identifier}, related)


def _rename(work: Work, row: Entity, identifier: str) -> None:
    if work.db.get(Entity, (row.blueprint, identifier)):
        raise taken("Entity", identifier)
    old = row.identifier
    for entity in catalogue.dependents(work, row.blueprint, old):
        entity.relations = {
            name: catalogue.renamed(value, old, identifier)
            if catalogue.targets(work, entity.blueprint).get(name) == row.blueprint
            else value
            for name, value in entity.relations.items()
        }
    row.identifier = identifier
    work.db.flush()


def _note(
    work: Work,
    action: Literal["CREATE", "UPDATE", "DELETE"],
    before: Json | None,
    after: Json | None,
    run_id: str | None,
) -> None:
    known = after or before or {}
    work.note(
        Change(
            action,
            "entity",
            known["identifier"],
            before,
            after,
            blueprint=known["blueprint"],
            entity=known["identifier"],
            run_id=run_id,
        )
    )
