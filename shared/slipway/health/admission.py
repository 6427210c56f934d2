"""Starts the executions that rows admit, and lets services go when these have ended."""

from datetime import datetime

from slipway.actions.text import BLUEPRINT
from slipway.health.record import Record, begun, closed
from slipway.health.store import RemediationStore
from slipway.health.subscriptions import HEALTH
from slipway.observability import Metric, count
from slipway.port.client import PortClient
from slipway.runs.executions import start_execution
from slipway.runs.lock import ServiceLocks


def launch(store: RemediationStore, machine_arn: str, record: Record) -> None:
    """Start the execution that a row has admitted, unless Step Functions has it already."""
    if record.execution is None or record.started:
        return
    payload = {"service": record.service, "execution": record.execution}
    start_execution(machine_arn, record.execution, payload)
    admitted = record.execution

    def note(now: Record | None) -> Record | None:
        return now.changed(started=True) if now and now.execution == admitted else None

    store.update(record.service, note)
    count(Metric.SUBSCRIPTION_STARTED, subscription=HEALTH)


def let_go(
    service: str,
    execution: str,
    now: datetime,
    *,
    store: RemediationStore,
    locks: ServiceLocks,
    port: PortClient,
    machine_arn: str,
) -> None:
    """Let a service go; look at it anew if it has changed since the execution last read it.

    Args:
        service: the service's identifier.
        execution: what looked after it.
        now: the time, in UTC.
        store: the rows.
        locks: the services' locks.
        port: Port's API.
        machine_arn: the remediation state machine.
    """
    locks.release(service, execution)
    entity = port.get_entity(BLUEPRINT, service)

    def note(row: Record | None) -> Record | None:
        if row is None or row.execution != execution:
            return None
        after = closed(row, now, entity.updated_at if entity else None)
        # What has never read the entity was stopped before: another one would be stopped as well.
        changed = row.known is not None and row.changes > row.known
        return begun(after, entity.properties, now) if changed and entity else after

    row = store.update(service, note)
    if row:
        launch(store, machine_arn, row)
