"""What was done in all the tests before, held against the policies under which it was done."""

import re

import pytest

from sandbox.aws.iam import check
from scripts.apply_sandbox import Mode, Stack
from tests.integration.conftest import NEW_ACTION, SandboxClient
from tests.integration.test_create_service import calls_of, policies

# After the other files, by its name: their tests are what is looked at.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]

FUNCTIONS = [
    "upscale_service",
    "downscale_service",
    "delete_service",
    NEW_ACTION,
    "approval",
    "health_checker",
    "remediation",
    "sweep_runs",
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_given_what_a_function_did_when_held_against_its_policy_then_all_was_allowed(
    sandbox: SandboxClient, stack: Stack, function: str
) -> None:
    role = stack.outputs()["functions"][function]["role_name"]
    calls = calls_of(sandbox, role)

    violations, _ = check(calls, policies(sandbox, role))

    assert calls
    assert violations == []


def test_given_the_policies_when_held_against_what_was_done_then_every_statement_is_needed(
    sandbox: SandboxClient, stack: Stack
) -> None:
    # Functions share code, and so statements: each must be needed by one of those that have it.
    granted: set[str] = set()
    needless: dict[str, set[str]] = {}
    for name, function in stack.outputs()["functions"].items():
        documents = policies(sandbox, function["role_name"])
        sids = {s["Sid"] for document in documents for s in document["Statement"]}
        _, unused = check(calls_of(sandbox, function["role_name"]), documents)
        needless[name] = {re.sub(r".*\((\w+)\)$", r"\1", statement) for statement in unused}
        granted |= sids - needless[name]

    assert {sid for found in needless.values() for sid in found} - granted == set()


def test_given_the_probing_function_when_looked_at_then_it_wrote_its_log_and_traces_alone(
    sandbox: SandboxClient, stack: Stack
) -> None:
    role = stack.outputs()["functions"]["probe_health"]["role_name"]

    # Traces are sampled: whether one of its calls was traced is chance.
    assert {call["service"] for call in calls_of(sandbox, role)} - {"xray"} == {"logs"}


@pytest.mark.parametrize("machine", ["approval", "remediation"])
def test_given_a_state_machine_when_held_against_its_policy_then_all_was_allowed(
    sandbox: SandboxClient, stack: Stack, machine: str
) -> None:
    role = f"{stack.outputs()[f'{machine}_machine_arn'].rpartition(':')[2]}-machine"
    calls = calls_of(sandbox, role)

    violations, _ = check(calls, policies(sandbox, role))

    assert calls
    assert violations == []
