"""A request for approval that tests change as needed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.approvals.models import Approval

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_approval(**changes: Any) -> Approval:
    defaults: dict[str, Any] = {
        "id": "r_0123456789abcdef.1",
        "run_id": "r_0123456789abcdef",
        "ask": 1,
        "action": "upscale_service",
        "service": "service/shop",
        "environment": "Production",
        "requested_by": "dev@acme.example",
        "summary": "replicas 2 → 3",
        "change_hash": "f" * 64,
        "emails": ("devops@acme.example", "lead@acme.example"),
        "needed": 1,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Approval.model_validate({**defaults, **changes})
