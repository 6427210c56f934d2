from datetime import timedelta

from slipway.health.limit import (
    WINDOW,
    Begun,
    InstallationRow,
    alert_sent,
    claim_alert,
    let_begin,
)

from tests.unit.health.story import BEGIN

SECOND = timedelta(seconds=1)
QUIET = timedelta(hours=1)


def begun(number: int) -> Begun:
    """Make the n-th repair, which begins n seconds after the start."""
    return Begun(repair=str(number), service="s", strategy="restart", at=BEGIN + number * SECOND)


def after(repairs: int, most: int) -> InstallationRow:
    row = InstallationRow()
    for number in range(repairs):
        row = let_begin(row, begun(number), most)
    return row


def test_repairs_begin_up_to_the_limit() -> None:
    row = after(5, 3)

    assert [row.has(str(number)) for number in range(5)] == [True, True, True, False, False]
    assert row.free_at(3, BEGIN) == BEGIN + WINDOW


def test_repair_begins_when_the_window_has_passed() -> None:
    late = Begun(repair="late", service="s", strategy="restart", at=BEGIN + WINDOW)

    row = let_begin(after(3, 3), late, 3)

    assert [each.repair for each in row.begun] == ["1", "2", "late"]


def test_repeated_repair_counts_once() -> None:
    row = after(1, 3)

    assert let_begin(row, begun(0), 3) == row


def test_lowered_limit_waits_for_enough_repairs_to_pass() -> None:
    assert after(5, 5).free_at(2, BEGIN) == begun(3).at + WINDOW


def test_one_execution_sends_an_alert() -> None:
    row = claim_alert(None, "limit", "a", BEGIN, QUIET)
    row = claim_alert(row, "limit", "b", BEGIN + SECOND, QUIET)

    assert (row.due("limit", "a"), row.due("limit", "b")) == (True, False)
    sent = alert_sent(row, "limit")
    assert sent is not None
    assert not sent.due("limit", "a")


def test_alert_is_sent_again_after_the_quiet_time() -> None:
    row = claim_alert(None, "limit", "a", BEGIN, QUIET)

    assert claim_alert(row, "limit", "b", BEGIN + QUIET, QUIET).due("limit", "b")


def test_alerts_of_other_kinds_are_sent() -> None:
    row = claim_alert(None, "limit", "a", BEGIN, QUIET)

    assert claim_alert(row, "network", "b", BEGIN, QUIET).due("network", "b")
