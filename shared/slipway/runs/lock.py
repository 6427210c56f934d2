"""Lock entities, so that only one change per entity runs at a time.

A lock is a row of the `locks` table, without an expiry.

A lock outlives the invocation that acquired it: it stays with the pull request until that is merged
or closed. A caller that finds the entity locked checks the owner and takes over if it has ended.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from slipway import aws
from slipway.errors import EntityLocked
from slipway.runs.ledger import timestamp

Kind = Literal["run", "remediation"]


@dataclass(frozen=True)
class Owner:
    """The owner of a lock.

    Attributes:
        id: of a run, or the name of a remediation's execution.
        kind: which of the two.
    """

    id: str
    kind: Kind = "run"


@dataclass(frozen=True)
class Lock:
    """A row of the table.

    Attributes:
        service: the locked service.
        owner: the owner.
        taken_at: since when, in UTC.
    """

    service: str
    owner: Owner
    taken_at: datetime


class ServiceLocks:
    """The `locks` table: `service, owner, kind, taken_at`.

    `service` is the entity's key.

    Args:
        table_name: the table's name.
        is_over: whether the owner of a lock has ended.
    """

    def __init__(self, table_name: str, is_over: Callable[[Owner], bool]) -> None:
        self._table = aws.dynamodb_table(table_name)
        self._is_over = is_over

    def acquire(self, key: str, owner: str, kind: Kind = "run") -> None:
        """Lock the entity for an owner. Safe to repeat.

        Raises:
            EntityLocked: another owner, which has not ended, has locked the entity.
        """
        wanted = Owner(owner, kind)
        current = self._put(key, wanted, instead_of=owner)
        if current is None:
            return
        # The condition names this owner, so that of two callers only one takes over.
        if self._is_over(current):
            current = self._put(key, wanted, instead_of=current.id)
        if current is not None:
            raise EntityLocked(key, current.id, current.kind)

    def release(self, key: str, owner: str) -> None:
        """Unlock the entity if its lock has this owner."""
        with suppress(aws.ConditionFailed), aws.condition():
            self._table.delete_item(
                Key={"service": key},
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": owner},
            )

    def all(self) -> Iterator[Lock]:
        """List all locks; there is one for each entity that is being changed."""
        pages = self._table.meta.client.get_paginator("scan").paginate(
            TableName=self._table.name, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                owner = Owner(str(item["owner"]), cast("Kind", item["kind"]))
                taken_at = datetime.fromisoformat(str(item["taken_at"]))
                yield Lock(str(item["service"]), owner, taken_at)

    def _put(self, key: str, owner: Owner, *, instead_of: str) -> Owner | None:
        """Write the row if it is free or has this owner; else return the owner."""
        item: dict[str, Any] = {
            "service": key,
            "owner": owner.id,
            "kind": owner.kind,
            "taken_at": timestamp(datetime.now(UTC)),
        }
        try:
            with aws.condition():
                self._table.put_item(
                    Item=item,
                    ConditionExpression="attribute_not_exists(service) OR #owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": instead_of},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except aws.ConditionFailed as failed:
            return Owner(failed.item["owner"]["S"], failed.item["kind"]["S"])
        return None
