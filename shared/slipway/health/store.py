"""The `remediations` table. Every operation is on a single item."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from slipway import aws
from slipway.errors import RetryableError
from slipway.health.record import Record

# Of so many who write a row at the same instant, one after the other gets its turn.
_ATTEMPTS = 20


class RemediationStore:
    """Rows: `service, version, record` (all of it, as JSON); `execution, at_work` while one is.

    Args:
        table_name: the table's name.
    """

    def __init__(self, table_name: str) -> None:
        self._table = aws.dynamodb_table(table_name)

    def get(self, service: str) -> Record | None:
        """Read a row as it is now."""
        item = self._table.get_item(Key={"service": service}, ConsistentRead=True).get("Item")
        return Record.model_validate_json(str(item["record"])) if item else None

    def at_work(self) -> Iterator[str]:
        """Services whose row names an execution, read through the sparse index `at_work`."""
        query: dict[str, Any] = {
            "IndexName": "at_work",
            "KeyConditionExpression": "at_work = :yes",
            "ExpressionAttributeValues": {":yes": "yes"},
        }
        while True:
            page = self._table.query(**query)
            yield from (str(item["service"]) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def update(
        self, service: str, change: Callable[[Record | None], Record | None]
    ) -> Record | None:
        """Change a row, however many others do so at the same time.

        Args:
            service: the row's key.
            change: pure, as it may be called more than once; gives the row as it shall be, or the
                same, or None, if there is nothing to write.

        Returns:
            The row as it then is.

        Raises:
            RetryableError: too many write it at this moment.
        """
        for _ in range(_ATTEMPTS):
            before = self.get(service)
            after = change(before)
            if after is None or after == before:
                return before
            after = after.changed(version=after.version + 1)
            if self._put(after):
                return after
        raise RetryableError(f"Too many write the remediation of service '{service}' at once.")

    def _put(self, record: Record) -> bool:
        item: dict[str, str | int] = {
            "service": record.service,
            "version": record.version,
            "record": record.model_dump_json(),
        }
        if record.execution:
            item |= {"execution": record.execution, "at_work": "yes"}
        try:
            self._table.put_item(
                Item=item,
                ConditionExpression="attribute_not_exists(service) OR version = :before",
                ExpressionAttributeValues={":before": record.version - 1},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True
