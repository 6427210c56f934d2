"""Blueprints: what their JSON may be, and creating, changing and deleting them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from sqlalchemy import func, select

from sandbox.port.errors import forbidden, invalid, not_found, taken
from sandbox.port.naming import check_identifier
from sandbox.port.properties import COLORS, Closed, Json, PropertyDefinition, check_schema
from sandbox.port.store import Action, Blueprint, Entity
from sandbox.port.work import Change, Work

# Port's own blueprints, which are there from the start and cannot be removed.
PROTECTED = ("_user", "_team")
_MAPS = ("calculationProperties", "mirrorProperties", "relations")
_PropertyId = Annotated[str, AfterValidator(lambda value: check_identifier("Property", value))]


class _Schema(Closed):
    properties: dict[_PropertyId, PropertyDefinition]
    required: list[str] = Field([])


class _Relation(Closed):
    title: str | None = None
    target: str
    required: bool = False
    many: bool = False
    description: str | None = None
    type: str | None = None


class _Mirror(Closed):
    title: str | None = None
    path: str


class _Calculation(Closed):
    title: str | None = None
    description: str | None = None
    icon: str | None = None
    calculation: str
    type: Literal["string", "number", "boolean", "object", "array"]
    format: str | None = None
    spec: str | None = None
    colorized: bool | None = None
    colors: dict[str, COLORS] | None = None
    items: Json | None = None


class _Ownership(Closed):
    type: Literal["Direct", "Inherited"]
    path: str | None = None
    title: str | None = None


class _ChangelogDestination(Closed):
    type: Literal["KAFKA", "WEBHOOK"]
    url: str | None = None
    agent: bool | None = None


class BlueprintDefinition(Closed):
    """A blueprint's JSON: https://docs.port.io/api-reference/create-a-blueprint ."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    identifier: Annotated[str, AfterValidator(lambda value: check_identifier("Blueprint", value))]
    title: str = Field(min_length=1, max_length=100)
    description: str | None = Field(None, max_length=200)
    icon: str | None = None
    schema_: _Schema = Field(alias="schema")
    calculation_properties: dict[_PropertyId, _Calculation] = Field({})
    mirror_properties: dict[_PropertyId, _Mirror] = Field({})
    aggregation_properties: Json = Field({})
    relations: dict[_PropertyId, _Relation] = Field({})
    ownership: _Ownership | None = None
    changelog_destination: _ChangelogDestination | None = None


def check_definition(body: Json) -> Json:
    """Check a blueprint's JSON and return it with its empty parts filled in.

    Raises:
        PortApiError: 422 `invalid_request`.
    """
    try:
        definition = BlueprintDefinition.model_validate(body)
        for prop in body["schema"]["properties"].values():
            check_schema(prop)
    except ValidationError as error:
        raise invalid(describe(error)) from None
    except ValueError as error:
        raise invalid(str(error)) from None
    _check_relations(definition)
    if definition.aggregation_properties:
        raise invalid("The sandbox does not compute aggregationProperties.")
    known = {field.alias or name for name, field in BlueprintDefinition.model_fields.items()}
    empty: Json = {"calculationProperties": {}, "mirrorProperties": {}, "relations": {}}
    kept = {key: value for key, value in body.items() if key in known and value is not None}
    schema = {"required": [], **body["schema"]}
    return {**empty, **kept, "schema": schema}


def _check_change_log(work: Work, body: Json) -> None:
    """Refuse what Port removed on 2026-07-13, unless the server is started as of before.

    https://docs.port.io/actions-and-automations/define-automations/migrate-from-changelog-destination
    """
    if body.get("changelogDestination") is not None and not work.settings.change_log:
        raise invalid("changelogDestination is not supported any more: use an automation")


def _check_relations(definition: BlueprintDefinition) -> None:
    unknown = set(definition.schema_.required) - set(definition.schema_.properties)
    if unknown:
        raise invalid(f"schema.required names unknown properties: {', '.join(sorted(unknown))}")
    for name, relation in definition.relations.items():
        if relation.required and relation.many:
            raise invalid(f'Relation "{name}" cannot be both required and many')
    for name, mirror in definition.mirror_properties.items():
        if mirror.path.split(".")[0] not in definition.relations or "." not in mirror.path:
            raise invalid(f'mirrorProperties.{name}.path must be "relation.property"')
    ownership = definition.ownership
    if ownership and ownership.type == "Inherited" and not ownership.path:
        raise invalid("ownership.path is required for inherited ownership")


def describe(error: ValidationError) -> str:
    """Return a pydantic error as a sentence: each place and what is wrong with it."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)


def get(work: Work, identifier: str) -> Blueprint:
    """Return the blueprint.

    Raises:
        PortApiError: 404 `not_found`.
    """
    row = work.db.get(Blueprint, identifier)
    if row is None:
        raise not_found("Blueprint", identifier)
    return row


def view(row: Blueprint) -> Json:
    """Return the blueprint's JSON."""
    return {**row.definition, **row.authorship()}


def create(work: Work, body: Json) -> Json:
    """Make a blueprint.

    Raises:
        PortApiError: 409 `identifier_taken`, 422 `invalid_request`, 404 for a relation's target.
    """
    work.caller.require_admin()
    _check_change_log(work, body)
    definition = check_definition(body)
    identifier = definition["identifier"]
    if work.db.get(Blueprint, identifier):
        raise taken("Blueprint", identifier)
    row = Blueprint(identifier=identifier, definition=definition, **work.stamp_new())
    work.db.add(row)
    work.db.flush()
    _check_targets(work, definition)
    return _changed(work, row, "CREATE", None)


def replace(work: Work, identifier: str, body: Json) -> Json:
    """Put a new definition in the place of a blueprint's.

    Raises:
        PortApiError: as for `create`; 422 if the type of a property changes.
    """
    work.caller.require_admin()
    row = get(work, identifier)
    before = view(row)
    _check_change_log(work, body)
    definition = check_definition({"identifier": identifier, **body})
    if definition["identifier"] != identifier:
        raise invalid("The sandbox does not rename blueprints.")
    _check_types_stay(row.definition, definition)
    _check_targets(work, definition)
    row.definition = definition
    work.stamp(row)
    return _changed(work, row, "UPDATE", before)


def update(work: Work, identifier: str, body: Json) -> Json:
    """Change the given parts of a blueprint; properties and relations are added to or replaced.

    Raises:
        PortApiError: as for `replace`.
    """
    old = get(work, identifier).definition
    merged = {**old, **body}
    for key in _MAPS:
        merged[key] = {**old.get(key, {}), **(body.get(key) or {})}
    new_schema = body.get("schema") or {}
    merged["schema"] = {
        **old["schema"],
        **new_schema,
        "properties": {**old["schema"]["properties"], **new_schema.get("properties", {})},
    }
    return replace(work, identifier, merged)


def delete(work: Work, identifier: str, *, delete_actions: bool) -> None:
    """Remove a blueprint that nothing depends on.

    Raises:
        PortApiError: 404; 403 `has_dependents` if there are entities, relations or actions.
    """
    work.caller.require_admin()
    row = get(work, identifier)
    if identifier in PROTECTED:
        raise forbidden(f'Blueprint "{identifier}" is protected')
    actions = [a for a in work.db.scalars(select(Action)) if blueprint_of(a) == identifier]
    dependents = [
        f'blueprint "{other.identifier}"'
        for other in work.db.scalars(select(Blueprint))
        if other.identifier != identifier
        and any(r["target"] == identifier for r in other.definition["relations"].values())
    ]
    count = select(func.count()).select_from(Entity).where(Entity.blueprint == identifier)
    if entities := work.db.scalar(count):
        dependents.append(f"{entities} entities")
    if actions and not delete_actions:
        dependents += [f'action "{action.identifier}"' for action in actions]
    if dependents:
        text = f'Blueprint "{identifier}" has dependents: {", ".join(dependents)}'
        raise forbidden(text, "has_dependents")
    for action in actions:
        work.db.delete(action)
    before = view(row)
    work.db.delete(row)
    work.note(Change("DELETE", "blueprint", identifier, before, None, identifier))


def blueprint_of(action: Action) -> str | None:
    """Return the blueprint that an action or automation belongs to."""
    trigger = action.definition["trigger"]
    found: str | None = trigger.get("blueprintIdentifier") or trigger.get("event", {}).get(
        "blueprintIdentifier"
    )
    return found


def _changed(work: Work, row: Blueprint, action: Any, before: Json | None) -> Json:
    after = view(row)
    work.note(Change(action, "blueprint", row.identifier, before, after, row.identifier))
    return after


def _check_targets(work: Work, definition: Json) -> None:
    for relation in definition["relations"].values():
        if not work.db.get(Blueprint, relation["target"]):
            raise not_found("Blueprint", relation["target"])


def _check_types_stay(old: Json, new: Json) -> None:
    properties = new["schema"]["properties"]
    for name, prop in old["schema"]["properties"].items():
        if name in properties and properties[name]["type"] != prop["type"]:
            raise invalid(f'The type of property "{name}" cannot be changed')
