"""Measure a new process: the time until an action's function sends its first request."""

import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.unit.conftest import ENVIRONMENT, ROOT

ROUNDS = 9
INPUTS = {
    "service_name": "shop",
    "owner": "developer@acme.example",
    "team": "payments",
    "project": "atlas",
    "environment": "Test",
    "service_type": "backend",
    "replicas": 2,
    "image_tag": "1.4.0",
    "values_format": "JSON",
}
_SECONDS = "t = time.process_time(); {}; print(time.process_time() - t)"
# Each request resolves an address first.
_FIRST_REQUEST = """
import json, os, socket, sys, time
started = time.process_time()
def first(*_):
    sys.stderr.write(str(time.process_time() - started))
    sys.stderr.flush()
    os._exit(0)
socket.getaddrinfo = first
class Context:
    function_name = "slipway-create_service"
    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:slipway:live"
    def get_remaining_time_in_millis(self):
        return 60_000
from functions.action.handler import handler
handler(json.loads(sys.argv[1]), Context())
"""


def first_request_ratio() -> float:
    """Processor time from the start of Python code to the first request, as a multiple of boto3's.

    The median of pairs, so that neither a busy machine nor a slow one matters.
    """
    event = _event()
    _first_request(event)  # The first one writes the bytecode.
    pairs = [(_import_boto3(), _first_request(event)) for _ in range(ROUNDS)]
    return statistics.median(ours / boto3 for boto3, ours in pairs)


def preview_seconds() -> float:
    """Return the processor time of `scripts/catalog preview`, as the median of three."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "inputs.json")
        inputs.write_text(json.dumps(INPUTS))
        command = ROOT / "scripts" / "catalog"
        preview = (command, "preview", "create_service", "--inputs", inputs)
        return statistics.median(_processor_seconds(preview) for _ in range(3))


def _processor_seconds(command: Sequence[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _import_boto3() -> float:
    return float(_python(f"import time; {_SECONDS.format('import boto3')}").stdout)


def _first_request(event: str) -> float:
    return float(_python(_FIRST_REQUEST, event).stderr)


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )


def _event() -> str:
    """Return an event with one message of a create."""
    value = {
        "action": "create_service",
        "resourceType": "run",
        "context": {"runId": "r_0123456789abcdef"},
        "trigger": {"by": {"user": {"email": "developer@acme.example"}}},
    }
    record = {
        "topic": "org_test.runs",
        "partition": 0,
        "offset": 0,
        "timestamp": 1_700_000_000_000,
        "value": base64.b64encode(json.dumps(value).encode()).decode(),
        "headers": [],
    }
    return json.dumps({"eventSource": "SelfManagedKafka", "records": {"org_test.runs-0": [record]}})
