"""What a soak asks for follows from its seed."""

from collections import Counter

from scripts.soaking.workload import CREATE, DELETE, DOWNSCALE, UPSCALE, Ask, as_creation, plan


def test_given_a_seed_when_planned_twice_then_the_same_is_asked() -> None:
    assert plan(7, 200, "tag") == plan(7, 200, "tag")
    assert plan(7, 200, "tag") != plan(8, 200, "tag")


def test_given_any_seed_when_planned_then_each_service_is_made_first() -> None:
    first: dict[str, Ask] = {}
    for ask in plan(7, 200, "tag"):
        first.setdefault(ask.service, ask)

    assert {ask.action for ask in first.values()} == {CREATE}
    assert not any(ask.harmless for ask in first.values())


def test_given_a_large_plan_when_counted_then_everything_happens() -> None:
    asks = plan(7, 1000, "tag")

    assert Counter(ask.action for ask in asks).keys() == {CREATE, UPSCALE, DOWNSCALE, DELETE}
    assert {ask.decision for ask in asks} == {"APPROVE", "DECLINE", "BOTH", "NOTHING"}
    assert {ask.end for ask in asks} == {"merge", "close"}
    assert any(ask.harmless and ask.inputs.get("dry_run") for ask in asks)
    assert any(ask.harmless and not ask.inputs.get("dry_run") for ask in asks)
    assert any(ask.redelivered_after for ask in asks)
    assert any(ask.cancelled_after is not None for ask in asks)
    assert {ask.environment for ask in asks} == {"Test", "Production"}


def test_given_a_service_that_is_not_there_when_it_is_to_be_changed_then_it_is_created() -> None:
    change = next(ask for ask in plan(7, 100, "tag") if ask.action == UPSCALE)

    made = as_creation(change)

    assert (made.action, made.inputs["service_name"]) == (CREATE, change.service)
    assert made.number == change.number
