"""Day-2 actions with approval, end to end: Port, Kafka, Step Functions, a person, GitHub.

The state machine is that of the stack, run by the sandbox's Step Functions. The policy's time
limits are a few seconds.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from github import GithubException

from scripts.apply_sandbox import Mode
from tests.entities import VALUES
from tests.integration.conftest import wait_for
from tests.integration.test_create_service import form, text_of
from tests.integration.world import (
    ADMIN,
    DEVELOPER,
    DEVOPS,
    World,
    made_world,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
world = made_world


@pytest.mark.story
def test_approved_change_in_production_is_merged_and_reported(
    world: World,
) -> None:
    run_id = world.upscale(step=2)

    request = world.request(run_id)
    run = world.sandbox.run(run_id)
    assert re.fullmatch(
        r"Waiting for approval until (\d\d \w{3} )?\d\d:\d\d UTC", run["statusLabel"]
    )
    assert request["status"] == "Pending"
    assert request["summary"] == "replicas 2 → 4"
    assert "-replicas: 2   # not more\n+replicas: 4   # not more" in request["change"]
    assert run_id in request["run_url"]
    assert any("approval_request" in link for link in run["link"])
    assert any("+replicas: 4" in line for line in world.sandbox.logs(run_id))
    assert world.pulls(run_id) == []
    assert world.lock() == run_id

    answer = world.decide(run_id, "APPROVE", comment="go ahead")

    assert answer["status"] == "SUCCESS"
    assert "approved by devops@acme.example" in answer["summary"]
    ended = world.ended(run_id, "SUCCESS")
    (pull,) = world.pulls(run_id)
    assert pull.merged
    assert pull.html_url in ended["link"]
    assert text_of(world.sandbox, f"apps/{world.service}/common_values.yaml", "main") == (
        VALUES.replace("2 ", "4 ", 1)
    )
    entity = world.sandbox.port.get_entity("service", world.service)
    assert entity is not None
    assert entity.properties["replicas"] == 4
    assert any(
        "Approved by devops@acme.example (channel: Port)" in line and "go ahead" in line
        for line in world.sandbox.logs(run_id)
    )
    closed = world.request_now(run_id)
    assert (closed["status"], closed["decided_by"]) == ("Executed", DEVOPS)
    assert closed["pr_url"] == pull.html_url


@pytest.mark.story
def test_decision_record_can_never_be_changed(world: World) -> None:
    run_id = world.upscale()
    request = world.request(run_id)
    world.decide(run_id, "DECLINE", comment="not now")
    world.ended(run_id, "FAILURE")

    (record,) = world.audit(run_id)
    assert (record["approver"], record["verdict"], record["door"]) == (DEVOPS, "DECLINE", "Port")
    assert (record["comment"], record["change_hash"]) == ("not now", request["change_hash"])
    storage, bucket = world.sandbox.aws("s3"), world.outputs["audit_bucket"]
    versions = storage.list_object_versions(Bucket=bucket, Prefix=f"decisions/{run_id}.1/")
    (version,) = versions["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        storage.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


@pytest.mark.story
def test_declined_request_shows_the_reason_and_frees_the_lock(
    world: World,
) -> None:
    run_id = world.delete()
    request = world.request(run_id)
    assert "deleted" in request["change"] or "/dev/null" in request["change"]

    world.decide(run_id, "DECLINE", comment="It still has users.")

    ended = world.ended(run_id, "FAILURE")
    assert ended["statusLabel"] == "Declined"
    assert "declined by devops@acme.example" in ended["summary"]
    assert "It still has users." in ended["summary"]
    world.wait_until_free()
    assert world.pulls(run_id) == []
    assert world.request_now(run_id)["status"] == "Declined"
    wait_for("the end", lambda: world.executions(run_id) == {run_id: "SUCCEEDED"} or None)


@pytest.mark.story
def test_requester_cannot_approve_and_the_request_stays_pending(
    world: World,
) -> None:
    run_id = world.upscale()
    world.request(run_id)

    answer = world.decide(run_id, "APPROVE", person=DEVELOPER)

    assert answer["status"] == "FAILURE"
    assert "requested this change, so another person must decide" in answer["summary"]
    stranger = world.decide(run_id, "APPROVE", person=ADMIN)
    assert stranger["status"] == "FAILURE"
    assert "may not decide this request. Approvers: devops@acme.example" in stranger["summary"]
    assert world.request_now(run_id)["status"] == "Pending"
    assert world.pulls(run_id) == []
    world.decide(run_id, "DECLINE")
    world.ended(run_id, "FAILURE")


@pytest.mark.parametrize("environment", ["Test", "Staging"])
def test_scaling_in_other_environments_needs_no_approval(world: World, environment: str) -> None:
    world.exists(environment)

    run_id = world.upscale()

    world.ended(run_id, "SUCCESS")
    (pull,) = world.pulls(run_id)
    assert pull.merged
    assert world.executions(run_id) == {}


@pytest.mark.story
def test_approved_downscale_reduces_the_replicas(world: World) -> None:
    run_id = world.sandbox.execute("downscale_service", {}, entity=world.service)
    assert world.request(run_id)["summary"] == "replicas 2 → 1"
    world.decide(run_id, "APPROVE")
    world.ended(run_id, "SUCCESS")
    assert "replicas: 1 " in text_of(
        world.sandbox, f"apps/{world.service}/common_values.yaml", "main"
    )

    again = world.sandbox.execute("downscale_service", {}, entity=world.service)

    ended = world.ended(again, "SUCCESS")
    assert ended["statusLabel"] == "Nothing to do"
    assert world.pulls(again) == []


@pytest.mark.story
def test_approved_delete_removes_the_folder_and_entity(world: World) -> None:
    run_id = world.delete()
    world.request(run_id)

    world.decide(run_id, "APPROVE")

    ended = world.ended(run_id, "SUCCESS")
    assert ended["statusLabel"] == "Deleted"
    assert world.sandbox.port.get_entity("service", world.service) is None
    with pytest.raises(GithubException):
        world.sandbox.services.get_contents(f"apps/{world.service}", ref="main")


@pytest.mark.story
@pytest.mark.parametrize("action", ["upscale_service", "delete_service", "create_service"])
def test_dry_run_shows_the_diff_and_changes_nothing(world: World, action: str) -> None:
    inputs: dict[str, Any] = {"dry_run": True}
    entity: str | None = world.service
    if action == "delete_service":
        inputs["service_name"] = world.service
    if action == "create_service":
        entity, inputs = None, form(f"{world.service}-new", dry_run=True)

    run_id = world.sandbox.execute(action, inputs, entity=entity)

    ended = world.ended(run_id, "SUCCESS")
    assert ended["statusLabel"] == "Dry run"
    assert any("+++ " in line for line in world.sandbox.logs(run_id))
    assert world.pulls(run_id) == []
    assert world.lock() is None
    assert world.executions(run_id) == {}


def test_create_is_proposed_after_its_approval(
    world: World,
) -> None:
    name = f"{world.service}-new"

    def ask(document: dict[str, Any]) -> None:
        document["rules"] = []

    with world.policy(ask):
        run_id = world.sandbox.execute("create_service", form(name))
        request = world.request(run_id)
        assert f"apps/{name}/common_values.yaml" in request["change"]
        assert world.sandbox.port.get_entity("service", name) is None
        world.decide(run_id, "APPROVE")
        (pull,) = wait_for("the pull request", lambda: world.pulls(run_id) or None)
        wait_for("its label", lambda: "the merge" in world.sandbox.label(run_id) or None)
        pull.merge(merge_method="squash")
        world.ended(run_id, "SUCCESS")

    entity = world.sandbox.port.get_entity("service", name)
    assert entity is not None
    assert entity.properties["pr_url"] == world.pulls(run_id)[0].html_url


@pytest.mark.story
def test_undecided_request_gets_a_reminder_and_expires(world: World) -> None:
    with world.asking(expires_after_seconds=12, remind_before_seconds=6):
        run_id = world.upscale()
        link = world.link(run_id)
        ended = world.ended(run_id, "FAILURE")

    assert ended["statusLabel"] == "Expired"
    assert "it did not get enough approvals in time" in ended["summary"]
    first, second = world.emails(run_id)
    assert not first["subject"].startswith("Reminder")
    assert second["subject"].startswith("Reminder: Approve")
    assert any("Slipway reminded the approvers" in line for line in world.sandbox.logs(run_id))
    world.wait_until_free()
    assert world.request_now(run_id)["status"] == "Expired"
    late = world.decide(run_id, "APPROVE")
    assert late["status"] == "FAILURE"
    assert "expired on" in late["summary"]
    assert requests.post(link, data={"decision": "APPROVE"}, timeout=300).status_code == 403


def test_approval_after_the_reminder_is_executed(world: World) -> None:
    with world.asking(expires_after_seconds=3600, remind_before_seconds=3595):
        run_id = world.upscale()
        world.request(run_id)
        wait_for("the reminder", lambda: len(world.emails(run_id)) == 2 or None)
        world.decide(run_id, "APPROVE")
        world.ended(run_id, "SUCCESS")

    assert world.pulls(run_id)[0].merged


@pytest.mark.story
def test_opened_link_decides_nothing_until_its_form_is_sent(world: World) -> None:
    run_id = world.upscale()
    request = world.request(run_id)
    link = world.link(run_id)

    pages = [requests.get(link, timeout=300) for _ in range(2)]

    for page in pages:
        assert page.status_code == 200
        assert "replicas 2 → 3" in page.text
        assert request["change_hash"] in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
    assert world.request_now(run_id)["status"] == "Pending"
    typed = {"decision": "APPROVE", "comment": "by link", "change_hash": request["change_hash"]}

    answer = requests.post(link, data=typed, timeout=300)

    assert answer.status_code == 200
    assert "approved by devops@acme.example" in answer.text
    world.ended(run_id, "SUCCESS")
    (record,) = world.audit(run_id)
    assert (record["door"], record["comment"]) == ("link", "by link")
    again = requests.post(link, data=typed, timeout=300)
    assert again.status_code == 409
    assert "was approved by devops@acme.example" in again.text
    assert "<form" not in requests.get(link, timeout=300).text


@pytest.mark.story
def test_rest_api_answers_each_case_with_its_own_status(world: World) -> None:
    run_id = world.upscale()
    approval = f"{run_id}.1"
    request = world.request(run_id)
    approve = {"decision": "APPROVE", "comment": "api", "change": request["change_hash"]}

    assert world.call(approval, approve, role=None).status_code == 403
    refused_person = world.call(approval, approve, role="other-person")
    assert (refused_person.status_code, refused_person.json()["error"]) == (403, "NotAnApprover")
    missing = world.call("r_0000000000000009.1", approve)
    assert (missing.status_code, missing.json()["error"]) == (404, "RequestNotFound")
    unseen = {"decision": "APPROVE"}
    for broken in ("{", "[]", {**approve, "decision": "MAYBE"}, {}, unseen):
        assert world.call(approval, broken).status_code == 400
    stale = world.call(approval, {**approve, "change": "0" * 64})
    assert (stale.status_code, stale.json()["error"]) == (409, "RequestClosed")
    # The approver in the body is ignored.
    assert world.request_now(run_id)["status"] == "Pending"

    given = world.call(approval, approve)

    assert given.status_code == 200, given.text
    assert given.json()["status"] == "APPROVED"
    world.ended(run_id, "SUCCESS")
    assert world.audit(run_id)[0]["door"] == "REST API"
    again = world.call(approval, {"decision": "DECLINE", "change": request["change_hash"]})
    assert again.status_code == 409
    assert "was approved by devops@acme.example" in again.json()["message"]


def test_one_of_two_concurrent_decisions_wins(world: World) -> None:
    run_id = world.upscale()
    request = world.request(run_id)
    link = world.link(run_id)
    approve = {"decision": "APPROVE", "change_hash": request["change_hash"]}
    decline = {"decision": "DECLINE", "change": request["change_hash"]}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(requests.post, link, data=approve, timeout=300)
        second = pool.submit(world.call, f"{run_id}.1", decline)
        statuses = sorted([first.result().status_code, second.result().status_code])

    assert statuses == [200, 409]
    assert len(world.audit(run_id)) == 1
    won = first.result().status_code == 200
    world.ended(run_id, "SUCCESS" if won else "FAILURE")
    assert len(world.pulls(run_id)) == int(won)


@pytest.mark.story
def test_approval_is_requested_again_when_the_file_changed(world: World) -> None:
    run_id = world.upscale()
    first = world.request(run_id)
    path = f"apps/{world.service}/common_values.yaml"
    world.commit("Tune", {path: VALUES.replace("replicas: 2", "replicas: 5")})

    world.decide(run_id, "APPROVE")

    second = world.request(run_id, ask=2)
    assert second["summary"] == "replicas 5 → 6"
    assert second["change_hash"] != first["change_hash"]
    assert world.request_now(run_id)["status"] == "Superseded"
    late = world.decide(run_id, "APPROVE")
    assert late["status"] == "FAILURE"
    assert "not the same any more" in late["summary"]
    assert world.pulls(run_id) == []
    world.decide(run_id, "APPROVE", ask=2)
    world.ended(run_id, "SUCCESS")
    assert world.executions(run_id) == {run_id: "SUCCEEDED"}
    assert "replicas: 6 " in text_of(world.sandbox, path, "main")


def test_approved_run_fails_when_its_service_was_deleted(
    world: World,
) -> None:
    run_id = world.upscale()
    world.request(run_id)
    folder = f"apps/{world.service}"
    gone = {f"{folder}/portData.json": None, f"{folder}/common_values.yaml": None}
    world.commit("Remove", dict(gone))

    world.decide(run_id, "APPROVE")

    ended = world.ended(run_id, "FAILURE")
    assert "not in the" in ended["summary"]
    world.wait_until_free()


def test_request_is_withdrawn_when_its_run_is_ended_in_port(
    world: World,
) -> None:
    run_id = world.upscale()
    world.request(run_id)
    link = world.link(run_id)

    world.sandbox.port.update_run(run_id, status="FAILURE", summary="Not needed any more")

    world.wait_until_free()
    wait_for("the end", lambda: world.executions(run_id) == {run_id: "SUCCEEDED"} or None)
    assert world.request_now(run_id)["status"] == "Cancelled"
    assert world.sandbox.run(run_id)["summary"] == "Not needed any more"
    answer = world.decide(run_id, "APPROVE")
    assert answer["status"] == "FAILURE"
    assert "was withdrawn" in answer["summary"]
    page = requests.post(link, data={"decision": "APPROVE"}, timeout=300)
    assert page.status_code == 409
    assert world.pulls(run_id) == []


def test_redelivered_message_keeps_one_request(
    world: World,
) -> None:
    run_id = world.upscale()
    before = world.request(run_id)
    world.sandbox.sandbox("port", "POST", "redeliver", {"run_id": run_id})
    # The same run with other content.
    published = world.sandbox.sandbox("port", "GET", f"messages?run_id={run_id}")["messages"]
    forged = json.loads([m["value"] for m in published if m["topic"].endswith(".runs")][-1])
    forged["payload"]["properties"] = {"step": 5}
    world.sandbox.sandbox("port", "POST", "publish", {"topic": "runs", "value": forged})
    other = world.sandbox.execute("upscale_service", {}, entity=world.service)
    world.ended(other, "FAILURE")  # came after both and is refused: the service is locked

    assert world.request_now(run_id)["change_hash"] == before["change_hash"]
    assert world.sandbox.port.get_entity("approval_request", f"{run_id}.2") is None
    assert world.executions(run_id) == {run_id: "RUNNING"}
    world.decide(run_id, "APPROVE")
    world.ended(run_id, "SUCCESS")
    assert len(world.pulls(run_id)) == 1
    assert "replicas: 3 " in text_of(
        world.sandbox, f"apps/{world.service}/common_values.yaml", "main"
    )


@pytest.mark.story
def test_run_waits_for_the_second_of_two_approvers(
    world: World,
) -> None:
    with world.asking(count=2, emails=[DEVOPS, ADMIN], teams=[]):
        run_id = world.upscale()
        world.request(run_id)
        first = world.decide(run_id, "APPROVE")
        assert first["status"] == "SUCCESS"
        assert any("1 of 2 approvals" in line for line in world.sandbox.logs(run_id))
        twice = world.decide(run_id, "APPROVE")
        assert twice["status"] == "FAILURE"
        assert "You already approved" in twice["summary"]
        world.decide(run_id, "APPROVE", person=ADMIN)
        world.ended(run_id, "SUCCESS")

    assert len(world.audit(run_id)) == 2
