"""Find what waits for an operator: failed records and executions."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote_plus

import boto3
from slipway.approvals.settings import ApprovalConfig
from slipway.catalog.keys import key_of
from slipway.errors import SkippedMessage
from slipway.runs import executions
from slipway.runs.failed import FailedRecord, FailedRecords, Place, Subject
from slipway.runs.later import record_key
from slipway.runs.ledger import Ledger

Source = Literal["Kafka", "deliver_later", "approval"]
# Before that, a delayed delivery of the run may only just have begun.
_SETTLED = timedelta(minutes=2)
_STOPPED = {"FAILED", "TIMED_OUT", "ABORTED"}


@dataclass(frozen=True)
class OnHold:
    """A failure that waits for an operator.

    Attributes:
        reference: its name; the run's id also matches.
        source: the part that gave up.
        function: the function to retry, named as its folder.
        failed_at: when Slipway gave up.
        why: the last error, if recorded.
        service: the service; empty if unknown.
        runs: the runs, or notifications of their end.
        record: the failed record; None: an execution failed.
        also: other names, for example the reference on the run's page.
    """

    reference: str
    source: Source
    function: str
    failed_at: datetime
    why: str
    service: str
    runs: tuple[Subject, ...]
    record: FailedRecord | None = None
    also: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All names that match it."""
        return self.also | {self.reference} | {run.run_id for run in self.runs}


class OnHoldList:
    """Finds everything on hold in one installation.

    Args:
        config: the installation's.
        name_prefix: Terraform's; functions are shown without it.
    """

    def __init__(self, config: ApprovalConfig, name_prefix: str) -> None:
        self._config = config
        self._prefix = f"{name_prefix}-"
        self._ledger = Ledger(config.runs_table)
        self._records = FailedRecords(config.records_bucket)

    def find(self, say: Callable[[str], None] = lambda _: None) -> list[OnHold]:
        """Return everything on hold, the oldest first.

        Args:
            say: gets the progress.
        """
        found = []
        for number, place in enumerate(self._records.places(), start=1):
            say(f"Reading failed record {number}")
            if record := self._records.read(place):
                found.append(self._of_record(record))
        held_later = {
            run.run_id for held in found if held.source == "deliver_later" for run in held.runs
        }
        for number, row in enumerate(self._ledger.open_rows(), start=1):
            say(f"Checking open run {number}")
            found.extend(self._of_row(row, held_later))
        return sorted(found, key=lambda held: held.failed_at)

    def _of_record(self, record: FailedRecord) -> OnHold:
        found = {run: self._ledger.get(run.run_id) or {} for run in record.subjects}
        if (
            len(record.records) > 1
        ):  # For on-demand mappings, Lambda stores the whole batch of a failed record.
            found = {
                run: row
                for run, row in found.items()
                if run.notice or not ("outcome" in row or self._goes_on(run.run_id, row))
            }
        runs, rows = tuple(found), list(found.values())
        noted = [row["held"] for row in rows if "held" in row]
        function = record.function_name or next(
            (str(row["function_arn"]).split(":")[6] for row in rows if "function_arn" in row), ""
        )
        services = [str(row["service"]) for row in rows if row.get("service")]
        return OnHold(
            reference=record.place.reference,
            source="Kafka" if record.function_name else "deliver_later",
            function=function.removeprefix(self._prefix),
            failed_at=record.place.failed_at,
            why="; ".join(dict.fromkeys(str(each["why"]) for each in noted)) or record.why,
            service=", ".join(dict.fromkeys(services or services_of(record))),
            runs=runs,
            record=record,
            also=frozenset(str(each["reference"]) for each in noted),
        )

    def _of_row(self, row: dict[str, Any], held_later: set[str]) -> Iterator[OnHold]:
        run_id, noted = str(row["run_id"]), row.get("held", {})
        last = executions.latest(run_id, row)
        if executions.status(self._config.approval_machine_arn, last) == "FAILED":
            yield OnHold(
                reference=run_id,
                source="approval",
                function="approval",
                failed_at=datetime.fromisoformat(str(noted.get("at", row["updated_at"]))),
                why=f"Execution {last} failed; its history says why.",
                service=str(row.get("service", "")),
                runs=(Subject(run_id),),
                also=frozenset({last}),
            )
        elif run_id not in held_later and self._is_stuck(run_id, row):
            # Its record could not be copied to `held/` when its delivery failed.
            due = datetime.fromisoformat(str(row["resume_at"]))
            if record := self._records.read(Place(record_key(run_id), due)):
                yield self._of_record(record)

    def _is_stuck(self, run_id: str, row: dict[str, Any]) -> bool:
        if "postponed" not in row or "pr_number" in row:
            return False
        due = datetime.fromisoformat(str(row["resume_at"]))
        if datetime.now(UTC) - due < _SETTLED:
            return False
        machine = self._config.deliver_later_arn
        return executions.status(machine, _delivery(run_id, row)) in _STOPPED

    def goes_on(self, run_id: str) -> bool:
        """Return whether another delivery of this run got further."""
        return self._goes_on(run_id, self._ledger.get(run_id) or {})

    def _goes_on(self, run_id: str, row: dict[str, Any]) -> bool:
        if "held" in row:
            return False
        if "pr_number" in row:
            return True
        at_work = {self._config.approval_machine_arn: executions.latest(run_id, row)}
        if "postponed" in row:
            at_work[self._config.deliver_later_arn] = _delivery(run_id, row)
        return any(executions.status(arn, name) == "RUNNING" for arn, name in at_work.items())

    def put_away(self, record: FailedRecord, *, discarded: bool) -> None:
        """Move a record to the archive once it is settled."""
        self._records.put_away(record, "discarded" if discarded else "replayed")

    def read_again(self, record: FailedRecord) -> FailedRecord | None:
        """Return the record; None if another caller settled it since then."""
        return self._records.read(record.place)


def _delivery(run_id: str, row: dict[str, Any]) -> str:
    """Return the execution of `deliver_later` that delivers a delayed run."""
    return f"{run_id}-later-{row['postponed']}"


def services_of(record: FailedRecord) -> list[str]:
    """Return the runs and service that the messages are about."""
    found = []
    for each in record.records:
        try:
            value = each.value
            context = value["context"]
            blueprint, entity = context["blueprint"], context["entity"]
        except (SkippedMessage, LookupError, TypeError, AttributeError):
            continue
        if isinstance(blueprint, str) and isinstance(entity, str):
            found.append(key_of(blueprint, entity))
    return found


def settle_notices(queue_url: str, config: ApprovalConfig) -> int:
    """Delete the notifications of records that no longer wait.

    The queue keeps an alarm on. Notifications of records that still wait return to the queue at
    once. The function also deletes S3's own test message from the setup of the queue.

    Returns:
        How many were deleted.
    """
    queue = boto3.client("sqs")
    handles: dict[str, tuple[str, str | None]] = {}
    while True:
        answer = queue.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=60, WaitTimeSeconds=1
        )
        messages = answer.get("Messages", [])
        if all(message["MessageId"] in handles for message in messages):
            break  # stop before the first messages return
        for message in messages:
            key = _announced(message["Body"])
            handles[message["MessageId"]] = (message["ReceiptHandle"], key)
    # Listed after reading the notifications, so a record missing here is settled.
    waiting = {place.key for place in FailedRecords(config.records_bucket).places()}
    deleted = 0
    for handle, key in handles.values():
        if key is not None and key in waiting:
            queue.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0
            )
        else:
            queue.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)
            deleted += 1
    return deleted


def _announced(body: str) -> str | None:
    """Return a notification's S3 key; None for S3's test message.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    records = json.loads(body).get("Records")
    return unquote_plus(records[0]["s3"]["object"]["key"]) if records else None
