"""Find, pause and resume the functions that read a topic."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.errors import ConfigurationError, SlipwayError
from slipway.runs.run import RunConfig
from slipway.sweep.sweep import own_actions

from scripts.installed import ALIAS

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

# Lambda may need minutes for each change of a mapping.
WAIT_SECONDS = 600
_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Consumer:
    """A function that reads a topic.

    Attributes:
        name: its action, or its folder in `functions/`.
        alias_arn: what the mapping calls.
        mapping: the event source mapping, as Lambda describes it.
    """

    name: str
    alias_arn: str
    mapping: "EventSourceMappingConfigurationTypeDef"

    @property
    def state(self) -> str:
        """State of the mapping, in Lambda's words."""
        return self.mapping["State"]

    @property
    def paused_at(self) -> datetime | None:
        """When it stopped reading; None if it reads, or is about to."""
        paused = self.state in {"Disabled", "Disabling"}
        return self.mapping["LastModified"] if paused else None


def find(name_prefix: str) -> list[Consumer]:
    """Return all consumers of an installation, by name."""
    # Function names have no hyphen, but another installation's prefix may begin with this one.
    ours = re.compile(rf".*:function:{re.escape(name_prefix)}-([a-z0-9_]+):{ALIAS}")
    pages = boto3.client("lambda").get_paginator("list_event_source_mappings").paginate()
    found = [
        Consumer(match[1], match[0], mapping)
        for page in pages
        for mapping in page["EventSourceMappings"]
        if (match := ours.fullmatch(mapping["FunctionArn"]))
    ]
    return sorted(found, key=lambda consumer: consumer.name)


def choose(found: list[Consumer], names: list[str], *, everything: bool) -> list[Consumer]:
    """Return the named consumers, or all.

    Raises:
        ConfigurationError: a name does not match a consumer, or nothing was chosen.
    """
    known = ", ".join(consumer.name for consumer in found)
    if everything == bool(names):
        raise ConfigurationError(f"Name functions ({known}), or say --all.")
    if unknown := set(names) - {consumer.name for consumer in found}:
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: not among the functions that read: {known}."
        )
    return [consumer for consumer in found if everything or consumer.name in names]


def switch(consumers: list[Consumer], *, enabled: bool, say: Callable[[str], None]) -> None:
    """Pause or resume consumers, and wait until Lambda has done so.

    Args:
        consumers: which.
        enabled: whether they read.
        say: gets what the command waits for.

    Raises:
        SlipwayError: Lambda did not finish in time.
    """
    functions = boto3.client("lambda")
    wanted = "Enabled" if enabled else "Disabled"
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = {consumer.mapping["UUID"]: consumer.name for consumer in consumers}
    while True:
        for uuid, name in list(waiting.items()):
            state = functions.get_event_source_mapping(UUID=uuid)["State"]
            say(f"{name}: {state}")
            if state == wanted:
                del waiting[uuid]
            elif state in {"Enabled", "Disabled"}:
                _update(uuid, enabled=enabled)
        if not waiting:
            return
        if time.monotonic() > deadline:
            left = ", ".join(waiting.values())
            raise SlipwayError(
                f"Not {wanted} after {WAIT_SECONDS} s: {left}. Run the command again."
            )
        time.sleep(_BETWEEN_LOOKS)


def _update(uuid: str, *, enabled: bool) -> None:
    functions = boto3.client("lambda")
    try:
        functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
    except ClientError as error:
        # Another caller changes the mapping at the same time: the next poll shows the result.
        if error.response["Error"]["Code"] not in {
            "ResourceInUseException",
            "ResourceConflictException",
        }:
            raise


def at_work(consumers: list[Consumer]) -> int:
    """Return how many runs these functions are working on.

    Each has a claim in the table of idempotency until its invocation ends or times out.
    """
    now = int(datetime.now(UTC).timestamp() * 1000)
    config: RunConfig = load(RunConfig)
    aliases = {consumer.alias_arn for consumer in consumers}
    actions = {action for action, alias in own_actions(config).items() if alias in aliases}
    table = dynamodb_table(config.idempotency_table)
    pages = table.meta.client.get_paginator("scan").paginate(
        TableName=table.name,
        FilterExpression="#status = :in_progress AND in_progress_expiration > :now",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":in_progress": "INPROGRESS", ":now": now},
        ConsistentRead=True,
    )
    claims = (str(item["id"]) for page in pages for item in page["Items"])
    return sum(claim.partition("#")[0] in actions for claim in claims)


def drain(consumers: list[Consumer], say: Callable[[str], None]) -> None:
    """Wait until no invocation works any more, at most one time limit."""
    while number := at_work(consumers):
        say(f"{number} run(s) are still being worked on")
        time.sleep(_BETWEEN_LOOKS)


def running(machine_arn: str) -> int:
    """Count a state machine's executions that run; 1000 means more."""
    found = boto3.client("stepfunctions").list_executions(
        stateMachineArn=machine_arn, statusFilter="RUNNING", maxResults=1000
    )
    return len(found["executions"])
