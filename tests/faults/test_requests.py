"""How many requests a flow takes with warm tokens; `make bench` measures the rest."""

from collections.abc import Iterator

import pytest

from tests.bench.installed import Stopwatch
from tests.bench.played import Played, flows
from tests.faults.installation import EXPECTED_WARNINGS, Installation

pytestmark = [EXPECTED_WARNINGS, pytest.mark.waits]


@pytest.fixture(scope="module")
def played(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Played]]:
    watch = Stopwatch(installation.wire)
    yield flows(installation, tmp_path_factory.mktemp("requests"), watch)
    watch.stop()


def test_create_takes_three_requests_to_github(played: dict[str, Played]) -> None:
    create = played["create"]

    assert [call.what.rpartition(" ")[2] for call in create.of("GitHub")] == [
        "Look",
        "Propose",
        "Decorate",
    ]
    assert create.writes == 2


def test_create_takes_five_requests_to_port(played: dict[str, Played]) -> None:
    methods = [call.what.split(" ")[0] for call in played["create"].of("Port")]

    assert methods == ["GET", "GET", "POST", "POST", "PATCH"]


@pytest.mark.parametrize("flow", ["scale and merge", "delete and merge"])
def test_change_of_an_entity_writes_three_times(played: dict[str, Played], flow: str) -> None:
    change = played[flow]

    assert (len(change.of("GitHub")), change.writes) == (9, 3)
    assert len(change.of("Port")) <= 4


def test_report_of_a_merge_writes_nothing_to_github(played: dict[str, Played]) -> None:
    report = played["report of a merge"]

    assert (len(report.of("GitHub")), report.writes) == (5, 0)
    assert len(report.of("Port")) == 5
