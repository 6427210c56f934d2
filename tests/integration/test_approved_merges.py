"""Merges of approved changes: after a later push, and after a required review."""

from typing import Any

import pytest
from github import Auth, Github

from scripts.apply_sandbox import PROTECTION, Mode
from tests.entities import VALUES
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.test_create_service import text_of
from tests.integration.world import World, made_world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
world = made_world


def test_pull_request_is_not_merged_after_a_later_push(
    world: World,
) -> None:
    run_id = world.upscale()
    shown = world.request(run_id)["change_hash"]
    # GitHub fails between the pull request and its merge, which leaves time to push.
    fault = {"method": "PUT", "path": "/merge", "times": 50, "status": 503}
    world.sandbox.sandbox("github", "POST", "faults", fault)
    try:
        world.decide(run_id, "APPROVE")
        wait_for("the pull request", lambda: world.pulls(run_id) or None)
        late = world.call(f"{run_id}.1", {"decision": "DECLINE", "change": shown})
        assert late.status_code == 409
        assert "was approved by devops@acme.example" in late.json()["message"]
        path = f"apps/{world.service}/common_values.yaml"
        added = VALUES.replace("replicas: 2", "replicas: 90")
        world.commit("More", {path: added}, f"slipway/upscale_service/{run_id}")
    finally:
        world.sandbox.sandbox("github", "DELETE", "faults")

    label = f"Pull request #{world.pulls(run_id)[0].number} was changed"
    wait_for("the label", lambda: world.sandbox.label(run_id) == label or None)
    assert not world.pulls(run_id)[0].merged
    assert any("differs from the approved change" in line for line in world.sandbox.logs(run_id))
    assert world.script("cancel", run_id).returncode == 0
    assert "replicas: 2 " in text_of(world.sandbox, path, "main")


def test_change_is_merged_after_its_required_review(world: World) -> None:
    services = world.sandbox.services
    services.get_branch("main").edit_protection(
        required_approving_review_count=1, enforce_admins=True
    )
    try:
        run_id = world.upscale()
        world.request(run_id)
        world.decide(run_id, "APPROVE")
        wait_for("the label", lambda: _waits_to_merge(world.sandbox.label(run_id)) or None)
        (pull,) = world.pulls(run_id)
        assert not pull.merged

        as_reviewer(world.sandbox, pull.number).create_review(event="APPROVE")

        world.ended(run_id, "SUCCESS")
    finally:
        services.requester.requestJsonAndCheck(
            "PUT", f"{services.url}/branches/main/protection", input=PROTECTION
        )
    assert "replicas: 3 " in text_of(
        world.sandbox, f"apps/{world.service}/common_values.yaml", "main"
    )


def _waits_to_merge(label: str) -> bool:
    return label.startswith("Waiting until")


def as_reviewer(sandbox: SandboxClient, number: int) -> Any:
    """Return the pull request, as a reviewer who is not its author sees it."""
    token = sandbox.sandbox("github", "POST", "tokens", {"login": "devops"})["token"]
    client = Github(base_url=sandbox.env["GITHUB_API_URL"], auth=Auth.Token(token))
    return client.get_repo(sandbox.env["SERVICES_REPO"]).get_pull(number)
