"""Read the messages on `ORG_ID.runs`: which are ours, and their requests.

In actions of version 2 the payload template of the action defines the message, so the templates are
part of the catalog (`action.json`). They keep the envelope of version 1, so its messages are
also supported: https://docs.port.io/actions-and-automations/setup-backend/kafka/
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from slipway.errors import ForeignMessage, InvalidInput, RunNotFound, UserError
from slipway.port.node_run import node_request, node_run_id

_RUN_ID = re.compile(r"r_[A-Za-z0-9]{1,64}|run_[A-Za-z0-9]{1,64}")
_RUN_ENDED = "run_ended"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)


class Requester(_Model):
    """The user or credentials that executed the action.

    Attributes:
        user_id: Port's id of the user, or a client id.
        email: empty for machines.
        name: first and last name; may be empty.
    """

    user_id: str
    email: str = ""
    name: str = ""


class RunMessage(_Model):
    """A run of one of our actions, as its message describes it.

    Attributes:
        run_id: `r_` and sixteen letters or digits.
        action: the action's identifier.
        blueprint: the blueprint that the action belongs to.
        entity: identifier of the entity; None when the action creates one.
        operation: Port's kind of action.
        requester: the person or credentials.
        requested_at: when, in UTC.
        inputs: the form's values by input identifier. Entities are given by their identifiers.
        censored: names of the inputs that are encrypted.
    """

    run_id: str
    action: str
    blueprint: str | None
    entity: str | None
    operation: Literal["CREATE", "DAY-2", "DELETE"]
    requester: Requester
    requested_at: datetime
    inputs: dict[str, Any]
    censored: tuple[str, ...]


def _none_if_empty(value: object) -> object:
    return None if value in ("", {}) else value


def _empty_if_none(value: object) -> object:
    return () if value is None else value


def _operation(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _identifier(value: str) -> str:
    if value in {".", ".."} or not re.fullmatch(r"[\w@.+:=/\\-]{1,1000}", value):
        raise ValueError("not an identifier")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time that UTC has") from None


_Identifier = Annotated[str, AfterValidator(_identifier)]
_Optional = BeforeValidator(_none_if_empty)
# With a limit, pydantic also refuses lone surrogates, which no table or address can contain.
_Text = Annotated[str, StringConstraints(max_length=1000)]


class _User(_Model):
    email: _Text | None = None
    first_name: _Text | None = Field(None, alias="firstName")
    last_name: _Text | None = Field(None, alias="lastName")


class _By(_Model):
    user_id: _Text = Field(alias="userId", min_length=1)
    user: Annotated[_User | None, _Optional] = None


class _Trigger(_Model):
    by: _By
    at: Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Context(_Model):
    run_id: str = Field(alias="runId")
    blueprint: Annotated[_Identifier | None, _Optional] = None
    entity: Annotated[_Identifier | None, _Optional] = None


class _Action(_Model):
    trigger: Annotated[Literal["CREATE", "DAY-2", "DELETE"], BeforeValidator(_operation)]


class _Payload(_Model):
    action: _Action
    properties: dict[str, Any]
    # A template without `encryptedProperties` renders null.
    censored: Annotated[tuple[str, ...], BeforeValidator(_empty_if_none)] = Field(
        (), alias="censoredProperties"
    )


class _Envelope(_Model):
    action: _Identifier
    trigger: _Trigger
    context: _Context
    payload: _Payload


class _NodeRequest(_Model):
    """The payload of `port/workflows/`."""

    action: _Identifier
    operation: Annotated[Literal["CREATE", "DAY-2", "DELETE"], BeforeValidator(_operation)]
    blueprint: Annotated[_Identifier | None, _Optional] = None
    entity: Annotated[_Identifier | None, _Optional] = None
    requested_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(alias="requestedAt")
    properties: dict[str, Any]


class EndedRun(_Model):
    """Notification that a run was ended in Port, from our automations.

    Attributes:
        run_id: the run that ended.
        automation_run_id: the automation's own run, which only Slipway ends.
    """

    run_id: str
    automation_run_id: str | None = None


def is_run_id(text: str) -> bool:
    """Return whether a text has the form of an action run's id."""
    return _RUN_ID.fullmatch(text) is not None


def run_ended(value: object, prefix: str | None = None) -> EndedRun | None:
    """Read a notification of a run's end; None for other messages.

    A notification is only a reason to check: Port's own record shows whether the run has ended.

    Args:
        value: the message.
        prefix: of this installation's identifiers; None: of any installation.

    Raises:
        ForeignMessage: it is a notification, but not from an automation of Slipway.
    """
    if not _is_notice(value):
        return None
    if prefix is not None and value["action"] != f"{prefix}{_RUN_ENDED}":
        return None
    run_id = _dig(value, "context", "runId")
    own = _dig(value, "context", "automationRunId")
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise ForeignMessage("The notification names no run (context.runId).")
    if own is not None and (not isinstance(own, str) or not is_run_id(own)):
        raise ForeignMessage("The notification's own run is not valid (context.automationRunId).")
    return EndedRun(run_id=run_id, automation_run_id=own)


def identify(value: object, *, workflows: bool = False) -> str:
    """Return the run id of a decoded message that is meant for Slipway.

    The topic has messages of every action of the organisation, webhooks for Port's agent, nodes of
    workflows, and any content of their templates.

    Args:
        value: the message.
        workflows: whether runs of workflow nodes are processed.

    Raises:
        ForeignMessage: the message is meant for another consumer.
        RunNotFound: it has our form, but names no run.
    """
    if not isinstance(value, dict):
        raise ForeignMessage(f"The message is {type(value).__name__}, not an object.")
    if node := node_run_id(value):
        if not workflows or node_request(value) is None:
            raise ForeignMessage("The message is a workflow's.")
        return node
    if value.get("resourceType") != "run" or "changelogDestination" in value or "diff" in value:
        raise ForeignMessage("The message is not a run.")
    if _is_notice(value):
        raise ForeignMessage("The message is the notification of a run's end.")
    invocation = _dig(value, "payload", "action", "invocationMethod")
    if isinstance(invocation, dict) and (
        invocation.get("agent") or invocation.get("type", "KAFKA") != "KAFKA"
    ):
        raise ForeignMessage("The message is for Port's agent.")
    run_id = _dig(value, "context", "runId")
    if isinstance(run_id, str) and run_id.startswith(("wfnr_", "wfr_")):
        raise ForeignMessage("The message is a workflow's.")
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise RunNotFound("The message names no run (context.runId).")
    return run_id


def action_named(value: dict[str, Any]) -> object:
    """Return the action that an accepted message names, or None.

    `identify` must have accepted the message.
    """
    if node_run_id(value):
        return (node_request(value) or {}).get("action")
    return value.get("action")


def parse(value: dict[str, Any]) -> RunMessage:
    """Read a message that `identify` has accepted.

    Raises:
        InvalidInput: a field is missing or has another type; the text names the field and the type.
        UserError: Port itself started the run.
    """
    node = node_run_id(value)
    if node is not None:
        return _parse_node(node, node_request(value))
    by = _dig(value, "trigger", "by")
    if isinstance(by, dict) and by.get("byPort") is True and not by.get("userId"):
        raise UserError(
            "Port started this run itself, without a person or credentials. Slipway must know who "
            "requests a change. Run the action in Port."
        )
    try:
        envelope = _Envelope.model_validate(value)
    except ValidationError as error:
        raise _wrong(error) from None
    user = envelope.trigger.by.user or _User()
    names = (user.first_name, user.last_name)
    return RunMessage(
        run_id=envelope.context.run_id,
        action=envelope.action,
        blueprint=envelope.context.blueprint,
        entity=envelope.context.entity,
        operation=envelope.payload.action.trigger,
        requester=Requester(
            user_id=envelope.trigger.by.user_id,
            email=user.email or "",
            name=" ".join(name for name in names if name),
        ),
        requested_at=envelope.trigger.at,
        inputs={k: _entity_identifiers(v) for k, v in envelope.payload.properties.items()},
        censored=envelope.payload.censored,
    )


def _parse_node(run_id: str, request: object) -> RunMessage:
    """Read a node's request. It has no person and no encrypted inputs."""
    try:
        node = _NodeRequest.model_validate(request)
    except ValidationError as error:
        raise _wrong(error) from None
    return RunMessage(
        run_id=run_id,
        action=node.action,
        blueprint=node.blueprint,
        entity=node.entity,
        operation=node.operation,
        requester=Requester(user_id=run_id),
        requested_at=node.requested_at,
        inputs={k: _entity_identifiers(v) for k, v in node.properties.items()},
        censored=(),
    )


def _wrong(error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False)[0]
    return InvalidInput(
        ".".join(str(part) for part in first["loc"]),
        f"of Port's message is wrong: {first['msg']}. Use the payload template that Slipway ships",
    )


def envelope(message: RunMessage) -> dict[str, Any]:
    """Convert a message to the form that `parse` reads."""
    first, _, last = message.requester.name.partition(" ")
    user = {"email": message.requester.email, "firstName": first, "lastName": last}
    return {
        "action": message.action,
        "resourceType": "run",
        "trigger": {
            "by": {"userId": message.requester.user_id, "user": user},
            "at": message.requested_at.isoformat(),
        },
        "context": {
            "runId": message.run_id,
            "blueprint": message.blueprint,
            "entity": message.entity,
        },
        "payload": {
            "action": {"trigger": message.operation},
            "properties": message.inputs,
            "censoredProperties": list(message.censored),
        },
    }


def _is_notice(value: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(value, dict)
        and str(value.get("action")).endswith(_RUN_ENDED)
        and value.get("resourceType") == "run"
        and not {"diff", "changelogDestination"} & value.keys()
    )


def _dig(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _entity_identifiers(value: object) -> object:
    """Return the identifier of an input of format `entity`.

    Version 2 sends the whole entity, version 1 its identifier.
    """
    if isinstance(value, list):
        return [_entity_identifier(item) for item in value]
    return _entity_identifier(value)


def _entity_identifier(value: object) -> object:
    whole = {"identifier", "blueprint", "properties", "relations"}
    if isinstance(value, dict) and whole <= value.keys():
        return value["identifier"]
    return value
