"""The ledger: one row for each run."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from slipway.aws import dynamodb_table
from slipway.errors import RunEnded
from slipway.runs.ledger import Ledger

from tests.unit.conftest import RUN_ID, make_message

pytestmark = pytest.mark.usefixtures("aws")


def row() -> dict[str, Any]:
    item: dict[str, Any] = (
        boto3.resource("dynamodb").Table("runs").get_item(Key={"run_id": RUN_ID})["Item"]
    )
    return item


def test_opened_run_is_in_the_index_of_open_runs() -> None:
    Ledger("runs").open(make_message())

    found = row()
    assert (found["action"], found["open"], found["deliveries"]) == ("create_service", "yes", 1)
    assert found["requested_by"] == "dev@acme.example"
    assert found["open_since"].endswith("Z")


def test_redelivered_run_keeps_the_time_it_was_opened() -> None:
    ledger = Ledger("runs")
    ledger.open(make_message())
    since = row()["open_since"]

    ledger.open(make_message())

    assert (row()["open_since"], row()["deliveries"]) == (since, 2)


def test_ended_run_is_not_reopened() -> None:
    ledger = Ledger("runs")
    ledger.open(make_message())
    ledger.close(RUN_ID, "FAILURE")

    with pytest.raises(RunEnded):
        ledger.open(make_message())

    assert "open" not in row()
    assert row()["outcome"] == "FAILURE"


def test_run_stays_open_when_its_pull_request_is_recorded() -> None:
    ledger = Ledger("runs")
    ledger.open(make_message())

    ledger.record_pull_request(RUN_ID, 7, "https://github.test/pull/7")

    assert (row()["pr_number"], row()["open"]) == (7, "yes")


def test_postponing_counts_up_and_stores_a_readable_time() -> None:
    ledger = Ledger("runs")
    moment = datetime(2026, 11, 23, 12, 0, 0, 999, tzinfo=UTC)

    counts = [ledger.postpone(RUN_ID, moment, "arn:function:live") for _ in range(2)]

    assert counts == [(1, 1), (2, 2)]
    assert row()["resume_at"] == "2026-11-23T12:00:00Z"
    assert row()["function_arn"] == "arn:function:live"


def test_open_rows_are_listed_oldest_first() -> None:
    ledger = Ledger("runs")
    for run_id, since in (("r_2", "2026-11-02T00:00:00Z"), ("r_1", "2026-11-01T00:00:00Z")):
        dynamodb_table("runs").put_item(Item={"run_id": run_id, "open": "yes", "open_since": since})
    ledger.open(make_message())
    ledger.close(RUN_ID, "SUCCESS")

    assert [found["run_id"] for found in ledger.open_rows()] == ["r_1", "r_2"]


def test_reminder_of_the_sweep_does_not_count_as_work() -> None:
    ledger = Ledger("runs")
    dynamodb_table("runs").put_item(Item={"run_id": RUN_ID, "updated_at": "2026-11-01T00:00:00Z"})

    ledger.record_reminder(RUN_ID)

    assert row()["updated_at"] == "2026-11-01T00:00:00Z"
    assert row()["reminded_at"].endswith("Z")


def test_unknown_run_on_hold_is_open_with_its_reason() -> None:
    Ledger("runs").put_on_hold(RUN_ID, "create_service", "1-trace", "A bug.")

    found = row()
    assert (found["action"], found["open"], found["held"]["why"]) == (
        "create_service",
        "yes",
        "A bug.",
    )


def test_ended_run_does_not_go_on_hold() -> None:
    ledger = Ledger("runs")
    ledger.open(make_message())
    ledger.close(RUN_ID, "FAILURE")

    with pytest.raises(RunEnded):
        ledger.put_on_hold(RUN_ID, "create_service", "1-trace", "A bug.")

    assert "open" not in row()


def test_retry_budget_restart_keeps_the_total_count() -> None:
    ledger = Ledger("runs")
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    ledger.restart_retry_budget(RUN_ID)
    assert ledger.postpone(RUN_ID, moment, "arn:function:live") == (1, 1)

    ledger.restart_retry_budget(RUN_ID)

    assert ledger.postpone(RUN_ID, moment, "arn:function:live") == (2, 1)
