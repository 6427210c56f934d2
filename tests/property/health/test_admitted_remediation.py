"""In any order of events, one execution owns a service, and no other writer's change is lost."""

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, override

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slipway import aws
from slipway.changes.policy import Policy, PolicyVersion
from slipway.config import SubscriptionsConfig
from slipway.errors import RequestNotFound
from slipway.health import admission, change_consumer, steps
from slipway.health.finding import Finding
from slipway.health.limit import InstallationRow
from slipway.health.row import Row, ServiceRow
from slipway.health.steps import RemediationConfig, RemediationSteps
from slipway.health.store import Rows
from slipway.port.models import Entity
from slipway.sweep import stopped

from tests.entities import shipped
from tests.fakes.port import FakePort
from tests.unit.conftest import ENVIRONMENT, POLICY
from tests.unit.health.remedy import (
    CHANGE_LOG,
    KEY,
    SERVICE,
    Machine,
    World,
    changed,
    policy,
    remedy_repository,
)
from tests.unit.health.story import BEGIN, HEALTHY, UNHEALTHY, URL

REPORTED_UNHEALTHY = {"Progressing", "Degraded"}
statuses = st.sampled_from(["Progressing", "Degraded", "Degraded", "Healthy", "Suspended"])
actions = st.one_of(
    st.tuples(st.just("change"), statuses),
    st.tuples(st.just("deliver"), st.randoms(use_true_random=False)),
    st.tuples(st.just("step"), st.booleans()),
    st.tuples(st.just("step"), st.booleans()),
    # Another writer changes the entity at a step's n-th call to Port. That is mostly the last call,
    # where two writers can conflict.
    st.tuples(
        st.just("interrupt"),
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(["Degraded", "Progressing", "Healthy"]),
            st.booleans(),
            st.sampled_from(["Finish", "Finish", None]),
        ),
    ),
    st.tuples(st.just("finish"), st.booleans()),
    st.tuples(st.just("stop"), st.sampled_from(["FAILED", "ABORTED"])),
)


class MemoryStore[R: Row](Rows[R]):
    """The table in memory, without DynamoDB."""

    def __init__(self, rows: dict[str, R]) -> None:
        self._rows = rows

    @override
    def get(self, service: str) -> R | None:
        return self._rows.get(service)

    @override
    def _put(self, row: R) -> bool:
        before = self._rows.get(row.service)
        if before and before.version != row.version - 1:
            return False
        # Each row is serialised, as in DynamoDB.
        self._rows[row.service] = type(row).model_validate_json(row.model_dump_json())
        return True


class Catalogue(FakePort):
    """A Port that records and checks the calls."""

    def __init__(self, simulation: "Simulation") -> None:
        super().__init__(lambda: simulation.now)
        self._simulation = simulation

    def get_entity(self, blueprint: str, identifier: str) -> Entity | None:
        entity = super().get_entity(blueprint, identifier)
        row = self._simulation.row
        unhealthy = entity and entity.properties["health_status"] in REPORTED_UNHEALTHY
        if unhealthy and row and row.execution and row.ending is None:
            # A check that decides the next step, not the one that releases the service.
            self._simulation.looks.append(self._simulation.tick())
        return entity

    def update_entity(self, blueprint: str, identifier: str, properties: dict[str, Any]) -> bool:
        row = self._simulation.row
        assert row is not None
        assert row.execution is not None, "no execution is running"
        assert properties["health_check_id"].startswith(f"{row.execution}."), "another is running"
        restored = properties.keys() == {"health_status", "health_check_id"}
        if restored and properties["health_status"] in REPORTED_UNHEALTHY:
            # The overwritten status is restored, and checked as if it had just been read.
            self._simulation.looks.append(self._simulation.tick())
        return super().update_entity(blueprint, identifier, properties)


class Simulation:
    """A service, its change log, and the executions that were started."""

    def __init__(self, finding: Finding) -> None:
        self.now, self.ticks = BEGIN, 0
        self.rows: dict[str, ServiceRow] = {}
        self.shared: dict[str, InstallationRow] = {}
        self.port, self.github = Catalogue(self), remedy_repository()
        self.port.entities[SERVICE] = {
            "health_status": "Healthy",
            "environment": "Test",
            "health_url": URL,
        }
        self.finding = finding
        self.probed: list[Any] = []
        # Each record has its own partition, because partitions have no common order.
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.published = 0
        self.machines: dict[str, Machine] = {}
        self.looks: list[int] = []
        self.last_word: tuple[str, int] = ("Healthy", 0)
        self.last_stop = 0
        self.alerts_sent = 0

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    @property
    def row(self) -> ServiceRow | None:
        return self.rows.get(KEY)

    def look(self) -> Finding:
        return self.finding

    def steps(self) -> RemediationSteps:
        config = RemediationConfig.model_validate(ENVIRONMENT)
        port: Any = self.port
        github: Any = self.github
        alerts: Any = SimpleNamespace(send=self.send)
        return RemediationSteps(config, port, lambda place: github, alerts)

    def send(self, *_what: Any) -> None:
        self.alerts_sent += 1

    def start(self, _machine_arn: str, name: str, payload: dict[str, Any]) -> None:
        assert payload == {"service": KEY, "execution": name}
        world: Any = self
        if name not in self.machines:
            self.machines[name] = Machine(world, name)

    # -- events

    def change(self, status: str) -> None:
        before = dict(self.port.entities[SERVICE])
        if before["health_status"] == status:
            return
        self.now += timedelta(seconds=1)
        self.port.entities[SERVICE]["health_status"] = status
        self.port.updated[SERVICE] = self.now
        record = changed(before, self.port.entities[SERVICE], self.now)
        self.log.append((f"{CHANGE_LOG}{self.published}", record))
        self.published += 1
        self.last_word = status, self.tick()

    def deliver(self, random: Any) -> None:
        """Deliver some records in any order, some of them repeatedly."""
        batch = random.sample(self.log, random.randint(0, len(self.log)))
        self.read(batch + batch[:1])
        again = random.random() < 0.3
        self.log = self.log if again else [each for each in self.log if each not in batch]

    def read(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        event: dict[str, Any] = {"eventSource": "SelfManagedKafka", "records": {}}
        for partition, record in batch:
            place: Any = SimpleNamespace(offset=0, partition=partition)
            (records,) = World.event(place, record)["records"].values()
            event["records"].setdefault(partition, []).extend(records)
        config = SubscriptionsConfig.model_validate(ENVIRONMENT)
        assert change_consumer.ChangeConsumer(config).handle(event) == {"batchItemFailures": []}

    def open(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.next != "Done"]

    def step(self, crash: bool) -> None:
        for machine in self.open():
            machine.advance(crash=crash)

    def interrupt(self, when: tuple[int, str, bool, str | None]) -> None:
        calls, status, at_once, state = when
        if state:
            self.until(state)

        def change(_operation: str) -> None:
            nonlocal calls
            calls -= 1
            if calls == 0:
                self.change(status)
                if at_once:
                    self.read(self.log)
                    self.log = []

        self.port.fail = change
        self.step(crash=False)
        self.port.fail = lambda _operation: None

    def until(self, state: str) -> None:
        for machine in self.open():
            machine.until(state, "Done")

    def finish(self, crash: bool) -> None:
        self.until("Finish")
        self.step(crash)

    def stop(self, status: str) -> None:
        for machine in self.open()[:1]:
            machine.next = "Done"
            remediations = self.remediations()
            remediations.release(KEY, machine.execution, status)
            # EventBridge may deliver an event twice.
            remediations.release(KEY, machine.execution, status)
            self.last_stop = self.tick()

    def remediations(self) -> stopped.StoppedRemediations:
        def no_request(_execution: str, _ask: int) -> None:
            raise RequestNotFound("none")

        port: Any = self.port
        config = stopped.StoppedConfig.model_validate(ENVIRONMENT)
        return stopped.StoppedRemediations(config, port, no_request)

    def settle(self) -> None:
        """Let only the necessary events happen."""
        for _ in range(500):
            self.read(self.log)
            self.log = []
            if not self.open():
                return
            self.step(crash=False)
        raise AssertionError("it does not end")


def patched(simulation: Simulation, patch: pytest.MonkeyPatch) -> None:
    clock = type("Clock", (datetime,), {"now": classmethod(lambda _cls, _zone: simulation.now)})
    locks = SimpleNamespace(acquire=lambda *_who: None, release=lambda *_who: None)
    document = policy(quiet_seconds=604_800)
    bucket = SimpleNamespace(get_object=lambda **_key: {"Body": io.BytesIO(document)})

    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    for module in (steps, stopped, change_consumer):
        patch.setattr(module, "datetime", clock)
        patch.setattr(module, "RemediationStore", lambda _name: MemoryStore(simulation.rows))
    patch.setattr(steps, "Rows", lambda _name, _model: MemoryStore(simulation.shared))
    for module in (steps, stopped):
        patch.setattr(module, "service_locks", lambda _config, _port: locks)
    patch.setattr(aws, "s3", lambda: bucket)
    patch.setattr(steps, "_repairs", lambda repository: repository)
    patch.setattr(steps, "_workflows", lambda repository: repository.workflows)
    patch.setattr(steps, "newest_catalog", lambda _config: shipped())
    version = PolicyVersion(Policy.model_validate(POLICY), "first")
    patch.setattr(steps, "read_policy", lambda _bucket, _key: version)
    patch.setattr(change_consumer, "port_client", lambda _retry_budget: simulation.port)
    patch.setattr(admission, "start_execution", simulation.start)


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(REPORTED_UNHEALTHY)),
    st.lists(actions, max_size=10),
    st.sampled_from([HEALTHY, UNHEALTHY]),
)
# Overwritten changes, whose record arrives before or after the release of the service.
@example("Progressing", [("interrupt", (2, "Degraded", True, "Finish"))], HEALTHY)
@example("Progressing", [("interrupt", (2, "Degraded", False, "Finish"))], HEALTHY)
@example("Progressing", [("interrupt", (3, "Degraded", True, "Finish"))], HEALTHY)
def test_one_execution_runs_and_handles_the_last_change(
    beginning: str, story: list[tuple[str, Any]], finding: Finding
) -> None:
    simulation = Simulation(finding)
    with pytest.MonkeyPatch.context() as patch:
        patched(simulation, patch)
        simulation.change(beginning)
        simulation.read(simulation.log)
        for name, what in story:
            act: Callable[[Any], None] = getattr(simulation, name)
            act(what)
        simulation.settle()

    row = simulation.row
    assert row is None or row.execution is None
    # A repeated record may come before the record of a later change, and already find that change.
    causes = sum(name in {"change", "interrupt", "deliver"} for name, _ in story)
    assert len(simulation.machines) <= 1 + causes
    status, said = simulation.last_word
    if status in REPORTED_UNHEALTHY and said > simulation.last_stop:
        assert any(look > said for look in simulation.looks)
        found = simulation.port.entities[SERVICE]["health_status"]
        assert found == ("Healthy" if finding is HEALTHY else "Degraded")
    assert simulation.alerts_sent <= 1
