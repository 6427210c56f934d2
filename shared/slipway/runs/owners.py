"""Whether the owner of a lock, a run of Port or a remediation's execution, has ended."""

from typing import TYPE_CHECKING

from slipway.errors import RunNotFound
from slipway.runs import executions
from slipway.runs.lock import Owner

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def is_over(owner: Owner, port: "PortClient", remediation_machine_arn: str) -> bool:
    """Whether an owner has ended, or is not known any more."""
    if owner.kind == "run":
        return run_is_over(port, owner.id)
    return executions.status(remediation_machine_arn, owner.id) != "RUNNING"


def run_is_over(port: "PortClient", run_id: str) -> bool:
    """Whether a run has ended, or Port does not know it."""
    try:
        return port.get_run(run_id).ended
    except RunNotFound:
        return True
