"""Postpone a record: for waits that are longer than a Lambda should wait.

The record goes to S3, and an execution of the `deliver_later` state machine waits and then invokes
the same function again. A function cannot tell an event source mapping how long to wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from slipway.config import LedgerConfig
from slipway.errors import RetryableError
from slipway.kafka import Delivery, KafkaRecord, RecordOutcome
from slipway.runs.executions import start_execution
from slipway.runs.ledger import Ledger
from slipway.runs.records import delete_record, get_record, put_record

MAX_POSTPONED = 20
_SHORTEST = timedelta(seconds=30)
_LONGEST = timedelta(minutes=15)
_LONGEST_NAMED = timedelta(hours=2)


def resume_time(error: RetryableError, waiting_since: datetime, now: datetime) -> datetime:
    """Return the next retry: as announced, else after as long as so far.

    That doubles the interval between the attempts, from 30 seconds up to 15 minutes, without
    counting them.
    """
    if error.retry_at is not None:
        return min(max(error.retry_at, now), now + _LONGEST_NAMED)
    return now + min(max(now - waiting_since, _SHORTEST), _LONGEST)


class LaterDelivery:
    """Stores records under `later/<run id>.json` and starts their machine.

    Args:
        config: bucket and state machine.
        ledger: counts how often a run was postponed.
    """

    def __init__(self, config: LedgerConfig, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger

    def postpone(
        self, run_id: str, record: KafkaRecord, resume_at: datetime, function_arn: str
    ) -> None:
        """Have `function_arn` invoked with this record at `resume_at`.

        Raises:
            RetryableError: the run was postponed too often and now counts as failed.
        """
        put_record(self._config.records_bucket, record_key(run_id), record.raw, replace=True)
        number, in_a_row = self._ledger.postpone(run_id, resume_at, function_arn)
        if in_a_row > MAX_POSTPONED:
            raise RetryableError(
                f"Run {run_id} was postponed {MAX_POSTPONED} times without success."
            )
        name = f"{run_id}-later-{number}"
        start_execution(self._config.deliver_later_arn, name, {"run_id": run_id})

    def load(self, run_id: str) -> KafkaRecord:
        """Read the stored record of a run that was postponed."""
        return KafkaRecord.read(get_record(self._config.records_bucket, record_key(run_id)))

    def discard(self, run_id: str) -> None:
        """Remove the stored record of a run that has ended."""
        delete_record(self._config.records_bucket, record_key(run_id))


class LaterBatch:
    """The stored record of one run, delivered by `deliver_later`.

    Args:
        run_id: the run.
        later: has its record.
    """

    delivery: ClassVar[Delivery] = "later"

    def __init__(self, run_id: str, later: LaterDelivery) -> None:
        self._run_id = run_id
        self._later = later

    def records(self) -> Sequence[KafkaRecord]:
        """Return the record."""
        return [self._later.load(self._run_id)]

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return which run was delivered.

        Raises:
            Exception: what failed; the state machine invokes the function again.
        """
        for outcome in outcomes:
            if outcome.error:
                raise outcome.error
        return {"delivered": self._run_id}


def record_key(run_id: str) -> str:
    """Return the key of a postponed run's record."""
    return f"later/{run_id}.json"
