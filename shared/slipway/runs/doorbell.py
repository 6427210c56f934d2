"""Trust a message only for a run's existence and encrypted inputs.

Everything else comes from Port's own record of the run. Otherwise an actor who may write to the
topic could make a valid run change another service, use other inputs, or act in another person's
name.
"""

from typing import TYPE_CHECKING

from slipway.kafka import KafkaRecord
from slipway.observability import Metric, count, logger
from slipway.port.message import Requester, RunMessage, envelope, parse

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run


def record_by_port(record: KafkaRecord, run: "Run", port: "PortClient") -> KafkaRecord:
    """Return a record whose content comes from Port's own record of the run.

    A difference is counted, but does not stop the run: Port does not promise that its template
    renders inputs like its record.

    Args:
        record: the Kafka record.
        run: Port's record of the run.
        port: finds the people.

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
            "requester": _requester(message.requester, run, port),
            "inputs": run.properties | secret,
        }
    )
    known = parse(envelope(known))
    facts = zip(_compared(message), _compared(known), strict=True)
    if differing := [name for (name, one), (_, other) in facts if one != other]:
        logger.warning(
            "The message differs from Port's record",
            extra={"security": True, "differing": differing},
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


def _requester(claimed: Requester, run: "Run", port: "PortClient") -> Requester:
    """Return the person who executed the action.

    The message's address is only a hint for the lookup.
    """
    user = port.get_user(claimed.email) if claimed.email else None
    if user is None or not user.id or user.id != run.created_by:
        return Requester(user_id=run.created_by or "unknown")
    return Requester(user_id=user.id, email=user.email, name=user.name)
