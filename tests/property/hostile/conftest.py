"""Provide the deployed functions, and stand-ins for everything around them."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway import config
from slipway.observability import logger
from slipway.runs import clients

from tests.property.hostile.outside import AnyGitHub, AnyPort
from tests.unit.conftest import aws

__all__ = ["aws"]
# Secrets with characters that every encoding changes.
PLANTED = {
    "Port's client secret": "planted/port secret+of=more than 32 bytes?ü",
    "GitHub's token": "planted-github-token-0123456789",
    "key of links": "planted/key+of links~0123456789",
    "Slack's webhook": "planted-slack-T0-B0-0123456789",
    "secret input": 'planted "input" \\ with\nquotes & ü 0123456789',
}
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"


@dataclass(frozen=True)
class Outside:
    """Port, GitHub and the log."""

    port: AnyPort
    github: AnyGitHub
    log: io.StringIO

    def call(self, handler: Callable[..., Any], event: dict[str, Any]) -> Any:
        """Invoke a function."""
        context = SimpleNamespace(
            function_name="slipway",
            function_version="1",
            memory_limit_in_mb=128,
            invoked_function_arn=FUNCTION,
            aws_request_id="request-1",
            get_remaining_time_in_millis=lambda: 60_000,
        )
        self.port.publish(event)
        return handler(event, cast("LambdaContext", context))


@pytest.fixture
def outside(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    secrets = boto3.client("secretsmanager")
    for name, value in {
        "slipway/port": {"client_id": "id", "client_secret": PLANTED["Port's client secret"]},
        "slipway/github": {"token": PLANTED["GitHub's token"]},
        "slipway/links": {"key": PLANTED["key of links"]},
    }.items():
        secrets.create_secret(Name=name, SecretString=json.dumps(value))
    stream = io.StringIO()
    handler = cast("logging.StreamHandler[io.StringIO]", logger.registered_handler)
    before = handler.setStream(stream)
    clients.port_client.cache_clear()
    with ExitStack() as stack:
        port = stack.enter_context(AnyPort("create_service").running())
        github = stack.enter_context(AnyGitHub().running())
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        config.load.cache_clear()
        yield Outside(port, github, stream)
    clients.port_client.cache_clear()
    handler.setStream(cast("io.StringIO", before))
