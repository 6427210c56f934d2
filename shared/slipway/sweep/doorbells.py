"""Doorbells: the sweep invokes the function of a run that was never received.

The function claims and carries out the run as for its message, from Port's own record of it. A late
message finds it claimed.
"""

import json
import time
from typing import Any

from slipway import aws

_REMEMBERED_SECONDS = 30 * 24 * 3600


class Doorbells:
    """Rings, and counts how often it rang for each run.

    Args:
        table_name: the table of what expires by itself.
    """

    def __init__(self, table_name: str) -> None:
        self._table = aws.dynamodb_table(table_name)

    def count(self, run_id: str) -> int:
        """Return how often it rang for a run."""
        item = self._table.get_item(Key=_key(run_id), ConsistentRead=True).get("Item") or {}
        return int(str(item.get("doorbells", 0)))

    def ring(self, run_id: str, alias_arn: str) -> None:
        """Invoke the function of a run, without waiting for it.

        Counted before, so that a run whose doorbell stops the sweep is not rung for ever.
        """
        self._table.update_item(
            Key=_key(run_id),
            UpdateExpression="SET expiration = :ends ADD doorbells :one",
            ExpressionAttributeValues={
                ":ends": int(time.time()) + _REMEMBERED_SECONDS,
                ":one": 1,
            },
        )
        event = {"schema_version": 1, "doorbell": {"run_id": run_id}}
        aws.lambda_().invoke(
            FunctionName=alias_arn, InvocationType="Event", Payload=json.dumps(event)
        )


def _key(run_id: str) -> dict[str, Any]:
    return {"id": f"doorbells/{run_id}"}
