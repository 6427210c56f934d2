"""An action that `scripts/new_action` has just made, without a line changed, end to end."""

import json

import pytest

from scripts.apply_sandbox import Mode, Stack
from tests.integration.conftest import NEW_ACTION, SandboxClient, wait_for
from tests.integration.world import World, service_name

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]


@pytest.fixture
def world(sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest) -> World:
    """A service of the test's own, in Production."""
    made = World(sandbox, stack, service_name(request))
    made.exists()
    return made


def test_given_a_new_action_when_tried_then_the_run_shows_what_would_change(world: World) -> None:
    inputs = {"value": "night shift", "dry_run": True}

    run_id = world.sandbox.execute(NEW_ACTION, inputs, entity=world.service)

    world.ended(run_id, "SUCCESS")
    assert any('+  "value": "night shift"' in line for line in world.sandbox.logs(run_id))


@pytest.mark.story
def test_given_a_new_action_when_approved_and_merged_then_done_and_reported(world: World) -> None:
    inputs = {"value": "night shift"}

    run_id = world.sandbox.execute(NEW_ACTION, inputs, entity=world.service)

    # No rule of the policy knows it: so somebody must agree, and somebody must merge.
    assert world.request(run_id)["summary"] == f"{NEW_ACTION}.json written"
    assert world.decide(run_id, "APPROVE")["status"] == "SUCCESS"
    pull = wait_for("the pull request", lambda: next(iter(world.pulls(run_id)), None))
    pull.merge(merge_method="squash")
    ended = world.ended(run_id, "SUCCESS")
    assert pull.html_url in ended["link"]
    text = world.text(f"apps/{world.service}/{NEW_ACTION}.json")
    assert json.loads(text) == {"value": "night shift"}
