"""How an operator sees, replays and discards failed records, with real HTTP servers."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from slipway.approvals.settings import ApprovalConfig
from slipway.config import load
from slipway.errors import ConfigurationError, SlipwayError
from slipway.runs import clients
from slipway.runs.failed import FailedRecord, Place, Subject
from slipway.runs.ledger import Ledger

from scripts.on_hold import OnHold, OnHoldList, settle_notices
from scripts.replay import Operator, Selection, describe, read_time
from tests.scripted import ScriptedServer
from tests.unit.conftest import RUN_ID

pytestmark = pytest.mark.waits

NOW = datetime.now(UTC)
KEY = "aws/lambda/uuid/org_test.runs-0/2026/11/23/2026-11-23T10.00.00-a"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"
INVOKE = "POST /2015-03-31/functions/slipway-create_service/invocations"
CANCEL = "POST /2015-03-31/functions/slipway-approval/invocations"
RUN = f"/v1/actions/runs/{RUN_ID}"
MESSAGE: dict[str, Any] = {
    "action": "create_service",
    "resourceType": "run",
    "headers": {"X-Port-Signature": "v1,abc", "X-Port-Timestamp": "1"},
    "context": {"runId": RUN_ID, "blueprint": "service", "entity": None},
    "payload": {
        "properties": {
            "service_name": "shop",
            "password": "AAEC",
            "note": "ghp_0123456789abcdefghij0123",
        },
        "censoredProperties": ["password"],
    },
}


def kafka(value: object) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(value).encode()).decode()
    place = {"topic": "org_test.runs", "partition": 0, "offset": 3, "timestamp": 1_000}
    return {**place, "value": text}


def store(key: str = KEY, message: object = MESSAGE, *more: object) -> None:
    record = kafka(message)
    body: Any = record
    if key.startswith("aws/"):
        context = {"functionArn": FUNCTION, "condition": "Retries", "approximateInvokeCount": 11}
        records = [record, *map(kafka, more)]
        payload = json.dumps({"records": {"org_test.runs-0": records}})
        body = {"requestContext": context, "payload": payload}
    boto3.client("s3").put_object(Bucket="records", Key=key, Body=json.dumps(body).encode())


def stored(prefix: str) -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="records", Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


class World:
    """An installation whose function answers as scripted."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.config: ApprovalConfig = load(ApprovalConfig)
        self.operator = Operator(self.config, "slipway")
        self.run("IN_PROGRESS")

    def run(self, status: str, run_id: str = RUN_ID) -> None:
        run = {"id": run_id, "status": status, "action": {"identifier": "create_service"}}
        route = f"/v1/actions/runs/{run_id}"
        self.server.script(f"GET {route}", (200, {"ok": True, "run": run}, {}))
        self.server.script(f"PATCH {route}", (200, {"ok": True, "run": run}, {}))
        self.server.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def answers(self, outcome: str, why: str = "") -> None:
        failed: list[object] = [{"itemIdentifier": {}}] if outcome == "failed" else []
        results = [{"record": "org_test.runs-0@3", "outcome": outcome, "why": why}]
        answer = {"batchItemFailures": failed, "replayed": results}
        self.server.script(INVOKE, (200, answer, {}))

    def on_hold(self) -> list[OnHold]:
        return OnHoldList(self.config, "slipway").find()


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    boto3.client("s3").put_bucket_versioning(
        Bucket="records", VersioningConfiguration={"Status": "Enabled"}
    )
    secret = json.dumps({"client_id": "id", "client_secret": "a-client-secret"})
    boto3.client("secretsmanager").create_secret(Name="slipway/port", SecretString=secret)
    clients.port_client.cache_clear()
    with ScriptedServer().running() as server:
        monkeypatch.setenv("PORT_BASE_URL", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        server.script("POST /v1/auth/access_token", (200, token, {}))
        yield World(server)
    clients.port_client.cache_clear()


def test_list_shows_each_failed_record_and_no_running_execution(
    world: World,
) -> None:
    store()
    store(f"held/{RUN_ID}.json")
    Ledger("runs").put_on_hold(RUN_ID, "create_service", "1-trace", "ValueError: a bug")
    Ledger("runs").postpone(RUN_ID, NOW, FUNCTION)
    other = "r_other"
    Ledger("runs").put_on_hold(other, "upscale_service", other, "it failed")
    states = boto3.client("stepfunctions")
    machine = world.config.approval_machine_arn
    states.start_execution(stateMachineArn=machine, name=other, input="{}")

    found = world.on_hold()

    # moto's execution runs, so it is not on hold. The run with two records is, twice.
    assert [(each.source, each.function, each.service) for each in found] == [
        ("Kafka", "create_service", ""),
        ("deliver_later", "create_service", ""),
    ]
    assert {each.why for each in found} == {"ValueError: a bug"}
    assert Selection(("1-trace",)).of(found) == Selection((RUN_ID,)).of(found) == found


def test_list_finds_the_record_of_a_failed_delayed_delivery(
    world: World,
) -> None:
    ledger = Ledger("runs")
    ledger.put_on_hold(RUN_ID, "create_service", "1-trace", "a bug")
    ledger.postpone(RUN_ID, NOW - timedelta(minutes=5), FUNCTION)
    store(f"later/{RUN_ID}.json")
    states = boto3.client("stepfunctions")
    started = states.start_execution(
        stateMachineArn=world.config.deliver_later_arn, name=f"{RUN_ID}-later-1", input="{}"
    )
    assert world.on_hold() == []
    states.stop_execution(executionArn=started["executionArn"])

    (failure,) = world.on_hold()

    assert failure.source == "deliver_later"
    world.answers("done")
    assert world.operator.replay(failure).dealt_with
    assert stored("later/") == []


@pytest.mark.parametrize("outcome", ["done", "later", "skipped"])
def test_replayed_record_is_archived_after_success(world: World, outcome: str) -> None:
    store()
    (failure,) = world.on_hold()
    world.answers(outcome, "as it is")

    result = world.operator.replay(failure)

    assert result.dealt_with
    assert "as it is" in result.message
    (event,) = world.server.bodies(INVOKE)
    assert event["replay"] is True
    assert event["records"] == {"org_test.runs-0": [kafka(MESSAGE)]}
    assert (stored("aws/"), stored("archive/")) == ([], [f"archive/replayed/{KEY}"])
    assert world.operator.replay(failure).message == "Another operator settled it at the same time."


@pytest.mark.parametrize("outcome", ["failed", "rejected"])
def test_record_stays_with_the_reason_when_its_replay_fails(world: World, outcome: str) -> None:
    store()
    (failure,) = world.on_hold()
    world.answers(outcome, "ValueError: still a bug")

    result = world.operator.replay(failure)

    assert (result.dealt_with, result.message) == (False, "ValueError: still a bug")
    assert stored("aws/") == [KEY]


def test_record_stays_when_its_replay_crashes(world: World) -> None:
    store()
    (failure,) = world.on_hold()
    error = {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'x'"}
    world.server.script(INVOKE, (200, error, {"X-Amz-Function-Error": "Unhandled"}))

    result = world.operator.replay(failure)

    assert not result.dealt_with
    assert result.message == "Runtime.ImportModuleError: No module named 'x'"
    assert stored("aws/") == [KEY]


def test_replay_only_archives_the_record_of_an_ended_run(
    world: World,
) -> None:
    store()
    (failure,) = world.on_hold()
    world.run("FAILURE")

    result = world.operator.replay(failure)

    assert result.dealt_with
    assert f"Run {RUN_ID} has ended with FAILURE." in result.message
    assert world.server.bodies(INVOKE) == []
    assert stored("archive/") == [f"archive/replayed/{KEY}"]


def of_run(run_id: str) -> dict[str, Any]:
    return {**MESSAGE, "context": {**MESSAGE["context"], "runId": run_id}}


def store_batch(world: World) -> list[str]:
    """Store a batch of ten with one poison record, as an on-demand mapping does.

    Returns:
        The runs whose records are done: ended, with a pull request, asked for, delivered later.
    """
    done = [f"r_{number}" for number in range(1, 10)]
    ledger, states = Ledger("runs"), boto3.client("stepfunctions")
    for run_id in done:
        world.run("SUCCESS" if run_id in {"r_1", "r_2"} else "IN_PROGRESS", run_id)
    for run_id in ("r_1", "r_2"):
        ledger.close(run_id, "SUCCESS")
    for number, run_id in enumerate(done[2:6]):
        ledger.record_pull_request(run_id, number, "https://github.test/pull/7")
    for run_id in ("r_7", "r_8"):
        ledger.record_target(run_id, "service/shop", "services")
        ledger.record_ask(run_id, 1)
        machine = world.config.approval_machine_arn
        states.start_execution(stateMachineArn=machine, name=run_id, input="{}")
    ledger.postpone("r_9", NOW, FUNCTION)
    machine = world.config.deliver_later_arn
    states.start_execution(stateMachineArn=machine, name="r_9-later-1", input="{}")
    ledger.put_on_hold(RUN_ID, "create_service", "1-trace", "ValueError: a bug")
    store(KEY, *map(of_run, done[:4]), MESSAGE, *map(of_run, done[4:]))
    return done


def test_list_shows_failed_run_alone_when_batch_is_stored(world: World) -> None:
    done = store_batch(world)

    (failure,) = world.on_hold()

    assert failure.runs == (Subject(RUN_ID),)
    assert failure.why == "ValueError: a bug"
    assert failure.names.isdisjoint(done)


def test_replay_sends_only_failed_record_when_batch_is_stored(world: World) -> None:
    store_batch(world)
    (failure,) = world.on_hold()
    world.answers("done")

    assert world.operator.replay(failure).dealt_with

    (event,) = world.server.bodies(INVOKE)
    assert event["records"] == {"org_test.runs-0": [kafka(MESSAGE)]}
    assert (stored("aws/"), stored("archive/")) == ([], [f"archive/replayed/{KEY}"])


def test_replay_keeps_batch_when_its_record_fails_again(world: World) -> None:
    store_batch(world)
    (failure,) = world.on_hold()
    world.answers("failed", "ValueError: still a bug")

    assert world.operator.replay(failure).message == "ValueError: still a bug"

    assert stored("aws/") == [KEY]


def test_replay_invokes_nothing_when_the_batch_is_finished(world: World) -> None:
    store_batch(world)
    (failure,) = world.on_hold()
    world.run("FAILURE")

    result = world.operator.replay(failure)

    assert result.dealt_with
    for said in (f"Run {RUN_ID} has ended with FAILURE.", "Run r_9 continues: IN_PROGRESS."):
        assert said in result.message
    assert world.server.bodies(INVOKE) == []
    assert stored("archive/") == [f"archive/replayed/{KEY}"]


def test_discard_ends_only_failed_run_when_batch_is_stored(world: World) -> None:
    done = store_batch(world)
    (failure,) = world.on_hold()
    world.server.script(CANCEL, (200, {}, {}))

    assert world.operator.discard(failure, "Not wanted.").dealt_with

    assert world.server.bodies(f"PATCH {RUN}")[0]["status"] == "FAILURE"
    assert not [each for each in done if world.server.bodies(f"PATCH /v1/actions/runs/{each}")]
    assert stored("archive/") == [f"archive/discarded/{KEY}"]


def test_replay_invokes_the_function_for_a_run_ended_message(world: World) -> None:
    store(message={**MESSAGE, "action": "run_ended"})
    (failure,) = world.on_hold()
    assert failure.runs == (Subject(RUN_ID, notice=True),)
    world.run("FAILURE")
    world.answers("done")

    assert world.operator.replay(failure).dealt_with
    assert len(world.server.bodies(INVOKE)) == 1


def test_discard_is_refused_when_the_run_has_a_pull_request(
    world: World,
) -> None:
    store()
    ledger = Ledger("runs")
    ledger.record_pull_request(RUN_ID, 7, "https://github.test/pull/7")
    (failure,) = world.on_hold()

    result = world.operator.discard(failure, "Not wanted.")

    assert not result.dealt_with
    assert f"scripts/cancel {RUN_ID}" in result.message
    assert stored("aws/") == [KEY]


def test_invalid_object_can_only_be_discarded(
    world: World,
) -> None:
    boto3.client("s3").put_object(Bucket="records", Key=KEY, Body=b"?")
    (failure,) = world.on_hold()

    assert "can only be discarded" in world.operator.replay(failure).message
    assert world.operator.discard(failure, "Junk.").dealt_with
    assert stored("archive/") == [f"archive/discarded/{KEY}"]


def test_queue_messages_of_missing_records_are_deleted(
    world: World,
) -> None:
    store()
    queue = boto3.client("sqs")
    url = queue.create_queue(QueueName="slipway-failed-records")["QueueUrl"]
    key_of = {"there": KEY.replace("/", "%2F"), "gone": "held/r_1.json"}
    for key in key_of.values():
        body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})
        queue.send_message(QueueUrl=url, MessageBody=body)
    queue.send_message(QueueUrl=url, MessageBody='{"Event": "s3:TestEvent"}')

    assert settle_notices(url, world.config) == 2

    (left,) = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert key_of["there"] in left["Body"]


def test_described_record_masks_its_signature_and_secrets() -> None:
    event = {"records": {"org_test.runs-0": [kafka(MESSAGE), {**kafka(0), "value": "!"}]}}
    record = FailedRecord(Place(KEY, NOW), "v", event, "slipway-create_service", "")

    shown, junk = describe(record)

    assert shown["record"] == "org_test.runs-0@3"
    assert shown["value"]["headers"] == {"X-Port-Signature": "*****", "X-Port-Timestamp": "1"}
    inputs = shown["value"]["payload"]["properties"]
    assert inputs == {"service_name": "shop", "password": "*****", "note": "*****"}
    assert "not JSON" in junk["value"]


def on_hold(reference: str, function: str, hours: int) -> OnHold:
    at = NOW - timedelta(hours=hours)
    return OnHold(reference, "Kafka", function, at, "", "", (Subject(f"r_{reference}"),))


FOUND = [
    on_hold("a", "create_service", 5),
    on_hold("b", "approval", 3),
    on_hold("c", "create_service", 1),
]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), "abc"),
        (Selection(("b", "r_c")), "bc"),
        (Selection(function="create_service"), "ac"),
        (Selection(since=NOW - timedelta(hours=4)), "bc"),
        (Selection(until=NOW - timedelta(hours=2), function="create_service"), "a"),
        (Selection(("a",), function="approval"), ""),
    ],
)
def test_selection_filters_by_name_function_and_time(selection: Selection, chosen: str) -> None:
    assert "".join(each.reference for each in selection.of(FOUND)) == chosen


def test_selection_refuses_an_unknown_name() -> None:
    with pytest.raises(SlipwayError, match="r_zz: not on hold"):
        Selection(("a", "r_zz")).of(FOUND)


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90m", timedelta(minutes=90)), ("2h", timedelta(hours=2)), ("3d", timedelta(days=3))],
)
def test_relative_time_counts_from_now(text: str, ago: timedelta) -> None:
    moment = read_time(text)

    assert moment
    assert abs(datetime.now(UTC) - ago - moment) < timedelta(seconds=5)


def test_iso_time_is_utc_without_an_offset() -> None:
    assert read_time("2026-11-23T10:00") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert read_time("2026-11-23T10:00+02:00") == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert read_time(None) is None


@pytest.mark.parametrize("text", ["", "yesterday", "5x", "-2h", "99999999999d"])
def test_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time"):
        read_time(text)
