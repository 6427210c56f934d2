"""Pull requests that Slipway merges or closes itself, after an approval or a cancellation."""

import pytest
import report

from tests.unit.services_repo.world import PORT_DATA, RUN_ID, SERVICE, World

pytestmark = pytest.mark.waits

BOTS = ["slipway[bot]", "github-merge-queue[bot]"]
DAY_2 = ["upscale_service", "downscale_service", "delete_service"]


@pytest.mark.parametrize("bot", BOTS)
@pytest.mark.parametrize("action", ["upscale_service", "downscale_service"])
def test_a_change_that_a_bot_merges_is_reported_as_its_work(
    world: World, action: str, bot: str
) -> None:
    pull = world.day_2(action, merged_by={"login": bot, "type": "Bot"})

    assert report.main(world.closed(pull, by=bot)) == 0
    assert world.entities[SERVICE]["properties"]["replicas"] == 3
    assert world.run["status"] == "SUCCESS"
    assert world.run["summary"] == (
        f"Pull request #12 was merged by {bot}. The service is set to 3 replicas."
    )


@pytest.mark.parametrize("bot", BOTS)
def test_a_delete_that_a_bot_merges_is_reported_as_its_work(world: World, bot: str) -> None:
    pull = world.day_2("delete_service", merged_by={"login": bot, "type": "Bot"})

    assert report.main(world.closed(pull, by=bot)) == 0
    assert world.entities == {}
    assert world.run["summary"].startswith(f"Pull request #12 was merged by {bot}.")


def test_who_merged_is_what_github_says_of_the_pull_request(world: World) -> None:
    # An auto-merge may be carried out by an event of somebody else.
    pull = world.day_2("upscale_service", merged_by={"login": "slipway[bot]"})

    report.main(world.closed(pull, by="octocat"))

    assert "merged by slipway[bot]" in world.run["summary"]


def test_who_merged_is_known_when_a_person_reports_again(world: World) -> None:
    world.day_2("upscale_service", merged_by={"login": "slipway[bot]"})

    assert report.main(world.job({"inputs": {"pull_request": "12"}})) == 0
    assert "merged by slipway[bot]" in world.run["summary"]


@pytest.mark.parametrize("merged_by", [None, {}])
def test_a_merger_that_is_gone_is_the_events_sender(
    world: World, merged_by: dict[str, str] | None
) -> None:
    pull = world.day_2("upscale_service", merged_by=merged_by)

    assert report.main(world.closed(pull)) == 0
    assert "merged by octocat" in world.run["summary"]


@pytest.mark.parametrize("status", ["FAILURE", "SUCCESS"])
@pytest.mark.parametrize("action", DAY_2)
def test_a_change_that_is_closed_after_its_run_has_ended_writes_nothing(
    world: World, action: str, status: str
) -> None:
    pull = world.day_2(action, merged=False)
    world.commit("head-sha", port_data={**PORT_DATA, "run_id": "r_created"})
    world.run |= {"status": status, "summary": "Cancelled by the requester"}

    assert report.main(world.closed(pull, by="slipway[bot]")) == 0
    assert world.writes() == []
    assert world.run["summary"] == "Cancelled by the requester"


@pytest.mark.parametrize("action", DAY_2)
def test_a_change_that_a_bot_closes_ends_its_open_run(world: World, action: str) -> None:
    pull = world.day_2(action, merged=False)

    assert report.main(world.closed(pull, by="slipway[bot]")) == 0
    assert world.run["status"] == "FAILURE"
    assert world.run["statusLabel"] == "Closed"
    assert "closed without a merge by slipway[bot]. The service stays" in world.run["summary"]


def test_a_create_that_is_closed_after_its_run_has_ended_removes_the_pending_entity(
    world: World,
) -> None:
    world.commit("head-sha")
    world.pending()
    world.run |= {"status": "FAILURE", "summary": "Cancelled by the requester"}

    assert report.main(world.closed(world.pull(merged=False), by="slipway[bot]")) == 0
    assert world.entities == {}
    assert not any(RUN_ID in call for call in world.writes())
    assert world.run["summary"] == "Cancelled by the requester"


def test_a_merge_that_a_cancellation_came_too_late_for_is_in_the_entity(world: World) -> None:
    pull = world.day_2("upscale_service")
    world.run |= {"status": "FAILURE", "summary": "Cancelled by the requester"}

    assert report.main(world.closed(pull, by="slipway[bot]")) == 0
    body = {"identifier": SERVICE, "properties": {"replicas": 3}}
    assert world.entity_writes == [(body, None)]
    assert world.run["summary"] == "Cancelled by the requester"
    assert world.logs == []


def test_a_delete_that_a_cancellation_came_too_late_for_is_out_of_the_catalogue(
    world: World,
) -> None:
    pull = world.day_2("delete_service")
    world.run |= {"status": "FAILURE", "summary": "Cancelled by the requester"}

    assert report.main(world.closed(pull, by="slipway[bot]")) == 0
    assert world.entities == {}
    assert world.run["summary"] == "Cancelled by the requester"
