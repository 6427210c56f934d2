"""Access the `remediations` table, item by item."""

from collections.abc import Callable, Iterator
from typing import Any, override

from slipway import aws
from slipway.errors import RetryableError
from slipway.health.row import Row, ServiceRow

# Optimistic-lock retries; enough for this many concurrent writers of one row.
_ATTEMPTS = 20


class Rows[R: Row]:
    """Rows of one form: `service, version, record` (the whole row, as JSON).

    Args:
        table_name: the table's name.
        model: the model of the rows.
    """

    def __init__(self, table_name: str, model: type[R]) -> None:
        self._table = aws.dynamodb_table(table_name)
        self._model = model

    def get(self, service: str) -> R | None:
        """Read a row consistently."""
        item = self._table.get_item(Key={"service": service}, ConsistentRead=True).get("Item")
        return self._model.model_validate_json(str(item["record"])) if item else None

    def update(self, service: str, change: Callable[[R | None], R | None]) -> R | None:
        """Change a row under optimistic locking.

        Args:
            service: the row's key.
            change: a pure function, because it may be called more than once. It returns the new
                row, or the same row or None if there is nothing to write.

        Returns:
            The current row.

        Raises:
            RetryableError: too many concurrent writers.
        """
        for _ in range(_ATTEMPTS):
            before = self.get(service)
            after = change(before)
            if after is None or after == before:
                return before
            after = after.changed(version=after.version + 1)
            if self._put(after):
                return after
        raise RetryableError(
            f"Too many concurrent writes to the remediation of service '{service}'."
        )

    def _put(self, row: R) -> bool:
        try:
            with aws.condition():
                self._table.put_item(
                    Item=self._item(row),
                    ConditionExpression="attribute_not_exists(service) OR version = :before",
                    ExpressionAttributeValues={":before": row.version - 1},
                )
        except aws.ConditionFailed:
            return False
        return True

    def _item(self, row: R) -> dict[str, str | int]:
        return {"service": row.service, "version": row.version, "record": row.model_dump_json()}


class RemediationStore(Rows[ServiceRow]):
    """A row for each service, with `execution, at_work` while one runs.

    Args:
        table_name: the table's name.
    """

    def __init__(self, table_name: str) -> None:
        super().__init__(table_name, ServiceRow)

    @override
    def _item(self, row: ServiceRow) -> dict[str, str | int]:
        at_work = {"execution": row.execution, "at_work": "yes"} if row.execution else {}
        return {**super()._item(row), **at_work}

    def at_work(self) -> Iterator[str]:
        """List services whose row names an execution, by the index `at_work`."""
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
