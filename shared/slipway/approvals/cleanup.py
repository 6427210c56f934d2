"""Clean up after runs that ended: request, pull request, entity, lock."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slipway.approvals.audit import AuditTrail
from slipway.approvals.decisions import Decisions
from slipway.approvals.models import Status, approval_id
from slipway.approvals.request import BLUEPRINT, asked_at, entity
from slipway.approvals.settings import ApprovalConfig
from slipway.approvals.store import ApprovalStore
from slipway.catalog.keys import split_key
from slipway.changes.policy import PolicyVersion
from slipway.changes.policy_document import read_policy
from slipway.errors import RunEnded, RunNotFound, UserError
from slipway.github.models import run_branch
from slipway.observability import Metric, count, logger
from slipway.port.message import EndedRun
from slipway.reports.report import remove_pending
from slipway.reports.resources import find_known
from slipway.runs.clients import services_repository
from slipway.runs.ledger import Ledger
from slipway.runs.run import service_locks
from slipway.runs.steps import Answer, Event, Steps, step

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# Suffix of the automation that reports the end of an action's runs, after the action's identifier.
AUTOMATION_SUFFIX = "_ended"


def current_policy(config: ApprovalConfig) -> PolicyVersion:
    """Read the current approval policy."""
    return read_policy(config.records_bucket, config.policy_key)


def decisions_of(config: ApprovalConfig, port: "PortClient") -> Decisions:
    """Return the decisions of an installation."""
    store = ApprovalStore(config.approvals_table, config.records_bucket)
    audit = AuditTrail(config.audit_bucket)
    return Decisions(store, audit, port, lambda: current_policy(config))


class Cleanup(Steps):
    """Cleans up after runs; `scripts/cancel` calls it as a step.

    Args:
        config: the installation.
        port: Port's API.
    """

    def __init__(self, config: ApprovalConfig, port: "PortClient") -> None:
        self._config = config
        self._port = port
        self._ledger = Ledger(config.runs_table)
        self._decisions = decisions_of(config, port)

    @step("cancel")
    def _cancel(self, event: Event) -> Answer:
        self.withdraw(EndedRun(run_id=str(event["run_id"])))
        return {"next": "Done"}

    def withdraw(self, ended: EndedRun) -> None:
        """Clean up after a run that was ended in Port."""
        if ended.automation_run_id:
            self._end_automation(ended.automation_run_id)
        # A function that is interrupted here leaves more, which a later sweep finds.
        if action := self.clean_up(ended.run_id, final=False):
            count(Metric.RUN_ENDED_BY_USER, action=action)

    def clean_up(self, run_id: str, *, final: bool = True) -> str | None:
        """Clean up after a run that ended, unless Slipway itself ended it.

        Args:
            run_id: the run.
            final: whether later sweeps can skip the run.

        Returns:
            Its action; None if there is nothing to clean up.
        """
        run = self._port.get_run(run_id)
        row = self._ledger.get(run_id)
        if not run.ended or row is None or row.get("outcome"):
            logger.info("Nothing to clean up", extra={"status": run.status})
            return None
        # A run that stopped early has a row without an action or entity, and has locked nothing.
        action = str(row.get("action", run.action))
        if ask := row.get("ask"):
            self.cancel_request(run_id, int(ask))
        if url := self._close_pull(run_branch(action, run_id), row):
            self._remove_pending(action, row, url)
        if "service" in row:
            service_locks(self._config, self._port).release(str(row["service"]), run_id)
        if final:
            self._ledger.close(run_id, run.status)
        return action

    def _close_pull(self, branch: str, row: dict[str, Any]) -> str:
        """Close a run's pull request, if its repository still belongs to this installation.

        Returns:
            Its address; empty if there is none, or if it was merged.
        """
        if "repository" not in row:
            return ""
        place = current_policy(self._config).policy.place_of(row)
        if place is None:
            # Slipway cannot see that it is merged, so nothing else would complete its entity.
            return str(row.get("pr_url", ""))
        pull = services_repository(self._config, place).close(
            branch,
            "Slipway closed this pull request because its run was ended in Port.",
            number=row.get("pr_number"),
        )
        return pull.url if pull and pull.state == "closed" else ""

    def _remove_pending(self, action: str, row: dict[str, Any], url: str) -> None:
        """Remove the entity that a create has added."""
        name = action.removeprefix(self._config.identifier_prefix)
        try:
            known = find_known(self._config, self._port, row, name)
        except UserError as error:
            logger.warning("The entity's kind is not in the catalog", extra={"why": str(error)})
            return
        if known.operation == "create":
            remove_pending(self._port, known.resource, url)

    def _end_automation(self, run_id: str) -> None:
        """End the run of the automation that sent the notification.

        Nothing else ends that run.
        """
        with suppress(RunEnded, RunNotFound):
            # The notification is untrusted input: it must not end any other run.
            if self._port.get_run(run_id).action.endswith(AUTOMATION_SUFFIX):
                self._port.update_run(run_id, status="SUCCESS")

    def cancel_request(self, run_id: str, ask: int) -> None:
        """Cancel a request that nothing waits for, unless it was decided.

        Args:
            run_id: a run, or the execution of a remediation.
            ask: number of the request, from 1.

        Raises:
            RequestNotFound: the request does not exist.
        """
        approval = self._decisions.settle(approval_id(run_id, ask), Status.CANCELLED)
        if approval.status is not Status.CANCELLED:
            return
        config = self._config
        body = entity(
            approval,
            run_url=asked_at(approval, config),
            service_url=config.entity_url(*split_key(approval.service)),
        )
        self._port.upsert_entity(BLUEPRINT, body)
