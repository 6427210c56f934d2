"""Select the cases to play: `FAULTS` is a seed, `all`, or one case.

Without `FAULTS`, the seed is derived from the sources. Each change of the product draws other
cases, and the same sources always draw the same ones.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from random import Random

from tests.faults.wire import FAULTS, Call, Fault, Kind

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("functions", "shared", "terraform/modules", "tests/faults")
SUFFIXES = {".json", ".py", ".tf", ".yaml", ".yml"}
# Three cases of each flow take two minutes on two processors.
CASES_OF_A_FLOW = 3
KILLED = (Fault(Kind.KILLED_BEFORE), Fault(Kind.KILLED_AFTER))


def digest(root: Path) -> str:
    """Derive the seed from the sources below a folder, without git history."""
    found = hashlib.sha256()
    for source in SOURCES:
        for folder, folders, names in os.walk(root / source):
            folders[:] = sorted(name for name in folders if not name.startswith((".terra", "__")))
            for name in sorted(names):
                if Path(name).suffix in SUFFIXES:
                    path = Path(folder, name)
                    found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:12]


@cache
def choice() -> str:
    """Return the value of `FAULTS`, or the seed of this tree."""
    return os.environ.get("FAULTS") or digest(ROOT)


def case_id(flow: str, index: int, fault: Fault) -> str:
    """Return the value of `FAULTS` that plays exactly this case."""
    return f"{flow}/{index}/{fault.slug}"


def one_case() -> tuple[str, int, Fault] | None:
    """Return the case that `FAULTS` names, if it names one.

    Raises:
        KeyError: the fault is unknown.
    """
    if choice().count("/") != 2:
        return None
    flow, index, slug = choice().split("/")
    return flow, int(index), {fault.slug: fault for fault in FAULTS}[slug]


def draw(seed: str, number: int, calls: list[Call]) -> list[tuple[int, Fault]]:
    """Draw the cases of a flow: a process killed after a write, another write, and a read.

    The flows take the faults in turn, so that together they cover each fault.

    Args:
        seed: the same seed draws the same cases.
        number: the flow's place among the flows.
        calls: the flow's calls.
    """
    luck = Random(f"{seed} {number}")
    deck = Random(seed).sample(FAULTS, len(FAULTS))
    dealt = number * (CASES_OF_A_FLOW - 1)
    found = [_met(luck, calls, [Fault(Kind.KILLED_AFTER)], writes=True)]
    for turn in range(1, CASES_OF_A_FLOW):
        start = (dealt + turn) % len(deck)
        is_write = turn < CASES_OF_A_FLOW - 1
        found.append(_met(luck, calls, deck[start:] + deck[:start], writes=is_write))
    return [one for one in found if one]


def _met(
    luck: Random, calls: list[Call], deck: list[Fault], *, writes: bool
) -> tuple[int, Fault] | None:
    """Return the first fault of a deck that can affect a call, and one such call."""
    for fault in deck:
        # A process that is killed at a read equals one that is killed after the write before it.
        of_a_write = fault in KILLED or (writes and fault.kind is not Kind.STALE)
        met = [
            index
            for index, call in enumerate(calls)
            if call.writes is of_a_write and fault in possible(calls, index)
        ]
        if met:
            return luck.choice(met), fault
    return None


def possible(calls: list[Call], index: int) -> list[Fault]:
    """Return the faults that can affect a call: consistent reads are never stale."""
    stale = calls[index].may_be_stale and last_write(calls, index) is not None
    return [fault for fault in FAULTS if fault.kind is not Kind.STALE or stale]


def last_write(calls: list[Call], index: int) -> int | None:
    """Return the last write to the same service before a call."""
    service = calls[index].service
    before = (n for n in range(index - 1, -1, -1) if calls[n].writes)
    return next((n for n in before if calls[n].service == service), None)
