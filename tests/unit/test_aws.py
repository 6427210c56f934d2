"""The clients of AWS."""

import inspect
from typing import Any

import pytest
from slipway import aws

CLIENTS = [
    name
    for name, value in inspect.getmembers(aws)
    if hasattr(value, "cache_clear") and name != "dynamodb_table"
]


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", CLIENTS)
def test_three_attempts_of_an_aws_call_fit_into_a_minute(
    name: str,
) -> None:
    config = getattr(aws, name)().meta.config

    assert 3 * (config.connect_timeout + config.read_timeout) < 60


@pytest.mark.usefixtures("aws")
def test_table_and_its_connections_are_reused() -> None:
    table = aws.dynamodb_table("runs")
    config: Any = table.meta.client.meta.config

    assert aws.dynamodb_table("runs") is table
    assert config.read_timeout == 10
