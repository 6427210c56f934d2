"""Start the executions that rows admit, and release services after them."""

from datetime import datetime

from slipway.catalog.keys import split_key
from slipway.health.row import ServiceRow, begun, closed
from slipway.health.store import RemediationStore
from slipway.health.subscriptions import HEALTH
from slipway.observability import Metric, count
from slipway.port.client import PortClient
from slipway.runs.executions import start_execution
from slipway.runs.lock import ServiceLocks


def launch(store: RemediationStore, machine_arn: str, row: ServiceRow) -> None:
    """Start a row's admitted execution, unless Step Functions has it."""
    if row.execution is None or row.started:
        return
    payload = {"service": row.service, "execution": row.execution}
    start_execution(machine_arn, row.execution, payload)
    admitted = row.execution

    def mark_started(stored: ServiceRow | None) -> ServiceRow | None:
        return stored.changed(started=True) if stored and stored.execution == admitted else None

    store.update(row.service, mark_started)
    count(Metric.SUBSCRIPTION_STARTED, subscription=HEALTH)


def release(
    service: str,
    execution: str,
    now: datetime,
    *,
    store: RemediationStore,
    locks: ServiceLocks,
    port: PortClient,
    machine_arn: str,
) -> None:
    """Release a service; start again if it changed since the last read.

    Args:
        service: the entity's key.
        execution: the execution that has ended.
        now: the time, in UTC.
        store: the rows.
        locks: the services' locks.
        port: Port's API.
        machine_arn: the remediation state machine.
    """
    locks.release(service, execution)
    entity = port.get_entity(*split_key(service))

    def close(stored: ServiceRow | None) -> ServiceRow | None:
        if stored is None or stored.execution != execution:
            return None
        after = closed(stored, now, entity.updated_at if entity else None)
        # An execution that never read the entity was stopped, and another one would be, too.
        changed = stored.known is not None and stored.changes > stored.known
        return begun(after, entity.properties, now) if changed and entity else after

    row = store.update(service, close)
    if row:
        launch(store, machine_arn, row)
