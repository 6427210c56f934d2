"""A crash at every call: each flow, once for each of its calls and each fault, ends the same.

A fault meets one call of the product. What was cut short is then delivered again, by whatever does
that in AWS, until nothing is left to be done. `FAULTS=all` plays every case; without it, a part of
them that meets every call of every flow.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.faults.flows import FLOWS
from tests.faults.wire import FAULTS, Call, Fault, Kind
from tests.faults.world import Installation, Json, Observed, World, case, endings

ALL = os.environ.get("FAULTS") == "all"


@dataclass(frozen=True)
class Undisturbed:
    """A flow to which nothing happened."""

    names: list[str]
    calls: list[Call]
    state: Json


@cache
def rehearse(installation: Installation, flow: str, folder: Path) -> Undisturbed:
    with case(installation, folder) as world:
        FLOWS[flow](world)
        return Undisturbed(world.names, list(world.wire.calls), Observed(world).everything())


def chosen(calls: list[Call], fault: Fault) -> Iterator[int]:
    """The calls that a fault is to meet."""
    for index, call in enumerate(calls):
        if fault.kind is Kind.STALE and (
            not call.may_be_stale or last_write(calls, index) is None
        ):
            continue
        yield index


def last_write(calls: list[Call], index: int) -> int | None:
    """The last write to the same service before a call."""
    service = calls[index].service
    before = (n for n in range(index - 1, -1, -1) if calls[n].writes)
    return next((n for n in before if calls[n].service == service), None)


def play(
    installation: Installation, flow: str, known: Undisturbed, index: int, fault: Fault, folder: Path
) -> str:
    """Play a case; what is wrong with its end, if anything."""
    with case(installation, folder) as world:
        wire = world.wire
        wire.fault, wire.at = fault, index
        wire.names = lambda: dict(zip(known.names, world.names, strict=False))
        if fault.kind is Kind.STALE:
            wire.stale, wire.stale_before = known.calls[index], last_write(known.calls, index) or 0
        try:
            FLOWS[flow](world)
        except Exception as error:  # noqa: BLE001 - part of what the test says
            return f"{type(error).__name__}: {error}"
        return wrong(world, known)


def wrong(world: World, known: Undisturbed) -> str:
    found = differences("", known.state, Observed(world).everything())
    found += [
        f"run {run} was ended as {' and as '.join(sorted(statuses))}"
        for run, statuses in endings(world).items()
        if len(statuses) > 1
    ]
    return "; ".join(found)


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


@pytest.mark.timeout(1800 if ALL else 60)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("flow", FLOWS)
def test_given_a_fault_at_any_call_when_it_is_delivered_again_then_the_end_is_the_same(
    installation: Installation,
    flow: str,
    fault: Fault,
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
    record_property: Any,
) -> None:
    known = rehearse(installation, flow, tmp_path_factory.getbasetemp())
    failures = []
    cases = list(chosen(known.calls, fault))
    for index in cases:
        problem = play(installation, flow, known, index, fault, folder)
        if problem:
            failures.append(f"{index} {known.calls[index]}: {problem}")
    record_property("faults", [flow, str(fault), len(known.calls), len(cases)])
    assert not failures, f"{len(failures)} of {len(cases)} end otherwise:\n" + "\n".join(failures)
