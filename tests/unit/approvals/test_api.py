"""The HTTP channels of decisions, with events as API Gateway sends them."""

import base64
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.approvals.decision import Ballot
from slipway.approvals.links import Link
from slipway.approvals.models import MAX_COMMENT
from slipway.errors import (
    LinkRejected,
    NotAnApprover,
    OwnRequest,
    PortUnavailable,
    RequestClosed,
    RequestNotFound,
)

from functions.approval.api import resolve
from tests.gateway import proxy_event
from tests.unit.approvals.conftest import NOW, make_approval

REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
ROLE = "arn:aws:sts::123456789012:assumed-role/approver/session"


class Function:
    """The function, as far as the HTTP channels use it."""

    def __init__(self) -> None:
        self.ballots: list[tuple[str, Ballot]] = []
        self.refusal: Exception | None = None
        self.approval = make_approval()
        self.config = SimpleNamespace(
            own_account="123456789012",
            run_url=lambda run_id: f"https://port.test/{run_id}",
        )
        policy = SimpleNamespace(
            approver_principals={"approver": "devops@acme.example"}, approver_accounts=frozenset()
        )
        self.policy = lambda: SimpleNamespace(policy=policy)
        self.decisions = SimpleNamespace(
            decide=self.decide,
            store=SimpleNamespace(get=lambda _: self.approval, preview=lambda _: "+a"),
        )

    def decide(self, approval_id: str, ballot: Ballot) -> Any:
        self.ballots.append((approval_id, ballot))
        if self.refusal:
            raise self.refusal
        return self.approval

    def read_link(self, token: str) -> Link:
        if token != "good":
            raise LinkRejected("This link is not valid.")
        return Link("r_1.1", "lead@acme.example", NOW + timedelta(hours=1))


@pytest.fixture
def function() -> Function:
    return Function()


def call(function: Function, method: str, path: str, body: str = "", **event: Any) -> Any:
    given = proxy_event(method, path, body, ROLE, REQUEST) | event
    return resolve(given, cast("LambdaContext", None), cast("Any", function))


def decide(function: Function, body: object, **event: Any) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = call(function, "POST", "/approvals/r_1.1/decision", text, **event)
    return answer["statusCode"], json.loads(answer["body"])


def test_decision_is_recorded_for_the_principal_when_signed(
    function: Function,
) -> None:
    status, _ = decide(
        function, {"decision": "APPROVE", "comment": "ok", "approver": "me@x", "change": "h"}
    )

    assert status == 200
    ((approval_id, ballot),) = function.ballots
    assert approval_id == "r_1.1"
    assert ballot == Ballot(
        "devops@acme.example", "APPROVE", "REST API", "ok", "h", request_id=REQUEST
    )


@pytest.mark.parametrize("identity", [{}, {"userArn": None}, {"userArn": "arn:aws:iam::1:root"}])
def test_decision_is_forbidden_when_the_caller_is_not_a_person(
    function: Function, identity: dict[str, Any]
) -> None:
    body = {"decision": "APPROVE", "approver": "devops@acme.example"}
    status, answer = decide(
        function, body, requestContext={"stage": "live", "requestId": REQUEST, "identity": identity}
    )
    assert (status, answer["error"]) == (403, "NotAnApprover")
    assert function.ballots == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestNotFound("r_1.1"), 404),
        (RequestClosed("It was decided.", "APPROVED"), 409),
        (NotAnApprover("no"), 403),
        (OwnRequest("own"), 403),
        (PortUnavailable("down"), 503),
    ],
)
def test_refused_decision_has_its_own_status_and_message(
    function: Function, error: Exception, status: int
) -> None:
    function.refusal = error

    found, answer = decide(function, {"decision": "DECLINE", "change": "h"})

    assert found == status
    assert answer["message"]
    assert status != 503 or "did not record your decision" in answer["message"]
    page = call(function, "POST", "/links/good", "decision=DECLINE")
    assert page["statusCode"] == status


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "[" * 100_000])
def test_decision_is_refused_when_the_body_is_not_an_object(function: Function, body: str) -> None:
    status, answer = decide(function, body)
    assert (status, answer["error"]) == (400, "InvalidInput")
    assert '{"decision": "APPROVE"' in answer["message"]


@pytest.mark.parametrize("decision", ["APPROVE", "DECLINE"])
@pytest.mark.parametrize("change", [{}, {"change": None}, {"change": " "}, {"change": 5}])
def test_rest_decision_is_refused_without_its_change(
    function: Function, decision: str, change: dict[str, object]
) -> None:
    status, answer = decide(function, {"decision": decision, **change})

    assert (status, answer["error"]) == (400, "InvalidInput")
    assert "'change' must be the hash" in answer["message"]
    assert function.ballots == []


def test_rest_decision_is_refused_when_its_comment_is_too_long(function: Function) -> None:
    comment = "x" * (MAX_COMMENT + 1)

    status, answer = decide(function, {"decision": "APPROVE", "change": "h", "comment": comment})

    assert (status, answer["error"]) == (400, "InvalidInput")
    assert "at most 1000 characters, but has 1001" in answer["message"]
    assert function.ballots == []


def test_decision_is_read_from_a_base64_body(function: Function) -> None:
    encoded = base64.b64encode(b'{"decision": "APPROVE", "change": "h"}').decode()
    status, _ = decide(function, encoded, isBase64Encoded=True)
    assert status == 200


def test_opening_a_link_decides_nothing(function: Function) -> None:
    answer = call(function, "GET", "/links/good")

    assert answer["statusCode"] == 200
    assert "<form method='post'>" in answer["body"]
    assert function.ballots == []
    headers = answer["multiValueHeaders"]
    assert headers["Referrer-Policy"] == ["no-referrer"]
    assert headers["Content-Type"] == ["text/html; charset=utf-8"]


def test_form_vote_is_recorded_for_the_approver_in_the_link(
    function: Function,
) -> None:
    typed = {"decision": "DECLINE", "comment": "no\r\nreally", "change_hash": "h"}

    call(function, "POST", "/links/good", urlencode(typed))

    ((approval_id, ballot),) = function.ballots
    assert approval_id == "r_1.1"
    assert ballot == Ballot(
        "lead@acme.example", "DECLINE", "link", "no\nreally", "h", request_id=REQUEST
    )


def test_invalid_utf8_in_a_form_replaces_only_those_characters(
    function: Function,
) -> None:
    encoded = base64.b64encode(b"decision=APPROVE&comment=\xff\xfe").decode()

    answer = call(function, "POST", "/links/good", encoded, isBase64Encoded=True)

    assert answer["statusCode"] == 200
    ((_, ballot),) = function.ballots
    assert ballot.comment == "\ufffd\ufffd"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_invalid_link_shows_an_error_page(function: Function, method: str) -> None:
    answer = call(function, method, "/links/bad", "decision=APPROVE")
    assert answer["statusCode"] == 403
    assert "This link is not valid" in answer["body"]


@pytest.mark.parametrize(
    "body", ["", "decision=", "decision=MAYBE", "&" * 50, "decision=APPROVE&comment=" + "x" * 3000]
)
def test_malformed_form_shows_an_error_page(function: Function, body: str) -> None:
    answer = call(function, "POST", "/links/good", body)
    assert answer["statusCode"] == 400
    assert function.ballots == []


def test_unknown_path_is_not_found(function: Function) -> None:
    assert call(function, "GET", "/approvals/r_1.1/decision")["statusCode"] == 404
