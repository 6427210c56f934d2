"""Find the installation of an operator's command.

It is configured as its own functions are.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from slipway.approvals.settings import ApprovalConfig
from slipway.config import load
from slipway.errors import ConfigurationError, SlipwayError

from scripts.environment import read_settings

EnvFile = Annotated[
    Path | None, typer.Option(help="Environment file (KEY=value), for example .sandbox/env.")
]
NamePrefix = Annotated[str, typer.Option(help="Terraform's name_prefix.")]
ALIAS = "live"
_AWS = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE")


def connect(env_file: Path | None, name_prefix: str) -> ApprovalConfig:
    """Read the deployed sweep's settings, which include all commands' needs.

    Raises:
        ConfigurationError: AWS cannot be reached, or has no such installation.
    """
    settings = read_settings(env_file)
    for name in _AWS:
        if settings.get(name):
            os.environ[name] = settings[name]
    if "AWS_REGION" in os.environ:
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    if "AWS_ENDPOINT_URL" in os.environ:  # The sandbox accepts any credentials.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    function = f"{name_prefix}-sweep_runs"
    try:
        functions = boto3.client("lambda")
        version = functions.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
        found = functions.get_function_configuration(FunctionName=function, Qualifier=version)
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(
            f"Function {function} cannot be read ({error}). "
            "Check the AWS profile, the region and the name prefix."
        ) from error
    os.environ.update(found["Environment"]["Variables"])
    config: ApprovalConfig = load(ApprovalConfig)
    return config


def approval_function(name_prefix: str) -> str:
    """Return the approval function's name."""
    return f"{name_prefix}-approval"


@contextmanager
def refusals(command: str, console: Console) -> Iterator[None]:
    """End a command on an error: status 2 if it cannot begin, 1 if refused."""
    try:
        yield
    except (ConfigurationError, SlipwayError, BotoCoreError, ClientError) as error:
        console.print(f"{command}: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from None
