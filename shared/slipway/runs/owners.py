"""A lock's owner, a run of Port or a remediation's execution: which, and is it over?"""

import re
from typing import TYPE_CHECKING

from slipway.errors import RunNotFound
from slipway.runs import executions

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# What `execution_name` of `slipway.health.row` makes, of which there is a test. It is here, as
# every function looks at owners, and few need the models of health, which take long to import.
_EXECUTION = re.compile(r"[0-9a-f]{32}-[1-9][0-9]*")


def is_execution(owner: str) -> bool:
    """Whether the owner is a remediation's execution; else it is a run."""
    return _EXECUTION.fullmatch(owner) is not None


def run_is_over(port: "PortClient", run_id: str) -> bool:
    """Whether a run has ended, or Port does not know it."""
    try:
        return port.get_run(run_id).ended
    except RunNotFound:
        return True


def remediation_is_over(machine_arn: str, execution: str) -> bool:
    """Whether a remediation has ended, or Step Functions does not know it (any more)."""
    return executions.status(machine_arn, execution) != "RUNNING"
