from datetime import timedelta

import pytest
from slipway.errors import RetryableError
from slipway.health.row import ServiceRow
from slipway.health.store import RemediationStore

from tests.unit.health.story import BEGIN, make_state

FIRST = ServiceRow(service="my-service", seen=BEGIN, state=make_state())


def later(record: ServiceRow | None) -> ServiceRow:
    assert record is not None
    return record.changed(seen=record.seen + timedelta(seconds=1))


@pytest.fixture
def store(aws: None) -> RemediationStore:
    return RemediationStore("remediations")


def test_stored_row_is_read_back_unchanged(store: RemediationStore) -> None:
    written = store.update("my-service", lambda _none: FIRST.changed(execution="e-1"))

    assert written is not None
    assert store.get("my-service") == written
    assert (written.version, written.owner) == (1, "e-1")


def test_missing_row_is_read_as_none(store: RemediationStore) -> None:
    assert store.get("my-service") is None
    assert store.update("my-service", lambda _none: None) is None
    assert store.get("my-service") is None


@pytest.mark.parametrize("nothing", [True, False])
def test_update_writes_nothing_when_nothing_changes(store: RemediationStore, nothing: bool) -> None:
    before = store.update("my-service", lambda _none: FIRST)

    after = store.update("my-service", lambda row: None if nothing else row)

    assert after == before == store.get("my-service")


@pytest.mark.parametrize("new", [True, False])
def test_concurrent_updates_are_both_kept(store: RemediationStore, new: bool) -> None:
    if not new:
        store.update("my-service", lambda _none: FIRST)
    others = [lambda: store.update("my-service", lambda row: later(row or FIRST))]

    def slower(row: ServiceRow | None) -> ServiceRow:
        # After this store has read the row, another one writes it first.
        if others:
            others.pop()()
        return later(row or FIRST)

    after = store.update("my-service", slower)

    assert after == store.get("my-service")
    assert after is not None
    assert after.seen == BEGIN + timedelta(seconds=2)
    assert after.version == (2 if new else 3)


def test_update_raises_a_retryable_error_after_endless_conflicts(
    store: RemediationStore,
) -> None:
    store.update("my-service", lambda _none: FIRST)
    tries = 0

    def always_slower(row: ServiceRow | None) -> ServiceRow:
        nonlocal tries
        tries += 1
        store.update("my-service", later)
        return later(row).changed(number=99)

    with pytest.raises(
        RetryableError, match="Too many concurrent writes to the remediation of service 'my-s"
    ):
        store.update("my-service", always_slower)

    found = store.get("my-service")
    assert found is not None
    assert (found.number, found.version) == (0, tries + 1)
