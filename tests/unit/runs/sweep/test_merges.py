"""Runs that end as their pull request did, when the services repository does not report it."""

import json
from typing import Any

import pytest
from slipway.aws import dynamodb_table
from slipway.runs.ledger import timestamp
from slipway.runs.sweep import sweep

from tests.unit.conftest import RUN_ID
from tests.unit.runs.sweep.conftest import PR_URL, SHOP, UPSERT, World, ago

pytestmark = pytest.mark.waits


def test_given_a_merged_create_when_the_report_fails_then_ended_with_what_is_missing(
    world: World,
) -> None:
    world.merged("create_service")
    world.entity(health_status="Pending", pr_url=PR_URL)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("SUCCESS", "Merged")
    assert "addresses and namespace are not filled in" in update["summary"]
    assert "slipway-report.yml works again, run it for #7" in update["summary"]
    (entity,) = world.port.bodies(UPSERT)
    assert entity == {"identifier": "shop", "properties": {"health_status": "Progressing"}}
    assert world.row()["outcome"]
    assert world.holder() is None


@pytest.mark.parametrize(("state", "result"), [("merged", "SUCCESS"), ("closed", "FAILED")])
def test_node_run_ends_with_its_pull_request(world: World, state: str, result: str) -> None:
    node = "wfnr_0123456789abcdef"
    path = f"/v1/workflows/nodes/runs/{node}"
    world.port.script(f"POST {path}/logs", (201, {"ok": True}, {}))
    world.port.script(f"PATCH {path}", (200, {"ok": True}, {}))
    world.seen(node, pr_number=7, pr_url=PR_URL)
    world.pull(state)
    world.entity(replicas=3)
    world.folder({"common_values.yaml": "replicas: 4\n"})
    pull = {**world.github.pull, **pull_of(world, node, state)}
    world.github.script("GET /pulls", (200, [], {}), (200, [pull], {}))
    branch = f"slipway/upscale_service/{node}"
    world.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))

    sweep(60)

    (body,) = world.port.bodies(f"PATCH {path}")
    assert (body["status"], body["result"]) == ("COMPLETED", result)
    assert "services repository did not report" not in body["output"]["summary"]
    assert world.port.bodies(UPSERT) == (
        [{"identifier": "shop", "properties": {"replicas": 4}}] if state == "merged" else []
    )
    assert dynamodb_table("runs").get_item(Key={"run_id": node})["Item"]["outcome"]
    assert world.holder() is None


def test_node_run_with_an_open_pull_request_is_left(world: World) -> None:
    node = "wfnr_0123456789abcdef"
    world.seen(node, pr_number=7, pr_url=PR_URL)
    pull = {**world.github.pull, **pull_of(world, node, "open")}
    world.github.script("GET /pulls", (200, [pull], {}))

    sweep(60)

    assert world.holder() == node
    assert not any("workflows" in route for route in world.port.routes())


def pull_of(world: World, run_id: str, state: str) -> dict[str, Any]:
    """What is different in the pull request of another run."""
    ended = None if state == "open" else timestamp(ago(minutes=1))
    return {
        "state": "open" if state == "open" else "closed",
        "created_at": timestamp(ago(days=1)),
        "merged_at": ended if state == "merged" else None,
        "closed_at": ended,
        "head": {
            "ref": f"slipway/upscale_service/{run_id}",
            "sha": "a" * 40,
            "repo": {"full_name": "acme/services"},
        },
        "base": {"repo": {"full_name": "acme/services"}},
    }


def test_given_a_service_that_lives_already_when_the_report_fails_then_its_health_stays(
    world: World,
) -> None:
    world.merged("create_service")
    world.entity(health_status="Healthy", pr_url=PR_URL)

    sweep(60)

    assert world.updates()[0]["status"] == "SUCCESS"
    assert world.port.bodies(UPSERT) == []


@pytest.mark.parametrize(
    ("values", "written", "said"),
    [
        ("replicas: 4\n", [{"replicas": 4}], "replicas are 4"),
        ("note: the customer's\nreplicas: 2\n", [{"replicas": 2}], "replicas are 2"),
        ("a: 1\nreplicas: many\n", [], "a plain whole number as 'replicas' at line 2, column 1"),
        ("host: {{ .x }}\n", [], "common_values.yaml: it has an unquoted '{{ … }}' at line 1"),
    ],
)
def test_given_a_merged_scale_when_the_report_fails_then_replicas_are_those_of_the_branch(
    world: World, values: str, written: list[Any], said: str
) -> None:
    world.merged("upscale_service")
    world.entity(replicas=3)
    world.folder({"common_values.yaml": values})

    sweep(60)

    assert [body["properties"] for body in world.port.bodies(UPSERT)] == written
    assert said in world.updates()[0]["summary"]
    assert world.updates()[0]["status"] == "SUCCESS"


def test_given_a_merged_delete_when_the_report_fails_then_the_entity_is_removed(
    world: World,
) -> None:
    world.merged("delete_service")
    world.entity(health_status="Healthy")

    sweep(60)

    assert world.port.routes().count(f"DELETE {SHOP}") == 1
    assert world.updates()[0]["status"] == "SUCCESS"


def test_given_a_merged_delete_when_others_depend_on_it_then_missing_and_failed(
    world: World,
) -> None:
    world.merged("delete_service")
    world.entity(health_status="Healthy")
    refused = {"ok": False, "error": "has_dependents", "message": "No."}
    world.port.script(f"DELETE {SHOP}", (403, refused, {}))
    found = {"entities": [{"identifier": "checkout", "blueprint": "route"}]}
    world.port.script("POST /v1/entities/search", (200, found, {}))

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Has dependents")
    assert "route/checkout" in update["summary"]
    (entity,) = world.port.bodies(UPSERT)
    assert entity["properties"] == {"health_status": "Missing"}


def test_given_a_deleted_service_that_was_made_again_when_swept_then_its_entity_stays(
    world: World,
) -> None:
    world.merged("delete_service")
    world.entity(health_status="Healthy")
    world.folder({"portData.json": "{}"})

    sweep(60)

    assert f"DELETE {SHOP}" not in world.port.routes()
    assert world.updates()[0]["status"] == "SUCCESS"


def port_data(**changes: str) -> str:
    said = {
        "identifier": "shop",
        "blueprint": "service",
        "environment": "Test",
        "owner": "dev@acme.example",
        "health_status": "Pending",
        "run_id": RUN_ID,
    }
    return json.dumps({**said, **changes})


def test_given_a_merged_create_whose_function_was_killed_when_swept_then_the_entity_is_made(
    world: World,
) -> None:
    world.merged("create_service")
    world.folder({"portData.json": port_data(), "common_values.yaml": "replicas: 4\n"})

    sweep(60)

    assert world.updates()[0]["status"] == "SUCCESS"
    (entity,) = world.port.bodies(UPSERT)
    assert entity == {
        "identifier": "shop",
        "title": "shop",
        "properties": {
            "environment": "Test",
            "owner": "dev@acme.example",
            "replicas": 4,
            "health_status": "Progressing",
            "pr_url": world.github.pull["html_url"],
        },
    }


def test_merged_create_is_reported_without_a_value_in_doubt(world: World) -> None:
    world.merged("create_service")
    world.folder({"portData.json": f"\ufeff{port_data()}", "common_values.yaml": "replicas: 010\n"})

    sweep(60)

    (update,) = world.updates()
    assert update["status"] == "SUCCESS"
    assert "apps/shop/common_values.yaml: it has '010' at line 1, column 11" in update["summary"]
    (entity,) = world.port.bodies(UPSERT)
    assert entity["properties"]["environment"] == "Test"
    assert "replicas" not in entity["properties"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has been removed since"),
        ({"portData.json": port_data(run_id="r_another000000001")}, "has been replaced since"),
        (
            {"portData.json": "{"},
            "none was made. apps/shop/portData.json is not valid JSON",
        ),
    ],
)
def test_given_a_merged_create_that_is_not_so_any_more_when_swept_then_no_entity_is_made(
    world: World, files: dict[str, str], said: str
) -> None:
    world.merged("create_service")
    world.folder({**files, "common_values.yaml": "replicas: 4\n"} if files else {})

    sweep(60)

    assert said in world.updates()[0]["summary"]
    assert world.port.bodies(UPSERT) == []


@pytest.mark.parametrize("action", ["upscale_service", "delete_service"])
def test_given_a_merge_when_the_service_has_no_entity_then_none_is_made(
    world: World, action: str
) -> None:
    world.merged(action)

    sweep(60)

    assert world.updates()[0]["status"] == "SUCCESS"
    assert "Port has no entity 'shop'" in world.updates()[0]["summary"]
    assert world.port.bodies(UPSERT) == []


@pytest.mark.parametrize(
    ("known", "goes"),
    [
        ({"health_status": "Pending", "pr_url": PR_URL}, True),
        ({"health_status": "Pending", "pr_url": "https://github.test/pull/8"}, False),
        ({"health_status": "Healthy", "pr_url": PR_URL}, False),
    ],
)
def test_given_a_closed_create_when_the_report_fails_then_only_its_pending_entity_goes(
    world: World, known: dict[str, str], goes: bool
) -> None:
    world.merged("create_service")
    world.pull("closed")
    world.entity(**known)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Closed")
    assert (f"DELETE {SHOP}" in world.port.routes()) is goes


def test_given_a_pending_service_that_others_depend_on_when_closed_then_it_stays(
    world: World,
) -> None:
    world.merged("create_service")
    world.pull("closed")
    world.entity(health_status="Pending", pr_url=PR_URL)
    refused = {"ok": False, "error": "has_dependents", "message": "No."}
    world.port.script(f"DELETE {SHOP}", (403, refused, {}))

    sweep(60)

    assert "The service's entity stays." in world.updates()[0]["summary"]
    assert world.row()["outcome"]


def test_given_a_closed_change_when_the_report_fails_then_the_service_stays(world: World) -> None:
    world.merged("upscale_service")
    world.pull("closed")

    sweep(60)

    assert world.updates()[0]["status"] == "FAILURE"
    assert f"GET {SHOP}" not in world.port.routes()
