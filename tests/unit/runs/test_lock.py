"""One change per service at a time."""

from typing import Any

import boto3
import pytest
from slipway.errors import EntityLocked
from slipway.runs.lock import Owner, ServiceLocks

pytestmark = pytest.mark.usefixtures("aws")


def locks(*ended: str) -> ServiceLocks:
    return ServiceLocks("locks", lambda owner: owner.id in ended)


def holder() -> Any:
    item = boto3.resource("dynamodb").Table("locks").get_item(Key={"service": "shop"}).get("Item")
    return item and item["owner"]


def test_given_a_free_service_when_taken_then_the_owner_holds_it() -> None:
    locks().acquire("shop", "r_1")

    assert holder() == "r_1"


def test_given_the_own_lock_when_taken_again_then_it_is_a_success() -> None:
    locks().acquire("shop", "r_1")
    locks().acquire("shop", "r_1")

    assert holder() == "r_1"


def test_given_another_owner_at_work_when_taken_then_refused_with_the_owner() -> None:
    locks().acquire("shop", "r_1")

    with pytest.raises(EntityLocked, match=r"is in progress \(run r_1\)"):
        locks().acquire("shop", "r_2")

    assert holder() == "r_1"


def test_given_an_owner_that_has_ended_when_taken_then_it_is_taken_over() -> None:
    locks().acquire("shop", "r_1")

    locks("r_1").acquire("shop", "r_2")

    assert holder() == "r_2"


def test_given_two_that_find_the_owner_gone_when_both_take_then_one_wins() -> None:
    locks().acquire("shop", "r_1")

    def the_other_was_faster(owner: Owner) -> bool:
        locks("r_1").acquire("shop", "r_2")
        return owner.id == "r_1"

    with pytest.raises(EntityLocked, match="run r_2"):
        ServiceLocks("locks", the_other_was_faster).acquire("shop", "r_3")

    assert holder() == "r_2"


def test_given_the_own_lock_when_released_then_the_service_is_free() -> None:
    locks().acquire("shop", "r_1")

    locks().release("shop", "r_1")

    assert holder() is None


def test_given_another_owner_when_released_then_nothing_happens() -> None:
    locks().acquire("shop", "r_1")

    locks().release("shop", "r_2")

    assert holder() == "r_1"
