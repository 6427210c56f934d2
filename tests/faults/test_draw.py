"""Check the draw of cases for many seeds."""

from pathlib import Path

import pytest

from tests.faults.draw import CASES_OF_A_FLOW, SOURCES, case_id, digest, draw
from tests.faults.flows import FLOWS
from tests.faults.wire import FAULTS, Answer, Call, Fault, Kind

SEEDS = [f"seed {number}" for number in range(20)]


def call(*, writes: bool, may_be_stale: bool = False) -> Call:
    return Call("Port", "a call", writes, may_be_stale, lambda _: Answer(200, {}, b""))


WRITES = [call(writes=True), call(writes=True)]
CALLS = [call(writes=False), *WRITES, call(writes=False, may_be_stale=True)]


@pytest.mark.parametrize("seed", SEEDS)
def test_draw_covers_each_fault_for_any_seed(seed: str) -> None:
    drawn = {fault for number in range(len(FLOWS)) for _, fault in draw(seed, number, CALLS)}

    assert drawn == set(FAULTS)


@pytest.mark.parametrize("seed", SEEDS)
def test_draw_has_more_writes_than_reads(seed: str) -> None:
    cases = [one for number in range(len(FLOWS)) for one in draw(seed, number, CALLS)]

    writes = sum(CALLS[index].writes for index, _ in cases)
    assert writes > len(cases) - writes > 0


def test_draw_is_the_same_for_the_same_seed() -> None:
    assert draw("a", 3, CALLS) == draw("a", 3, CALLS)


def test_draw_differs_for_another_seed() -> None:
    drawn = {str([draw(seed, number, CALLS) for number in range(9)]) for seed in SEEDS}

    assert len(drawn) == len(SEEDS)


def test_draw_is_complete_when_a_flow_has_no_reads() -> None:
    assert len(draw("a", 0, WRITES)) == CASES_OF_A_FLOW


def test_digest_follows_the_content_of_the_sources(tmp_path: Path) -> None:
    for source in SOURCES:
        (tmp_path / source).mkdir(parents=True)
    file = tmp_path / "shared" / "module.py"
    file.write_text("a = 1\n")
    before = digest(tmp_path)

    file.write_text("a = 2\n")
    changed = digest(tmp_path)
    file.write_text("a = 1\n")

    assert changed != before == digest(tmp_path)


def test_case_id_names_flow_call_and_fault() -> None:
    fault = Fault(Kind.THROTTLED_UNTIL, lasting=True)

    assert case_id("dry_run", 7, fault) == "dry_run/7/429_with_Retry-After_lasting"
