"""Run each flow once without faults, and return its requests by name."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import baseline
from tests.bench.installed import Span, Stopwatch, add_delay, depth, remove_delay
from tests.faults.installation import Installation
from tests.faults.wire import Call
from tests.faults.world import World, case

DELAY = 0.05
ROUNDS = 5


@dataclass(frozen=True)
class Played:
    """The requests of one flow.

    Attributes:
        calls: to GitHub and Port, without those for an access token.
        depth: how many follow one another.
    """

    calls: list[Call]
    depth: int

    def of(self, service: str) -> list[Call]:
        """Return the requests to GitHub, or to Port."""
        return [call for call in self.calls if call.service == service]

    @property
    def writes(self) -> int:
        """Return the requests that GitHub counts as creating content."""
        return sum(call.writes for call in self.of("GitHub"))


@dataclass
class Timed:
    """Times of creates in seconds, with `DELAY` added to each request to GitHub and Port.

    Attributes:
        opened: from the message until the pull request is open.
        done: until the run's page shows it.
    """

    opened: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Creates:
    """Creates with the delay: with cold and warm tokens, and the baseline."""

    cold: Timed
    warm: Timed
    baseline: Timed
    depth: int


def flows(installation: Installation, folder: Path, watch: Stopwatch) -> dict[str, Played]:
    """Return the requests of each flow with warm tokens."""
    found: dict[str, Played] = {}

    def note(name: str, act: Callable[[], object]) -> None:
        spans = [span for span in watch.during(act) if not is_token(span.call)]
        found[name] = Played([span.call for span in spans], depth(spans))

    # A process carries out one action, so each flow has its own; its first run warms it.
    with case(installation, folder) as world:
        create(world)
        create_another(world)
        note("create", world.deliver_messages)
        world.merge()
        note("report of a merge", world.report_ended_pulls)
        world.settle()
    with case(installation, folder) as world:
        world.exists("Test")
        world.upscale()
        world.settle()
        rename(world)
        world.exists("Test")
        world.upscale()
        note("scale and merge", world.deliver_messages)
        world.settle()
    with case(installation, folder) as world:
        world.exists("Test")
        world.delete()
        world.settle()
        rename(world)
        world.exists("Test")
        world.delete()
        note("delete and merge", world.deliver_messages)
        world.settle()
    return found


def create(world: World) -> None:
    """Create, merge and report a service, to warm the tokens."""
    world.create()
    world.deliver_messages()
    world.merge()
    world.settle()


def create_another(world: World) -> None:
    """Request the create of another service, in the same process."""
    rename(world)
    world.create()


def rename(world: World) -> None:
    """Continue with another service."""
    world.service = "s" + secrets.token_hex(6)
    world.names.append(world.service)


def is_token(call: Call) -> bool:
    """Whether a call requests an access token."""
    return call.what.endswith("access_token")


def kind(call: Call) -> str:
    """Return a call without the names of one case."""
    text = re.sub(r"\b(r_\w{16}|s[0-9a-f]{12}|[0-9a-f]{40})\b", "…", call.what)
    text = re.sub(r"/(pulls|issues)/\d+", r"/\1/…", text)
    text = re.sub(r"/api/v3/repos/acme/services|/api(?=/graphql)|/v1(?=/)", "", text)
    return re.sub(r"slipway/\w+/…", "…", text)


def timed_creates(installation: Installation, folder: Path, watch: Stopwatch) -> Creates:
    """Time creates and the baseline in turn."""
    cold, warm, simple, depths = Timed(), Timed(), Timed(), []
    add_delay(installation, DELAY)
    try:
        for _ in range(ROUNDS):
            with case(installation, folder) as world:
                world.create()
                _timed(world, watch, cold)
                world.merge()
                world.settle()
                create_another(world)
                depths.append(depth(_timed(world, watch, warm)))
                _baseline(world, simple)
    finally:
        remove_delay(installation)
    # A thread that starts late on a busy machine makes a chain look longer, never shorter.
    return Creates(cold, warm, simple, min(depths))


def _timed(world: World, watch: Stopwatch, timed: Timed) -> list[Span]:
    start = time.perf_counter()
    spans = watch.during(world.deliver_messages)
    timed.done.append(time.perf_counter() - start)
    (opened,) = [span.end for span in spans if span.call.what.endswith(" Propose")]
    timed.opened.append(opened - start)
    return [span for span in spans if not is_token(span.call)]


def _baseline(world: World, timed: Timed) -> None:
    run = world.create(service_name="s" + secrets.token_hex(6))
    world.lose_messages()
    base = world.at.repository.get_branch("main").commit.sha
    opened: list[float] = []
    start = time.perf_counter()
    baseline.play(
        world.at, run, "s" + secrets.token_hex(6), base, lambda: opened.append(time.perf_counter())
    )
    timed.done.append(time.perf_counter() - start)
    timed.opened.append(opened[0] - start)


def calls_of_one_decision(installation: Installation, folder: Path) -> dict[str, int]:
    """Count the AWS calls of the approval function for a decision in Port."""
    with case(installation, folder) as world:
        world.exists()
        run_id = world.upscale()
        world.settle()
        before = len(world.wire.everything)
        world.decide(run_id, "DECLINE")
        world.settle()
        calls = [
            call for call in world.wire.everything[before:] if call.place.startswith("approval")
        ]
    told = next(n for n, call in enumerate(calls) if call.what.startswith("SendTaskSuccess"))
    rows = {"GetItem approvals", "UpdateItem approvals"}
    return {
        "operations": sum(call.what in rows for call in calls[:told]),
        "scans": sum(call.what.startswith(("Scan", "Query")) for call in calls),
    }
