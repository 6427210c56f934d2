"""Actions (version 2) and automations: what their JSON may be, and keeping them.

https://docs.port.io/api-reference/create-an-action-automation
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from sqlalchemy import select

from sandbox.port.blueprints import blueprint_of, describe
from sandbox.port.blueprints import get as get_blueprint
from sandbox.port.errors import invalid, not_found, taken
from sandbox.port.inputs import check_definition as check_inputs
from sandbox.port.inputs import encrypted, entity_inputs
from sandbox.port.naming import check_identifier, new_id
from sandbox.port.people import ADMIN, MEMBER
from sandbox.port.properties import Closed, Json
from sandbox.port.store import Action
from sandbox.port.work import Change, Work

ENTITY_EVENTS = ("ENTITY_CREATED", "ENTITY_UPDATED", "ENTITY_DELETED", "ANY_ENTITY_CHANGE")
# What the sandbox carries out. Port knows more, which are refused by name.
INVOCATIONS = ("KAFKA", "WEBHOOK", "UPSERT_ENTITY")


class _SearchCondition(Closed):
    type: Literal["SEARCH"]
    combinator: Literal["and", "or"]
    rules: list[Json]


class _JqCondition(Closed):
    type: Literal["JQ"]
    expressions: list[str]
    combinator: Literal["and", "or"] = "and"


class _SelfService(Closed):
    type: Literal["self-service"]
    operation: Literal["CREATE", "DAY-2", "DELETE"]
    blueprint_identifier: str | None = None
    user_inputs: Any
    action_card_button_text: str | None = Field(None, max_length=15)
    execute_action_button_text: str | None = Field(None, max_length=15)
    condition: _SearchCondition | None = None

    @model_validator(mode="after")
    def _fits_the_operation(self) -> "_SelfService":
        if self.operation == "CREATE" and self.condition:
            raise ValueError("only DAY-2 and DELETE actions may have a condition")
        if self.operation != "CREATE" and not self.blueprint_identifier:
            raise ValueError(f"a {self.operation} action needs a blueprintIdentifier")
        return self


class _Event(Closed):
    type: Literal[
        "ENTITY_CREATED", "ENTITY_UPDATED", "ENTITY_DELETED", "ANY_ENTITY_CHANGE", "RUN_CREATED",
        "RUN_UPDATED", "ANY_RUN_CHANGE",
    ]  # fmt: skip
    blueprint_identifier: str | None = None
    action_identifier: str | None = None

    @model_validator(mode="after")
    def _names_its_source(self) -> "_Event":
        wanted = self.blueprint_identifier if self.type in ENTITY_EVENTS else self.action_identifier
        if not wanted:
            kind = "blueprintIdentifier" if self.type in ENTITY_EVENTS else "actionIdentifier"
            raise ValueError(f"{self.type} needs {kind}")
        return self


class _Automation(Closed):
    type: Literal["automation"]
    event: _Event
    condition: _JqCondition | None = None


class _Kafka(Closed):
    type: Literal["KAFKA"]
    payload: Json | list[Any] | None = None


class _Webhook(Closed):
    """An asynchronous request without an agent, which is what the sandbox carries out."""

    type: Literal["WEBHOOK"]
    url: str = Field(min_length=1)
    agent: Literal[False] = False
    synchronized: Literal[False] = False
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    # Port sends a message of its own shape without it.
    body: Json | list[Any]


class _UpsertEntity(Closed):
    type: Literal["UPSERT_ENTITY"]
    blueprint_identifier: str
    mapping: Json


class _Approval(Closed):
    type: Literal["ANY", "ALL"]


class _Notification(Closed):
    type: Literal["email", "webhook"]
    format: Literal["json", "slack"] | None = None
    url: str | None = None


class _ActionDefinition(Closed):
    identifier: str
    title: str | None = None
    icon: str | None = None
    description: str | None = None
    trigger: Annotated[_SelfService | _Automation, Field(discriminator="type")]
    invocation_method: Annotated[_Kafka | _Webhook | _UpsertEntity, Field(discriminator="type")]
    required_approval: bool | _Approval = False
    approval_notification: _Notification | None = None
    publish: bool = False
    allow_anyone_to_view_runs: bool = True


class _Policy(Closed):
    queries: dict[str, Json]
    conditions: list[str]


class _Approve(Closed):
    users: list[str] | None = None
    roles: list[str] | None = None
    teams: list[str] | None = None
    policy: _Policy | None = None


class _Execute(_Approve):
    owned_by_team: bool | None = None


class _Permissions(Closed):
    execute: _Execute | None = None
    approve: _Approve | None = None


_ACTION = TypeAdapter(_ActionDefinition)
_PERMISSIONS = TypeAdapter(_Permissions)
_NOBODY: Json = {"users": [], "roles": [], "teams": [], "policy": None}
_DEFAULT_PERMISSIONS: Json = {
    "execute": {**_NOBODY, "roles": [ADMIN, MEMBER], "ownedByTeam": False},
    "approve": {**_NOBODY, "roles": [ADMIN]},
}


def get(work: Work, identifier: str) -> Action:
    """Return the action.

    Raises:
        PortApiError: 404 `not_found`.
    """
    row = work.db.get(Action, identifier)
    if row is None:
        raise not_found("Action", identifier)
    return row


def listed(work: Work) -> list[Action]:
    """Return all actions and automations, by identifier."""
    return list(work.db.scalars(select(Action).order_by(Action.identifier)))


def view(row: Action) -> Json:
    """Return the action's JSON."""
    return {"id": row.id, **row.definition, **row.authorship()}


def create(work: Work, body: Any) -> Json:
    """Make an action or an automation.

    Raises:
        PortApiError: 409 `identifier_taken`, 422 `invalid_request` or
            `user_inputs_schema_invalid`, 404 for a blueprint.
    """
    work.caller.require_admin()
    definition = _check(work, body)
    identifier = definition["identifier"]
    if work.db.get(Action, identifier):
        raise taken("Action", identifier)
    row = Action(
        identifier=identifier,
        id=new_id("action_"),
        definition=definition,
        permissions=_DEFAULT_PERMISSIONS,
        **work.stamp_new(),
    )
    work.db.add(row)
    work.db.flush()
    return _changed(work, row, "CREATE", None)


def replace(work: Work, identifier: str, body: Any) -> Json:
    """Put a new definition in the place of an action's. Runs keep what was rendered for them.

    Raises:
        PortApiError: as for `create`, and 404.
    """
    work.caller.require_admin()
    row = get(work, identifier)
    before = view(row)
    definition = _check(work, {"identifier": identifier, **body})
    if definition["identifier"] != identifier:
        raise invalid("The sandbox does not rename actions.")
    row.definition = definition
    work.stamp(row)
    return _changed(work, row, "UPDATE", before)


def delete(work: Work, identifier: str) -> None:
    """Remove an action; its runs stay.

    Raises:
        PortApiError: 404.
    """
    work.caller.require_admin()
    row = get(work, identifier)
    before = view(row)
    work.db.delete(row)
    work.note(Change("DELETE", "action", identifier, before, None, blueprint=blueprint_of(row)))


def change_permissions(work: Work, identifier: str, body: Any) -> Json:
    """Set the given parts of who may execute and approve.

    Raises:
        PortApiError: 404, 422 `invalid_request`.
    """
    work.caller.require_admin()
    row = get(work, identifier)
    try:
        _PERMISSIONS.validate_python(body)
    except ValidationError as error:
        raise invalid(describe(error)) from None
    row.permissions = {
        part: {**row.permissions[part], **(body.get(part) or {})} for part in row.permissions
    }
    work.stamp(row)
    return row.permissions


def _check(work: Work, body: Any) -> Json:
    if not isinstance(body, dict):
        raise invalid("The action must be an object")
    method = (body.get("invocationMethod") or {}).get("type")
    if isinstance(method, str) and method not in INVOCATIONS:
        raise invalid(f"The sandbox carries out {', '.join(INVOCATIONS)}, but not {method}.")
    check_identifier("Action", body.get("identifier"))
    try:
        definition = _ACTION.validate_python(body)
    except ValidationError as error:
        raise invalid(describe(error)) from None
    trigger = definition.trigger
    blueprints = []
    if isinstance(trigger, _SelfService):
        check_inputs(trigger.user_inputs)
        blueprints = [trigger.blueprint_identifier, *entity_inputs(trigger.user_inputs).values()]
    else:
        blueprints = [trigger.event.blueprint_identifier]
    if isinstance(definition.invocation_method, _UpsertEntity):
        blueprints.append(definition.invocation_method.blueprint_identifier)
    for blueprint in filter(None, blueprints):
        get_blueprint(work, blueprint)
    defaults: Json = {"requiredApproval": False}
    if isinstance(trigger, _Automation):
        defaults["publish"] = False
    return {**defaults, **body}


def user_inputs(row: Action) -> Json:
    """Return the action's form; an automation has an empty one."""
    form: Json = row.definition["trigger"].get("userInputs") or {"properties": {}}
    return form


def summary(row: Action) -> Json:
    """`.action` in templates."""
    return {
        "identifier": row.identifier,
        "blueprint": blueprint_of(row),
        "encryptedProperties": encrypted(user_inputs(row)),
    }


def _changed(
    work: Work, row: Action, action: Literal["CREATE", "UPDATE"], before: Json | None
) -> Json:
    after = view(row)
    work.note(Change(action, "action", row.identifier, before, after, blueprint=blueprint_of(row)))
    return after
