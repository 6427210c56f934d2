"""Read the catalogue: entities, calculated properties and relations."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import select

from sandbox.port import people
from sandbox.port.errors import not_found
from sandbox.port.jq_program import JqError, evaluate
from sandbox.port.search import Scope, matches
from sandbox.port.store import Blueprint, Entity
from sandbox.port.work import Work

Json = dict[str, Any]
Key = tuple[str, str]


def document(row: Entity) -> Json:
    """Return the entity as it is stored; this is what change messages carry."""
    return {
        "identifier": row.identifier,
        "title": row.title,
        "icon": row.icon,
        "blueprint": row.blueprint,
        "team": row.team,
        "properties": row.properties,
        "relations": row.relations,
        **row.authorship(),
    }


def get(work: Work, blueprint: str, identifier: str) -> Entity:
    """Return the entity.

    Raises:
        PortApiError: 404 for the blueprint or the entity.
    """
    if work.db.get(Blueprint, blueprint) is None:
        raise not_found("Blueprint", blueprint)
    row = work.db.get(Entity, (blueprint, identifier))
    if row is None:
        raise not_found("Entity", identifier)
    return row


def view(work: Work, row: Entity, *, calculated: bool = True, titles: bool = False) -> Json:
    """Return the entity as the API answers it.

    Args:
        work: the transaction.
        row: the entity.
        calculated: with its mirror and calculation properties.
        titles: relations as `{identifier, title}`.
    """
    definition = work.db.get_one(Blueprint, row.blueprint).definition
    entity = document(row)
    ownership = definition.get("ownership") or {}
    if ownership.get("type") == "Inherited":
        owners = _follow(work, row, ownership["path"].split("."))
        entity["team"] = sorted({team for owner in owners for team in owner.team})
    if calculated:
        entity["properties"] = {**entity["properties"], **_calculated(work, definition, row)}
    if titles:
        entity["relations"] = {
            name: _with_title(work, definition["relations"][name]["target"], value)
            for name, value in row.relations.items()
            if name in definition["relations"]
        }
    return entity


def _with_title(work: Work, blueprint: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_title(work, blueprint, item) for item in value]
    target = work.db.get(Entity, (blueprint, value)) if value else None
    return {"identifier": value, "title": target.title} if target else value


def _calculated(work: Work, definition: Json, row: Entity) -> Json:
    values: Json = {}
    for name, mirror in definition["mirrorProperties"].items():
        values[name] = _mirrored(work, definition, row, mirror["path"])
    entity = document(row)
    entity["properties"] = {**entity["properties"], **values}
    for name, calculation in definition["calculationProperties"].items():
        try:
            values[name] = evaluate(calculation["calculation"], entity)
        except JqError:
            values[name] = None  # Port shows a calculation that fails as empty
    return values


def _mirrored(work: Work, definition: Json, row: Entity, path: str) -> Any:
    *relations, last = path.split(".")
    found = [_mirrored_value(target, last) for target in _follow(work, row, relations)]
    if (definition["relations"].get(relations[0]) or {}).get("many"):
        return found
    return found[0] if found else None


def _mirrored_value(row: Entity, name: str) -> Any:
    if name.startswith("$"):
        return document(row).get(name.removeprefix("$"))
    return row.properties.get(name)


def _follow(work: Work, row: Entity, relations: list[str]) -> list[Entity]:
    """Return the entities at the end of a path of relations."""
    rows = [row]
    for name in relations:
        rows = [
            target
            for source in rows
            for blueprint, identifier in _related(source, targets(work, source.blueprint), name)
            if (target := work.db.get(Entity, (blueprint, identifier)))
        ]
    return rows


def targets(work: Work, blueprint: str) -> dict[str, str]:
    """Relation to target blueprint."""
    definition = work.db.get_one(Blueprint, blueprint).definition
    return {name: relation["target"] for name, relation in definition["relations"].items()}


def _related(row: Entity, target_of: dict[str, str], name: str) -> list[Key]:
    value = row.relations.get(name)
    identifiers = value if isinstance(value, list) else [value] if value else []
    return [(target_of[name], identifier) for identifier in identifiers if name in target_of]


def dependents(work: Work, blueprint: str, identifier: str) -> list[Entity]:
    """Return the entities with a relation to this one, itself excluded."""
    found = []
    for other in work.db.scalars(select(Blueprint)).all():
        target_of = targets(work, other.identifier)
        names = [name for name, target in target_of.items() if target == blueprint]
        if not names:
            continue
        for row in work.db.scalars(select(Entity).where(Entity.blueprint == other.identifier)):
            linked = any((blueprint, identifier) in _related(row, target_of, n) for n in names)
            if linked and (row.blueprint, row.identifier) != (blueprint, identifier):
                found.append(row)
    return found


def renamed(value: Any, old: str, new: str) -> Any:
    """Return a relation's value with one identifier put in the place of another."""
    if isinstance(value, list):
        return [new if item == old else item for item in value]
    return new if value == old else value


def listed(work: Work, blueprint: str | None = None) -> list[Entity]:
    """Return all entities, or those of one blueprint, oldest first.

    Raises:
        PortApiError: 404 for the blueprint.
    """
    statement = select(Entity).order_by(Entity.created_at, Entity.blueprint, Entity.identifier)
    if blueprint is not None:
        if work.db.get(Blueprint, blueprint) is None:
            raise not_found("Blueprint", blueprint)
        statement = statement.where(Entity.blueprint == blueprint)
    return list(work.db.scalars(statement))


def query(work: Work, group: Json, blueprint: str | None = None) -> list[Entity]:
    """Return the entities that a search query finds.

    Raises:
        PortApiError: 422 `invalid_request` for a query that is none, 404 for the blueprint.
    """
    scope = make_scope(work)
    return [row for row in listed(work, blueprint) if matches(group, _searched(work, row), scope)]


def _searched(work: Work, row: Entity) -> Json:
    """Return the entity with what can be searched for, but is not shown.

    Port's integrations find what they wrote by it: port-labs/ocean and port-labs/port-k8s-exporter.
    """
    return {**view(work, row), "$datasource": row.datasource}


def make_scope(work: Work) -> Scope:
    """Return what search rules can refer to, for this caller."""
    user = people.find(work.db, work.caller.email) if work.caller.email else None
    return Scope(
        related=_walker(work),
        definitions=lambda name: work.db.get_one(Blueprint, name).definition["schema"][
            "properties"
        ],
        user=user.form_context() if user else {},
        user_teams=work.caller.teams,
    )


def _walker(work: Work) -> Callable[[str, str, str, bool], Collection[Key]]:
    """Return a function that gives everything that can be reached from an entity.

    Upstream is what the entity depends on, downstream what depends on it.
    """

    @cache
    def walk(blueprint: str, identifier: str, direction: str, required: bool) -> set[Key]:
        edges = _edges(work, required=required, reverse=direction == "downstream")
        start = (blueprint, identifier)
        seen: set[Key] = set()
        waiting = [start]
        while waiting:
            for key in edges.get(waiting.pop(), ()):
                if key not in seen:
                    seen.add(key)
                    waiting.append(key)
        return seen - {start}

    return walk


def _edges(work: Work, *, required: bool, reverse: bool) -> dict[Key, list[Key]]:
    edges: dict[Key, list[Key]] = defaultdict(list)
    for row in listed(work):
        relations = work.db.get_one(Blueprint, row.blueprint).definition["relations"]
        target_of = {
            name: relation["target"]
            for name, relation in relations.items()
            if relation.get("required") or not required
        }
        own = (row.blueprint, row.identifier)
        for name in target_of:
            for key in _related(row, target_of, name):
                edges[key if reverse else own].append(own if reverse else key)
    return edges


def pick(entity: Json, include: Iterable[str], exclude: Iterable[str]) -> Json:
    """Keep or leave out top-level fields and properties (`title`, `properties.owner`, `owner`)."""
    wanted, unwanted = set(include), set(exclude)
    if not wanted and not unwanted:
        return entity
    picked = {
        key: value
        for key, value in entity.items()
        if key in ("properties", "relations", "identifier")
        or ((not wanted or {key, f"${key}"} & wanted) and not {key, f"${key}"} & unwanted)
    }
    for part in ("properties", "relations"):
        picked[part] = {
            name: value
            for name, value in entity[part].items()
            if (not wanted or {name, part, f"{part}.{name}"} & wanted)
            and not {name, part, f"{part}.{name}"} & unwanted
        }
    return picked
