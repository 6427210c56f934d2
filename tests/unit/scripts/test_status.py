"""Warnings before a deadline, and the functions that a command selects."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from slipway.errors import ConfigurationError
from slipway.runs.failed import Subject
from slipway.sweep.decide import Limits

from scripts import backlog as backlogs
from scripts.backlog import Backlog, Retention, deadline
from scripts.consumers import Consumer, at_work, choose
from scripts.on_hold import OnHold
from scripts.status import Line, table, warnings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ALIAS = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"


def consumer(paused: timedelta | None = None, name: str = "create_service") -> Consumer:
    state = "Enabled" if paused is None else "Disabled"
    mapping: Any = {"UUID": name, "State": state, "LastModified": NOW - (paused or DAY)}
    return Consumer(name, ALIAS, mapping)


def backlog(
    oldest: timedelta | None = None,
    *,
    unread: int | None = 0,
    lost: int = 0,
    records: timedelta | None = 7 * DAY,
    offsets: timedelta | None = 7 * DAY,
) -> Backlog:
    written = NOW - oldest if oldest is not None else None
    return Backlog(unread, written, lost, Retention(records, offsets, reported=True))


@pytest.mark.parametrize(
    ("paused", "known", "left"),
    [
        # The earliest limit counts: offsets expire from the pause, records from their time.
        (DAY, backlog(), 6 * DAY),
        (DAY, backlog(2 * DAY), 5 * DAY),
        (DAY, backlog(2 * DAY, records=None), 6 * DAY),
        (DAY, backlog(2 * DAY, offsets=2 * DAY), DAY),
        (DAY, backlog(2 * DAY, records=None, offsets=None), None),
        # The function reads slowly.
        (None, backlog(3 * DAY), 4 * DAY),
        (None, backlog(), None),
        # The backlog is unknown.
        (DAY, None, 6 * DAY),
        (None, None, None),
    ],
)
def test_deadline_is_the_earliest_retention_limit(
    paused: timedelta | None, known: Backlog | None, left: timedelta | None
) -> None:
    paused_at = NOW - paused if paused is not None else None

    assert deadline(paused_at, known) == (NOW + left if left is not None else None)


def on_hold(hours: int, *runs: Subject) -> OnHold:
    return OnHold("abc", "Kafka", "create_service", NOW - timedelta(hours=hours), "why", "", runs)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (Line(consumer(), backlog(), []), None),
        (Line(consumer(5 * DAY), backlog(), []), None),
        (Line(consumer(6.5 * DAY), backlog(), []), "keeps its data until 24 Nov 00:00 UTC"),
        (Line(consumer(8 * DAY), None, []), "kept its data only until 22 Nov 12:00 UTC"),
        (
            Line(consumer(), backlog(6.5 * DAY, unread=1), []),
            "keeps its data until 24 Nov 00:00 UTC",
        ),
        # A quarter of the one-day retention is left.
        (Line(consumer(DAY / 2), backlog(offsets=DAY), []), None),
        (Line(consumer(0.8 * DAY), backlog(offsets=DAY), []), "keeps its data until"),
        (Line(consumer(), backlog(lost=3), []), "has dropped 3 record(s)"),
        (Line(consumer(DAY), backlog(unread=None), []), "has never read anything"),
        (Line(consumer(), backlog(), [on_hold(47, Subject("r_1"))]), None),
        (Line(consumer(), backlog(), [on_hold(49, Subject("r_1"))]), "Slipway ends its run on"),
        # Entity changes have no run to end.
        (Line(consumer(), backlog(), [on_hold(100)]), None),
        (Line(consumer(), backlog(), [on_hold(100, Subject("r_1", notice=True))]), None),
    ],
)
def test_status_warns_when_time_runs_out(line: Line, said: str | None) -> None:
    found = warnings(line, Limits(), NOW)

    assert [sentence for sentence in found if said and said in sentence] == found
    assert len(found) == (said is not None)


def test_status_table_shows_pause_backlog_and_runs_on_hold() -> None:
    lines = [
        Line(consumer(DAY), backlog(timedelta(hours=2), unread=4), [on_hold(26)]),
        Line(consumer(), None, []),
    ]

    columns = [list(column.cells) for column in table(lines, NOW).columns]

    assert "paused since 22 Nov 12:00 UTC" in str(columns[1][0])
    assert [cells[0] for cells in columns[3:]] == ["4", "2 h 0 min", "1", "1 d 2 h"]
    assert [cells[1] for cells in columns[3:]] == ["?", "", "0", ""]


def test_chosen_functions_must_be_consumers() -> None:
    found = [consumer(name="create_service"), consumer(name="approval")]

    assert choose(found, ["approval"], everything=False) == found[1:]
    assert choose(found, [], everything=True) == found
    for names, everything, said in (
        ([], False, "say --all"),
        (["approval"], True, "say --all"),
        (["approval", "x"], False, "x: not among the functions"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            choose(found, names, everything=everything)


@pytest.mark.parametrize(
    ("settings", "retention"),
    [
        ({}, Retention()),
        (
            {"retention.ms": "86400000", "offsets.retention.minutes": "60"},
            Retention(DAY, timedelta(hours=1), reported=True),
        ),
        ({"retention.ms": "-1"}, Retention(None, 7 * DAY, reported=True)),
    ],
)
def test_retention_falls_back_to_the_kafka_default(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], retention: Retention
) -> None:
    monkeypatch.setattr(backlogs, "_described", lambda _admin, _kind, _name: settings)

    class Admin:
        def list_topics(self, timeout: int) -> Any:
            return SimpleNamespace(brokers={1: None})

    assert backlogs.retention_of(Admin(), "org.runs") == retention  # type: ignore[arg-type]  # only the used part


@pytest.mark.usefixtures("aws")
def test_drain_counts_only_current_claims_of_the_function() -> None:
    table = boto3.resource("dynamodb").Table("idempotency")
    now = int(datetime.now(UTC).timestamp() * 1000)
    for key, status, ends in (
        ("create_service#a", "INPROGRESS", now + 60_000),
        ("create_service#over", "INPROGRESS", now - 1),
        ("create_service#done", "COMPLETED", now + 60_000),
        ("upscale_service#b", "INPROGRESS", now + 60_000),
    ):
        table.put_item(Item={"id": key, "status": status, "in_progress_expiration": ends})

    assert at_work([consumer()]) == 1


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("paused", [None, DAY])
def test_messages_of_a_queue_are_its_backlog(paused: timedelta | None) -> None:
    client, read = boto3.client("sqs"), consumer(paused)
    url = client.create_queue(QueueName="slipway-create_service")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="one")
    read.mapping["EventSourceArn"] = "arn:aws:sqs:eu-west-1:123456789012:slipway-create_service"

    found = backlogs.backlog_of(read)

    assert (found.unread, found.lost) == (1, 0)
    assert found.retention.records == 4 * DAY
    assert deadline(read.paused_at, found) == (NOW - DAY + 4 * DAY if paused else None)
