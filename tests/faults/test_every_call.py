"""A crash at every call: each flow, once for each of its calls and each fault, ends the same.

A fault meets one call of the product. What was cut short is then delivered again, by whatever does
that in AWS, until nothing is left to be done. `FAULTS=all` plays every case. Without it, each write
of each piece of work, and a third of the reads, meet one fault: which one is drawn by the call's
name, so always the same. Any other value of `FAULTS`, as a date, draws anew.
"""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests.faults.flows import FLOWS
from tests.faults.installation import EXPECTED_WARNINGS, Installation, Json
from tests.faults.observed import Observed
from tests.faults.wire import FAULTS, Call, Fault, Kind, renamed
from tests.faults.world import World, case, endings

CHOICE = os.environ.get("FAULTS", "")
ALL = CHOICE == "all"
pytestmark = EXPECTED_WARNINGS


@dataclass(frozen=True)
class Undisturbed:
    """A flow to which nothing happened.

    Attributes:
        names: of what it was about.
        number: of the last issue or pull request before it.
        calls: what it called.
        state: its end.
    """

    names: list[str]
    number: int
    calls: list[Call]
    state: Json


@dataclass(frozen=True)
class Result:
    """What became of a case: what is wrong with its end, and whether it took the sweep."""

    problem: str = ""
    swept: bool = False


@cache
def rehearse(
    installation: Installation, flow: str, folder: Path, *, swept: bool = False
) -> Undisturbed:
    with case(installation, folder) as world:
        FLOWS[flow](world)
        calls = list(world.wire.calls)
        if swept:
            world.be_swept()
        state = Observed(world).everything()
        # What all other ends are compared with must itself be right.
        orphans = {name.removeprefix("refs/heads/") for name in state["branches"]}
        assert not orphans - {pull["branch"] for pull in state["pulls"]}
        return Undisturbed(world.names, installation.pull, calls, state)


def possible(calls: list[Call], index: int) -> list[Fault]:
    """The faults that can meet a call: one that must be consistent is never stale."""
    stale = calls[index].may_be_stale and last_write(calls, index) is not None
    return [fault for fault in FAULTS if fault.kind is not Kind.STALE or stale]


def drawn(calls: list[Call], index: int, place: str) -> Fault | None:
    """One of the faults that differ at this call; none for most reads.

    A process that is killed at a read is the same as one that is killed after the write before it.
    Half of the writes meet that: what was written, but never known.
    """
    lot = zlib.crc32(f"{place}{CHOICE}".encode())
    if not calls[index].writes and lot % 3:
        return None
    if calls[index].writes and lot % 2:
        return Fault(Kind.KILLED_AFTER)
    others = [
        fault
        for fault in possible(calls, index)
        if fault.kind not in {Kind.KILLED_BEFORE, Kind.KILLED_AFTER}
    ]
    return others[lot // 6 % len(others)]


def first_met(installation: Installation, flow: str, folder: Path) -> dict[int, str]:
    """A flow's calls that no flow before it makes at the same place, with these places."""
    met = set[str]()
    for name in FLOWS:
        known = rehearse(installation, name, folder)
        found = {}
        for index, call in enumerate(known.calls):
            place = renamed(call.place, dict.fromkeys(known.names, "*"))
            place = re.sub(r"[0-9a-f]{32,}|[0-9]+", "*", place)
            if place not in met:
                met.add(place)
                found[index] = place
        if name == flow:
            break
    return found


def cases(
    installation: Installation, flow: str, fault: Fault | None, folder: Path
) -> Iterator[tuple[int, Fault]]:
    """The calls to spoil, and how; None: a part."""
    calls = rehearse(installation, flow, folder).calls
    if fault is None:
        for index, place in first_met(installation, flow, folder).items():
            if drawn_one := drawn(calls, index, place):
                yield index, drawn_one
        return
    for index in range(len(calls)):
        if fault in possible(calls, index):
            yield index, fault


def last_write(calls: list[Call], index: int) -> int | None:
    """The last write to the same service before a call."""
    service = calls[index].service
    before = (n for n in range(index - 1, -1, -1) if calls[n].writes)
    return next((n for n in before if calls[n].service == service), None)


def play(
    installation: Installation, flow: str, index: int, fault: Fault, folder: Path, base: Path
) -> Result:
    """Play a case."""
    known = rehearse(installation, flow, base)
    with case(installation, folder) as world:
        wire = world.wire
        wire.fault, wire.at = fault, index
        wire.names = lambda: {
            # What an older answer is asked for may not be there yet.
            **dict(zip_longest(known.names, world.names, fillvalue="r_0000000000000000")),
            **renumbered(known.number, installation.pull),
        }
        if fault.kind is Kind.STALE:
            wire.stale, wire.stale_before = known.calls[index], last_write(known.calls, index) or 0
        try:
            FLOWS[flow](world)
        except Exception as error:  # noqa: BLE001 - part of what the test says
            return Result(f"{type(error).__name__}: {error}")
        made = wire.calls[index : index + 1]
        if not made or made[0].service != known.calls[index].service:
            return Result(f"the flow is not always the same: it makes {made} here")
        wire.fault = None
        found = state_of(world)
        problem = wrong(found, known, known.calls[index])
        if not problem:
            return Result()
        world.be_swept()
        found = state_of(world)
    # Another case, so that this one has to be over.
    after = wrong(found, rehearse(installation, flow, base, swept=True), known.calls[index])
    return Result(f"{problem}; and swept: {after}" if after else "", swept=True)


def renumbered(before: int, now: int) -> dict[str, str]:
    """The addresses of a flow's issues and pull requests → the same of a case."""
    return {
        f"/{kind}/{before + number}": f"/{kind}/{now + number}"
        for kind in ("issues", "pulls")
        for number in range(1, 10)
    }


def state_of(world: World) -> Json:
    """The final state; with it the runs that were to be ended in two ways, which none must be."""
    twice = {run: sorted(how) for run, how in endings(world).items() if len(how) > 1}
    return {**Observed(world).everything(), "ended twice": twice}


def wrong(found: Json, known: Undisturbed, spoilt: Call) -> str:
    """What differs from the undisturbed flow's end."""
    wanted = {**known.state, "ended twice": {}}
    if spoilt.service == "sns":
        # Nobody waits for an e-mail.
        wanted["e-mails"] = found["e-mails"]
    return "; ".join(differences("", wanted, found))


def differences(place: str, wanted: Any, found: Any) -> list[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            each
            for name in sorted(wanted.keys() | found.keys())
            for each in differences(f"{place}.{name}", wanted.get(name), found.get(name))
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            each
            for number, pair in enumerate(zip(wanted, found, strict=True))
            for each in differences(f"{place}[{number}]", *pair)
        ]
    return [] if wanted == found else [f"{place} is {found!r}, not {wanted!r}"]


@pytest.mark.timeout(1800 if ALL else 600)
@pytest.mark.parametrize("fault", FAULTS if ALL else [None], ids=str)
@pytest.mark.parametrize("flow", FLOWS)
def test_given_a_fault_at_any_call_when_it_is_delivered_again_then_the_end_is_the_same(
    installation: Installation,
    flow: str,
    fault: Fault | None,
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
    record_property: Any,
) -> None:
    base = tmp_path_factory.getbasetemp()
    calls = rehearse(installation, flow, base).calls
    failures, played, swept = [], [], 0
    for index, spoilt in cases(installation, flow, fault, base):
        played.append(str(spoilt))
        result = play(installation, flow, index, spoilt, folder, base)
        swept += result.swept
        if result.problem:
            failures.append(f"call {index}, {calls[index]}, {spoilt}: {result.problem}")
    record_property("faults", [flow, len(calls), played, swept])
    assert not failures, f"{len(failures)} of {len(played)} end otherwise:\n" + "\n".join(failures)
