"""Any HTTP request gets an answer, and none makes a decision without an approver."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slipway.approvals.links import Link, sign
from slipway.approvals.models import Status
from slipway.approvals.store import ApprovalStore

from functions.approval import handler as approval
from tests.gateway import proxy_event
from tests.property.hostile.conftest import PLANTED, Outside
from tests.property.hostile.mutation import NASTY, examples, mutated_bytes
from tests.unit.approvals.conftest import make_approval

# The warning of Powertools in a function without metrics.
pytestmark = [
    pytest.mark.filterwarnings("ignore:No application metrics:UserWarning"),
    pytest.mark.waits,
]
KEY = PLANTED["key of links"]
ROLE = "arn:aws:sts::123456789012:assumed-role/approver/session"
ID = "r_0123456789abcdef.1"
LATER = datetime.now(UTC) + timedelta(days=1)
TOKEN = sign(Link(ID, "devops@acme.example", LATER), KEY)
BODY = {"decision": "APPROVE", "comment": "fine", "change_hash": "0" * 64}

texts = st.sampled_from([n for n in NASTY if isinstance(n, str)]) | st.text(max_size=40)
tokens = (
    texts
    | st.integers(0, len(TOKEN)).map(lambda at: TOKEN[:at])
    | st.tuples(st.integers(0, len(TOKEN) - 1), st.characters()).map(
        lambda change: TOKEN[: change[0]] + change[1] + TOKEN[change[0] + 1 :]
    )
    | st.sampled_from([f"{TOKEN}=", f"{TOKEN}.", f".{TOKEN}", TOKEN.replace(".", ""), TOKEN * 50])
)
callers = st.sampled_from([ROLE, ROLE, "", None, "arn:aws:iam::123456789012:root", "x" * 5000])
# A valid decision, but for another change.
typed = st.dictionaries(
    st.sampled_from(["decision", "comment", "change_hash", "x"]), texts, max_size=4
).map(lambda form: urlencode({**form, "change_hash": "0" * 64}, errors="replace"))


def ask(outside: Outside, method: str, path: str, body: str | None, caller: Any) -> dict[str, Any]:
    event = proxy_event(method, path, body, caller) | {"headers": {"Content-Type": "text/plain"}}
    answer: dict[str, Any] = outside.call(approval.handler, event)
    return answer


def pending(**changes: Any) -> ApprovalStore:
    store = ApprovalStore("approvals", "records")
    store.create(make_approval(expires_at=LATER, **changes), "+replicas: 3 <script>")
    return store


@given(
    body=st.none() | mutated_bytes(BODY).map(lambda raw: raw.decode("utf-8", "replace")) | texts,
    approval_id=st.just(ID) | texts | st.just("x" * 3000),
    caller=callers,
)
@example(body=json.dumps({**BODY, "comment": "\ud800"}), approval_id=ID, caller=ROLE)
@example(body=json.dumps(BODY), approval_id="x" * 3000, caller=ROLE)
@examples(50)
def test_arbitrary_signed_request_decides_nothing(
    outside: Outside, body: str | None, approval_id: str, caller: Any
) -> None:
    # The caller is the requester, so no body makes the decision count.
    store = pending(requested_by="devops@acme.example")
    path = f"/approvals/{quote(approval_id.encode(errors='replace'), safe='')}/decision"

    answer = ask(outside, "POST", path, body, caller)

    assert 400 <= answer["statusCode"] < 500
    assert answer["body"].encode()
    assert store.get(ID).status is Status.PENDING


@given(token=tokens, form=typed | texts, method=st.sampled_from(["GET", "POST"]))
@examples(50)
def test_arbitrary_link_token_decides_nothing(
    outside: Outside, token: str, form: str, method: str
) -> None:
    store = pending()
    path = f"/links/{quote(token.encode(errors='replace'), safe='')}"

    answer = ask(outside, method, path, form if method == "POST" else None, None)

    assert 200 <= answer["statusCode"] < 500
    assert "<script>" not in answer["body"]
    assert KEY not in answer["body"] + outside.log.getvalue()
    assert store.get(ID).status is Status.PENDING


@given(form=typed)
@examples(30)
def test_valid_link_decides_nothing_for_another_change(outside: Outside, form: str) -> None:
    store = pending()

    answer = ask(outside, "POST", f"/links/{TOKEN}", form, None)

    assert answer["statusCode"] in {400, 409}
    assert store.get(ID).status is Status.PENDING
