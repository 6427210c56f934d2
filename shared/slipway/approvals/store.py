"""Access the `approvals` table and its large values, item by item."""

import json
from typing import Any

from slipway import aws
from slipway.approvals.models import APPROVAL_ID, Approval, Status
from slipway.errors import RequestNotFound


class ApprovalStore:
    """Approval requests.

    Args:
        table_name: the `approvals` table.
        bucket: has the diffs, under `approvals/<id>.json`.
    """

    def __init__(self, table_name: str, bucket: str) -> None:
        self._table = aws.dynamodb_table(table_name)
        self._bucket = bucket

    def get(self, approval_id: str) -> Approval:
        """Read the current request.

        Raises:
            RequestNotFound: the id does not exist.
        """
        # The id is untrusted input, and DynamoDB does not accept every text as a key.
        known = APPROVAL_ID.fullmatch(approval_id)
        key = {"id": approval_id}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item") if known else None
        if item is None:
            raise RequestNotFound(approval_id)
        return Approval.model_validate(item)

    def create(self, approval: Approval, preview: str) -> Approval:
        """Store a new request, or return the stored one with the same id."""
        aws.s3().put_object(
            Bucket=self._bucket,
            Key=_key(approval.id, approval.change_hash),
            Body=json.dumps({"preview": preview}).encode(),
            ContentType="application/json",
        )
        row = approval.model_dump(mode="json", exclude_none=True)
        try:
            with aws.condition():
                self._table.put_item(Item=row, ConditionExpression="attribute_not_exists(id)")
        except aws.ConditionFailed:
            return self.get(approval.id)
        return approval

    def preview(self, approval: Approval) -> str:
        """Return the diff for the approvers."""
        answer = aws.s3().get_object(
            Bucket=self._bucket, Key=_key(approval.id, approval.change_hash)
        )
        return str(json.loads(answer["Body"].read())["preview"])

    def save(self, before: Approval, after: Approval) -> Approval:
        """Write votes, status and policy values, if the row is still `before`.

        Returns:
            The new row, with its current task token.

        Raises:
            ConditionFailed: another invocation has written the row.
        """
        row = after.model_dump(mode="json")
        return self._update(
            after.id,
            "SET votes = :votes, #status = :status, decided_at = :decided, version = :next, "
            "emails = :emails, teams = :teams, needed = :needed, auto_merge = :auto_merge, "
            "policy_version = :policy_version",
            condition="version = :version",
            values={
                ":votes": row["votes"],
                ":status": row["status"],
                ":decided": row["decided_at"],
                ":emails": row["emails"],
                ":teams": row["teams"],
                ":needed": row["needed"],
                ":auto_merge": row["auto_merge"],
                ":policy_version": row["policy_version"],
                ":next": before.version + 1,
                ":version": before.version,
            },
        )

    def wait(self, approval_id: str, token: str, *, reminded: bool) -> Approval:
        """Store the token of the state machine's wait, while the request is open.

        Raises:
            ConditionFailed: the request is closed.
        """
        return self._update(
            approval_id,
            "SET #token = :token, reminded = :reminded",
            condition="#status = :pending",
            values={":token": token, ":reminded": reminded, ":pending": Status.PENDING},
            names={"#token": "token"},
        )

    def supersede(self, approval_id: str) -> None:
        """Record that an approved change was modified and is requested again."""
        try:
            self._update(
                approval_id,
                "SET #status = :superseded, version = version + :one",
                condition="#status = :approved",
                values={
                    ":superseded": Status.SUPERSEDED,
                    ":approved": Status.APPROVED,
                    ":one": 1,
                },
            )
        except aws.ConditionFailed:
            if self.get(approval_id).status is not Status.SUPERSEDED:
                raise

    def _update(
        self,
        approval_id: str,
        expression: str,
        *,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> Approval:
        with aws.condition():
            answer = self._table.update_item(
                Key={"id": approval_id},
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status", **(names or {})},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        return Approval.model_validate(answer["Attributes"])


def _key(approval_id: str, change_hash: str) -> str:
    # Stored with the hash: a repeated request may find another base branch, and the diff must match
    # the hash in the row.
    return f"approvals/{approval_id}/{change_hash}.json"
