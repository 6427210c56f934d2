"""The change log: decides which changes want something started, and starts it, once each."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from slipway.config import SubscriptionsConfig
from slipway.errors import ForeignMessage
from slipway.health.admission import launch
from slipway.health.changes import Change, Reason, Skipped, newest, read_change
from slipway.health.record import Admission, Record, admit
from slipway.health.store import RemediationStore
from slipway.health.subscriptions import (
    HEALTH,
    Subscription,
    health_subscription,
    read_table,
    subscriptions_for,
)
from slipway.observability import Metric, count, logger, mask
from slipway.runs.consumer import RecordOutcome, answer, decode
from slipway.runs.executions import start_execution


class ChangeWatch:
    """Works on the records of the change log.

    Args:
        config: the table of subscriptions, and where remediations are kept.
    """

    def __init__(self, config: SubscriptionsConfig) -> None:
        self._config = config
        self._machine_arn = config.remediation_machine_arn
        self._prefix, _, name = self._machine_arn.rpartition(":")
        self._table = read_table(health_subscription(name), config.subscriptions)
        self._store = RemediationStore(config.remediations_table)

    def read(self, event: dict[str, Any]) -> dict[str, Any]:
        """Work on an event of the event source mapping.

        Returns:
            See `answer`; it is given the records of entities for which nothing could be started.

        Raises:
            RecordsFailed: see `answer`.
        """
        changes, places = [], dict[tuple[str, str, bool], list[str]]()
        failed: list[RecordOutcome] = []
        for place, record in _records(event):
            change = _read(record)
            if isinstance(change, Skipped):
                _skip(change)
            else:
                changes.append(change)
                places.setdefault(_group(change), []).append(place)
        for change in newest(changes):
            try:
                self._follow(change)
            except Exception as error:  # noqa: BLE001 - logged, and the records are repeated
                # Whatever it is, other entities of the batch are not to wait for it.
                logger.exception("Nothing could be started for a change")
                why = mask(f"{type(error).__name__}: {error}")
                failed += [
                    {"record": place, "outcome": "failed", "why": why}
                    for place in places[_group(change)]
                ]
        return answer(event, failed, self._config)

    def _follow(self, change: Change) -> None:
        logger.append_keys(blueprint=change.blueprint, entity=change.entity)
        fitting = subscriptions_for(change, self._table)
        if isinstance(fitting, Skipped):
            _skip(fitting)
            return
        for subscription in fitting:
            if subscription.name == HEALTH:
                self._remediate(change)
            else:
                self._start(subscription, change)

    def _start(self, subscription: Subscription, change: Change) -> None:
        """Start a team's own state machine: once for each change, whatever is redelivered."""
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

    def _remediate(self, change: Change) -> None:
        outcome = Admission.OLDER

        def note(record: Record | None) -> Record:
            nonlocal outcome
            row, outcome = admit(record, change, datetime.now(UTC))
            return row

        record = self._store.update(change.entity, note)
        logger.info("Change of a service", extra={"outcome": outcome})
        if outcome is Admission.OLDER:
            _skip(Skipped(Reason.OLDER, "A newer change of the entity, or this one, was acted on."))
        # Also for a redelivered change whose execution was admitted, but perhaps never started.
        if record:
            launch(self._store, self._machine_arn, record)


def _group(change: Change) -> tuple[str, str, bool]:
    return change.blueprint, change.entity, change.own


def _records(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for partition, records in event["records"].items():
        for record in records:
            yield f"{partition}@{record['offset']}", record


def _read(record: dict[str, Any]) -> Change | Skipped:
    if not record.get("value"):
        return read_change(None)
    try:
        return read_change(decode(record["value"])[1])
    except ForeignMessage as error:
        return Skipped(Reason.UNKNOWN_SHAPE, str(error))


def _skip(skipped: Skipped) -> None:
    logger.info("Change skipped", extra={"reason": skipped.reason, "why": skipped.sentence})
    count(Metric.CHANGE_SKIPPED, reason=skipped.reason)
