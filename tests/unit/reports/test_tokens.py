"""How long GitHub's keys and repository data are cached."""

import pytest
from slipway.errors import GitHubUnavailable
from slipway.reports.tokens import Renewed


class Source:
    """A value to look up, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.value: set[str] | None = {"a"}
        self.looks = 0
        self.renewed = Renewed(self.look_up, lambda: self.now)

    def look_up(self) -> set[str]:
        self.looks += 1
        if self.value is None:
            raise GitHubUnavailable("down")
        return self.value

    def get(self, name: str) -> bool:
        return self.renewed.get(lambda value: name in value) is not None


@pytest.fixture
def source() -> Source:
    return Source()


def test_value_is_cached_for_an_hour(source: Source) -> None:
    assert source.get("a")
    source.now = 3599
    assert source.get("a")
    assert source.looks == 1
    source.now = 3600
    assert source.get("a")
    assert source.looks == 2


def test_new_value_is_found_within_a_minute(source: Source) -> None:
    source.get("a")
    source.value = {"a", "b"}

    assert not source.get("b")
    source.now = 60

    assert source.get("b")


def test_removed_value_does_not_count_after_the_hour(source: Source) -> None:
    source.get("a")
    source.value = {"b"}
    source.now = 3600

    assert not source.get("a")


def test_unknown_values_are_looked_up_once_a_minute(source: Source) -> None:
    for second in range(180):
        source.now = float(second)
        assert not source.get(f"made up {second}")

    assert source.looks == 3


def test_github_is_queried_once_a_minute_during_an_outage(source: Source) -> None:
    source.value = None

    for second in range(120):
        source.now = float(second)
        with pytest.raises(GitHubUnavailable):
            source.get("a")

    assert source.looks == 2


def test_cached_value_survives_an_outage(source: Source) -> None:
    source.get("a")
    source.value, source.now = None, 60

    with pytest.raises(GitHubUnavailable):
        source.get("b")

    assert source.get("a")
