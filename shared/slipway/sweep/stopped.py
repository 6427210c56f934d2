"""Releases services whose remediation execution failed, timed out or was stopped."""

from contextlib import suppress
from datetime import UTC, datetime

from slipway.approvals.function import ApprovalFunction
from slipway.catalog.keys import split_key
from slipway.config import WatchConfig, load
from slipway.errors import RequestNotFound
from slipway.health.admission import launch, release
from slipway.health.changes import CHECK_ID
from slipway.health.store import RemediationStore
from slipway.observability import Metric, count, logger
from slipway.runs import executions
from slipway.runs.clients import port_client
from slipway.runs.run import RunConfig, service_locks

_WHY = {
    "ABORTED": "An operator stopped Slipway's look at this service.",
    "TIMED_OUT": "Slipway looked at this service for too long and has stopped.",
    "FAILED": "An internal error stopped Slipway's look at this service.",
}


class StoppedConfig(RunConfig, WatchConfig):
    """Settings for releasing a service."""


def services_at_work() -> list[str]:
    """List the services whose row names an execution, whether or not it still runs."""
    return list(RemediationStore(load(WatchConfig).remediations_table).at_work())


def look_after(service: str) -> None:
    """Start the execution of a service's row if it never started; release it if it has ended.

    EventBridge reports executions that fail, time out or are stopped; this covers lost events.
    """
    config = load(WatchConfig)
    store = RemediationStore(config.remediations_table)
    row = store.get(service)
    if row is None or row.execution is None:
        return
    launch(store, config.remediation_machine_arn, row)
    status = executions.status(config.remediation_machine_arn, row.execution)
    if status != "RUNNING":
        # Step Functions forgets executions in time, and then their status is not known.
        known = status if status in _WHY else "FAILED"
        remediation_stopped(service, row.execution, known)


def remediation_stopped(service: str, execution: str, status: str) -> None:
    """Release the service of an execution, and write that into the catalogue.

    Args:
        service: the entity's key.
        execution: the execution's name.
        status: FAILED, ABORTED or TIMED_OUT.
    """
    config: StoppedConfig = load(StoppedConfig)
    store, port = RemediationStore(config.remediations_table), port_client()
    row = store.get(service)
    if row is None or row.execution != execution:
        logger.info("The service was let go before", extra={"execution": execution})
        if row:
            # A crash may have left the next execution admitted but not started.
            launch(store, config.remediation_machine_arn, row)
        return
    detail = f"{_WHY[status]} Set its health status to Progressing to have it looked at again."
    properties = {
        "health_detail": f"{detail} Reference: {execution}.",
        CHECK_ID: f"{execution}.stopped",
    }
    port.update_entity(*split_key(service), properties)
    # A decision on an open approval request would have no execution to go to.
    with suppress(RequestNotFound):
        ApprovalFunction().cancel_request(execution, 1)
    count(Metric.REMEDIATION_ENDED, ending=status)
    release(
        service,
        execution,
        datetime.now(UTC),
        store=store,
        locks=service_locks(config, port),
        port=port,
        machine_arn=config.remediation_machine_arn,
    )
