"""What the sweep does in each state. Port and GitHub are real HTTP servers, AWS is moto."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from slipway import aws
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.errors import ConfigurationError, SweepIncomplete
from slipway.runs import clients
from slipway.runs.ledger import Ledger, timestamp
from slipway.runs.lock import ServiceLocks
from slipway.runs.records import put_record
from slipway.runs.sweep import SweepConfig, sweep

from tests.scripted import ScriptedServer
from tests.unit.conftest import ENVIRONMENT, RUN_ID
from tests.unit.github.conftest import FakeGitHub

LIST = "GET /v1/actions/runs"
RUN = f"/v1/actions/runs/{RUN_ID}"
SHOP = "/v1/blueprints/service/entities/shop"
UPSERT = "POST /v1/blueprints/service/entities"
DISPATCH = "POST /actions/workflows/slipway-report.yml/dispatches"
PR_URL = "https://github.test/pull/7"
MAPPING = "a14e31db-10fe-4dca-a86e-3a684ab20a35"
REMEDIATION = "a" * 32 + "-1"


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


class World:
    """An organisation with a run of ours, and a services repository."""

    def __init__(self, port: ScriptedServer, github: FakeGitHub) -> None:
        self.port = port
        self.github = github
        self.ledger = Ledger("runs")
        self.locks = ServiceLocks("locks", lambda owner: False)
        self.listed: list[dict[str, Any]] = []
        port.script(LIST, (200, {"ok": True, "runs": self.listed}, {}))
        port.script(f"DELETE {SHOP}", (200, {"ok": True}, {}))
        port.script(UPSERT, (200, {"ok": True, "entity": {"identifier": "shop"}}, {}))
        github.script(DISPATCH, (204, b"", {}))
        never_made: Any = (422, {"message": "Reference does not exist"}, {})
        for action in ("create_service", "upscale_service", "delete_service"):
            github.script(f"DELETE /git/refs/heads/slipway/{action}/{RUN_ID}", never_made)

    def run(
        self,
        run_id: str = RUN_ID,
        *,
        action: str = "upscale_service",
        status: str = "IN_PROGRESS",
        executed: datetime | None = None,
        changed: datetime | None = None,
    ) -> None:
        """A run that Port lists; once it is asked for alone, it has been ended."""
        executed = executed or ago(days=5)
        run = {
            "id": run_id,
            "status": status,
            "action": {"identifier": action},
            "createdAt": executed.isoformat(),
            "updatedAt": (changed or executed).isoformat(),
        }
        self.listed.append(run)
        self.ended(run_id, action)

    def ended(self, run_id: str, action: str = "upscale_service") -> None:
        ended = {"id": run_id, "status": "FAILURE", "action": {"identifier": action}}
        route = f"/v1/actions/runs/{run_id}"
        self.port.script(f"GET {route}", (200, {"ok": True, "run": ended}, {}))
        self.port.script(f"PATCH {route}", (200, {"ok": True, "run": ended}, {}))
        self.port.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def seen(
        self,
        run_id: str = RUN_ID,
        *,
        action: str = "upscale_service",
        at: datetime | None = None,
        **fields: Any,
    ) -> None:
        """A row of the ledger for the service `shop`, which the run holds."""
        row = {
            "run_id": run_id,
            "action": action,
            "service": "shop",
            "open": "yes",
            "open_since": timestamp(ago(days=5)),
            "updated_at": timestamp(at or ago(days=5)),
        }
        dynamodb_table("runs").put_item(Item={**row, **fields})
        self.lock(run_id)

    def lock(self, owner: str, kind: str = "run", *, taken: datetime | None = None) -> None:
        row = {"service": "shop", "owner": owner, "kind": kind}
        dynamodb_table("locks").put_item(Item={**row, "taken_at": timestamp(taken or ago(days=5))})

    def pull(
        self, state: str, *, opened: datetime | None = None, ended: datetime | None = None
    ) -> None:
        """The run's pull request."""
        pull = {
            **self.github.pull,
            "state": "open" if state == "open" else "closed",
            "created_at": timestamp(opened or ago(days=5)),
            "merged_at": timestamp(ended or ago(days=1)) if state == "merged" else None,
            "closed_at": timestamp(ended or ago(days=1)) if state != "open" else None,
            "head": {
                "ref": f"slipway/upscale_service/{RUN_ID}",
                "sha": "a" * 40,
                "repo": {"full_name": "acme/services"},
            },
            "base": {"repo": {"full_name": "acme/services"}},
        }
        if state == "open":
            self.github.script("GET /pulls", (200, [pull], {}))
        else:
            self.github.script("GET /pulls", (200, [], {}), (200, [pull], {}))
        self.github.script("PATCH /pulls/7", (200, {**pull, "state": "closed"}, {}))
        self.github.script("GET /issues/7", (200, {"number": 7, "url": pull["issue_url"]}, {}))
        self.github.script("GET /issues/7/comments", (200, [], {}))
        self.github.script("POST /issues/7/comments", (201, {}, {}))
        branch = f"slipway/upscale_service/{RUN_ID}"
        self.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))

    def merged(self, action: str, **fields: Any) -> None:
        """A run whose merged pull request was asked to be reported again, in vain."""
        self.run(action=action)
        again = timestamp(ago(hours=1))
        self.seen(action=action, pr_number=7, pr_url=PR_URL, reported_again_at=again, **fields)
        self.pull("merged")

    def entity(self, **properties: Any) -> None:
        entity = {"identifier": "shop", "blueprint": "service", "properties": properties}
        self.port.script(f"GET {SHOP}", (200, {"ok": True, "entity": entity}, {}))

    def folder(self, files: dict[str, str]) -> None:
        """The service's folder on the base branch."""
        path = "/contents/apps/shop"
        url = f"{self.github.url}/repos/acme/services"
        entries = []
        for number, (name, text) in enumerate(files.items()):
            sha = f"{number:040x}"
            entries.append(
                {
                    "type": "file",
                    "path": f"apps/shop/{name}",
                    "sha": sha,
                    "size": len(text),
                    "download_url": f"{url}/{name}",
                }
            )
            content = base64.b64encode(text.encode()).decode()
            blob = {"content": content, "encoding": "base64", "sha": sha}
            self.github.script(f"GET /git/blobs/{sha}", (200, blob, {}))
        self.github.script(f"GET {path}", (200, entries, {}))

    def updates(self, run_id: str = RUN_ID) -> list[Any]:
        return self.port.bodies(f"PATCH /v1/actions/runs/{run_id}")

    def row(self) -> dict[str, Any]:
        return self.ledger.get(RUN_ID) or {}

    def holder(self) -> Any:
        return next((lock["owner"] for lock in self.locks.held()), None)

    def asked_github(self) -> list[str]:
        return [route.replace("/repos/acme/services", "") for route in self.github.routes()]


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, secret in (
        ("slipway/port", {"client_id": "id", "client_secret": "secret-of-port"}),
        ("slipway/github", {"token": "ghp_token"}),
    ):
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    clients.port_client.cache_clear()
    with ScriptedServer().running() as port, FakeGitHub().running() as github:
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        load.cache_clear()
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        port.script("POST /v1/auth/access_token", (200, token, {}))
        yield World(port, github)
    clients.port_client.cache_clear()


def execution(name: str, machine: str = "approval", *, aborted: bool = False) -> None:
    states = boto3.client("stepfunctions")
    arn = f"arn:aws:states:eu-west-1:123456789012:stateMachine:{machine}"
    started = states.start_execution(stateMachineArn=arn, name=name, input="{}")
    if aborted:
        states.stop_execution(executionArn=started["executionArn"])


# -- ended


def test_given_a_run_that_was_never_seen_when_swept_then_it_ends(world: World) -> None:
    world.run(executed=ago(minutes=16))

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Never received")
    assert "within 15 minutes" in update["summary"]
    assert world.asked_github() == ["GET /pulls"]


def test_given_a_run_that_was_only_ever_postponed_when_held_for_too_long_then_it_is_closed(
    world: World,
) -> None:
    world.run()
    since = timestamp(ago(days=4))
    dynamodb_table("runs").put_item(Item={"run_id": RUN_ID, "updated_at": since, "postponed": 20})

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "Held for too long"
    assert world.row()["outcome"] == "FAILURE"


@pytest.mark.parametrize(
    ("state", "changed", "updates"),
    [
        ("Disabled", timedelta(days=2), 0),
        ("Enabling", timedelta(days=2), 0),
        ("Enabled", timedelta(minutes=10), 0),
        ("Enabled", timedelta(minutes=16), 1),
    ],
)
def test_given_a_function_that_was_paused_when_swept_then_its_runs_have_their_time_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str, changed: timedelta, updates: int
) -> None:
    alias = json.loads(ENVIRONMENT["OWN_ACTIONS"])["upscale_service"]
    body = json.dumps({alias: MAPPING}).encode()
    boto3.client("s3").put_object(Bucket="records", Key="policy/consumers.json", Body=body)
    client = boto3.client("lambda", endpoint_url=world.port.url)
    monkeypatch.setattr(aws, "lambda_", lambda: client)
    mapping = {
        "UUID": MAPPING,
        "State": state,
        "LastModified": (datetime.now(UTC) - changed).timestamp(),
    }
    world.port.script(f"GET /2015-03-31/event-source-mappings/{MAPPING}", (200, mapping, {}))
    world.run(executed=ago(days=2))

    sweep(60)

    assert len(world.updates()) == updates


def test_given_a_run_whose_record_failed_unseen_when_swept_then_it_is_held_and_not_ended(
    world: World,
) -> None:
    world.run(executed=ago(minutes=16))
    message = {"resourceType": "run", "action": "upscale_service", "context": {"runId": RUN_ID}}
    record = {
        "topic": "org_test.runs",
        "partition": 0,
        "offset": 3,
        "timestamp": 0,
        "value": base64.b64encode(json.dumps(message).encode()).decode(),
    }
    put_record("records", f"held/{RUN_ID}.json", record, replace=True)

    sweep(60)

    assert world.updates() == []
    (log,) = world.port.bodies(f"POST {RUN}/logs")
    assert log["statusLabel"].startswith("Held, reference ")
    assert (world.row()["open"], world.row()["action"]) == ("yes", "upscale_service")


@pytest.mark.parametrize(
    ("status", "changed"),
    [("IN_PROGRESS", ago(minutes=1)), ("WAITING_FOR_APPROVAL", ago(days=5))],
)
def test_given_an_approval_of_ports_own_when_swept_then_its_time_does_not_count(
    world: World, status: str, changed: datetime
) -> None:
    world.run(status=status, changed=changed)

    sweep(60)

    assert world.updates() == []


def test_given_a_run_that_another_function_of_the_organisation_does_when_swept_then_not_ours(
    world: World,
) -> None:
    world.run(action="somebody_elses")

    sweep(60)

    assert world.updates() == []


def test_given_a_run_without_a_time_when_swept_then_it_is_named_and_left(world: World) -> None:
    world.run()
    for name in ("createdAt", "updatedAt"):
        del world.listed[0][name]

    with pytest.raises(SweepIncomplete, match=f"since when run {RUN_ID}"):
        sweep(60)

    assert world.updates() == []


def test_given_an_execution_that_was_stopped_when_swept_then_the_run_ends(world: World) -> None:
    world.run()
    world.seen(resumed=2)
    execution(f"{RUN_ID}-2", aborted=True)

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "Stopped"
    assert "stopped by an operator" in update["summary"]
    assert world.row()["outcome"] == "FAILURE"
    assert world.holder() is None


def test_given_a_run_held_for_too_long_when_swept_then_it_ends_and_is_forgotten(
    world: World,
) -> None:
    world.run()
    world.seen()
    for folder in ("later", "requests"):
        put_record("records", f"{folder}/{RUN_ID}.json", {}, replace=True)

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "Held for too long"
    assert "within 3 days" in update["summary"]
    assert world.row()["outcome"] == "FAILURE"
    assert world.holder() is None
    stored = boto3.client("s3").list_objects_v2(Bucket="records").get("Contents", [])
    assert [item["Key"] for item in stored] == ["policy/approvals.json", "policy/consumers.json"]


# -- left alone


@pytest.mark.parametrize("why", ["approval", "postponed", "just seen", "held for an hour"])
def test_given_a_run_that_rightly_waits_when_swept_then_nobody_is_asked_about_it(
    world: World, why: str
) -> None:
    world.run()
    later = timestamp(datetime.now(UTC) + timedelta(hours=1))
    match why:
        case "approval":
            world.seen()
            execution(RUN_ID)
        case "postponed":
            world.seen(resume_at=later)
        case "just seen":
            world.seen(at=ago(seconds=1))
        case "held for an hour":
            world.seen(at=ago(hours=1))

    sweep(60)

    assert world.updates() == []
    assert world.holder() == RUN_ID
    assert world.asked_github() == ["GET /pulls"]


def test_given_hundreds_of_open_pull_requests_when_swept_then_a_request_for_each_hundred(
    world: World,
) -> None:
    world.pull("open")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    pages: list[list[Any]] = [[], []]
    for number in range(101):
        run_id = f"r_{number:016}"
        world.run(run_id)
        world.seen(run_id, pr_number=number)
        head = {**pull["head"], "ref": f"slipway/upscale_service/{run_id}"}
        pages[number // 100].append({**pull, "number": number, "head": head})
    link = f'<{world.github.url}/repos/acme/services/pulls?page=2>; rel="next"'
    first, second = pages
    world.github.script("GET /pulls", (200, first, {"Link": link}), (200, second, {}))

    sweep(60)

    assert world.asked_github() == ["GET /pulls", "GET /pulls"]
    assert world.github.requests[0].query.split("&").count("per_page=100") == 1
    assert not any(route.startswith("PATCH") for route in world.port.routes())


# -- pull requests


def test_given_a_pull_request_of_a_fork_with_our_branch_when_swept_then_it_is_none_of_ours(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=40))
    (theirs,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    theirs["head"]["repo"]["full_name"] = "mallory/services"
    ours = {**theirs, "created_at": timestamp(ago(days=1))}
    world.github.script("GET /pulls", (200, [theirs], {}), (200, [ours], {}))

    sweep(60)

    assert world.asked_github() == ["GET /pulls", "GET /pulls"]


def test_given_a_pull_request_near_its_limit_when_swept_twice_then_reminded_of_once(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=28))

    sweep(60)
    sweep(60)

    (comment,) = world.github.sent("POST /issues/7/comments")
    assert f"{ago(days=-2):%d %B %Y}" in comment["body"]
    assert f"runId={RUN_ID}" in comment["body"]
    assert world.asked_github().count("GET /issues/7/comments") == 1


def test_given_the_reminder_is_there_when_its_note_was_lost_then_it_is_not_repeated(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=28))
    sweep(60)
    (comment,) = world.github.sent("POST /issues/7/comments")
    world.github.script("GET /issues/7/comments", (200, [comment], {}))
    dynamodb_table("runs").update_item(
        Key={"run_id": RUN_ID}, UpdateExpression="REMOVE reminded_at"
    )

    sweep(60)

    assert world.github.count("POST /issues/7/comments") == 1
    assert "reminded_at" in world.row()


def test_given_a_pull_request_beyond_its_limit_when_swept_then_closed_with_a_reason(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=31))

    sweep(60)

    (comment,) = world.github.sent("POST /issues/7/comments")
    assert "within 30 days" in comment["body"]
    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert world.updates() == []  # The services repository ends the run.


@pytest.mark.parametrize("noted", [True, False])
def test_given_an_end_that_was_not_reported_when_swept_twice_then_asked_for_once(
    world: World, noted: bool
) -> None:
    world.run()
    fields: dict[str, Any] = {"pr_number": 7} if noted else {}
    world.seen(**fields)
    world.pull("merged")

    sweep(60)
    world.pull("merged")
    sweep(60)

    assert world.github.sent(DISPATCH) == [{"ref": "main", "inputs": {"pull_request": "7"}}]
    assert world.updates() == []
    assert world.holder() == RUN_ID


def test_given_no_workflow_when_a_report_is_asked_for_then_said_and_not_tried_for_ever(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("merged")
    world.github.script(DISPATCH, (404, {"message": "Not Found"}, {}))

    with pytest.raises(SweepIncomplete, match=r"slipway-report\.yml was not found"):
        sweep(60)

    assert "reported_again_at" in world.row()


# -- ended as the pull request


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
        ("replicas: many\n", [], "number of replicas was left as it is"),
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


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has been removed since"),
        ({"portData.json": port_data(run_id="r_another000000001")}, "has been replaced since"),
        ({"portData.json": "{"}, "none was made. apps/shop/portData.json must be there"),
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


# -- ended runs and locks


def test_given_a_run_that_ended_unnoticed_when_swept_then_it_is_cleared_up(world: World) -> None:
    world.ended(RUN_ID)
    world.seen(action="create_service", pr_number=7)
    world.pull("open")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    branch = f"slipway/create_service/{RUN_ID}"
    world.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))
    world.entity(health_status="Pending", pr_url=pull["html_url"])

    sweep(60)

    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert f"DELETE {SHOP}" in world.port.routes()
    assert world.holder() is None
    assert world.row()["outcome"] == "FAILURE"
    assert world.updates() == []


def test_given_a_run_that_was_ended_as_its_merge_came_when_swept_then_the_merge_counts(
    world: World,
) -> None:
    world.ended(RUN_ID, "delete_service")
    world.seen(action="delete_service", pr_number=7)
    world.pull("merged")
    world.entity(health_status="Healthy")

    sweep(60)

    assert f"DELETE {SHOP}" in world.port.routes()
    assert world.row()["outcome"] == "FAILURE"
    assert world.updates() == []


def test_given_a_run_that_has_just_ended_when_swept_then_its_workers_may_finish(
    world: World,
) -> None:
    world.ended(RUN_ID)
    world.seen(at=ago(minutes=1), pr_number=7)
    world.lock(RUN_ID, taken=ago(seconds=1))

    sweep(60)

    assert world.holder() == RUN_ID
    assert "outcome" not in world.row()


@pytest.mark.parametrize(
    ("owner", "kind", "freed"),
    [
        ("r_unknown000000000", "run", True),
        (RUN_ID, "run", False),
        (REMEDIATION, "remediation", False),
        ("b" * 32 + "-7", "remediation", True),
    ],
)
def test_given_a_lock_when_swept_then_freed_if_its_owner_is_gone(
    world: World, owner: str, kind: str, freed: bool
) -> None:
    world.run(executed=ago(minutes=1))
    execution(REMEDIATION, "remediation")
    world.lock(owner, kind)

    sweep(60)

    assert (world.holder() is None) is freed


def test_given_a_lock_that_was_just_taken_when_swept_then_left_alone(world: World) -> None:
    world.lock("r_unknown000000000", taken=ago(seconds=30))

    sweep(60)

    assert world.holder() == "r_unknown000000000"


# -- failures


def test_given_a_run_that_fails_when_swept_then_the_others_are_looked_after_all_the_same(
    world: World,
) -> None:
    others = [f"r_{number:016}" for number in range(3)]
    for run_id in (RUN_ID, *others):
        world.run(run_id)
    refused = {"ok": False, "error": "missing_permissions", "message": "No."}
    world.port.script(f"PATCH {RUN}", (403, refused, {}))

    with pytest.raises(SweepIncomplete, match=f"looked after: {RUN_ID}: Port answered 403"):
        sweep(60)

    assert all(len(world.updates(run_id)) == 1 for run_id in others)


def test_given_a_run_that_ended_meanwhile_when_swept_then_it_is_no_failure(world: World) -> None:
    world.run()
    exhausted = {"ok": False, "error": "run_exhausted", "message": "It is over."}
    world.port.script(f"POST {RUN}/logs", (422, exhausted, {}))

    sweep(60)

    assert world.updates() == []


def test_given_github_is_down_when_swept_then_what_does_not_need_it_is_done(world: World) -> None:
    world.github.script("GET /pulls", (401, {"message": "Bad credentials"}, {}))
    world.run("r_never00000000000")
    world.run()
    world.seen()

    with pytest.raises(SweepIncomplete, match="open pull requests: GitHub answered 401"):
        sweep(60)

    assert len(world.updates("r_never00000000000")) == 1
    assert world.updates() == []


def test_given_port_does_not_list_when_swept_then_each_list_is_named_and_locks_are_freed(
    world: World,
) -> None:
    world.port.script(LIST, (403, {"ok": False, "error": "missing_permissions"}, {}))
    world.lock("r_unknown000000000")

    with pytest.raises(SweepIncomplete, match="runs of create_service: Port answered 403"):
        sweep(60)

    assert world.holder() is None


def test_given_no_time_when_swept_then_the_rest_is_left_to_the_next_one(world: World) -> None:
    world.run()
    world.lock("r_unknown000000000")

    sweep(0)

    assert world.updates() == []
    assert world.holder() == "r_unknown000000000"


@pytest.mark.parametrize(
    "limits", ['{"held": 0}', '{"reminder": 2592000}', '{"report": "soon"}', "{"]
)
def test_given_limits_that_make_no_sense_when_read_then_the_setting_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, limits: str
) -> None:
    monkeypatch.setenv("SWEEP_LIMITS", limits)

    with pytest.raises(ConfigurationError, match="SWEEP_LIMITS"):
        load(SweepConfig)
