"""Release services whose remediation execution did not end by itself."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slipway.catalog.keys import split_key
from slipway.config import RemediationsConfig
from slipway.errors import RequestNotFound
from slipway.health.admission import launch, release
from slipway.health.changes import CHECK_ID
from slipway.health.store import RemediationStore
from slipway.observability import Metric, count, logger
from slipway.runs import executions
from slipway.runs.run import RunConfig, service_locks

if TYPE_CHECKING:
    from slipway.port.client import PortClient

_WHY = {
    "ABORTED": "An operator stopped Slipway's check of this service.",
    "TIMED_OUT": "Slipway's check of this service took too long and was stopped.",
    "FAILED": "An internal error stopped Slipway's check of this service.",
}


class StoppedConfig(RunConfig, RemediationsConfig):
    """Settings for releasing a service."""


class StoppedRemediations:
    """Releases services of executions that have ended without releasing them.

    Args:
        config: the installation.
        port: Port's API.
        cancel_request: cancels the n-th approval request of an execution.
    """

    def __init__(
        self,
        config: StoppedConfig,
        port: "PortClient",
        cancel_request: Callable[[str, int], None],
    ) -> None:
        self._config = config
        self._port = port
        self._cancel_request = cancel_request
        self._store = RemediationStore(config.remediations_table)

    def services_at_work(self) -> list[str]:
        """List services whose row names an execution, running or not."""
        return list(self._store.at_work())

    def check(self, service: str) -> None:
        """Start a row's execution if it never started; release it if it ended.

        EventBridge reports executions that fail, time out or are stopped. This also covers lost
        events.
        """
        row = self._store.get(service)
        if row is None or row.execution is None:
            return
        machine_arn = self._config.remediation_machine_arn
        launch(self._store, machine_arn, row)
        status = executions.status(machine_arn, row.execution)
        if status != "RUNNING":
            # Step Functions forgets old executions, so their status is unknown.
            known = status if status in _WHY else "FAILED"
            self.release(service, row.execution, known)

    def release(self, service: str, execution: str, status: str) -> None:
        """Release the service of an execution, and write that into the catalogue.

        Args:
            service: the entity's key.
            execution: the execution's name.
            status: FAILED, ABORTED or TIMED_OUT.
        """
        machine_arn = self._config.remediation_machine_arn
        row = self._store.get(service)
        if row is None or row.execution != execution:
            logger.info("The service is already released", extra={"execution": execution})
            if row:
                # A crash may have left the next execution admitted but not started.
                launch(self._store, machine_arn, row)
            return
        detail = f"{_WHY[status]} Set its health status to Progressing to check it again."
        properties = {
            "health_detail": f"{detail} Reference: {execution}.",
            CHECK_ID: f"{execution}.stopped",
        }
        self._port.update_entity(*split_key(service), properties)
        # A decision on an open approval request would have no waiting execution.
        with suppress(RequestNotFound):
            self._cancel_request(execution, 1)
        count(Metric.REMEDIATION_ENDED, ending=status)
        release(
            service,
            execution,
            datetime.now(UTC),
            store=self._store,
            locks=service_locks(self._config, self._port),
            port=self._port,
            machine_arn=machine_arn,
        )
