"""A soak's requests follow from its seed."""

from collections import Counter

from scripts.soaking.workload import CREATE, DELETE, DOWNSCALE, UPSCALE, Ask, as_creation, plan


def test_workload_of_one_seed_is_always_the_same() -> None:
    assert plan(7, 200, "tag") == plan(7, 200, "tag")
    assert plan(7, 200, "tag") != plan(8, 200, "tag")


def test_workload_creates_each_service_first() -> None:
    first: dict[str, Ask] = {}
    for ask in plan(7, 200, "tag"):
        first.setdefault(ask.service, ask)

    assert {ask.action for ask in first.values()} == {CREATE}
    assert not any(ask.harmless for ask in first.values())


def test_large_workload_includes_every_case() -> None:
    asks = plan(7, 1000, "tag")

    assert Counter(ask.action for ask in asks).keys() == {CREATE, UPSCALE, DOWNSCALE, DELETE}
    assert {ask.decision for ask in asks} == {"APPROVE", "DECLINE", "BOTH", "NOTHING"}
    assert {ask.end for ask in asks} == {"merge", "close"}
    assert any(ask.harmless and ask.inputs.get("dry_run") for ask in asks)
    assert any(ask.harmless and not ask.inputs.get("dry_run") for ask in asks)
    assert any(ask.redelivered_after for ask in asks)
    assert any(ask.cancelled_after is not None for ask in asks)
    assert {ask.environment for ask in asks} == {"Test", "Production"}


def test_change_of_a_missing_service_becomes_a_creation() -> None:
    change = next(ask for ask in plan(7, 100, "tag") if ask.action == UPSCALE)

    made = as_creation(change)

    assert (made.action, made.inputs["service_name"]) == (CREATE, change.service)
    assert made.number == change.number
