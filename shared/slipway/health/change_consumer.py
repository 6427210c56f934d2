"""Start the subscribers of changes of entities, once for each change."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from slipway.catalog.keys import key_of
from slipway.config import SubscriptionsConfig
from slipway.errors import ForeignMessage
from slipway.health.admission import launch
from slipway.health.automations import automation_of, end_runs
from slipway.health.changes import (
    Change,
    Reason,
    Skipped,
    automation_run,
    merge,
    read_change,
)
from slipway.health.row import Admission, ServiceRow, admit
from slipway.health.store import RemediationStore
from slipway.health.subscriptions import (
    HEALTH,
    Subscription,
    health_subscription,
    read_table,
    subscriptions_for,
)
from slipway.kafka import Batch, KafkaRecord, RecordOutcome, batch_of
from slipway.observability import Metric, count, logger
from slipway.runs.clients import port_client
from slipway.runs.executions import start_execution
from slipway.runs.queues import QueueBatch

# Seconds that one call to Port may take with its retries.
_RETRY_BUDGET = 3.0
# The share of the function's remaining time for ending the runs of automations.
_SHARE = 0.5


class ChangeConsumer:
    """Consumes records about changes of entities, from a topic or from a queue.

    Args:
        config: the table of subscriptions, and the table of remediations.
    """

    def __init__(self, config: SubscriptionsConfig) -> None:
        self._config = config
        self._machine_arn = config.remediation_machine_arn
        self._prefix, _, name = self._machine_arn.rpartition(":")
        own = tuple(health_subscription(name, one) for one in config.health_blueprints)
        self._table = read_table(own, config.subscriptions)
        prefix = config.identifier_prefix
        self._automations = frozenset(automation_of(entry, prefix) for entry in self._table)
        self._store = RemediationStore(config.remediations_table)

    def handle(self, event: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        """Handle an event of the event source mapping.

        Args:
            event: as Lambda gives it.
            seconds: the time limit.

        Returns:
            The batch's response; records fail if the start for their entities failed.

        Raises:
            RecordsFailed: the batch must be delivered again.
        """
        ends = time.monotonic() + seconds
        groups = dict[tuple[str, str, bool], _Group]()
        failed: list[RecordOutcome] = []
        runs: dict[str, str] = {}
        batch: Batch
        if QueueBatch.fits(event):
            batch = QueueBatch(event, self._config.records_bucket)
        else:
            batch = batch_of(event, partial_response=self._config.partial_batch_response)
        for record in batch.records():
            value = _value_of(record)
            if run_id := automation_run(value):
                runs[record.place] = run_id
            change = value if isinstance(value, Skipped) else read_change(value)
            if isinstance(change, Skipped):
                _skip(change)
            else:
                # Slipway's own writes are separate, because one may have replaced a change that
                # must still be checked.
                key = (change.blueprint, change.entity, change.own)
                groups.setdefault(key, _Group()).add(change, record)
        for group in groups.values():
            try:
                self._follow(group)
            except Exception as error:  # noqa: BLE001 - logged, and the records are repeated
                # One entity's failure must not delay the other entities of the batch.
                logger.exception("The start for a change failed")
                failed += [RecordOutcome.failed(record, error) for record in group.records]
        unfinished = {outcome.record.place for outcome in failed}
        done = [run_id for place, run_id in runs.items() if place not in unfinished]
        if done:
            port = port_client(_RETRY_BUDGET)
            end_runs(done, self._automations, port, (ends - time.monotonic()) * _SHARE)
        return batch.response(failed)

    def _follow(self, group: "_Group") -> None:
        merged = merge(group.changes)
        logger.append_keys(blueprint=merged.blueprint, entity=merged.entity)
        skipped = subscriptions_for(merged, self._table)
        fitting = dict[str, tuple[Subscription, Change]]()
        # Each change also counts by itself, because a later forged one would hide it.
        for change in (merged, *group.changes):
            found = subscriptions_for(change, self._table)
            if not isinstance(found, Skipped):
                fitting = {entry.name: (entry, change) for entry in found} | fitting
        if not fitting and isinstance(skipped, Skipped):
            _skip(skipped)
        for subscription, change in fitting.values():
            if subscription.name == HEALTH:
                self._remediate(change, group.offsets)
            else:
                self._start(subscription, change)

    def _start(self, subscription: Subscription, change: Change) -> None:
        """Start a team's own state machine, once for each change."""
        of = f"{subscription.name}/{change.blueprint}/{change.entity}"
        digest = hashlib.sha256(of.encode()).hexdigest()[:32]
        start_execution(
            f"{self._prefix}:{subscription.state_machine}",
            f"{digest}-{int(change.updated_at.timestamp() * 1000)}",
            {
                "schema_version": 1,
                "subscription": subscription.name,
                "blueprint": change.blueprint,
                "entity": change.entity,
                "updated_at": change.updated_at.isoformat(),
            },
        )
        count(Metric.SUBSCRIPTION_STARTED, subscription=subscription.name)
        logger.info("Started", extra={"subscription": subscription.name})

    def _remediate(self, change: Change, offsets: Mapping[str, int]) -> None:
        outcome, updated_at = Admission.REDELIVERED, None
        key = key_of(change.blueprint, change.entity)
        known = self._store.get(key)
        if known and not known.execution and known.redelivered(offsets):
            entity = port_client(_RETRY_BUDGET).get_entity(change.blueprint, change.entity)
            updated_at = entity.updated_at if entity else None

        def admit_change(stored: ServiceRow | None) -> ServiceRow:
            nonlocal outcome
            admitted, outcome = admit(stored, change, offsets, datetime.now(UTC), updated_at)
            return admitted

        row = self._store.update(key, admit_change)
        logger.info("Change of a service", extra={"outcome": outcome})
        if outcome is Admission.REDELIVERED:
            _skip(Skipped(Reason.OLDER, "The record was processed before."))
        # Also after a redelivery, because a crash may have left an admitted execution unstarted.
        if row:
            launch(self._store, self._machine_arn, row)


@dataclass
class _Group:
    """The changes of one entity in a batch, in their order of arrival.

    Attributes:
        records: their records.
        offsets: partition → offset of its last record.
    """

    changes: list[Change] = field(default_factory=list)
    records: list[KafkaRecord] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)

    def add(self, change: Change, record: KafkaRecord) -> None:
        self.changes.append(change)
        self.records.append(record)
        newest = self.offsets.get(record.partition, -1)
        self.offsets[record.partition] = max(record.offset, newest)


def _value_of(record: KafkaRecord) -> Any:
    """Return a record's value: None for a tombstone, `Skipped` if not JSON."""
    if record.is_tombstone:
        return None
    try:
        return record.value
    except ForeignMessage as error:
        return Skipped(Reason.UNKNOWN_SHAPE, str(error))


def _skip(skipped: Skipped) -> None:
    logger.info("Change skipped", extra={"reason": skipped.reason, "why": skipped.sentence})
    count(Metric.CHANGE_SKIPPED, reason=skipped.reason)
