"""Connect the approval function to AWS, Port and GitHub."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from slipway.approvals.cleanup import Cleanup, current_policy, decisions_of
from slipway.approvals.decision import Ballot, outcome, read_change, read_comment, read_decision
from slipway.approvals.links import Link, read
from slipway.approvals.notifications import Notifications
from slipway.approvals.permission import RepairApprovalSteps
from slipway.approvals.settings import ApprovalConfig
from slipway.approvals.steps import ApprovalSteps
from slipway.changes.change import request_key
from slipway.changes.policy import PolicyVersion
from slipway.changes.requester import is_machine
from slipway.config import LinkKey, load, read_previous_secret, read_secret
from slipway.errors import NotAnApprover
from slipway.kafka import KafkaRecord
from slipway.observability import register_secret
from slipway.port.message import EndedRun
from slipway.runs.clients import port_client
from slipway.runs.consumer import read_message
from slipway.runs.ledger import Ledger
from slipway.runs.records import get_record
from slipway.runs.run import ActiveRun, RunReporter, service_locks
from slipway.runs.steps import Answer, Event, Steps
from slipway.slack import slack_webhook

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def approval_function() -> "ApprovalFunction":
    """Return the function, configured by its environment."""
    return ApprovalFunction(load(ApprovalConfig), port_client())


class ApprovalFunction:
    """The approval function for one invocation.

    Args:
        config: the function's environment.
        port: Port's API.
    """

    def __init__(self, config: ApprovalConfig, port: "PortClient") -> None:
        self.config = config
        self._port = port
        self.decisions = decisions_of(config, port)
        self.cleanup = Cleanup(config, port)

    @cached_property
    def notifications(self) -> Notifications:
        """Sends notifications to the approvers."""
        config = self.config
        webhook = slack_webhook(config.slack_secret_id)
        return Notifications(config.approvals_topic_arn, self._link_key, webhook)

    def run_step(self, event: Event) -> Answer | None:
        """Run the step that a state machine or an operator's script requests."""
        return self._steps_of(event).run(event)

    def _steps_of(self, event: Event) -> Steps:
        name, base_url = str(event["step"]), self.config.links_base_url
        if RepairApprovalSteps.has(name):
            return RepairApprovalSteps(
                str(event["execution"]),
                self.decisions,
                self.notifications,
                self.policy,
                self.config,
                self._port,
                base_url,
            )
        if Cleanup.has(name):
            return self.cleanup
        run = self._run(str(event["run_id"]))
        return ApprovalSteps(run, self.decisions, self.notifications, self.policy, base_url)

    def withdraw(self, ended: EndedRun) -> None:
        """Clean up after a run that was ended in Port."""
        self.cleanup.withdraw(ended)

    def decide_by_port(self, run: ActiveRun) -> None:
        """Carry out a run of *Decide Approval*; the run ends with the answer.

        Port's own record of the run gives the request, the decision and the person. The message is
        only used for the address to look the person up.

        Raises:
            DecisionRefused: the vote does not count.
        """
        approver, noted = run.message.requester.email, run.port.get_run(run.run_id)
        # Machine credentials can act in any person's name.
        if is_machine(run.port, approver, noted.created_by, noted.impersonated_by):
            raise NotAnApprover(
                "Port does not show which person ran this action, so your decision was not "
                "recorded. Decide as a person, not with machine credentials."
            )
        ballot = Ballot(
            approver,
            read_decision(noted.properties.get("decision")),
            "Port",
            read_comment(noted.properties.get("comment")),
            read_change(noted.properties.get("change")),
            run_id=run.run_id,
        )
        approval = self.decisions.decide(noted.entity or "", ballot)
        run.report.succeed(outcome(approval), label=ballot.decision.title() + "d")

    def read_link(self, token: str) -> Link:
        """Read the token of an approval link.

        Raises:
            LinkRejected: it is not valid.
        """
        return read(token, self._link_keys(), datetime.now(UTC))

    def policy(self) -> PolicyVersion:
        """Read the current approval policy."""
        return current_policy(self.config)

    def _run(self, run_id: str) -> ActiveRun:
        """Return the run's request, from its stored record."""
        config, ledger = self.config, Ledger(self.config.runs_table)
        record = KafkaRecord.read(get_record(config.records_bucket, request_key(run_id)))
        message = read_message(record, config)
        return ActiveRun(
            message=message,
            record=record,
            created_by="",
            config=config,
            port=self._port,
            ledger=ledger,
            locks=service_locks(config, self._port),
            report=RunReporter(run_id, message.action, self._port, ledger),
        )

    def _link_key(self) -> str:
        key = read_secret(LinkKey, self.config.links_secret_id).key.get_secret_value()
        register_secret(key)
        return key

    def _link_keys(self) -> Iterator[str]:
        yield self._link_key()
        if previous := read_previous_secret(LinkKey, self.config.links_secret_id):
            register_secret(previous.key.get_secret_value())
            yield previous.key.get_secret_value()
