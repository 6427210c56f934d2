"""Reports over HTTP, from a pull request's number to the run's final status."""

import json
from typing import Any

import pytest

from tests.unit.reports.world import (
    COMMON,
    FOLDER,
    MAIN,
    MERGE,
    NUMBER,
    PORT_DATA,
    PR_URL,
    RUN_ID,
    SERVICE,
    World,
    entity,
)

pytestmark = pytest.mark.waits
# Apostrophes, which a reader by regular expressions would read as multi-line text.
APOSTROPHE = (
    "description: the customer's basket\nargs:\n  - --verbose\nimage:\n  tag: 1.4.0\nreplicas: 2\n"
)
DAY_2 = ["upscale_service", "downscale_service", "delete_service"]


def test_merged_create_fills_the_entity_and_ends_the_run(world: World) -> None:
    world.commit()
    world.pending()
    world.pull()
    world.settings = {
        "namespace": "{environment}-{service}",
        "argocd_app_url": "https://argocd.test/{namespace}/{service}",
        "grafana_url": "https://grafana.test/?var={service}&env={environment}",
        "apps_chart_url": "https://charts.test/{service}",
        "health_url": "https://{service}.test/health",
        "ttl_days": 30,
    }

    world.report()

    assert world.properties == {
        "owner": "dev@acme.example",
        "responsible_team": "payments",
        "project": "shop",
        "environment": "Test",
        "service_type": "backend",
        "namespace": f"test-{SERVICE}",
        "apps_chart_url": f"https://charts.test/{SERVICE}",
        "argocd_app_url": f"https://argocd.test/test-{SERVICE}/{SERVICE}",
        "grafana_url": f"https://grafana.test/?var={SERVICE}&env=test",
        "health_url": f"https://{SERVICE}.test/health",
        "ttl": 30,
        "replicas": 2,
        "image_tag": "1.4.0",
        "pr_url": PR_URL,
        "health_status": "Progressing",
        "sync_status": "OutOfSync",
    }
    assert world.entity_writes[0][1] == RUN_ID
    assert world.run["status"] == "SUCCESS"
    assert world.run["link"] == [PR_URL]
    assert world.logs == [world.run["summary"]]
    assert "#12 was merged by octocat" in world.run["summary"]
    assert f"Service {SERVICE} is up to date in Port." in world.run["summary"]


def test_entity_is_written_first_and_the_status_last(world: World) -> None:
    world.commit()
    world.pull()

    world.report()

    writes = [call.split("?")[0].rsplit("/", 1)[-1] for call in world.writes()]
    assert writes == ["entities", "logs", RUN_ID]


def test_run_links_are_kept(world: World) -> None:
    world.commit()
    world.pull()
    world.run["link"] = ["https://logs.test"]

    world.report()

    assert world.run["link"] == ["https://logs.test", PR_URL]


@pytest.mark.parametrize("action", ["create_service", *DAY_2])
@pytest.mark.parametrize("merged", [True, False])
def test_second_report_changes_nothing(world: World, action: str, merged: bool) -> None:
    if action == "create_service":
        world.commit()
        world.pull()["merged"] = merged
    else:
        world.day_2(action, merged=merged)
    first = world.report()
    before, run = json.dumps(world.entities), dict(world.run)
    world.calls.clear()

    again = world.report()

    assert (json.dumps(world.entities), world.run) == (before, run)
    assert (again.status, again.label) == (first.status, first.label)
    assert [call for call in world.writes() if not call.startswith("DELETE")] == []


def test_healthy_service_is_not_set_back(world: World) -> None:
    world.commit()
    world.pull()
    world.pending(health_status="Healthy", sync_status="Synced")

    world.report()

    assert (world.properties["health_status"], world.properties["sync_status"]) == (
        "Healthy",
        "Synced",
    )
    assert world.properties["namespace"] == SERVICE


def test_entity_without_health_counts_as_pending(world: World) -> None:
    world.commit()
    world.pull()
    world.entities[SERVICE] = entity(health_status=None, sync_status=None)

    world.report()

    assert (world.properties["health_status"], world.properties["sync_status"]) == (
        "Progressing",
        "OutOfSync",
    )


def test_entity_is_written_when_the_run_has_ended(world: World) -> None:
    world.commit()
    world.pull()
    world.run |= {"status": "FAILURE", "summary": "Cancelled by the requester"}

    world.report()

    assert world.entity_writes[0][1] is None
    assert world.run["summary"] == "Cancelled by the requester"
    assert world.logs == []


def test_report_continues_when_the_run_ends_concurrently(world: World) -> None:
    world.commit()
    world.pull()
    world.ends_in_between = True

    world.report()

    assert world.properties["health_status"] == "Progressing"
    assert world.run["status"] == "FAILURE"
    assert "summary" not in world.run


@pytest.mark.parametrize(
    ("values", "known", "said"),
    [
        (
            APOSTROPHE,
            {"replicas": 2, "image_tag": "1.4.0"},
            "",
        ),
        ("{image: {tag: '1.10'}, replicas: 4}\n", {"replicas": 4, "image_tag": "1.10"}, ""),
        ("x: &x {tag: v2}\nimage: *x\nreplicas: 1\n", {"replicas": 1, "image_tag": "v2"}, ""),
        ("image: {tag: 7}\n", {"image_tag": "7"}, ""),
        ("image: {tag: 1.10}\nreplicas: 2\n", {"replicas": 2}, "1.1 is not of type string"),
        ("replicas: many\n", {}, "'replicas' was not changed"),
        ("replicas: 010\n", {}, "'010' at line 1, column 11"),
        ("host: {{ .x }}\n", {}, "an unquoted '{{ … }}' at line 1"),
    ],
)
def test_values_are_read_as_yaml(
    world: World, values: str, known: dict[str, Any], said: str
) -> None:
    world.commit()
    world.values(values)
    world.pull()

    world.report()

    figures = {"replicas", "image_tag"}
    assert {name: world.properties[name] for name in figures & set(world.properties)} == known
    assert world.run["status"] == "SUCCESS"
    assert said in world.run["summary"]


def test_missing_values_are_omitted_and_named(world: World) -> None:
    world.commit()
    del world.files[MAIN, f"{FOLDER}/common_values.json"]
    world.pull()

    world.report()

    assert "replicas" not in world.properties
    assert "'replicas' was not changed: apps/" in world.run["summary"]


def test_late_create_report_uses_current_values(world: World) -> None:
    world.commit(ref=MERGE)
    world.commit({**COMMON, "replicas": 7})
    world.pull()

    world.report()

    assert world.properties["replicas"] == 7


@pytest.mark.parametrize(
    ("now", "said"),
    [(None, "removed since"), ({**PORT_DATA, "run_id": "r_second"}, "replaced since")],
)
def test_late_create_report_does_not_restore_a_deleted_service(
    world: World, now: dict[str, str] | None, said: str
) -> None:
    world.commit(ref=MERGE)
    if now:
        world.commit(port_data=now)
    world.pull()

    world.report()

    assert world.entities == {}
    assert world.run["status"] == "SUCCESS"
    assert said in world.run["summary"]


@pytest.mark.parametrize("text", ["{", "[]", '{"identifier": "other"}', "\x00"])
def test_unusable_port_data_leaves_the_entity_unchanged(world: World, text: str) -> None:
    world.commit()
    world.files[MAIN, f"{FOLDER}/portData.json"] = text
    world.pending()
    world.pull()

    world.report()

    assert world.entity_writes == []
    assert world.run["status"] == "SUCCESS"
    assert f"{FOLDER}/portData.json" in world.run["summary"]
    assert "run the workflow 'Slipway report' for #12" in world.run["summary"]


def test_port_data_with_a_byte_order_mark_is_read(world: World) -> None:
    world.commit()
    world.files[MAIN, f"{FOLDER}/portData.json"] = "\ufeff" + json.dumps(PORT_DATA)
    world.pull()

    world.report()

    assert world.properties["owner"] == "dev@acme.example"


@pytest.mark.parametrize("compared", ["identical", "behind", None])
def test_merge_counts_while_github_shows_a_stale_branch(world: World, compared: str | None) -> None:
    world.commit(ref=MERGE)
    world.compared = compared
    world.pull()

    world.report()

    assert world.properties["health_status"] == "Progressing"


def test_closed_create_removes_its_pending_entity(world: World) -> None:
    world.pending()
    world.pull(merged=False)

    world.report()

    assert world.entities == {}
    assert world.run["status"] == "FAILURE"
    assert "closed without a merge by closer" in world.run["summary"]


@pytest.mark.parametrize(
    "properties",
    [
        {"health_status": "Healthy"},
        {"pr_url": "https://github.test/acme/services/pull/11"},
        {"pr_url": None},
    ],
)
def test_closed_create_keeps_what_is_not_its_pending_entity(
    world: World, properties: dict[str, Any]
) -> None:
    world.pending(**properties)
    world.pull(merged=False)

    world.report()

    assert SERVICE in world.entities
    assert world.run["status"] == "FAILURE"


def test_pending_entity_stays_while_others_depend_on_it(world: World) -> None:
    world.pending()
    world.dependents = ["checkout"]
    world.pull(merged=False)

    world.report()

    assert SERVICE in world.entities
    assert "The entity stays." in world.run["summary"]


@pytest.mark.parametrize("action", ["create_service", *DAY_2])
def test_merge_into_another_branch_fails_the_run(world: World, action: str) -> None:
    if action == "create_service":
        world.pending()
        world.pull(action)
    else:
        world.day_2(action)
    world.pulls[NUMBER]["base"]["ref"] = "develop"
    before = dict(world.entities)

    outcome = world.report()

    assert outcome.label == "Merged elsewhere"
    assert world.run["status"] == "FAILURE"
    assert "into 'develop' by octocat, not into 'main'" in world.run["summary"]
    assert world.entities == ({} if action == "create_service" else before)


def test_retargeted_pull_request_fails_the_run_with_the_reason(world: World) -> None:
    world.pending()
    world.pull(merged=False)
    world.pulls[NUMBER]["base"]["ref"] = "develop"

    outcome = world.report()

    assert outcome.label == "Retargeted"
    assert world.run["status"] == "FAILURE"
    assert "went to 'develop' instead of 'main'" in world.run["summary"]
    assert world.entities == {}


@pytest.mark.parametrize("action", ["upscale_service", "downscale_service"])
def test_merged_scaling_writes_only_what_differs(world: World, action: str) -> None:
    world.day_2(action)

    world.report()

    assert world.entity_writes == [({"identifier": SERVICE, "properties": {"replicas": 3}}, RUN_ID)]
    assert world.run["status"] == "SUCCESS"


def test_merged_action_writes_values_of_the_base_branch(world: World) -> None:
    world.day_2("upscale_service")
    world.commit(port_data={**PORT_DATA, "owner": "next@acme.example"})

    world.report()

    ((body, run_id),) = world.entity_writes
    assert (body["properties"], run_id) == ({"owner": "next@acme.example"}, RUN_ID)


@pytest.mark.parametrize("action", ["upscale_service"])
def test_change_of_a_service_without_entity_creates_none(world: World, action: str) -> None:
    world.day_2(action)
    world.entities.clear()

    world.report()

    assert world.entities == {}
    assert world.run["status"] == "SUCCESS"
    assert "no entity" in world.run["summary"]


@pytest.mark.parametrize("action", DAY_2)
def test_closed_change_changes_no_entity(world: World, action: str) -> None:
    world.day_2(action, merged=False)
    before = json.dumps(world.entities)

    world.report()

    assert json.dumps(world.entities) == before
    assert (world.run["status"], world.run["statusLabel"]) == ("FAILURE", "Closed")
    assert "The entity was not changed." in world.run["summary"]


def test_merged_delete_removes_the_entity(world: World) -> None:
    world.day_2("delete_service")

    world.report()

    assert world.entities == {}
    assert world.run["status"] == "SUCCESS"


def test_merged_delete_keeps_a_recreated_service(world: World) -> None:
    world.day_2("delete_service")
    world.commit(port_data={**PORT_DATA, "run_id": "r_second"})

    world.report()

    assert SERVICE in world.entities
    assert world.run["status"] == "SUCCESS"


def test_delete_counts_while_github_shows_a_stale_folder(world: World) -> None:
    world.day_2("delete_service")
    world.commit()
    world.compared = "behind"

    world.report()

    assert world.entities == {}


def test_delete_with_dependents_names_them(world: World) -> None:
    world.day_2("delete_service")
    world.dependents = ["checkout", "basket"]

    world.report()

    assert world.properties["health_status"] == "Missing"
    assert (world.run["status"], world.run["statusLabel"]) == ("FAILURE", "Has dependents")
    assert "route/basket, route/checkout" in world.run["summary"]


def test_delete_finishes_when_the_dependents_are_removed(world: World) -> None:
    world.day_2("delete_service")
    world.dependents = ["checkout"]
    world.report()
    world.dependents = []

    world.report()

    assert world.entities == {}
    assert world.run["status"] == "FAILURE"


@pytest.mark.parametrize("bot", ["slipway[bot]", "github-merge-queue[bot]"])
def test_bot_that_merged_is_named(world: World, bot: str) -> None:
    world.day_2("upscale_service", merged_by={"login": bot, "type": "Bot"})

    world.report()

    assert world.run["summary"].startswith(f"Pull request #12 was merged by {bot}.")


def test_deleted_user_is_not_named(world: World) -> None:
    world.closed_by = None
    world.day_2("upscale_service", merged=False)

    world.report()

    assert world.run["summary"].startswith("Pull request #12 was closed without a merge. ")
