"""What is done when an execution of the remediation machine did not end by itself."""

from contextlib import suppress
from datetime import UTC, datetime

from slipway.actions.text import BLUEPRINT
from slipway.approvals.function import ApprovalFunction
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
    """What is needed of the function's environment."""


def services_at_work() -> list[str]:
    """The services that are looked after, or whose execution has gone without letting them go."""
    return list(RemediationStore(load(WatchConfig).remediations_table).at_work())


def look_after(service: str) -> None:
    """Start the execution of a service's row if that was never done; let it go if that is over.

    EventBridge tells of executions that did not end by themselves; this is for the others.
    """
    config = load(WatchConfig)
    store = RemediationStore(config.remediations_table)
    remediation = store.get(service)
    if remediation is None or remediation.execution is None:
        return
    launch(store, config.remediation_machine_arn, remediation)
    status = executions.status(config.remediation_machine_arn, remediation.execution)
    if status != "RUNNING":
        # One that Step Functions does not know any more ended long ago, nobody knows how.
        known = status if status in _WHY else "FAILED"
        remediation_stopped(service, remediation.execution, known)


def remediation_stopped(service: str, execution: str, status: str) -> None:
    """Let the service of an execution go, so that its next change is looked at, and say so.

    Args:
        service: the service's identifier.
        execution: the execution's name.
        status: FAILED, ABORTED or TIMED_OUT.
    """
    config: StoppedConfig = load(StoppedConfig)
    store, port = RemediationStore(config.remediations_table), port_client()
    remediation = store.get(service)
    if remediation is None or remediation.execution != execution:
        logger.info("The service was let go before", extra={"execution": execution})
        if remediation:
            # It may have admitted the next execution, and not have come to start it.
            launch(store, config.remediation_machine_arn, remediation)
        return
    detail = f"{_WHY[status]} Set its health status to Progressing to have it looked at again."
    said = {"health_detail": f"{detail} Reference: {execution}.", CHECK_ID: f"{execution}.stopped"}
    port.update_entity(BLUEPRINT, service, said)
    # If people were asked whether it may repair, their answer has nobody to go to.
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
