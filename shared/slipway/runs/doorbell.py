"""What a message is believed: that a run is there, and the ciphertext of its encrypted inputs.

Everything else comes from Port's own record of the run. An actor who may write to the topic could
otherwise have a good run change another service, or by other inputs, in another person's name.
"""

from typing import TYPE_CHECKING

from slipway.kafka import KafkaRecord
from slipway.observability import Metric, count, logger
from slipway.port.message import Requester, RunMessage, envelope, parse

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run, User


def claimed_person(record: KafkaRecord, port: "PortClient") -> "User | None":
    """The person of the address in a message, which is only a hint whom to ask for.

    Raises:
        InvalidInput: the message cannot be read.
    """
    return port.get_user(parse(record.value).requester.email)


def record_by_port(record: KafkaRecord, run: "Run", person: "User | None") -> KafkaRecord:
    """A record that says of a run what Port's own record says.

    A difference is counted, but holds no run: Port does not promise that its template renders
    inputs as its record has them.

    Args:
        record: the Kafka record.
        run: Port's record of the run.
        person: whom the message names.

    Raises:
        InvalidInput: the message cannot be read.
    """
    message = parse(record.value)
    secret = {name: message.inputs[name] for name in message.censored if name in message.inputs}
    creates = run.entity is None
    known = message.model_copy(
        update={
            "action": run.action,
            "entity": run.entity,
            "operation": "CREATE" if creates else _of_entity(message.operation),
            "requester": _requester(run, person),
            "inputs": run.properties | secret,
        }
    )
    known = parse(envelope(known))
    facts = zip(_compared(message), _compared(known), strict=True)
    if differing := [name for (name, one), (_, other) in facts if one != other]:
        logger.warning(
            "The message is not what Port has", extra={"security": True, "differing": differing}
        )
        count(Metric.MESSAGE_DIFFERS, action=run.action)
    return record.with_value(envelope(known))


def _compared(message: RunMessage) -> list[tuple[str, object]]:
    return [
        ("entity", message.entity),
        ("operation", message.operation),
        ("person", (message.requester.user_id, message.requester.email)),
        ("inputs", message.inputs),
    ]


def _of_entity(operation: str) -> str:
    return "DAY-2" if operation == "CREATE" else operation


def _requester(run: "Run", user: "User | None") -> Requester:
    """The person who executed the action."""
    if user is None or not user.id or user.id != run.created_by:
        return Requester(user_id=run.created_by or "unknown")
    return Requester(user_id=user.id, email=user.email, name=user.name)
