"""Whether the owner of a service's lock is gone: a run of Port, or a remediation's execution."""

from typing import TYPE_CHECKING

from slipway.errors import RunNotFound
from slipway.runs import executions

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def run_is_over(port: "PortClient", run_id: str) -> bool:
    """Whether a run has ended, or Port does not know it."""
    try:
        return port.get_run(run_id).ended
    except RunNotFound:
        return True


def remediation_is_over(machine_arn: str, execution: str) -> bool:
    """Whether a remediation has ended, or Step Functions does not know it (any more)."""
    return executions.status(machine_arn, execution) != "RUNNING"
