"""The doors over HTTP, for events as API Gateway sends them."""

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
from slipway.errors import (
    LinkRejected,
    NotAnApprover,
    OwnRequest,
    PortUnavailable,
    RequestClosed,
    RequestNotFound,
)

from functions.approval.api import resolve
from tests.unit.approvals.conftest import NOW, make_approval

ROLE = "arn:aws:sts::123456789012:assumed-role/approver/session"


class Office:
    """The office, as far as the doors look at it."""

    def __init__(self) -> None:
        self.ballots: list[tuple[str, Ballot]] = []
        self.refusal: Exception | None = None
        self.approval = make_approval()
        self.config = SimpleNamespace(
            approver_principals={"approver": "devops@acme.example"},
            run_url=lambda run_id: f"https://port.test/{run_id}",
        )
        self.desk = SimpleNamespace(
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
def office() -> Office:
    return Office()


def call(office: Office, method: str, path: str, body: str = "", **event: Any) -> Any:
    given: dict[str, Any] = {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {"stage": "live", "identity": {"userArn": ROLE}},
        **event,
    }
    return resolve(given, cast("LambdaContext", None), cast("Any", office))


def decide(office: Office, body: object, **event: Any) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = call(office, "POST", "/approvals/r_1.1/decision", text, **event)
    return answer["statusCode"], json.loads(answer["body"])


def test_given_a_signed_request_when_decided_then_the_principal_is_the_voter(
    office: Office,
) -> None:
    status, _ = decide(
        office, {"decision": "APPROVE", "comment": "ok", "approver": "me@x", "change_hash": "h"}
    )

    assert status == 200
    ((approval_id, ballot),) = office.ballots
    assert approval_id == "r_1.1"
    assert ballot == Ballot("devops@acme.example", "APPROVE", "REST API", "ok", "h")


@pytest.mark.parametrize("identity", [{}, {"userArn": None}, {"userArn": "arn:aws:iam::1:root"}])
def test_given_no_person_when_decided_then_forbidden_whatever_the_body_says(
    office: Office, identity: dict[str, Any]
) -> None:
    body = {"decision": "APPROVE", "approver": "devops@acme.example"}
    status, answer = decide(office, body, requestContext={"stage": "live", "identity": identity})
    assert (status, answer["error"]) == (403, "NotAnApprover")
    assert office.ballots == []


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
def test_given_a_refusal_when_decided_then_its_own_status_and_sentence(
    office: Office, error: Exception, status: int
) -> None:
    office.refusal = error

    found, answer = decide(office, {"decision": "DECLINE"})

    assert found == status
    assert answer["message"]
    assert status != 503 or "Nothing was decided" in answer["message"]
    page = call(office, "POST", "/links/good", "decision=DECLINE")
    assert page["statusCode"] == status


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "[" * 100_000])
def test_given_no_object_when_decided_then_told_what_it_must_be(office: Office, body: str) -> None:
    status, answer = decide(office, body)
    assert (status, answer["error"]) == (400, "InvalidInput")
    assert '{"decision": "APPROVE"' in answer["message"]


def test_given_a_body_in_base64_when_decided_then_it_is_read(office: Office) -> None:
    encoded = base64.b64encode(b'{"decision": "APPROVE"}').decode()
    status, _ = decide(office, encoded, isBase64Encoded=True)
    assert status == 200


def test_given_a_link_when_opened_then_nothing_is_decided(office: Office) -> None:
    answer = call(office, "GET", "/links/good")

    assert answer["statusCode"] == 200
    assert "<form method='post'>" in answer["body"]
    assert office.ballots == []
    headers = answer["multiValueHeaders"]
    assert headers["Referrer-Policy"] == ["no-referrer"]
    assert headers["Content-Type"] == ["text/html; charset=utf-8"]


def test_given_the_pages_form_when_sent_then_the_links_owner_is_the_voter(office: Office) -> None:
    typed = {"decision": "DECLINE", "comment": "no\r\nreally", "change_hash": "h"}

    call(office, "POST", "/links/good", urlencode(typed))

    ((approval_id, ballot),) = office.ballots
    assert approval_id == "r_1.1"
    assert ballot == Ballot("lead@acme.example", "DECLINE", "link", "no\nreally", "h")


def test_given_bytes_that_are_no_text_when_sent_then_only_the_comment_is_spoilt(
    office: Office,
) -> None:
    encoded = base64.b64encode(b"decision=APPROVE&comment=\xff\xfe").decode()

    answer = call(office, "POST", "/links/good", encoded, isBase64Encoded=True)

    assert answer["statusCode"] == 200
    ((_, ballot),) = office.ballots
    assert ballot.comment == "\ufffd\ufffd"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_given_a_bad_link_when_used_then_a_page_says_so(office: Office, method: str) -> None:
    answer = call(office, method, "/links/bad", "decision=APPROVE")
    assert answer["statusCode"] == 403
    assert "This link is not valid" in answer["body"]


@pytest.mark.parametrize(
    "body", ["", "decision=", "decision=MAYBE", "&" * 50, "decision=APPROVE&comment=" + "x" * 3000]
)
def test_given_a_spoilt_form_when_sent_then_a_page_says_what_is_wrong(
    office: Office, body: str
) -> None:
    answer = call(office, "POST", "/links/good", body)
    assert answer["statusCode"] == 400
    assert office.ballots == []


def test_given_another_address_when_asked_then_not_found(office: Office) -> None:
    assert call(office, "GET", "/approvals/r_1.1/decision")["statusCode"] == 404
