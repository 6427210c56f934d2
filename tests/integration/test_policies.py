"""Check all calls of the earlier tests against the policies that were in force."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest

from sandbox.aws.shapes import faults, is_left_out
from scripts.apply_sandbox import Mode, Stack
from tests.integration.conftest import SandboxClient
from tests.integration.test_create_service import calls_of, policies
from tests.leaks import leaks
from tests.tools.iam import check

# Runs after the other files, by its name, because it checks their calls.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]

FUNCTIONS = [
    "create_service",
    "upscale_service",
    "downscale_service",
    "delete_service",
    "approval",
    "health_checker",
    "remediation",
    "report_pull_request",
    "sweep_runs",
    "check_catalog",
]


@pytest.mark.story
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_stays_within_its_policy(
    sandbox: SandboxClient, stack: Stack, function: str
) -> None:
    role = role_of(stack, function)
    calls = calls_of(sandbox, role)

    violations, _ = check(calls, policies(sandbox, role))

    assert calls
    assert violations == []


def role_of(stack: Stack, function: str) -> str:
    """The name of a function's role. No output has that of `check_catalog`."""
    functions = stack.outputs()["functions"]
    known = function if function in functions else "sweep_runs"
    return str(functions[known]["role_name"]).replace(known, function)


def test_every_policy_statement_is_needed(sandbox: SandboxClient, stack: Stack) -> None:
    # Functions share code and so statements: at least one function must need each statement.
    granted: set[str] = set()
    needless: dict[str, set[str]] = {}
    for name, function in stack.outputs()["functions"].items():
        documents = policies(sandbox, function["role_name"])
        sids = {s["Sid"] for document in documents for s in document["Statement"]}
        _, unused = check(calls_of(sandbox, function["role_name"]), documents)
        needless[name] = {re.sub(r".*\((\w+)\)$", r"\1", statement) for statement in unused}
        granted |= sids - needless[name]

    assert {sid for found in needless.values() for sid in found} - granted == set()


def test_probe_function_only_writes_logs_and_traces(sandbox: SandboxClient, stack: Stack) -> None:
    role = stack.outputs()["functions"]["probe_health"]["role_name"]

    # Traces are sampled, so a call may or may not be traced.
    assert {call["service"] for call in calls_of(sandbox, role)} - {"xray"} == {"logs"}


@pytest.mark.story
@pytest.mark.parametrize("machine", ["approval", "remediation", "deliver_later"])
def test_state_machine_does_only_what_its_policy_allows(
    sandbox: SandboxClient, stack: Stack, machine: str
) -> None:
    role = stack.outputs()["roles"][f"{machine}_machine"]["name"]
    calls = calls_of(sandbox, role)

    violations, _ = check(calls, policies(sandbox, role))

    assert calls
    assert violations == []


# Errors of any operation, which models omit, and errors that S3's model lacks:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
ANY_ERROR = {"AccessDenied", "AccessDeniedException", "ValidationException", "PreconditionFailed"}


@pytest.mark.story
def test_recorded_calls_match_awss_models(sandbox: SandboxClient, stack: Stack) -> None:
    assert model_faults(sandbox) == set()


def model_faults(sandbox: SandboxClient) -> set[str]:
    """The recorded calls and answers that differ from botocore's models."""
    session: Any = botocore.session.get_session()  # its stubs have no codes of errors
    recorded = (sandbox.folder / "data" / "aws" / "aws-calls.jsonl").read_text()
    calls = [json.loads(line) for line in recorded.splitlines()]
    assert len(calls) > 100

    odd = set()
    for call in calls:
        operation = session.get_service_model(call["service"]).operation_model(call["operation"])
        name = f"{call['service']}:{call['operation']}"
        modelled = {shape.error_code for shape in operation.error_shapes} | ANY_ERROR
        if call["error"] and call["error"] not in modelled:
            odd.add(f"{name} answered {call['error']}")
        for part, shape in (
            ("parameters", operation.input_shape),
            ("answer", operation.output_shape),
        ):
            if call[part] is not None:
                found = faults(call[part], shape, part, is_left_out)
                # boto3 drops what its models do not know.
                known = [f for f in found if part != "answer" or not f.endswith("is not known")]
                odd |= {f"{name} {fault}" for fault in known}
    return odd


@pytest.mark.story
@pytest.mark.parametrize("prefix", ["aws/lambda", "held"])
def test_sweep_gets_404_for_a_removed_failed_record(
    sandbox: SandboxClient, stack: Stack, prefix: str
) -> None:
    role = (
        f"arn:aws:iam::000000000000:role/{stack.outputs()['functions']['sweep_runs']['role_name']}"
    )
    session = sandbox.aws("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    storage = boto3.client(
        "s3",
        endpoint_url=sandbox.env["AWS_ENDPOINT_URL"],
        region_name=sandbox.env["AWS_REGION"],
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    # Without permission to list, S3 answers 403, as if the record existed.
    with pytest.raises(storage.exceptions.NoSuchKey):
        storage.get_object(Bucket=stack.outputs()["records_bucket"], Key=f"{prefix}/gone.json")


@pytest.mark.story
def test_no_secret_is_written_anywhere(sandbox: SandboxClient, stack: Stack) -> None:
    secrets = dict(stored_secrets(sandbox))
    secrets["GitHub's token"] = sandbox.env["GITHUB_TOKEN"]
    places = dict(written(sandbox))

    found = {place: leaks([text], secrets) for place, text in places.items()}

    assert {place: leak for place, leak in found.items() if leak} == {}
    assert {"Port's client secret", "links", "kafka"} <= {name.split(":")[0] for name in secrets}
    # The search covered places that contain output.
    assert {place.split(" ")[0] for place in places} == {"log", "file", "state", "run", "pull"}


def stored_secrets(sandbox: SandboxClient) -> Iterator[tuple[str, str]]:
    """Return the values in Secrets Manager by name, without user names."""
    yield "Port's client secret", sandbox.env["PORT_CLIENT_SECRET"]
    client = sandbox.aws("secretsmanager")
    for listed in client.list_secrets()["SecretList"]:
        value = client.get_secret_value(SecretId=listed["ARN"])["SecretString"]
        name = listed["Name"].rpartition("/")[2]
        for field, text in json.loads(value).items():
            if field not in {"client_id", "username", "app_id", "installation_id"} and text:
                yield f"{name}: {field}", str(text)


def written(sandbox: SandboxClient) -> Iterator[tuple[str, str]]:
    """Yield all output of the stack and the sandbox in this session that people can read."""
    logs = sandbox.aws("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            events: list[Any] = []
            for found in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                events += [event["message"] for event in found["events"]]
            yield f"log {name}", "\n".join(events)
    for file in sorted((sandbox.folder / "logs").glob("*.log")):
        yield f"file {file.name}", file.read_text(errors="replace")
    for file in sorted(sandbox.folder.glob("terraform-*/**/*.tfstate")):
        yield f"state {file.name}", file.read_text()
    for action in ("create_service", "upscale_service", "delete_service", "decide_approval"):
        query = {"action": action, "version": "v2", "limit": 100}
        for run in sandbox.port.request("GET", "/v1/actions/runs", params=query)["runs"]:
            shown = json.dumps(run, ensure_ascii=False)
            yield f"run {run['id']}", "\n".join([shown, *sandbox.logs(run["id"])])
    for pull in sandbox.services.get_pulls(state="all"):
        yield f"pull {pull.number}", f"{pull.title}\n{pull.body}"
