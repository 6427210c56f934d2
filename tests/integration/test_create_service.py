"""Create a service, end to end: Port's REST API → Kafka → event source → Lambda → GitHub → Port.

Each test runs in both Kafka modes, with the Terraform code that is applied to AWS.
"""

import base64
import json
import re
import subprocess
from typing import Any

import pytest

from scripts.apply_sandbox import ROOT, Mode, Stack
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.world import base64_values
from tests.tools.iam import check

# The first test of each mode waits for the stack to be applied.
pytestmark = pytest.mark.integration

YAML = "# typed by hand\nlog:\n  level: info   # not debug\n"


def form(name: str, **changes: Any) -> dict[str, Any]:
    """Return the input of *Create New Service*."""
    return {
        "service_name": name,
        "owner": "developer@acme.example",
        "team": "payments",
        "project": "shop",
        "environment": "Test",
        "service_type": "backend",
        "replicas": 2,
        "image_tag": "1.4.0",
        "values_format": "YAML",
        "common_values_yaml": YAML,
        **changes,
    }


def pull_of(sandbox: SandboxClient, run_id: str) -> Any:
    return sandbox.services.get_pull(int(sandbox.wait_for_link(run_id).rsplit("/", 1)[1]))


def pulls_of(sandbox: SandboxClient, run_id: str) -> list[Any]:
    branch = f"acme:slipway/create_service/{run_id}"
    return list(sandbox.services.get_pulls(state="all", head=branch))


def text_of(sandbox: SandboxClient, path: str, ref: str) -> str:
    content = sandbox.services.get_contents(path, ref=ref)
    assert not isinstance(content, list)
    return base64.b64decode(content.content).decode()


def counters(sandbox: SandboxClient) -> dict[str, int]:
    """Return the counts of the consuming mapping of create_service."""
    mappings = sandbox.sandbox("aws", "GET", "event-source-mappings")["EventSourceMappings"]
    of_create = [m for m in mappings if m["FunctionArn"].endswith("-create_service:live")]
    counted: dict[str, int] = of_create[-1]["Counters"]
    return counted


@pytest.fixture
def name(stack: Stack, request: pytest.FixtureRequest) -> str:
    """Make a service name for the test."""
    words = request.node.originalname.removeprefix("test_").split("_")[:4]
    return f"{'-'.join(words)}-{stack.mode}"[:63]


@pytest.mark.story
def test_merged_service_has_its_inputs_in_every_system(sandbox: SandboxClient, name: str) -> None:
    run_id = sandbox.execute("create_service", form(name))

    # Slipway shows the pull request before GitHub has its reviewers and labels.
    pull = wait_for("the labels", lambda: p if (p := pull_of(sandbox, run_id)).labels else None)
    assert pull.title == f"Scaffold new service {name}"
    assert pull.head.ref == f"slipway/create_service/{run_id}"
    assert {label.name for label in pull.labels} == {"slipway", "create_service"}
    assert pull.commits == 1
    _users, teams = pull.get_review_requests()
    assert [team.slug for team in teams] == ["payments"]
    common = text_of(sandbox, f"apps/{name}/common_values.yaml", pull.head.sha)
    assert common == YAML + 'image:\n  tag: "1.4.0"\nreplicas: 2\n'
    port_data = json.loads(text_of(sandbox, f"apps/{name}/portData.json", pull.head.sha))
    assert port_data["run_id"] == run_id

    pending = sandbox.port.get_entity("service", name)
    assert pending is not None
    assert pending.properties["health_status"] == "Pending"
    assert pending.properties["sync_status"] == "OutOfSync"
    assert pending.properties["pr_url"] == pull.html_url
    run = sandbox.run(run_id)
    assert run["status"] == "IN_PROGRESS"
    assert run["statusLabel"] == f"Waiting for the merge of pull request #{pull.number}"
    assert "(trace 1-" in sandbox.logs(run_id)[0]

    pull.merge(merge_method="squash")

    ended = sandbox.wait_for_status(run_id, "SUCCESS")
    assert ended["link"][0] == pull.html_url
    entity = sandbox.port.get_entity("service", name)
    assert entity is not None
    assert entity.properties["health_status"] in {"Progressing", "Healthy"}
    assert entity.properties["namespace"] == name
    assert entity.properties["health_url"].endswith(f"/services/{name}/health")
    assert entity.properties["replicas"] == 2


@pytest.mark.story
def test_closed_pull_request_fails_run_and_removes_entity(
    sandbox: SandboxClient, name: str
) -> None:
    run_id = sandbox.execute("create_service", form(name))
    pull = pull_of(sandbox, run_id)

    pull.edit(state="closed")

    run = sandbox.wait_for_status(run_id, "FAILURE")
    assert f"#{pull.number}" in run["summary"]
    assert sandbox.port.get_entity("service", name) is None


@pytest.mark.story
def test_redelivered_message_repeats_no_work(sandbox: SandboxClient, name: str) -> None:
    run_id = sandbox.execute("create_service", form(name))
    pull = pull_of(sandbox, run_id)
    before = counters(sandbox)["invoked"]

    sandbox.sandbox("port", "POST", "redeliver", {"run_id": run_id})
    wait_for("second delivery", lambda: counters(sandbox)["invoked"] > before or None)
    pull.merge(merge_method="squash")
    ended = sandbox.wait_for_status(run_id, "SUCCESS")
    before = counters(sandbox)["invoked"]
    sandbox.sandbox("port", "POST", "redeliver", {"run_id": run_id})
    wait_for("third delivery", lambda: counters(sandbox)["invoked"] > before or None)

    assert [p.number for p in pulls_of(sandbox, run_id)] == [pull.number]
    assert sandbox.services.get_pull(pull.number).commits == 1
    assert sandbox.run(run_id)["updatedAt"] == ended["updatedAt"]
    assert len([line for line in sandbox.logs(run_id) if "is open" in line]) == 1


@pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True)
def test_existing_name_is_refused_with_a_link(sandbox: SandboxClient, name: str) -> None:
    first = sandbox.execute("create_service", form(name))
    pull_of(sandbox, first).merge(merge_method="squash")
    sandbox.wait_for_status(first, "SUCCESS")

    second = sandbox.execute("create_service", form(name))

    run = sandbox.wait_for_status(second, "FAILURE")
    assert f"Service '{name}' exists already: http" in run["summary"]
    assert pulls_of(sandbox, second) == []


@pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True)
def test_hostile_input_is_shown_as_text(sandbox: SandboxClient, name: str) -> None:
    project = "@acme/payments ${{ secrets.PORT_CLIENT_SECRET }} <img src=x> `x`"

    run_id = sandbox.execute("create_service", form(name, project=project))

    pull = pull_of(sandbox, run_id)
    assert "@acme" not in pull.body
    assert "${{" not in pull.body
    assert "<img" not in pull.body
    pull.merge(merge_method="squash")
    sandbox.wait_for_status(run_id, "SUCCESS")
    entity = sandbox.port.get_entity("service", name)
    assert entity is not None
    assert entity.properties["project"] == project


@pytest.mark.story
def test_junk_on_the_topic_is_skipped_and_the_next_run_succeeds(
    sandbox: SandboxClient, name: str
) -> None:
    before = counters(sandbox)
    for junk in (
        {"text": "this is not JSON"},
        {"text": '["an", "array"]'},
        {"text": '"a text"'},
        {"value": {"resourceType": "run", "action": "foreign_action"}},
        {"value": {"headers": {}, "payload": {"action": {"invocationMethod": {"agent": True}}}}},
        {"value": {"resourceType": "run", "action": "create_service", "context": {}}},
    ):
        sandbox.sandbox("port", "POST", "publish", {"topic": "runs", **junk})

    run_id = sandbox.execute("create_service", form(name))

    sandbox.wait_for_link(run_id)
    # Only the last record passes the filter, and the function skips it.
    invoked = before["invoked"] + 2
    after = wait_for(
        "both invocations",
        lambda: now if (now := counters(sandbox))["invoked"] == invoked else None,
    )
    # The automations of the new entity send messages, too.
    assert after["filtered"] - before["filtered"] >= 5
    assert after["notJson"] - before["notJson"] == 1
    assert after["failed"] == before["failed"]


@pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True)
@pytest.mark.parametrize("system", ["github", "port"])
def test_run_succeeds_after_a_transient_outage(
    sandbox: SandboxClient, name: str, system: str
) -> None:
    name = f"{system}-{name}"[:63].rstrip("-")
    fault = {
        "github": {"method": "POST", "path": "/api/graphql$", "times": 2, "status": 502},
        "port": {"method": "POST", "path": "/entities", "times": 2, "status": 503},
    }[system]
    sandbox.sandbox(system, "POST", "faults", fault)

    run_id = sandbox.execute("create_service", form(name))

    assert pull_of(sandbox, run_id).commits == 1


@pytest.mark.story
@pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True)
def test_run_is_retried_later_after_a_long_rate_limit(
    sandbox: SandboxClient, stack: Stack, name: str
) -> None:
    fault = {
        "method": "POST",
        "path": "/api/graphql$",
        "times": 1,
        "status": 429,
        "headers": {"Retry-After": "25"},
    }
    sandbox.sandbox("github", "POST", "faults", fault)

    run_id = sandbox.execute("create_service", form(name))

    label = wait_for(
        "the label",
        lambda: found if "Waiting until" in (found := sandbox.label(run_id)) else None,
    )
    assert label.endswith("UTC")
    assert pull_of(sandbox, run_id).commits == 1
    states = sandbox.aws("stepfunctions")
    machine = stack.outputs()["deliver_later_arn"]
    executions = states.list_executions(stateMachineArn=machine)["executions"]
    assert f"{run_id}-later-1" in {execution["name"] for execution in executions}


@pytest.mark.story
@pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True)
def test_whole_record_is_stored_when_retries_are_used_up(
    sandbox: SandboxClient, stack: Stack, name: str
) -> None:
    # An internal error: the token may not write.
    fault = {"method": "POST", "path": "/api/graphql$", "times": 50, "status": 403}
    sandbox.sandbox("github", "POST", "faults", fault)
    s3 = sandbox.aws("s3")
    bucket = stack.outputs()["records_bucket"]

    run_id = sandbox.execute("create_service", form(name))

    def stored() -> dict[str, Any] | None:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="aws/lambda/").get("Contents", [])
        for found in listed:
            record = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
            if run_id in base64_values(record):
                return dict(record)
        return None

    record = wait_for("the failed record", stored)
    sandbox.sandbox("github", "DELETE", "faults")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert sandbox.label(run_id).startswith("On hold, reference 1-")
    assert sandbox.run(run_id)["status"] == "IN_PROGRESS"
    # The partition continues.
    other = sandbox.execute("create_service", form(f"after-{name}"[:63].rstrip("-")))
    sandbox.wait_for_link(other)


@pytest.mark.story
def test_paused_function_is_not_a_change_in_the_plan(sandbox: SandboxClient, stack: Stack) -> None:
    prefix = stack.outputs()["functions"]["create_service"]["function_name"].rpartition("-")[0]

    def operate(command: str) -> None:
        env_file = sandbox.folder / "env"
        options = ("--name-prefix", prefix, "--env-file", env_file)
        subprocess.run(
            [ROOT / "scripts" / command, "create_service", *options], check=True, timeout=300
        )

    operate("pause")

    assert not stack.has_changes()
    operate("resume")


def policies(sandbox: SandboxClient, role: str) -> list[dict[str, Any]]:
    """Return the inline policies of a role."""
    iam = sandbox.aws("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


def calls_of(sandbox: SandboxClient, role: str) -> list[dict[str, Any]]:
    """Return every AWS call with a role's credentials."""
    recorded = (sandbox.folder / "data" / "aws" / "aws-calls.jsonl").read_text().splitlines()
    calls: list[dict[str, Any]] = [json.loads(line) for line in recorded]
    return [call for call in calls if (call["role"] or "").endswith(f"/{role}")]


@pytest.mark.story
def test_create_service_calls_are_allowed_by_its_policy(
    sandbox: SandboxClient, stack: Stack
) -> None:
    role = stack.outputs()["functions"]["create_service"]["role_name"]

    violations, _ = check(calls_of(sandbox, role), policies(sandbox, role))

    assert calls_of(sandbox, role)
    assert violations == []


def test_create_service_policy_has_no_unused_statement(
    sandbox: SandboxClient, stack: Stack
) -> None:
    role = stack.outputs()["functions"]["create_service"]["role_name"]

    _, unused = check(calls_of(sandbox, role), policies(sandbox, role))

    # Lambda creates interfaces in an MSK cluster's network; the sandbox has no network.
    excused = {"EventSourceJoinNetwork"}
    if stack.mode is Mode.MSK:
        # The other mode's tests cover every outage; only the source differs.
        used_before = policies(sandbox, role.replace("slipway-msk-", "slipway-"))
        excused |= {s["Sid"] for document in used_before for s in document["Statement"]}
    assert {re.sub(r".*\((\w+)\)$", r"\1", statement) for statement in unused} <= excused
