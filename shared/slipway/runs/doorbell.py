"""What a message is believed: that a run is there, and the ciphertext of its encrypted inputs.

Everything else comes from Port's own record of the run. An actor who may write to the topic could
otherwise have a good run change another service, or by other inputs, in another person's name.
"""

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slipway.observability import Metric, count, logger
from slipway.port.message import Requester, RunMessage, envelope, parse

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run


_DOORBELL = "doorbell"


def ring(run_id: str, action: str) -> dict[str, Any]:
    """Return a record in place of a run's message, which never came."""
    value = {"action": action, "resourceType": "run", "context": {"runId": run_id}}
    return {
        "topic": _DOORBELL,
        "partition": 0,
        "offset": 0,
        "timestamp": int(datetime.now(UTC).timestamp() * 1000),
        "value": base64.b64encode(json.dumps(value).encode()).decode(),
        "source": _DOORBELL,
    }


def as_port_has_it(
    record: dict[str, Any], value: Any, run: "Run", port: "PortClient"
) -> dict[str, Any]:
    """A record that says of a run what Port's own record says.

    A difference is counted, but holds no run: Port does not promise that its template renders
    inputs as its record has them.

    Args:
        record: the Kafka record.
        value: its decoded value.
        run: Port's record of the run.
        port: knows the people.

    Raises:
        InvalidInput: the message cannot be read.
    """
    if record.get("source") == _DOORBELL:
        return _with_value(record, _unheard(run, port))
    told = parse(value)
    secret = {name: told.inputs[name] for name in told.censored if name in told.inputs}
    creates = run.entity is None
    known = told.model_copy(
        update={
            "action": run.action,
            "entity": run.entity,
            "operation": "CREATE" if creates else _of_entity(told.operation),
            "requester": _requester(told.requester, run, port),
            "inputs": run.properties | secret,
            "entity_snapshot": None,
        }
    )
    known = parse(envelope(known))
    facts = zip(_compared(told), _compared(known), strict=True)
    if differing := [name for (name, one), (_, other) in facts if one != other]:
        logger.warning(
            "The message is not what Port has", extra={"security": True, "differing": differing}
        )
        count(Metric.MESSAGE_DIFFERS, action=run.action)
    return _with_value(record, known)


def _with_value(record: dict[str, Any], message: RunMessage) -> dict[str, Any]:
    value = json.dumps(envelope(message)).encode()
    return {**record, "value": base64.b64encode(value).decode()}


def _unheard(run: "Run", port: "PortClient") -> RunMessage:
    """What Port's record alone says: the sweep rings for no run with encrypted inputs."""
    person = next((user for user in port.users() if user.id and user.id == run.created_by), None)
    requester = Requester(user_id=run.created_by or "unknown")
    if person is not None and person.active:
        requester = Requester(user_id=person.id, email=person.email, name=person.name)
    message = RunMessage(
        run_id=run.id,
        action=run.action,
        blueprint=run.blueprint,
        entity=run.entity,
        operation="CREATE" if run.entity is None else "DAY-2",
        requester=requester,
        requested_at=run.created_at or datetime.now(UTC),
        inputs=run.properties,
        censored=(),
        entity_snapshot=None,
    )
    return parse(envelope(message))


def _compared(message: RunMessage) -> list[tuple[str, object]]:
    return [
        ("entity", message.entity),
        ("operation", message.operation),
        ("person", (message.requester.user_id, message.requester.email)),
        ("inputs", message.inputs),
    ]


def _of_entity(operation: str) -> str:
    return "DAY-2" if operation == "CREATE" else operation


def _requester(told: Requester, run: "Run", port: "PortClient") -> Requester:
    """The person who executed the action; the message's address is only a hint whom to ask for."""
    user = port.get_user(told.email) if told.email else None
    if user is None or not user.id or user.id != run.created_by:
        return Requester(user_id=run.created_by or "unknown")
    return Requester(user_id=user.id, email=user.email, name=user.name)
