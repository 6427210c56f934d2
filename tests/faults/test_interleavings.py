"""Interleave invocations with each other and with the actions of people.

Each invocation is a thread that stops before each of its calls. The seed `FAULTS` decides which
thread continues, and how far. `FAULTS=all` draws many more stories.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from github.PullRequest import PullRequest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.draw import choice
from tests.faults.installation import EXPECTED_WARNINGS, Installation, Json
from tests.faults.observed import Observed
from tests.faults.wire import Call, Killed
from tests.faults.world import World, case

ALL = choice() == "all"
# The number of stories, and of parts that two workers can share.
STORIES, PARTS = 12, 4
# A thread that makes no call for this many seconds hangs; a call may take seconds under load.
HANGS_AFTER = 600
MOST_RUNS, MOST_AT_WORK = 4, 3
pytestmark = [EXPECTED_WARNINGS, pytest.mark.waits]


class Work(threading.Thread):
    """A piece of work that stops before each call.

    Attributes:
        over: whether it has ended.
        failed: whether it must be repeated.
    """

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self.over = self.failed = self._killed = False
        self._act = act
        self._go, self._still = threading.Event(), threading.Event()
        self.start()
        self._wait()

    def run(self) -> None:
        try:
            self.failed = self._act() is False
        except (Killed, Exception):  # noqa: BLE001 - any failure is delivered again
            self.failed = True
        self.over = True
        self._still.set()

    def stand_still(self) -> None:
        """Wait, in this thread, for permission to continue."""
        self._still.set()
        self._go.wait()
        self._go.clear()
        if self._killed:
            # The kill ends one process only: its caller starts another.
            self._killed = False
            raise Killed

    def go_on(self, calls: int) -> None:
        """Let it make a number of calls."""
        while calls and not self.over:
            self._go.set()
            self._wait()
            calls -= 1

    def end(self) -> None:
        self.go_on(1000)
        assert self.over, f"{self.name} never ends"

    def kill(self) -> None:
        self._killed = True
        self.end()
        self.failed = True

    def _wait(self) -> None:
        assert self._still.wait(HANGS_AFTER), f"{self.name} hangs"
        self._still.clear()


def at_a_call(call: Call) -> None:
    """Stop before a call, except while the token that threads share is requested.

    The credentials for it are read under the same lock.
    """
    thread = threading.current_thread()
    locked = call.what.endswith("access_token") or call.service == "secrets-manager"
    if isinstance(thread, Work) and not locked:
        thread.stand_still()


class Stories(RuleBasedStateMachine):
    """One service, its requests, and every event that may occur in between."""

    installation: Installation
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self._case = case(self.installation, self.folder)
        self.world: World = self._case.__enter__()
        self.world.wire.on_call = at_a_call
        self.at_work: list[Work] = []
        # Messages and executions, each with the work that was last started on it.
        self.messages: dict[int, tuple[Json, Work | None]] = {}
        self.advancing: dict[tuple[str, str], Work] = {}
        self.ended: dict[str, str] = {}
        # What was last seen, and after how many writes: only writes change it.
        self._pulls: tuple[int, list[PullRequest]] = (-1, [])
        self._statuses_seen = -1

    # -- people

    @initialize(environment=st.sampled_from(["Test", "Production", None]))
    def begin(self, environment: str | None) -> None:
        if environment:
            self.world.exists(environment)

    @precondition(lambda self: len(self.world.runs) < MOST_RUNS)
    @rule(what=st.sampled_from(["create", "upscale", "downscale", "delete"]))
    def ask(self, what: str) -> None:
        there = self.world.port.get_entity("service", self.world.service)
        # Port offers day-2 actions only for an existing entity.
        if what == "create" or there:
            getattr(self.world, what)()

    @precondition(lambda self: self.requests())
    @rule(data=st.data(), verdict=st.sampled_from(["APPROVE", "APPROVE", "DECLINE"]))
    def decide(self, data: st.DataObject, verdict: str) -> None:
        request = data.draw(st.sampled_from(self.requests()))
        self.start(f"{verdict} {request[-6:]}", lambda: self.world.decide_by_api(request, verdict))

    @precondition(lambda self: self.open_pulls())
    @rule(merge=st.booleans())
    def end_pull(self, merge: bool) -> None:
        pull = self.open_pulls()[0]
        if not merge:
            pull.edit(state="closed")
        elif pull.mergeable:
            pull.merge(merge_method="squash")
        self.world.calls_of_people += 1

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def end_run(self, data: st.DataObject) -> None:
        self.world.end_run(data.draw(st.sampled_from(self.running())))
        self.world.calls_of_people += 1

    # -- AWS and GitHub

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Deliver a record, new or delivered before, in any order."""
        for message in self.world.new_messages():
            self.messages[message["number"]] = (message, None)
        if self.messages:
            number = data.draw(st.sampled_from(sorted(self.messages)))
            self._deliver(number)

    def _deliver(self, number: int) -> None:
        message, _ = self.messages[number]
        function = self.world.consumer_of(message)
        if function:
            record = self.world.record(message)
            work = self.start(function, lambda: self.world.deliver_once(function, [record]))
            self.messages[number] = (message, work)

    @precondition(lambda self: self.waiting_for_a_step())
    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.waiting_for_a_step()))
        execution = self.world.executions[key]
        self.advancing[key] = self.start(f"{key[0]} {key[1]}", execution.advance)

    @precondition(lambda self: self.waiting_for_people())
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.waiting_for_people()))
        self.world.time_out(key[1])

    @rule()
    def report(self) -> None:
        self.world.report_ended_pulls()

    @rule(minutes=st.sampled_from([0, 16, 31]))
    def sweep(self, minutes: int) -> None:
        self.world.time_passes(timedelta(minutes=minutes))
        event = {"detail-type": "Scheduled Event"}
        self.start("sweep", lambda: self.world.invoke("sweep_runs", event))

    # -- the order of things

    @precondition(lambda self: self.alive())
    @rule(data=st.data(), calls=st.integers(1, 12))
    def go_on(self, data: st.DataObject, calls: int) -> None:
        data.draw(st.sampled_from(self.alive())).go_on(calls)

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.alive())).end()

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.alive())).kill()

    @rule()
    def quiet(self) -> None:
        """Let everything succeed for a while, as far as it can."""
        for work in self.alive():
            work.end()
        for number, (message, last) in sorted(self.messages.items()):
            function = self.world.consumer_of(message)
            if function and (last is None or last.failed):
                self.world.deliver(function, [self.world.record(message)])
                self.messages[number] = (message, Work("taken", lambda: True))
        self.world.settle()

    def start(self, name: str, act: Callable[[], object]) -> Work:
        if len(self.alive()) >= MOST_AT_WORK:
            self.alive()[0].end()
        work = Work(name, act)
        self.at_work.append(work)
        return work

    # -- what there is

    def alive(self) -> list[Work]:
        return [work for work in self.at_work if not work.over]

    def requests(self) -> list[str]:
        rows = boto3.resource("dynamodb").Table("approvals").scan()["Items"]
        return sorted(str(row["id"]) for row in rows if row["status"] == "PENDING")

    def open_pulls(self) -> list[PullRequest]:
        seen = self.world.writes_to("GitHub") + self.world.calls_of_people
        if seen != self._pulls[0]:
            pulls = [pull for pull in self.world.pulls() if pull.state == "open"]
            self._pulls = (seen, pulls)
        return self._pulls[1]

    def running(self) -> list[str]:
        return [run for run in self.world.runs if run not in self.ended]

    def waiting_for_a_step(self) -> list[tuple[str, str]]:
        self.world.note_executions()
        return [
            key
            for key, execution in self.world.executions.items()
            if execution.can_advance and (key not in self.advancing or self.advancing[key].over)
        ]

    def waiting_for_people(self) -> list[tuple[str, str]]:
        return [
            key
            for key, execution in self.world.executions.items()
            if execution.token
            and not execution.can_advance
            and (key not in self.advancing or self.advancing[key].over)
        ]

    # -- invariants

    @invariant()
    def a_terminal_status_never_changes(self) -> None:
        seen = self.world.writes_to("Port") + self.world.calls_of_people + len(self.world.runs)
        if seen == self._statuses_seen:
            return
        self._statuses_seen = seen
        for run_id in self.world.runs:
            status = self.world.port.get_run(run_id).status
            if run_id in self.ended:
                assert status == self.ended[run_id], f"{run_id} was {self.ended[run_id]}"
            elif status in {"SUCCESS", "FAILURE"}:
                self.ended[run_id] = status

    @invariant()
    def one_pull_request_at_a_time(self) -> None:
        # The pull request of an ended run is about to be closed.
        at_work = [
            pull.head.ref
            for pull in self.open_pulls()
            if pull.head.ref.rpartition("/")[2] not in self.ended
        ]
        assert len(at_work) <= 1, f"open at once: {at_work}"

    # -- the end

    def teardown(self) -> None:
        try:
            self.settle_everything()
            self.a_terminal_status_never_changes()
            self.the_final_state_is_consistent()
        finally:
            for work in self.alive():
                work.kill()
            self.world.wire.on_call = lambda _call: None
            self._case.__exit__(None, None, None)

    def settle_everything(self) -> None:
        """Deliver everything, let waits time out, and let time pass."""
        self.quiet()
        for pause in (31, 31, 31, 31 * 24 * 60, 31, 31, 31):
            self.world.time_passes(timedelta(minutes=pause))
            while pause > 60 and (waiting := self.waiting_for_people()):
                # The first time-out sends the reminder.
                self.world.time_out(waiting[0][1])
                self.world.settle()
            self.world.sweep()
            self.world.settle()

    def the_final_state_is_consistent(self) -> None:
        found = Observed(self.world).everything()
        assert {run["status"] for run in found["runs"]} <= {"SUCCESS", "FAILURE"}, found["runs"]
        assert found["locks"] == []
        assert [row for row in found["ledger"] if "open" in row] == []
        assert [pull["branch"] for pull in found["pulls"] if pull["state"] == "open"] == []
        assert [row for row in found["approvals"] if row["status"] == "PENDING"] == []
        assert set(found["executions"].values()) <= {"SUCCEEDED"}, found["executions"]
        # A branch remains only for a pull request that people or GitHub ended.
        assert len(found["branches"]) <= len(found["pulls"])
        entity, folder = found["entity"], found["main"]
        assert bool(folder) == bool(entity), f"on the base branch: {list(folder)}; {entity}"
        for path, text in folder.items():
            if entity and "common_values" in path and "replicas" in entity:
                assert f"replicas: {entity['replicas']:g}" in text.replace('"', "")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_interleaved_events_neither_lose_nor_repeat_work(
    installation: Installation, folder: Path, part: int, request: pytest.FixtureRequest
) -> None:
    Stories.installation, Stories.folder = installation, folder
    try:
        run_state_machine_as_test(
            seed(f"{choice()} {part}")(Stories),
            settings=settings(
                max_examples=(200 if ALL else STORIES) // PARTS,
                stateful_step_count=60 if ALL else 30,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink) if ALL else (Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BaseException as error:
        node = request.node.nodeid
        error.add_note(f"Again: FAULTS={choice()} .venv/bin/pytest '{node}'")
        raise
