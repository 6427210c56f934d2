"""Inject a fault into any call: each flow must still end in the same state.

A fault affects one call of the product. Interrupted work is then delivered again, as AWS does it,
until everything has settled. `draw` selects the cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests.faults.draw import case_id, choice, draw, last_write, one_case, possible
from tests.faults.flows import FLOWS
from tests.faults.installation import EXPECTED_WARNINGS, Installation, Json
from tests.faults.observed import Observed
from tests.faults.wire import FAULTS, Call, Fault, Kind
from tests.faults.world import World, case, endings

ALL = choice() == "all"
ONE = one_case()
pytestmark = [EXPECTED_WARNINGS, pytest.mark.waits]


@dataclass(frozen=True)
class Undisturbed:
    """A flow that ran without a fault.

    Attributes:
        names: the names of its service and runs.
        number: the number of the last issue or pull request before it.
        calls: its calls.
        state: its final state.
    """

    names: list[str]
    number: int
    calls: list[Call]
    state: Json


@dataclass(frozen=True)
class Result:
    """The result of a case: what is wrong with its end, and whether it needed the sweep."""

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
        # All other final states are compared with this one, so it must be correct.
        orphans = {name.removeprefix("refs/heads/") for name in state["branches"]}
        assert not orphans - {pull["branch"] for pull in state["pulls"]}
        return Undisturbed(world.names, installation.pull, calls, state)


def cases(
    installation: Installation, flow: str, fault: Fault | None, folder: Path
) -> Iterator[tuple[int, Fault]]:
    """Yield the calls to disturb, each with its fault; without a fault: the drawn cases."""
    calls = rehearse(installation, flow, folder).calls
    if ONE:
        yield ONE[1:]
    elif fault is None:
        yield from draw(choice(), list(FLOWS).index(flow), calls)
    else:
        yield from (
            (index, fault) for index in range(len(calls)) if fault in possible(calls, index)
        )


def play(
    installation: Installation, flow: str, index: int, fault: Fault, folder: Path, base: Path
) -> Result:
    """Run a flow with a fault in one call, and compare its final state."""
    known = rehearse(installation, flow, base)
    with case(installation, folder) as world:
        wire = world.wire
        wire.fault, wire.at = fault, index
        wire.names = lambda: {
            # A name of the rehearsal may have no counterpart yet.
            **dict(zip_longest(known.names, world.names, fillvalue="r_0000000000000000")),
            **renumbered(known.number, installation.pull),
        }
        if fault.kind is Kind.STALE:
            wire.stale, wire.stale_before = known.calls[index], last_write(known.calls, index) or 0
        try:
            FLOWS[flow](world)
        except Exception as error:  # noqa: BLE001 - the test reports it
            return Result(f"{type(error).__name__}: {error}")
        made = wire.calls[index : index + 1]
        if not made or made[0].service != known.calls[index].service:
            return Result(f"the flow is not deterministic: it makes {made} here")
        wire.fault = None
        found = state_of(world)
        problem = wrong(found, known, known.calls[index])
        if not problem:
            return Result()
        world.be_swept()
        found = state_of(world)
    # The rehearsal is another case, so this one must have ended.
    after = wrong(found, rehearse(installation, flow, base, swept=True), known.calls[index])
    return Result(f"{problem}; and swept: {after}" if after else "", swept=True)


def renumbered(before: int, now: int) -> dict[str, str]:
    """Map the addresses of a rehearsal's issues and pull requests to those of a case."""
    return {
        f"/{kind}/{before + number}": f"/{kind}/{now + number}"
        for kind in ("issues", "pulls")
        for number in range(1, 10)
    }


def state_of(world: World) -> Json:
    """Return the final state, with the runs that Slipway tried to end in two ways (a fault)."""
    twice = {run: sorted(how) for run, how in endings(world).items() if len(how) > 1}
    return {**Observed(world).everything(), "ended twice": twice}


def wrong(found: Json, known: Undisturbed, disturbed: Call) -> str:
    """Describe the differences from the undisturbed flow's final state."""
    wanted = {**known.state, "ended twice": {}}
    if disturbed.service == "sns":
        # E-mails are best effort: no part of a flow waits for one.
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS if ALL else [None], ids=lambda one: one and one.slug)
@pytest.mark.parametrize("flow", [ONE[0]] if ONE else FLOWS)
def test_flow_ends_the_same_when_a_call_fails(
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
    for index, drawn in cases(installation, flow, fault, base):
        played.append(str(drawn))
        result = play(installation, flow, index, drawn, folder, base)
        swept += result.swept
        if result.problem:
            failures.append(
                f"call {index}, {calls[index]}, {drawn}: {result.problem}\n"
                f"  Again: FAULTS={case_id(flow, index, drawn)} "
                ".venv/bin/pytest tests/faults/test_every_call.py"
            )
    record_property("faults", [flow, len(calls), played, swept, choice()])
    assert not failures, f"{len(failures)} of {len(played)} end otherwise:\n" + "\n".join(failures)
