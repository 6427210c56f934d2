"""Trust a message only for a run's existence and encrypted inputs.

Everything else comes from Port's own record of the run. Otherwise an actor with write access to the
topic could make a valid run change another service. The actor could also change its inputs, or act
in another person's name.
"""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from slipway.kafka import Delivery, KafkaRecord, RecordOutcome
from slipway.observability import Metric, count, logger
from slipway.port.message import Requester, RunMessage, envelope, parse
from slipway.runs.records import put_record

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run, User

_DOORBELL = "doorbell"


class DoorbellBatch:
    """A run whose message never came, for which the sweep rings.

    Args:
        run_id: the run.
        action: its action.
        function_name: of this function.
        bucket: the records bucket.
    """

    delivery: ClassVar[Delivery] = "first"

    def __init__(self, run_id: str, action: str, function_name: str, bucket: str) -> None:
        self._run_id = run_id
        self._action = action
        self._function_name = function_name
        self._bucket = bucket

    def records(self) -> Sequence[KafkaRecord]:
        """Return a record in place of the run's message."""
        return [ring(self._run_id, self._action)]

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return the outcome.

        Lambda keeps no record of an invocation that fails, so the record joins the failed ones.
        """
        (outcome,) = outcomes
        if outcome.outcome == "failed":
            record = {**outcome.record.raw, "function_name": self._function_name}
            put_record(self._bucket, f"held/{self._run_id}.json", record, replace=True)
        return outcome.shown()


def ring(run_id: str, action: str) -> KafkaRecord:
    """Return a record in place of a run's message, which never came."""
    value = {"action": action, "resourceType": "run", "context": {"runId": run_id}}
    return KafkaRecord.read(
        {
            "topic": _DOORBELL,
            "partition": 0,
            "offset": 0,
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "value": base64.b64encode(json.dumps(value).encode()).decode(),
            "source": _DOORBELL,
        }
    )


def claimed_person(record: KafkaRecord, port: "PortClient") -> "User | None":
    """Return the person of the message's address, which is only a hint for the lookup.

    A doorbell's record names none.

    Raises:
        InvalidInput: the message cannot be read.
    """
    if record.source == _DOORBELL:
        return None
    return port.get_user(parse(record.value).requester.email)


def record_by_port(
    record: KafkaRecord, run: "Run", person: "User | None", port: "PortClient"
) -> KafkaRecord:
    """Return a record whose content comes from Port's own record of the run.

    A difference is counted, but does not stop the run: Port does not promise that its template
    renders inputs like its record.

    Args:
        record: the Kafka record.
        run: Port's record of the run.
        person: the person of the address in the message.
        port: finds the people.

    Raises:
        InvalidInput: the message cannot be read.
    """
    if record.source == _DOORBELL:
        return record.with_value(envelope(_unheard(run, port)))
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
            "The message differs from Port's record",
            extra={"security": True, "differing": differing},
        )
        count(Metric.MESSAGE_DIFFERS, action=run.action)
    return record.with_value(envelope(known))


def _unheard(run: "Run", port: "PortClient") -> RunMessage:
    """What Port's record alone says: the sweep rings for no run with encrypted inputs."""
    person = next((user for user in port.users() if user.id and user.id == run.created_by), None)
    requester = Requester(user_id=run.created_by or "unknown")
    if person is not None and person.active:
        requester = Requester(user_id=person.id, email=person.email, name=person.name)
    message = RunMessage(
        run_id=run.id,
        action=run.action,
        blueprint=run.blueprint or None,
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


def _requester(run: "Run", user: "User | None") -> Requester:
    """Return the person who executed the action."""
    if user is None or not user.id or user.id != run.created_by:
        return Requester(user_id=run.created_by or "unknown")
    return Requester(user_id=user.id, email=user.email, name=user.name)
