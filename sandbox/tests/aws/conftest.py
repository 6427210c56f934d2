"""One real AWS for all tests here: `python -m sandbox.aws` on a free port."""

import io
import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sandbox.ports import free_port
from sandbox.tests.waiting import LIMIT, wait_for

REPOSITORY = Path(__file__).parents[3]
REGION = "eu-west-1"
ACCOUNT = "000000000000"
# The cluster's user, as secrets of mappings have to name it.
KAFKA_USER = {"SANDBOX_KAFKA_USERNAME": "org_sandbox", "SANDBOX_KAFKA_PASSWORD": "right"}


def archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


@dataclass
class RunningAws:
    port: int
    state_dir: Path
    kafka: str
    process: subprocess.Popen[bytes]
    region: str = REGION
    _clients: dict[str, Any] = field(default_factory=dict)
    _names: Iterator[int] = field(default_factory=itertools.count)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                region_name=self.region,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=LIMIT),
            )
        return self._clients[service]

    def in_region(self, region: str) -> "RunningAws":
        """The same AWS, with clients of another region."""
        return replace(self, region=region, _clients={})

    def name(self, what: str) -> str:
        return f"{what}-{next(self._names)}"

    def function(self, source: str, **options: Any) -> str:
        """Create a function of one module and wait until it can be invoked; its name."""
        name = self.name("function")
        client = self.client("lambda")
        client.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "Architectures": [host_architecture()],
                "Code": {"ZipFile": archive({"app.py": source})},
                # Lambda's default of three seconds can be over before a busy machine has begun.
                "Timeout": 300,
                **options,
            }
        )
        wait_for(lambda: self.state_of(name) == "Active")
        return name

    def state_of(self, function: str) -> str:
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        return str(configuration["State"])

    def layer(self, files: Mapping[str, str]) -> str:
        version = self.client("lambda").publish_layer_version(
            LayerName=self.name("layer"), Content={"ZipFile": archive(files)}
        )
        return str(version["LayerVersionArn"])

    def invoke(self, function: str, event: object = None, **options: Any) -> Any:
        """What the function answers; a function that fails fails the test."""
        answer = self.invoke_raw(function, event, **options)
        assert "FunctionError" not in answer, answer["Payload"]
        return answer["Payload"]

    def invoke_raw(self, function: str, event: object = None, **options: Any) -> dict[str, Any]:
        answer = self.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event), **options
        )
        return {**answer, "Payload": json.loads(answer["Payload"].read())}

    def log_lines(self, group: str) -> list[str]:
        client = self.client("logs")
        streams = client.describe_log_streams(logGroupName=group)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in client.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def calls(self) -> list[dict[str, Any]]:
        lines = (self.state_dir / "aws-calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def host_architecture() -> str:
    import platform

    return {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


def function_processes(aws: RunningAws) -> list[int]:
    """The processes that were started for functions of this AWS and still run."""
    mark = f"LAMBDA_TASK_ROOT={aws.state_dir}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:  # the process has ended
            continue
    return found


@contextmanager
def running_aws(state_dir: Path, kafka: str) -> Iterator[RunningAws]:
    """An AWS that answers; it is killed at the end, if it has not ended before."""
    port = free_port()
    log = state_dir.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sandbox.aws", "--port", str(port)),
                *("--state-dir", str(state_dir), "--kafka", kafka),
            ],
            cwd=REPOSITORY,
            env={**os.environ, **KAFKA_USER},
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            url = f"http://127.0.0.1:{port}/_localstack/health"
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_for(is_ready)
        yield RunningAws(port, state_dir, kafka, process)
    finally:
        process.kill()
        process.wait(LIMIT)


@pytest.fixture(scope="session")
def aws(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAws]:
    with running_aws(tmp_path_factory.mktemp("aws") / "state", broker) as running:
        yield running
        running.process.terminate()
        assert running.process.wait(timeout=LIMIT) == 0
        assert function_processes(running) == []
