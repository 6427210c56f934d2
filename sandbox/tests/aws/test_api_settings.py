"""Throttling and access log lines, on their own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.api_settings import TokenBucket, access_log_line, limits


def test_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    time = [0.0]
    bucket = TokenBucket(rate=2, burst=3, now=lambda: time[0])

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    time[0] = 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    time[0] = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def setting(rate: float, burst: int) -> dict[str, Any]:
    return {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (None, None)),
        ({"*/*": setting(5, 10)}, (5, 10)),
        ({"*/*": setting(5, 10), "links/{token}/GET": setting(1, 2)}, (1, 2)),
        ({"*/*": setting(5, 10), "~1links~1{token}/GET": setting(1, 2)}, (1, 2)),
        ({"*/*": setting(5, 10), "links/{token}/POST": setting(1, 2)}, (5, 10)),
        ({"*/*": setting(-1, -1)}, (None, None)),
    ],
)
def test_own_settings_of_a_method_win(
    settings: dict[str, Any], expected: tuple[float | None, int | None]
) -> None:
    assert limits(settings, "/links/{token}", "GET") == expected


def test_line_has_a_hyphen_for_what_is_not_known() -> None:
    variables = {"status": 200, "identity": {"userArn": None, "user": "me"}}
    template = "$context.status $context.identity.user $context.identity.userArn $context.a.b.c"

    assert access_log_line(template, variables) == "200 me - -"


@given(st.text())
def test_any_template_is_filled_in(template: str) -> None:
    assert "$context.status" not in access_log_line(template + "$context.status", {"status": 1})
