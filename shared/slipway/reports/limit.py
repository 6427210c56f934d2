"""Limit how often one repository may request reports.

A counter per minute, after verification.
"""

import time

from slipway import aws

_MINUTE = 60


def admit(table_name: str, repository_id: str, per_minute: int) -> bool:
    """Count a repository's request; False if its limit is reached.

    Args:
        table_name: the table of rows that expire.
        repository_id: from a verified token.
        per_minute: the limit.
    """
    minute = int(time.time()) // _MINUTE
    try:
        with aws.condition():
            aws.dynamodb_table(table_name).update_item(
                Key={"id": f"reports/{repository_id}/{minute}"},
                UpdateExpression="SET expiration = :ends ADD requests :one",
                ConditionExpression="attribute_not_exists(requests) OR requests < :most",
                ExpressionAttributeValues={
                    ":ends": (minute + 60) * _MINUTE,
                    ":one": 1,
                    ":most": per_minute,
                },
            )
    except aws.ConditionFailed:
        return False
    return True
