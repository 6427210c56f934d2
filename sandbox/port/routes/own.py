"""The server's own routes: health, raw messages, what no client of Port can do."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import select

from sandbox.port import auth, node_runs
from sandbox.port.errors import invalid, not_found
from sandbox.port.outbox import enqueue
from sandbox.port.services import ServicesDep
from sandbox.port.signature import stringify
from sandbox.port.store import NodeRun, OutboxMessage
from sandbox.port.work import Caller, bare_work

Json = dict[str, Any]
router = APIRouter()


class _RawMessage(BaseModel):
    """A message: `json` any value, or `text` as it stands; null in both is a tombstone.

    `topic` is a topic's full name, or `runs` or `change.log` of the organisation.
    """

    model_config = ConfigDict(extra="forbid")

    topic: str
    text: str | None = None
    value: Any = None

    @model_validator(mode="after")
    def _is_one(self) -> "_RawMessage":
        if self.text is not None and self.value is not None:
            raise ValueError('use either "text" or "value", not both')
        return self


class _Reached(BaseModel):
    model_config = ConfigDict(extra="forbid")

    payload: dict[str, Any] | list[Any]


class _Redelivery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    run_id: str


@router.get("/_sandbox/health")
def health(services: ServicesDep) -> Json:
    """200 once the server answers; `unsent` counts the messages that wait for the broker."""
    with services.store.transaction() as db:
        unsent = db.query(OutboxMessage).where(OutboxMessage.sent_at.is_(None)).count()
    return {"ok": True, "unsent": unsent}


@router.post("/_sandbox/expire-tokens")
def expire_tokens(services: ServicesDep) -> Json:
    """Make every access token invalid."""
    with services.store.transaction() as db:
        auth.expire_all(db)
    return {"ok": True}


@router.post("/_sandbox/publish")
def publish(message: _RawMessage, services: ServicesDep) -> Json:
    """Send a message as it stands, behind those that wait."""
    topics = {
        "runs": services.settings.runs_topic,
        "change.log": services.settings.change_log_topic,
    }
    topic = topics.get(message.topic, message.topic)
    if not topic.startswith(f"{services.settings.org_id}."):
        raise invalid(f"The topic must be one of {services.settings.org_id}")
    text = message.text if message.value is None else stringify(message.value)
    with services.store.transaction() as db:
        enqueue(db, topic, None if text is None else text.encode())
    services.outbox.wake()
    return {"ok": True}


@router.post("/_sandbox/node-runs")
def reach_node(reached: _Reached, services: ServicesDep) -> Json:
    """Let a workflow reach a KAFKA node with a payload."""
    itself = Caller(user_id=services.settings.client_id)
    with bare_work(services.store, services.settings, itself) as work:
        identifier = node_runs.reach(work, reached.payload)
    services.outbox.wake()
    return {"ok": True, "nodeRun": identifier}


@router.get("/_sandbox/node-runs/{identifier}")
def show_node_run(identifier: str, services: ServicesDep) -> Json:
    """Return the result of a node run, which no route of Port's API shows."""
    with services.store.transaction() as db:
        run = db.get(NodeRun, identifier)
        if run is None:
            raise not_found("Node run", identifier)
        return {"ok": True, "nodeRun": {**node_runs.view(run), "logs": run.logs}}


@router.post("/_sandbox/redeliver")
def redeliver(wanted: _Redelivery, services: ServicesDep) -> Json:
    """Send a run's message, or its request, once more."""
    by_kafka = OutboxMessage.topic == services.settings.runs_topic
    sent = by_kafka | OutboxMessage.request.is_not(None)
    of_run = (OutboxMessage.run_id == wanted.run_id) & sent
    with services.store.transaction() as db:
        message = db.scalars(select(OutboxMessage).where(of_run)).first()
        if message is None:
            raise not_found("Message of run", wanted.run_id)
        enqueue(db, message.topic, message.value, wanted.run_id, message.request)
    services.outbox.wake()
    return {"ok": True}


@router.get("/_sandbox/messages")
def messages(
    services: ServicesDep, topic: str | None = None, run_id: str | None = None, limit: int = 100
) -> Json:
    """Return what was published, newest first, with the time at which the broker took it."""
    statement = select(OutboxMessage).order_by(OutboxMessage.number.desc()).limit(limit)
    if topic is not None:
        statement = statement.where(OutboxMessage.topic == topic)
    if run_id is not None:
        statement = statement.where(OutboxMessage.run_id == run_id)
    with services.store.transaction() as db:
        found = [
            {
                "number": row.number,
                "topic": row.topic,
                "value": None if row.value is None else row.value.decode(),
                "runId": row.run_id,
                "createdAt": row.created_at,
                "sentAt": row.sent_at,
                "error": row.error,
            }
            for row in db.scalars(statement)
        ]
    return {"ok": True, "messages": found}
