"""Check recorded calls of apply and operation against their policies. Runs last, by its name.

The sandbox's AWS recorded the calls in this session: an apply, an upgrade, the operators' commands,
and the final removal of everything.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT
from tests.consumer.actions import accesses
from tests.consumer.conftest import APPLIER, SECOND, Archives, Consumer, credentials
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.test_create_service import calls_of
from tests.integration.world import World
from tests.tools.iam import parse, refusal
from tests.tools.iam.actions import Access

# The first test waits for three releases and an apply.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

OPERATOR = "slipway-operator"
# Actions that the sandbox's example or these changes do not use.
APPLY_UNSEEN = {
    "Alarms: cloudwatch:TagResource",
    "Buckets: s3:PutLifecycleConfiguration",
    "Functions: lambda:PutFunctionConcurrency",
    "Machines: states:UpdateStateMachine",
    "Queues: sqs:SetQueueAttributes",
    "Roles: iam:UpdateAssumeRolePolicy",
    "Subscriptions: sns:SetSubscriptionAttributes",
    "Traces: xray:CreateGroup",
    "Traces: xray:DeleteGroup",
    "Traces: xray:GetGroup",
    "Traces: xray:ListTagsForResource",
    "Traces: xray:TagResource",
    "Traces: xray:UpdateGroup",
    "Triggers: lambda:UpdateEventSourceMapping",
}
# `scripts/resume <run>`, which needs an execution that failed, and `scripts/status` by webhook.
OPERATE_UNSEEN = {
    "Machines: states:StartExecution",
    "Queues: sqs:GetQueueAttributes",
    "Runs: dynamodb:UpdateItem",
}


def policy(name: str, sandbox: SandboxClient) -> dict[str, Any]:
    """Read a policy of examples/policies for the sandbox's account and region."""
    text = (ROOT / f"examples/policies/{name}.json").read_text()
    found: dict[str, Any] = json.loads(
        text.replace("111122223333", "000000000000").replace("eu-west-1", sandbox.env["AWS_REGION"])
    )
    return found


def did(sandbox: SandboxClient, role: str) -> list[Access]:
    return [access for call in calls_of(sandbox, role) for access in accesses(call)]


def refused(done: list[Access], document: Mapping[str, Any]) -> set[str]:
    """Return the calls that the policy does not allow."""
    return {
        f"{access.action} on {access.resource}" for access in done if refusal(access, [document])
    }


def needless(done: list[Access], document: Mapping[str, Any]) -> Iterator[str]:
    """Return the actions of statements that no call needed."""
    for statement in document["Statement"]:
        for action in statement["Action"]:
            (one,) = parse({"Statement": [{**statement, "Action": action}]}, "any")
            if not any(one.applies(access) for access in done):
                yield f"{statement['Sid']}: {action}"


@pytest.fixture(scope="module")
def operated(sandbox: SandboxClient, consumer: Consumer) -> list[Access]:
    """Run each command of docs/runbook.md once with the operators' role."""
    world = World(sandbox, consumer, "of-an-operator")
    world.exists()
    waiting = world.upscale(step=1)
    world.request(waiting)
    refusing = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
    fault = {"field": "createRef", "times": 500, "body": refusing}
    sandbox.sandbox("github", "POST", "faults", fault)
    on_hold = [World(sandbox, consumer, f"hold-{number}") for number in (1, 2)]
    for one in on_hold:
        one.exists("Test")
    runs = [one.upscale(step=1) for one in on_hold]
    for run in runs:
        wait_for(f"the record of {run}", lambda run=run: world.failed(run))  # type: ignore[misc]
    sandbox.sandbox("github", "DELETE", "faults")
    topic = consumer.outputs()["approvals_topic_arn"]
    mails = sandbox.sandbox("aws", "GET", "emails")
    link = next(m["message"].split()[-1] for m in mails if m["topic"] == topic)

    for command in (
        ["status"],
        ["unlock"],
        ["cancel", waiting],
        ["pause", "delete_service"],
        ["resume", "delete_service"],
        ["replay", "list"],
        ["replay", "show", runs[0]],
        ["replay", "run", runs[0]],
        ["replay", "discard", runs[1], "--reason", "A test."],
        ["confirm", link],
        ["adopt", "service"],
        ["doctor"],
    ):
        as_operator(sandbox, *command)
    leave_lock(world, waiting)
    as_operator(sandbox, "unlock", "left-over")
    return did(sandbox, OPERATOR)


def as_operator(sandbox: SandboxClient, name: str, *arguments: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / name, *arguments, "--env-file", sandbox.folder / "env"],
        env={**os.environ, **credentials(sandbox, OPERATOR)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def leave_lock(world: World, ended_run: str) -> None:
    """Lock a service as a killed run leaves it."""
    row = {"service": "left-over", "owner": ended_run, "kind": "run", "taken_at": "2026-11-30"}
    world.sandbox.aws("dynamodb").put_item(
        TableName=world.outputs["tables"]["locks"],
        Item={name: {"S": value} for name, value in row.items()},
    )


def test_operators_policy_allows_their_commands(
    sandbox: SandboxClient, consumer: Consumer, operated: list[Access]
) -> None:
    document = policy("operate", sandbox)
    # With this key an operator could sign approvals: `doctor` reports that it cannot read it.
    links = consumer.outputs()["secrets"]["links"]

    assert len({access.action for access in operated}) > 15
    assert refused(operated, document) == {f"secretsmanager:GetSecretValue on {links}"}
    assert set(needless(operated, document)) == OPERATE_UNSEEN


def test_appliers_policy_allows_apply_upgrade_and_destroy(
    sandbox: SandboxClient, consumer: Consumer, archives: Archives, operated: list[Access]
) -> None:
    consumer.use(archives.source(SECOND))
    consumer.apply()
    consumer.destroy()
    done = did(sandbox, APPLIER)
    document = policy("apply", sandbox)

    # Only an installation without `deletion_protection` is emptied as it is removed.
    emptied = (
        r"s3:(DeleteObjectVersion|BypassGovernanceRetention) on \S+:slipway-(audit|records)-.+"
    )

    assert len({access.action for access in done}) > 100
    assert [each for each in refused(done, document) if not re.fullmatch(emptied, each)] == []
    assert set(needless(done, document)) == APPLY_UNSEEN


@pytest.mark.parametrize("file", sorted((ROOT / "examples/policies").glob("*.json")))
def test_policy_is_within_iams_size_limit(file: Path) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len("".join(file.read_text().split())) <= 6144
