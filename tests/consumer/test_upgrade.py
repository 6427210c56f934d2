"""A consumer applies a release, plays a create, and upgrades while an approval waits."""

import pytest

from scripts.apply_sandbox import StackError
from tests.consumer.conftest import SECOND, THIRD, Archives, Consumer
from tests.integration.conftest import SandboxClient
from tests.integration.test_create_service import form
from tests.integration.world import World

# The first test waits for three releases and an apply.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]


@pytest.fixture
def world(sandbox: SandboxClient, consumer: Consumer) -> World:
    """Make a service in Production, whose changes need an approval."""
    made = World(sandbox, consumer, "of-a-consumer")
    made.exists()
    return made


def layer(sandbox: SandboxClient, consumer: Consumer) -> str:
    """Return the layer's version with which a change runs."""
    name = consumer.outputs()["functions"]["upscale_service"]["function_name"]
    functions = sandbox.aws("lambda")
    version = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    found = functions.get_function_configuration(FunctionName=name, Qualifier=version)
    return str(found["Layers"][0]["Arn"])


def test_archive_creates_a_service(sandbox: SandboxClient, consumer: Consumer) -> None:
    run_id = sandbox.execute("create_service", form("made-by-a-consumer"))

    pull = sandbox.services.get_pull(int(sandbox.wait_for_link(run_id).rsplit("/", 1)[1]))
    files = {file.filename for file in pull.get_files()}
    assert "apps/made-by-a-consumer/portData.json" in files


def test_applied_archive_plans_no_change(consumer: Consumer) -> None:
    assert consumer.has_changes() is False


def test_upgrade_over_a_release_is_refused(consumer: Consumer, archives: Archives) -> None:
    consumer.use(archives.source(THIRD))

    with pytest.raises(StackError, match=r"Installed is Slipway 9\.1\.0"):
        consumer.has_changes()


def test_waiting_approval_is_decided_after_an_upgrade(
    world: World, consumer: Consumer, archives: Archives
) -> None:
    run_id = world.upscale(step=1)
    world.request(run_id)
    before = layer(world.sandbox, consumer)

    consumer.use(archives.source(SECOND))
    consumer.apply()
    answer = world.decide(run_id, "APPROVE")

    assert layer(world.sandbox, consumer) != before
    assert answer["status"] == "SUCCESS"
    assert world.ended(run_id, "SUCCESS")["id"] == run_id
    assert "replicas: 3" in world.text("apps/of-a-consumer/common_values.yaml")
