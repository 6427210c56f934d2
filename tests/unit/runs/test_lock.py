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


def test_free_service_is_locked_by_its_owner() -> None:
    locks().acquire("shop", "r_1")

    assert holder() == "r_1"


def test_owner_can_acquire_its_lock_again() -> None:
    locks().acquire("shop", "r_1")
    locks().acquire("shop", "r_1")

    assert holder() == "r_1"


def test_lock_is_refused_with_the_name_of_its_owner() -> None:
    locks().acquire("shop", "r_1")

    with pytest.raises(EntityLocked, match=r"is in progress \(run r_1\)"):
        locks().acquire("shop", "r_2")

    assert holder() == "r_1"


def test_lock_is_taken_over_when_its_owner_has_ended() -> None:
    locks().acquire("shop", "r_1")

    locks("r_1").acquire("shop", "r_2")

    assert holder() == "r_2"


def test_one_of_two_concurrent_callers_takes_over_a_lock() -> None:
    locks().acquire("shop", "r_1")

    def the_other_was_faster(owner: Owner) -> bool:
        locks("r_1").acquire("shop", "r_2")
        return owner.id == "r_1"

    with pytest.raises(EntityLocked, match="run r_2"):
        ServiceLocks("locks", the_other_was_faster).acquire("shop", "r_3")

    assert holder() == "r_2"


def test_released_lock_leaves_the_service_free() -> None:
    locks().acquire("shop", "r_1")

    locks().release("shop", "r_1")

    assert holder() is None


def test_release_by_another_owner_does_nothing() -> None:
    locks().acquire("shop", "r_1")

    locks().release("shop", "r_2")

    assert holder() == "r_1"
