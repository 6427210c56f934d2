"""Write the audit trail: an object per decision, under Object Lock.

The bucket's Object Lock prevents changes by anyone.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

import json
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from slipway import aws
from slipway.approvals.models import Approval, Status


class AuditTrail:
    """Writes the records. Writing one again changes nothing.

    Args:
        bucket: the audit bucket.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def write(self, approval: Approval) -> None:
        """Record every vote, and the end of the request."""
        for person, vote in approval.votes.items():
            name = sha256(person.encode()).hexdigest()[:16]
            self._put(approval, name, vote.model_dump(mode="json", exclude={"counts"}))
        if approval.status in {Status.EXPIRED, Status.CANCELLED}:
            ended = {"outcome": approval.status, "at": approval.decided_at or datetime.now(UTC)}
            self._put(approval, approval.status.lower(), ended)

    def _put(self, approval: Approval, name: str, what: dict[str, Any]) -> None:
        record = {
            "approval": approval.id,
            "run_id": approval.run_id,
            "action": approval.action,
            "service": approval.service,
            "environment": approval.environment,
            "requested_by": approval.requested_by,
            "requester_id": approval.requester_id,
            "impersonated_by": approval.impersonated_by,
            "change_hash": approval.change_hash,
            "policy_version": approval.policy_version,
            **what,
        }
        with suppress(aws.ConditionFailed), aws.condition():
            aws.s3().put_object(
                Bucket=self._bucket,
                Key=f"decisions/{approval.id}/{name}.json",
                Body=json.dumps(record, default=_text, ensure_ascii=False).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
