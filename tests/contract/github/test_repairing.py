"""The strategies that change a service's files, against the sandbox's GitHub: real git."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from slipway.changes.policy import Policy
from slipway.github.models import Change
from slipway.github.repairs import Repairs
from slipway.github.repository import ServicesRepository
from slipway.github.workflows import Workflows
from slipway.health.policy import Kind
from slipway.health.repairable import Repairable
from slipway.health.repairing import LONGEST, Repairer, Result
from slipway.health.state import Attempt, Repair

from tests import entities
from tests.contract.github.conftest import Services
from tests.unit.conftest import POLICY
from tests.unit.health.story import UNHEALTHY, make_state

pytestmark = pytest.mark.waits

NOW = datetime.now(UTC).replace(microsecond=0)
PATH = "apps/shop/common_values.json"
EXECUTION = "e43fea3ed9496edff93508e602f251f7-2"


def make_repairer(
    slipway: ServicesRepository, *, merge: bool = True, service: str = "shop"
) -> Repairer:
    policy = Policy.model_validate(POLICY)
    repairable = Repairable(entities.service(service), slipway, entities.shipped(), policy)
    repairs, workflows = Repairs(slipway), Workflows(slipway)
    return Repairer(
        EXECUTION, repairable, repairs, workflows, "https://port.test/shop", merge=merge
    )


class World:
    """A service with two replicas, which is unhealthy."""

    def __init__(self, services: Services) -> None:
        self.services = services
        data = {"identifier": "shop", "blueprint": "service", "environment": "Test"}
        services.push({"apps/shop/portData.json": json.dumps(data)})
        self.change("create_service/r_1", 1)
        self.change("upscale_service/r_2", 2)

    def change(self, branch: str, replicas: int) -> None:
        change = Change(
            entity=entities.service_files("shop"),
            branch=f"slipway/{branch}",
            title=f"Have {replicas} replicas",
            body="For humans.",
            files={PATH: json.dumps({"replicas": replicas})},
        )
        pull = self.services.slipway.propose(change)
        assert self.services.slipway.merge(change, pull.number, pull.head_sha).state == "merged"

    def carry_out(
        self,
        kind: Kind,
        *,
        later: timedelta = timedelta(0),
        merge: bool = True,
        before: int = 2,
        replicas: int | None = None,
    ) -> Result:
        repair = Repair(step=kind, attempt=1, reason="r", replicas=replicas, replicas_before=before)
        slipway = self.services.slipway
        repairer = make_repairer(slipway, merge=merge)
        state = make_state(service="service/shop").observed(UNHEALTHY, NOW)
        return repairer.carry_out(state, Attempt(repair=repair, began_at=NOW), NOW + later)

    def replicas(self) -> int:
        content = self.services.github.get_contents(PATH)
        assert not isinstance(content, list)
        return int(json.loads(content.decoded_content)["replicas"])


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


def test_repeated_scale_up_is_one_step(world: World) -> None:
    first = world.carry_out("scale_up", replicas=5)
    again = world.carry_out("scale_up", replicas=5)

    assert first.outcome == again.outcome == "done"
    assert first == again
    assert world.replicas() == 5
    (pull,) = [
        pull
        for pull in world.services.github.get_pulls("closed")
        if pull.head.ref == f"slipway/scale_up/{EXECUTION}-1"
    ]
    assert pull.title == "Scale shop from 2 to 5 replicas: it is unhealthy"
    assert "503" in pull.body


def test_scale_up_is_skipped_when_the_replicas_are_reached(world: World) -> None:
    result = world.carry_out("scale_up", replicas=2)

    assert (result.outcome, result.detail) == (
        "skipped",
        "The base branch already has 2 replicas.",
    )


@pytest.mark.parametrize("before", [1, 3])
def test_scale_up_is_skipped_when_the_base_branch_moved(world: World, before: int) -> None:
    result = world.carry_out("scale_up", replicas=5, before=before)

    assert (result.outcome, result.detail) == (
        "skipped",
        "The base branch has 2 replicas now.",
    )
    assert world.replicas() == 2


def test_scale_up_is_skipped_when_the_service_has_no_folder(services: Services) -> None:
    slipway = services.slipway
    repair = Repair(step="scale_up", attempt=1, replicas=3, reason="r")

    result = make_repairer(slipway, service="nobody").carry_out(
        make_state(service="service/nobody"), Attempt(repair=repair, began_at=NOW), NOW
    )

    assert (result.outcome, result.detail) == (
        "skipped",
        "It has no files on the base branch.",
    )


def test_scale_up_fails_when_replicas_is_not_a_number(
    world: World,
) -> None:
    world.services.push({PATH: json.dumps({"replicas": "many"})})

    result = world.carry_out("scale_up", replicas=5)

    assert result.outcome == "failed"
    assert "replicas" in result.detail


def test_repeated_rollback_reverts_the_last_change_once(
    world: World,
) -> None:
    first = world.carry_out("roll_back", merge=True)
    again = world.carry_out("roll_back", merge=True)

    assert first.outcome == again.outcome == "done"
    assert world.replicas() == 1


def test_rollback_waits_for_a_person_when_the_policy_requires_it(
    world: World,
) -> None:
    result = world.carry_out("roll_back", merge=False)

    pull = world.services.slipway.find(f"slipway/roll_back/{EXECUTION}-1")
    assert pull is not None
    assert (result.outcome, result.link) == ("proposed", pull.url)
    assert result.detail == f"A person must merge #{pull.number}."
    assert world.replicas() == 2


def test_scale_up_on_a_protected_branch_needs_a_person(
    world: World,
) -> None:
    world.services.protect()

    first = world.carry_out("scale_up", replicas=5)
    last = world.carry_out("scale_up", replicas=5, later=LONGEST)

    assert first.outcome in {None, "proposed"}
    assert last.outcome == "proposed"
    assert last.link == first.link
    assert world.replicas() == 2


def test_rollback_fails_when_its_pull_request_is_closed(
    world: World,
) -> None:
    world.carry_out("roll_back", merge=False)
    branch = f"slipway/roll_back/{EXECUTION}-1"
    pull = world.services.slipway.find(branch)
    assert pull is not None
    world.services.github.get_pull(pull.number).edit(state="closed")

    result = world.carry_out("roll_back", merge=True)

    assert result.outcome == "failed"
    assert result.detail == f"A user closed #{pull.number} without a merge."


def test_missing_restart_workflow_error_names_the_fix(
    world: World,
) -> None:
    result = world.carry_out("restart")

    assert result.outcome == "failed"
    assert "slipway-restart.yml was not found in" in result.detail
    assert "Copy it" in result.detail
