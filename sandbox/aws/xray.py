"""Sends the segment that Lambda itself makes of each invocation of a traced function."""

import json
import logging
import secrets
import time
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from sandbox.aws.platform_logs import Outcome

LOG = logging.getLogger(__name__)


def report(
    function_version: FunctionVersion,
    variables: Mapping[str, str],
    trace_header: str,
    outcome: Outcome,
) -> None:
    """Put a segment with the function's own credentials, as Lambda does, if it is traced.

    Args:
        function_version: Whose tracing mode decides.
        variables: The environment of the function, with its credentials.
        trace_header: The invocation's, with `Root`, `Parent` and `Sampled`.
        outcome: How long it took and how it ended.
    """
    if function_version.config.tracing_config_mode != "Active":
        return
    trace = dict(part.split("=", 1) for part in trace_header.split(";") if "=" in part)
    if trace.get("Sampled") != "1":
        return
    now = time.time()
    segment = {
        "name": function_version.id.function_name,
        "id": secrets.token_hex(8),
        "trace_id": trace["Root"],
        "parent_id": trace.get("Parent"),
        "start_time": now - outcome.duration_ms / 1000,
        "end_time": now,
        "origin": "AWS::Lambda::Function",
        "aws": {"function_arn": function_version.id.qualified_arn()},
        "fault": outcome.status != "success",
    }
    client = connect_to(
        region_name=function_version.id.region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    ).xray
    try:
        client.put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
    except (BotoCoreError, ClientError):
        # A trace that is lost never fails an invocation.
        LOG.exception("segment of %s was not delivered", function_version.id.function_name)
