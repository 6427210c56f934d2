"""Delivers functions' logs to CloudWatch Logs as Lambda does.

LocalStack's own delivery knows no `LoggingConfig.LogGroup`, gives every line the same time and
sends a log of any size in one request.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation import version_manager
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.logs import QUEUE_SHUTDOWN, LogHandler, LogItem
from localstack.utils.aws.client_types import ServicePrincipal

LOG = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
MAX_EVENT_BYTES = 262_144 - EVENT_OVERHEAD_BYTES


def batches(lines: Sequence[str]) -> Iterator[list[str]]:
    """Cut log lines into what one PutLogEvents request may hold.

    A line that is too long for an event is cut into several, as Lambda cuts it.
    """
    batch: list[str] = []
    size = 0
    for line in lines:
        data = line.encode()
        pieces = [data[i : i + MAX_EVENT_BYTES] for i in range(0, len(data), MAX_EVENT_BYTES)]
        for piece in pieces:
            cost = len(piece) + EVENT_OVERHEAD_BYTES
            if batch and (size + cost > MAX_BYTES or len(batch) == MAX_EVENTS):
                yield batch
                batch, size = [], 0
            batch.append(piece.decode(errors="replace"))
            size += cost
    if batch:
        yield batch


class CloudWatchDelivery(LogHandler):  # type: ignore[misc]  # untyped base
    """Sends each invocation's log with the function's role, in the background."""

    def run_log_loop(self, *_args: object, **_kwargs: object) -> None:
        """Deliver until the version is stopped, and then what is still queued."""
        client = connect_to.with_assumed_role(
            region_name=self.region,
            role_arn=self.role_arn,
            service_principal=ServicePrincipal.lambda_,
            session_name="lambda-logs",
        ).logs
        streams: set[tuple[str, str]] = set()
        while (item := self.log_queue.get()) is not QUEUE_SHUTDOWN:
            try:
                stream = (item.log_group, item.log_stream)
                if stream not in streams:
                    _create_stream(client, *stream)
                    streams.add(stream)
                _deliver(client, item)
            except Exception:
                # Lambda, too, goes on when a log cannot be delivered.
                LOG.exception("log of %s was not delivered", item.log_group)


def _create_stream(client: Any, group: str, stream: str) -> None:
    try:
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceAlreadyExistsException":
            return
        if code != "ResourceNotFoundException":
            raise
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)


def _deliver(client: Any, item: LogItem) -> None:
    now = int(time.time() * 1000)
    lines = [line + "\n" for line in item.logs.split("\n") if line]
    for batch in batches(lines):
        client.put_log_events(
            logGroupName=item.log_group,
            logStreamName=item.log_stream,
            logEvents=[{"timestamp": now, "message": line} for line in batch],
        )


def _log_group(environment: ExecutionEnvironment) -> str:
    version = environment.function_version
    configured = (version.config.logging_config or {}).get("LogGroup")
    return configured or f"/aws/lambda/{version.id.function_name}"


def _log_stream(environment: ExecutionEnvironment) -> str:
    """Return one log stream per environment, named as by Lambda.

    In a shared group, the name ends with the function.
    """
    if not hasattr(environment, "slipway_log_stream"):
        version = environment.function_version
        shared = _log_group(environment) != f"/aws/lambda/{version.id.function_name}"
        function = version.id.function_name if shared else ""
        today = datetime.now(UTC)
        environment.slipway_log_stream = (
            f"{today:%Y/%m/%d}/{function}[{version.id.qualifier}]{environment.id}"
        )
    return str(environment.slipway_log_stream)


def install() -> None:
    """Make LocalStack deliver logs this way."""
    version_manager.LogHandler = CloudWatchDelivery
    ExecutionEnvironment.get_log_group_name = _log_group
    ExecutionEnvironment.get_log_stream_name = _log_stream
