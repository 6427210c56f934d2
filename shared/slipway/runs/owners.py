"""Find out whether the owner of a lock has ended.

An owner is a run of Port or a remediation's execution.
"""

from typing import TYPE_CHECKING

from slipway.errors import RunNotFound
from slipway.runs import executions
from slipway.runs.lock import Owner

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def is_over(owner: Owner, port: "PortClient", remediation_machine_arn: str) -> bool:
    """Return whether an owner has ended, or is unknown."""
    if owner.kind == "run":
        return run_is_over(port, owner.id)
    return executions.status(remediation_machine_arn, owner.id) != "RUNNING"


def run_is_over(port: "PortClient", run_id: str) -> bool:
    """Return whether a run has ended, or is unknown to Port."""
    try:
        return port.get_run(run_id).ended
    except RunNotFound:
        return True
