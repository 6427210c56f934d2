"""The story without Kafka: Port sends signed requests, and the sweep recovers lost ones."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.apply_sandbox import Mode, Stack
from scripts.soaking.installation import Sweeper
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.test_create_service import calls_of, form, policies, pull_of
from tests.integration.test_policies import model_faults, role_of
from tests.integration.world import DEVOPS, World, service_name
from tests.tools.iam import check

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.WEBHOOK], indirect=True),
]


@pytest.fixture(scope="module")
def sweeper(sandbox: SandboxClient, stack: Stack) -> Iterator[Sweeper]:
    name = stack.outputs()["functions"]["sweep_runs"]["function_name"]
    made = Sweeper(sandbox.aws("lambda"), name)
    yield made
    made.restore()


@pytest.fixture
def world(sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest) -> World:
    """Make a service for the test, in Production."""
    made = World(sandbox, stack, service_name(request).removeprefix("test_"))
    made.exists()
    return made


@contextmanager
def unreachable(world: World) -> Iterator[None]:
    """Reject Port's requests."""
    functions = world.sandbox.aws("lambda")
    name = world.outputs["functions"]["receive_webhook"]["function_name"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


@contextmanager
def repeated_at_once(world: World, function: str) -> Iterator[None]:
    """Let SQS deliver failures again at once, not after six minutes."""
    queues, url = world.sandbox.aws("sqs"), world.outputs["queues"][function]["url"]
    names = ["VisibilityTimeout"]
    before = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    try:
        yield
    finally:
        queues.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_create_story_completes_by_webhook(world: World) -> None:
    name = f"{world.service}-new"
    run_id = world.sandbox.execute("create_service", form(name))

    pull = pull_of(world.sandbox, run_id)
    pull.merge(merge_method="squash")
    world.sandbox.wait_for_status(run_id, "SUCCESS")

    entity = world.sandbox.port.get_entity("service", name)
    assert entity is not None
    assert entity.properties["replicas"] == 2


def test_approval_story_completes_by_webhook(world: World) -> None:
    run_id = world.upscale()
    world.request(run_id)

    decision = world.decide(run_id, "APPROVE", DEVOPS)

    assert decision["status"] == "SUCCESS"
    world.ended(run_id, "SUCCESS")


def test_run_end_is_notified_by_webhook(world: World) -> None:
    run_id = world.delete()
    world.request(run_id)

    world.sandbox.port.update_run(run_id, status="FAILURE")

    wait_for("the withdrawal", lambda: world.request_now(run_id)["status"] == "Cancelled")
    world.wait_until_free()


def test_change_of_an_entity_arrives_in_its_queue(world: World) -> None:
    body = {"identifier": world.service, "properties": {"replicas": 7}}

    world.sandbox.port.upsert_entity("service", body)

    def ended() -> bool:
        params = {"action": "scaling-log_changes", "version": "v2", "limit": 50}
        runs = world.sandbox.port.request("GET", "/v1/actions/runs", params=params)["runs"]
        return any(
            run["status"] == "SUCCESS" and f'"{world.service}"' in json.dumps(run["payload"])
            for run in runs
        )

    wait_for("the end of the automation's run", ended)


def test_run_is_carried_out_by_doorbell_when_port_saw_an_error(
    world: World, sweeper: Sweeper
) -> None:
    with unreachable(world):
        run_id = world.upscale()

        def refused() -> bool:
            found = world.sandbox.sandbox("port", "GET", f"messages?run_id={run_id}")["messages"]
            return any(" answered 5" in (each["error"] or "") for each in found)

        wait_for("Port's error", refused)

    def rung() -> bool:
        sweeper.sweep(never_received=1)
        return world.sandbox.label(run_id).startswith("Waiting for approval")

    wait_for("the doorbell's effect", rung)


def test_failed_message_is_replayed(world: World, sweeper: Sweeper) -> None:
    with (
        repeated_at_once(world, "upscale_service"),
        world.policy(lambda document: document.pop("default")),
    ):
        run_id = world.upscale()

        queues = world.sandbox.aws("sqs")
        url = world.outputs["queues"]["upscale_service"]["dead_letters_url"]

        def given_up() -> bool:
            names = ["ApproximateNumberOfMessages"]
            found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)
            return str(found["Attributes"][names[0]]) != "0"

        wait_for("the dead letter", given_up)
    sweeper.sweep()
    listed = world.script("replay", "list")
    assert run_id in listed.stdout, listed.stdout + listed.stderr

    replayed = world.script("replay", "run", run_id)

    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    world.request(run_id)


@pytest.mark.parametrize(
    "function",
    [
        "receive_webhook",
        "create_service",
        "upscale_service",
        "approval",
        "health_checker",
        "sweep_runs",
        "check_catalog",
    ],
)
def test_zz_function_stays_within_its_policy(
    sandbox: SandboxClient, stack: Stack, function: str
) -> None:
    role = role_of(stack, function)
    calls = calls_of(sandbox, role)

    violations, _ = check(calls, policies(sandbox, role))

    assert calls
    assert violations == []


def test_zz_recorded_calls_are_as_aws_models_them(sandbox: SandboxClient, stack: Stack) -> None:
    assert model_faults(sandbox) == set()
