"""FilterCriteria."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.event_source.filters import Decision, Filter
from sandbox.tests.event_source.harness import json_values, record

RUNS = json.dumps({"value": {"resourceType": ["run"], "action": ["create_service"]}})


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (b'{"resourceType":"run","action":"create_service","x":1}', Decision.INVOKE),
        (b'{"resourceType":"run","action":"other"}', Decision.FILTERED),
        (b'{"resourceType":"run"}', Decision.FILTERED),
        (b'[{"resourceType":"run","action":"create_service"}]', Decision.FILTERED),
        (b'"run"', Decision.FILTERED),
        (b"17", Decision.FILTERED),
        (b"null", Decision.FILTERED),
        (None, Decision.FILTERED),
        (b"", Decision.NOT_JSON),
        (b"hello", Decision.NOT_JSON),
        (b'{"resourceType":', Decision.NOT_JSON),
        (b"\xff\xfe{}", Decision.NOT_JSON),
        (b"[" * 200_000, Decision.NOT_JSON),
        (b"9" * 10_000, Decision.NOT_JSON),
    ],
)
def test_a_json_pattern_decides_on_the_decoded_value(
    value: bytes | None, decision: Decision
) -> None:
    assert Filter([RUNS]).decide(record(value=value)) is decision


def test_without_patterns_everything_passes() -> None:
    for value in (None, b"", b"hello", b"\xff"):
        assert Filter([]).decide(record(value=value)) is Decision.INVOKE


def test_any_of_several_patterns_is_enough() -> None:
    other = json.dumps({"value": {"action": [{"prefix": "up"}]}})
    assert Filter([RUNS, other]).decide(record(value=b'{"action":"upscale"}')) is Decision.INVOKE


def test_a_list_pattern_decides_on_the_text() -> None:
    not_error = Filter([json.dumps({"value": [{"anything-but": ["error"]}]})])
    assert not_error.decide(record(value=b"fine")) is Decision.INVOKE
    assert not_error.decide(record(value=b"error")) is Decision.FILTERED
    assert not_error.decide(record(value=b"\xff")) is Decision.FILTERED


def test_a_pattern_may_ask_for_the_key_and_for_metadata() -> None:
    pattern = {"key": ["k"], "partition": [2], "value": {"a": [1]}}
    chosen = Filter([json.dumps(pattern)])
    assert chosen.decide(record(value=b'{"a":1}', key=b"k", partition=2)) is Decision.INVOKE
    assert chosen.decide(record(value=b'{"a":1}', key=b"x", partition=2)) is Decision.FILTERED
    assert chosen.decide(record(value=b'{"a":1}', key=None, partition=2)) is Decision.FILTERED
    assert chosen.decide(record(value=b'{"a":1}', key=b"k", partition=1)) is Decision.FILTERED


def test_value_of_a_type_that_a_pattern_cannot_match_is_filtered() -> None:
    pattern = {"value": {"a": [{"prefix": {"equals-ignore-case": "X"}}]}}
    assert Filter([json.dumps(pattern)]).decide(record(value=b'{"a":1}')) is Decision.FILTERED


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_value_upsets_a_filter(value: bytes) -> None:
    assert Filter([RUNS]).decide(record(value=value)) is not Decision.INVOKE
