"""Read and operate the stack in a sandbox as its operator does."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import boto3

_SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
_DAY = 86_400
# So long that no limit is reached.
_LIMITS = {
    "never_received": _DAY,
    "report": _DAY,
    "pull_request": 30 * _DAY,
    "reminder": 3 * _DAY,
    "held": 3 * _DAY,
}


class SweepFailed(Exception):
    """The sweep has raised an error, which is the text."""


class Installation:
    """The tables, buckets and state machines of the stack in a sandbox.

    Args:
        env: the sandbox's `env` file.
        outputs: the stack's outputs, by name.
    """

    def __init__(self, env: Mapping[str, str], outputs: dict[str, Any]) -> None:
        self.env = env
        self.outputs = outputs
        self._clients: dict[str, Any] = {}

    def aws(self, service: str) -> Any:
        """Return a client of the sandbox's AWS."""
        if service not in self._clients:
            self._clients[service] = boto3.client(  # type: ignore[call-overload]  # the name is no literal
                service,
                endpoint_url=self.env["AWS_ENDPOINT_URL"],
                region_name=self.env["AWS_REGION"],
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106 - the sandbox's AWS takes any
            )
        return self._clients[service]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table, with texts and numbers as text."""
        pages = (
            self.aws("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.outputs["tables"][table], ConsistentRead=True)
        )
        return [
            {name: next(iter(value.values())) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]

    def executions(self, machine: str, status: str | None = None) -> dict[str, str]:
        """Return the status of a state machine's executions, by name.

        Args:
            machine: `approval`, `deliver_later` or `remediation`.
            status: only those.
        """
        # All machines have names like `<prefix>-<machine>`.
        arn = str(self.outputs["approval_machine_arn"]).removesuffix("approval") + machine
        wanted = {"statusFilter": status} if status else {}
        pages = self.aws("stepfunctions").get_paginator("list_executions")
        return {
            item["name"]: item["status"]
            for page in pages.paginate(stateMachineArn=arn, **wanted)
            for item in page["executions"]
        }

    def held_records(self) -> dict[str, str]:
        """Return the keys of permanently failed records, by run id."""
        held = {key.removeprefix("held/").partition(".")[0]: key for key in self._keys("held/")}
        for key in self._keys("aws/lambda/"):
            held |= dict.fromkeys(run_ids(json.loads(self._object(key))), key)
        return held

    @contextmanager
    def policy(
        self, change: Callable[[dict[str, Any]], None], name: str = "policy"
    ) -> Iterator[None]:
        """Use another policy for a while."""
        key, storage = f"policy/{name}.json", self.aws("s3")
        before = self._object(key)
        document = json.loads(before)
        change(document)
        place = {"Bucket": self.outputs["records_bucket"], "Key": key}
        # Byte for byte Terraform's version, so that a plan finds no change.
        as_json = {**place, "ContentType": "application/json"}
        storage.put_object(**as_json, Body=json.dumps(document).encode())
        try:
            yield
        finally:
            storage.put_object(**as_json, Body=before)

    def _object(self, key: str) -> bytes:
        place = {"Bucket": self.outputs["records_bucket"], "Key": key}
        body: bytes = self.aws("s3").get_object(**place)["Body"].read()
        return body

    def _keys(self, prefix: str) -> list[str]:
        pages = self.aws("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs["records_bucket"], Prefix=prefix)
        return [item["Key"] for page in found for item in page.get("Contents", [])]


class Sweeper:
    """Calls the sweep as its schedule does, but with its own limits.

    It uses the function's unpublished version, so that the schedule keeps the stack's limits.

    Args:
        functions: a client of Lambda.
        name: the function's name.
    """

    def __init__(self, functions: Any, name: str) -> None:
        self._functions = functions
        self._name = name
        configuration = functions.get_function_configuration(FunctionName=name)
        self._before: dict[str, str] = configuration["Environment"]["Variables"]
        self._now = self._before

    def sweep(self, **limits: int) -> None:
        """Sweep with limits in seconds; the default limits are never reached.

        Raises:
            SweepFailed: an item could not be processed.
        """
        self._set({**self._before, "SWEEP_LIMITS": json.dumps(_LIMITS | limits)})
        answer = self._functions.invoke(FunctionName=self._name, Payload=json.dumps(_SCHEDULED))
        if "FunctionError" in answer:
            raise SweepFailed(answer["Payload"].read().decode())

    def restore(self) -> None:
        """Restore the function."""
        self._set(self._before)

    def _set(self, variables: dict[str, str]) -> None:
        if variables == self._now:
            return
        self._functions.update_function_configuration(
            FunctionName=self._name, Environment={"Variables": variables}
        )
        waiter = self._functions.get_waiter("function_updated_v2")
        waiter.wait(FunctionName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        self._now = variables


def run_ids(failure: dict[str, Any]) -> Iterator[str]:
    """Yield the runs of the records that Lambda has stored together."""
    batches = json.loads(failure["payload"])["records"].values()
    for record in chain.from_iterable(batches):
        message = json.loads(base64.b64decode(record["value"]))
        yield str(message["context"]["runId"])
