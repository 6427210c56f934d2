"""One change per entity at a time: a row of the `locks` table, without an expiry.

A lock outlives the invocation that took it: it stays with the pull request until that is merged or
closed. Whoever finds an entity taken looks at the owner, and takes over from one that is gone.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from slipway import aws
from slipway.errors import EntityLocked
from slipway.runs.ledger import timestamp


class ServiceLocks:
    """The `locks` table: `service, owner, kind, taken_at`; `service` is the entity's key.

    Args:
        table_name: the table's name.
        is_over: tells whether the owner of a lock has ended.
    """

    def __init__(self, table_name: str, is_over: Callable[[str], bool]) -> None:
        self._table = aws.dynamodb_table(table_name)
        self._is_over = is_over

    def take(self, key: str, owner: str, kind: Literal["run", "remediation"] = "run") -> None:
        """Take the entity for `owner`; taking it again is a success.

        Raises:
            EntityLocked: another owner, who has not ended, holds the entity.
        """
        holder = self._put(key, owner, kind, instead_of=owner)
        if holder is None:
            return
        # The condition is on this very holder, so that of two who find it gone only one takes over.
        if self._is_over(holder):
            holder = self._put(key, owner, kind, instead_of=holder)
        if holder is not None:
            raise EntityLocked(key, holder)

    def release(self, key: str, owner: str) -> None:
        """Free the entity if `owner` holds it."""
        try:
            self._table.delete_item(
                Key={"service": key},
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": owner},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def held(self) -> Iterator[dict[str, Any]]:
        """All rows. There is one for each entity that is being changed, so the table is small."""
        pages = self._table.meta.client.get_paginator("scan").paginate(
            TableName=self._table.name, ConsistentRead=True
        )
        for page in pages:
            yield from page["Items"]

    def _put(self, key: str, owner: str, kind: str, *, instead_of: str) -> str | None:
        """Write the row if it is free or held by `instead_of`; else return who holds it."""
        try:
            self._table.put_item(
                Item={
                    "service": key,
                    "owner": owner,
                    "kind": kind,
                    "taken_at": timestamp(datetime.now(UTC)),
                },
                ConditionExpression="attribute_not_exists(service) OR #owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": instead_of},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            # The resource layer leaves this item in DynamoDB's wire format.
            return str(error.response["Item"]["owner"]["S"])  # type: ignore[typeddict-item]  # not in the stubs
        return None
