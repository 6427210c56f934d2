from collections.abc import Iterator

import pytest

from tests.unit.reports.installation import Installation, installed
from tests.unit.reports.world import World, serve


@pytest.fixture
def world(aws: None) -> Iterator[World]:
    """Make a Port and a GitHub with an open run of *Create New Service*."""
    with serve(World()) as served:
        yield served


@pytest.fixture
def installation(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with installed(monkeypatch) as found:
        yield found
