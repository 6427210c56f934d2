"""The AWS power user: has credentials of this AWS account or of another.

A caller who may invoke the approval function inside its account can name any person. The last tests
show how this becomes visible. See `docs/security.md`.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.approvals.function import approval_function
from slipway.approvals.models import Status
from slipway.approvals.store import ApprovalStore

from functions.approval.api import resolve
from tests.gateway import proxy_event
from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import ACCOUNT

NOW = datetime.now(UTC)
REQUEST = make_approval(created_at=NOW, expires_at=NOW + timedelta(hours=1), by_machine=False)
FOREIGN = "999988887777"
SSO = "AWSReservedSSO_Admin_0123456789abcdef/devops@acme.example"


@pytest.fixture(autouse=True)
def pending(aws: None) -> ApprovalStore:
    """A request that waits for devops@acme.example."""
    store = ApprovalStore("approvals", "records")
    store.create(REQUEST, "")
    return store


def decide(
    account: str,
    role_and_session: str,
    request_id: str = "request-1",
    change: str | None = REQUEST.change_hash,
) -> int:
    """Approve by the REST API; API Gateway has accepted the signature."""
    arn = f"arn:aws:sts::{account}:assumed-role/{role_and_session}"
    path = f"/approvals/{REQUEST.id}/decision"
    body = json.dumps({"decision": "APPROVE", "change": change})
    event = proxy_event("POST", path, body, arn, request_id)
    answer = resolve(event, cast("LambdaContext", None), approval_function())
    return int(answer["statusCode"])


def test_foreign_accounts_sso_user_is_refused(pending: ApprovalStore) -> None:
    assert decide(FOREIGN, SSO) == 403
    assert pending.get(REQUEST.id).status is Status.PENDING


def test_foreign_accounts_role_of_the_same_name_is_refused(pending: ApprovalStore) -> None:
    assert decide(FOREIGN, "approver/session") == 403
    assert pending.get(REQUEST.id).status is Status.PENDING


@pytest.mark.parametrize(
    "role",
    [
        "AWSReservedSSO_Admin",
        "AWSReservedSSO_Admin_0123456789ABCDEF",
        "AWSReservedSSO_Admin_0123456789abcdef0",
        "AWSReservedSSO__0123456789abcdef",
        "AWSReservedSSO_Admin_0123456789abcdef-mine",
    ],
)
def test_role_that_resembles_an_sso_role_is_refused(pending: ApprovalStore, role: str) -> None:
    assert decide(ACCOUNT, f"{role}/devops@acme.example") == 403
    assert pending.get(REQUEST.id).status is Status.PENDING


def test_session_named_like_an_approver_is_refused(pending: ApprovalStore) -> None:
    assert decide(ACCOUNT, "deployer/devops@acme.example") == 403
    assert pending.get(REQUEST.id).status is Status.PENDING


@pytest.mark.parametrize(("change", "status"), [(None, 400), ("0" * 64, 409)])
def test_rest_approval_of_an_unseen_change_is_refused(
    pending: ApprovalStore, change: str | None, status: int
) -> None:
    assert decide(ACCOUNT, SSO, change=change) == status
    assert pending.get(REQUEST.id).status is Status.PENDING


def test_invented_request_id_is_recorded_for_the_access_log() -> None:
    assert decide(ACCOUNT, SSO, request_id="not-in-the-access-log") == 200

    storage = boto3.client("s3")
    (item,) = storage.list_objects_v2(Bucket="audit")["Contents"]
    record = json.loads(storage.get_object(Bucket="audit", Key=item["Key"])["Body"].read())
    assert record["request_id"] == "not-in-the-access-log"
