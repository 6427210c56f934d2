"""Everything that the approval function does, wired to AWS, Port and GitHub."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from slipway.approvals.audit import AuditTrail
from slipway.approvals.decision import Ballot, outcome, read_change, read_comment, read_verdict
from slipway.approvals.desk import DecisionDesk
from slipway.approvals.links import Link, read
from slipway.approvals.models import Status, approval_id
from slipway.approvals.notices import Notices
from slipway.approvals.permission import STEPS, Permission
from slipway.approvals.request import BLUEPRINT, asked_at, entity
from slipway.approvals.steps import Steps
from slipway.approvals.store import ApprovalStore
from slipway.catalog.keys import split_key
from slipway.changes.change import request_key
from slipway.changes.policy import PolicyVersion
from slipway.changes.policy_document import read_policy
from slipway.changes.requester import is_machine
from slipway.config import ApprovalsConfig, LinkKey, load, read_previous_secret, read_secret
from slipway.errors import NotAnApprover, RunEnded, RunNotFound, UserError
from slipway.github.models import PullRequest, run_branch
from slipway.observability import Metric, count, logger, register_secret
from slipway.port.message import EndedRun
from slipway.reports.report import remove_pending
from slipway.reports.resources import find_known
from slipway.runs.clients import port_client, services_repository
from slipway.runs.consumer import ConsumerConfig, read_message
from slipway.runs.ledger import Ledger
from slipway.runs.records import get_record
from slipway.runs.run import ActiveRun, RunReporter, service_locks
from slipway.slack import slack_webhook

# Of the automations in `port/automations/`, after the action's identifier.
AUTOMATION_SUFFIX = "_ended"


class ApprovalConfig(ConsumerConfig, ApprovalsConfig):
    """What Terraform tells the approval function."""


class ApprovalFunction:
    """Made for one invocation."""

    @cached_property
    def config(self) -> ApprovalConfig:
        """The function's environment."""
        config: ApprovalConfig = load(ApprovalConfig)
        return config

    @cached_property
    def desk(self) -> DecisionDesk:
        """Where decisions are taken."""
        config = self.config
        store = ApprovalStore(config.approvals_table, config.records_bucket)
        audit = AuditTrail(config.audit_bucket)
        return DecisionDesk(store, audit, port_client(), self.policy)

    @cached_property
    def notices(self) -> Notices:
        """What tells the approvers."""
        config = self.config
        webhook = slack_webhook(config.slack_secret_id)
        return Notices(config.approvals_topic_arn, self._link_key, webhook)

    @cached_property
    def ledger(self) -> Ledger:
        """What Slipway knows of the runs."""
        return Ledger(self.config.runs_table)

    def take_step(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take the step that a state machine, or an operator's script, asks for."""
        if event["step"] in STEPS:
            permission = Permission(
                str(event["execution"]),
                self.desk,
                self.notices,
                self.policy,
                self.config,
                self.config.links_base_url,
            )
            return permission.take(event["step"], event)
        run_id = str(event["run_id"])
        if event["step"] == "cancel":
            self.withdraw(EndedRun(run_id=run_id))
            return {"next": "Done"}
        steps = Steps(
            self._run(run_id),
            self.desk,
            self.notices,
            self.policy,
            self.config.links_base_url,
        )
        return steps.take(event["step"], event)

    def decide_by_port(self, run: ActiveRun) -> None:
        """Carry out a run of *Decide Approval*; the run ends with the answer.

        Port's own record of the run says what was decided on which request, and who executed it.
        The message only gives an address to look the person up by.

        Raises:
            DecisionRefused: the vote does not count.
        """
        approver, told = run.message.requester.email, run.port.get_run(run.run_id)
        # Machine credentials can act in any person's name.
        if is_machine(run.port, approver, told.created_by, told.impersonated_by):
            raise NotAnApprover(
                "Port does not say which person executed this action, so nothing was decided. "
                "Decide as a person, not with machine credentials."
            )
        ballot = Ballot(
            approver,
            read_verdict(told.properties.get("decision")),
            "Port",
            read_comment(told.properties.get("comment")),
            read_change(told.properties.get("change")),
            run_id=run.run_id,
        )
        approval = self.desk.decide(told.entity or "", ballot)
        run.report.succeed(outcome(approval), label=ballot.verdict.title() + "d")

    def read_link(self, token: str) -> Link:
        """Read the token of an approval link.

        Raises:
            LinkRejected: it is not valid.
        """
        return read(token, self._link_keys(), datetime.now(UTC))

    def withdraw(self, ended: EndedRun) -> None:
        """Clear up after a run that somebody ended in Port."""
        if ended.automation_run_id:
            self._end_automation(ended.automation_run_id)
        # A function that is killed at this moment leaves more. The sweep comes by when none is at
        # work any more.
        if action := self.clear_up(ended.run_id, for_good=False):
            count(Metric.RUN_ENDED_BY_SOMEBODY, action=action)

    def clear_up(self, run_id: str, *, for_good: bool = True) -> str | None:
        """Take back what a run has left that has ended: request, pull request, new entity, lock.

        A run that Slipway ended itself has left nothing.

        Args:
            run_id: the run.
            for_good: whether nobody needs to look at it again.

        Returns:
            Its action; None if there is nothing to clear up.
        """
        port = port_client()
        run = port.get_run(run_id)
        row = self.ledger.get(run_id)
        if not run.ended or row is None or row.get("outcome"):
            logger.info("Nothing to clear up", extra={"status": run.status})
            return None
        # A run that did not get far has a row without an action or entity, and holds nothing.
        action = str(row.get("action", run.action))
        if ask := row.get("ask"):
            self.cancel_request(run_id, int(ask))
        pull = self._close_pull(run_branch(action, run_id), row)
        if pull and pull.state == "closed":
            self._remove_pending(action, row, pull.url)
        if "service" in row:
            service_locks(self.config, port).release(str(row["service"]), run_id)
        if for_good:
            self.ledger.close(run_id, run.status)
        return action

    def _close_pull(self, branch: str, row: dict[str, Any]) -> PullRequest | None:
        """Close a run's pull request; a run that noted no repository has none."""
        if "repository" not in row:
            return None
        place = self.policy().policy.place(str(row["repository"]))
        repository = services_repository(self.config, place)
        return repository.close(branch, "The run was ended in Port.", number=row.get("pr_number"))

    def _remove_pending(self, action: str, row: dict[str, Any], url: str) -> None:
        """Remove the entity that a create has added."""
        port, name = port_client(), action.removeprefix(self.config.identifier_prefix)
        try:
            known = find_known(self.config, port, row, name)
        except UserError as error:
            logger.warning("The entity is not known", extra={"why": str(error)})
            return
        if known.operation == "create":
            remove_pending(port, known.resource, url)

    @staticmethod
    def _end_automation(run_id: str) -> None:
        """End the run of the automation that told us: nobody else does."""
        port = port_client()
        with suppress(RunEnded, RunNotFound):
            # A notice is no proof: it must not end any other run.
            if port.get_run(run_id).action.endswith(AUTOMATION_SUFFIX):
                port.update_run(run_id, status="SUCCESS")

    def cancel_request(self, run_id: str, ask: int) -> None:
        """Close a request for which nobody waits any more, unless it was decided.

        Args:
            run_id: what asked: a run, or the execution of a remediation.
            ask: counts its requests.

        Raises:
            RequestNotFound: it has not asked.
        """
        approval = self.desk.settle(approval_id(run_id, ask), Status.CANCELLED)
        if approval.status is not Status.CANCELLED:
            return
        config = self.config
        body = entity(
            approval,
            run_url=asked_at(approval, config),
            service_url=config.entity_url(*split_key(approval.service)),
        )
        port_client().upsert_entity(BLUEPRINT, body)

    def _run(self, run_id: str) -> ActiveRun:
        """The run as it was asked for, from its stored record."""
        config, port = self.config, port_client()
        record = get_record(config.records_bucket, request_key(run_id))
        message = read_message(record, config)
        return ActiveRun(
            message=message,
            record=record,
            created_by="",
            config=config,
            port=port,
            ledger=self.ledger,
            locks=service_locks(config, port),
            report=RunReporter(run_id, message.action, port, self.ledger),
        )

    def policy(self) -> PolicyVersion:
        """The approval policy as it is now."""
        return read_policy(self.config.records_bucket, self.config.policy_key)

    def _link_key(self) -> str:
        key = read_secret(LinkKey, self.config.links_secret_id).key.get_secret_value()
        register_secret(key)
        return key

    def _link_keys(self) -> Iterator[str]:
        yield self._link_key()
        if previous := read_previous_secret(LinkKey, self.config.links_secret_id):
            register_secret(previous.key.get_secret_value())
            yield previous.key.get_secret_value()
