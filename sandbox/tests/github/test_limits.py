"""The rate limits by themselves, with a clock that is moved."""

import pytest

from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError
from sandbox.github.limits import WINDOW_SECONDS, RateLimits
from sandbox.tests.waiting import MovedClock

DEVELOPER = Actor("developer", "user")


def test_primary_limit_is_whole_again_after_its_window() -> None:
    clock = MovedClock()
    limits = RateLimits(1, clock)
    limits.spend(DEVELOPER, "GET")

    clock.move(WINDOW_SECONDS - 1)
    with pytest.raises(ApiError, match="API rate limit exceeded"):
        limits.spend(DEVELOPER, "GET")

    clock.move(1)
    limits.spend(DEVELOPER, "GET")


def test_secondary_limit_forgets_writes_after_a_minute() -> None:
    clock = MovedClock()
    limits = RateLimits(clock=clock)
    limits.writes_per_minute = 1
    limits.spend(DEVELOPER, "POST")

    clock.move(60)
    with pytest.raises(ApiError, match="secondary rate limit"):
        limits.spend(DEVELOPER, "POST")

    clock.move(1)
    limits.spend(DEVELOPER, "POST")
