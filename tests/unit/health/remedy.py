"""A monitored service: moto's AWS, and stand-ins for Port, GitHub, people and the clock."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from slipway.changes.repair import repair_hash
from slipway.config import SubscriptionsConfig, load
from slipway.health import change_consumer, steps
from slipway.health.alerts import Alerts
from slipway.health.change_consumer import ChangeConsumer
from slipway.health.finding import Finding
from slipway.health.row import ServiceRow
from slipway.health.steps import RemediationConfig, RemediationSteps
from slipway.health.store import RemediationStore
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import service_locks
from slipway.sweep import stopped

from tests.fakes.port import FakePort
from tests.fakes.repository import FakeRepository
from tests.unit.conftest import store_record
from tests.unit.health.story import BEGIN, HEALTHY, UNHEALTHY, URL, make_policy

SERVICE = "my-service"
KEY = f"service/{SERVICE}"
AUTOMATIONS, CHANGE_LOG = "org_test.runs-0", "org_test.change.log-0"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation"
Answer = dict[str, Any]


def policy(**changes: Any) -> bytes:
    """Make a policy document with short times that restarts by default."""
    known: dict[str, Any] = {"strategies": [{"kind": "restart", "wait_seconds": 5}]}
    return make_policy(**(known | changes)).model_dump_json().encode()


def port_data(**changes: str) -> str:
    """Return the service's reviewed `portData.json`."""
    said = {"identifier": SERVICE, "blueprint": "service", "environment": "Test"}
    return json.dumps(said | changes)


def remedy_repository() -> FakeRepository:
    """Make the services repository with the files of the service."""
    repository = FakeRepository(service=SERVICE)
    repository.folder = {"portData.json": port_data(), "common_values.json": '{"replicas": 2}'}
    return repository


class World:
    """The service, other writers, and the remediation executions.

    Attributes:
        now: the time.
        look: the finding of a probe.
        probed: the probed URLs and settings.
        decide: the answer of people to a request for approval.
        asked: the requests for approval.
        partition: where changes are published, by default those of automations.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = BEGIN
        self.port, self.github = FakePort(lambda: self.now), remedy_repository()
        self.port.action = "service_health_changes"
        self.port.entities[SERVICE] = {
            "health_status": "Healthy",
            "environment": "Test",
            "replicas": 2,
            "health_url": URL,
        }
        self.look: Callable[[], Finding] = lambda: HEALTHY
        self.probed: list[dict[str, Any]] = []
        self.decide: Callable[[], dict[str, Any]] = lambda: self.decision(granted=True)
        self.asked: list[dict[str, Any]] = []
        self.store = RemediationStore("remediations")
        self.config: RemediationConfig = load(RemediationConfig)
        self.set_policy()
        self.offset = 0
        self.partition = AUTOMATIONS
        clock = type("Clock", (datetime,), {"now": classmethod(lambda _cls, _zone: self.now)})
        for module in (steps, stopped, change_consumer):
            monkeypatch.setattr(module, "datetime", clock)
        monkeypatch.setattr(steps, "_repairs", lambda repository: repository)
        monkeypatch.setattr(steps, "_workflows", lambda repository: repository.workflows)
        monkeypatch.setattr("slipway.sweep.sweep.port_client", lambda: self.port)
        monkeypatch.setattr(change_consumer, "port_client", lambda _retry_budget: self.port)
        queue = boto3.client("sqs").create_queue(QueueName="people")["QueueUrl"]
        arn = "arn:aws:sqs:eu-west-1:123456789012:people"
        boto3.client("sns").subscribe(
            TopicArn=self.config.alerts_topic_arn,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )
        self._queue = queue

    # -- actions of others

    def set_policy(self, **changes: Any) -> None:
        """Store a policy that restarts by default."""
        store_record("policy/remediation.json", policy(**changes))

    def change(self, **properties: Any) -> dict[str, Any]:
        """Change the entity as another writer; return the value of the record about it."""
        before = dict(self.port.entities[SERVICE])
        self.port.entities[SERVICE].update(properties)
        self.port.updated[SERVICE] = self.now
        return changed(before, self.port.entities[SERVICE], self.now)

    def deliver(self, *values: Any) -> dict[str, Any]:
        """Deliver records to the health checker as one batch."""
        return self.read(self.event(*values))

    @staticmethod
    def read(event: dict[str, Any]) -> dict[str, Any]:
        """Give an event to the health checker; the same event again is a redelivery."""
        return ChangeConsumer(load(SubscriptionsConfig)).handle(event)

    def event(self, *values: Any) -> dict[str, Any]:
        """Make an event of the event source mapping: bytes unchanged, anything else as JSON."""
        records = []
        by_automation = self.partition == AUTOMATIONS
        for given in values:
            value = with_own_run(given, self.offset) if by_automation else given
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            topic, _, partition = self.partition.rpartition("-")
            record: dict[str, Any] = {
                "topic": topic,
                "partition": int(partition),
                "offset": self.offset,
                "timestamp": 0,
            }
            if value is not None:
                record["value"] = base64.b64encode(raw).decode()
            records.append(record)
            self.offset += 1
        return {"eventSource": "SelfManagedKafka", "records": {self.partition: records}}

    def become_unhealthy(self, status: str = "Degraded") -> "Machine":
        """Report the service as unhealthy; return the execution that starts."""
        self.deliver(self.change(health_status=status))
        return self.machine()

    def decision(self, *, granted: bool) -> dict[str, Any]:
        """Return a decision that people made just now."""
        shown = self.row.state.shown or ()
        return {
            "granted": granted,
            "at": self.now.isoformat(),
            "sentence": "By lead@acme.example.",
            "change_hash": repair_hash(KEY, self.row.owner, shown),
        }

    # -- results

    def machine(self) -> "Machine":
        """Return the running execution."""
        return Machine(self, self.row.execution or "")

    @property
    def row(self) -> ServiceRow:
        record = self.store.get(KEY)
        assert record is not None
        return record

    @property
    def entity(self) -> dict[str, Any]:
        return self.port.entities[SERVICE]

    @property
    def locks(self) -> ServiceLocks:
        port: Any = self.port
        return service_locks(self.config, port)

    def holder(self) -> str | None:
        item = boto3.client("dynamodb").get_item(TableName="locks", Key={"service": {"S": KEY}})
        return item["Item"]["owner"]["S"] if "Item" in item else None

    def alerts(self) -> list[str]:
        """Return the alerts since the last call."""
        texts: list[str] = []
        while True:
            answer = boto3.client("sqs").receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, VisibilityTimeout=60
            )
            if not answer.get("Messages"):
                return texts
            texts += [message["Body"] for message in answer["Messages"]]

    def steps(self) -> RemediationSteps:
        """Make the steps, as each invocation does."""
        port: Any = self.port
        github: Any = self.github
        alerts = Alerts(self.config.alerts_topic_arn, None)
        return RemediationSteps(self.config, port, lambda place: github, alerts)


class Machine:
    """An execution of the remediation machine, state by state.

    Attributes:
        next: the next state.
        answer: the answer of the previous step.
        decisions: the answers of the function, in order.
    """

    def __init__(self, world: World, execution: str, service: str = KEY) -> None:
        self._world = world
        self.execution = execution
        self.service = service
        self.next = "Decide"
        self.answer: Answer = {}
        self.path: list[str] = []

    def take(self, step: str, **event: Any) -> Answer:
        """Run a step of the function."""
        payload = {
            "schema_version": 1,
            "step": step,
            "service": self.service,
            "execution": self.execution,
        }
        answer = self._world.steps().run(json.loads(json.dumps({"step": step} | payload | event)))
        return dict(json.loads(json.dumps(answer)))

    def advance(self, *, crash: bool = False) -> str:
        """Enter the next state; with `crash` it does its work, but its answer is lost.

        Returns:
            The state after it.
        """
        world, answer = self._world, self.answer
        match self.next:
            case "Decide":
                answer = self.take("decide")
            case "Probe":
                world.probed.append(answer["probe"])
                url = answer["probe"]["url"]
                finding = world.look().model_copy(update={"url": url})
                look = {"number": answer["number"], "finding": finding.model_dump()}
                answer = self.take("decide", look=look)
            case "Wait":
                world.now = max(world.now, datetime.fromisoformat(answer["until"]))
                answer = self.take("decide")
            case "Ask":
                world.asked.append(answer["repair"])
                answer = self.take("decide", decision=world.decide())
            case "Repair":
                answer = self.take("repair")
            case "Finish":
                answer = self.take("finish")
            case other:
                raise AssertionError(f"The machine knows no state {other}.")
        if not crash:
            self.path.append(self.next)
            self.answer, self.next = answer, answer["next"]
        return self.next

    def until(self, *states: str, most: int = 400) -> "Machine":
        """Run until one of these states is next."""
        for _ in range(most):
            if self.next in states:
                return self
            self.advance()
        raise AssertionError(f"none of {states} within {most} states: {self.path[-9:]}")

    def run(self) -> "Machine":
        """Run to the end."""
        return self.until("Done")


def with_own_run(value: Any, number: int) -> Any:
    """Make a change that an automation publishes by a run of its own."""
    match value:
        case {"resourceType": "entity", "context": dict(context)}:
            return {**value, "context": {**context, "automationRunId": own_run(number)}}
    return value


def own_run(number: int) -> str:
    """Return the automation's run for the record at an offset."""
    return f"r_{number:016}"


def changed(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    at: datetime,
    blueprint: str = "service",
    entity: str = SERVICE,
) -> dict[str, Any]:
    """Make the value of a record on the change log."""

    def side(properties: dict[str, Any] | None) -> dict[str, Any] | None:
        if properties is None:
            return None
        return {
            "identifier": entity,
            "blueprint": blueprint,
            "title": "My service",
            "properties": dict(properties),
            "relations": {},
            "updatedAt": at.isoformat().replace("+00:00", "Z"),
        }

    return {
        "action": "UPDATE",
        "resourceType": "entity",
        "status": "SUCCESS",
        "trigger": {"at": at.isoformat().replace("+00:00", "Z"), "by": {"userId": "u"}},
        "context": {"entity": entity, "blueprint": blueprint},
        "diff": {"before": side(before), "after": side(after)},
    }


def executions(machine: str = MACHINE) -> dict[str, Any]:
    """Return the executions of a state machine: name → input."""
    states = boto3.client("stepfunctions")
    found = states.list_executions(stateMachineArn=machine)["executions"]
    return {
        each["name"]: json.loads(
            states.describe_execution(executionArn=each["executionArn"])["input"]
        )
        for each in found
    }


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def unhealthy_until_restarted(world: World) -> Callable[[], Finding]:
    """Make a service that is unhealthy until a restart was requested."""
    return lambda: HEALTHY if world.github.restarted else UNHEALTHY
