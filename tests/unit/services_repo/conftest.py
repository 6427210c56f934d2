from collections.abc import Iterator
from pathlib import Path

import pytest
from slipway_report import api

from tests.unit.services_repo.world import World, serve


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between repetitions, which take no time here."""
    recorded: list[float] = []
    defaults = (300.0, recorded.append)
    monkeypatch.setattr(api.Patience.__init__, "__defaults__", defaults)
    return recorded


@pytest.fixture
def world(tmp_path: Path, waits: list[float]) -> Iterator[World]:
    """A Port and a GitHub with an open run of *Create New Service*."""
    with serve(World(tmp_path)) as served:
        yield served
