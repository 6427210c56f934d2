"""The net under the state machines: runs whose execution is gone."""

from slipway.approvals.function import ApprovalFunction
from slipway.config import load
from slipway.observability import logger
from slipway.port.message import EndedRun
from slipway.runs.clients import port_client
from slipway.runs.ledger import Ledger
from slipway.runs.run import RunConfig, RunReporter


def stopped(execution: str, status: str) -> None:
    """Look after the run of an execution that did not end by itself.

    One that failed holds its run: an operator resumes or cancels it. One that was aborted or timed
    out waits for nobody any more, so its run ends, its request is withdrawn and its service freed.
    A run that has a pull request is left to that.

    Args:
        execution: the execution's name: the run id, or `<run id>-<n>` of a resumed one.
        status: FAILED, ABORTED or TIMED_OUT.
    """
    run_id = execution.partition("-")[0]
    logger.append_keys(run_id=run_id)
    port, ledger = port_client(), Ledger(load(RunConfig).runs_table)
    row = ledger.get(run_id)
    if row is None or row.get("outcome") or port.get_run(run_id).ended:
        logger.info("The run has ended before", extra={"execution": execution})
        return
    report = RunReporter(run_id, str(row["action"]), port, ledger)
    if status == "FAILED":
        report.held(execution)
    elif row.get("pr_number"):
        report.remark(f"Execution {execution} has {status}; the pull request stays as it is.")
    else:
        how = "was stopped by an operator" if status == "ABORTED" else "took too long"
        sentence = (
            f"Waiting for the approval {how}. Start the action again if the change is still wanted."
        )
        port.add_log(run_id, sentence)
        port.update_run(run_id, status="FAILURE", status_label="Stopped", summary=sentence)
        ApprovalFunction().withdraw(EndedRun(run_id=run_id))
