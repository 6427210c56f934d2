"""Serve the two HTTP channels: the REST API and the links in e-mails.

IAM signs calls of the REST API.

Routes:
    POST /approvals/<id>/decision: body `{"decision": "APPROVE"|"DECLINE", "change": "…"}`, with the
        hash of the change that the caller was shown, and optionally `comment`.
    GET  /links/<token>: a page that shows the request; changes nothing.
    POST /links/<token>: the page's form; decides.
"""

import base64
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.approvals import page
from slipway.approvals.decision import Ballot, outcome, read_comment, read_decision
from slipway.approvals.function import ApprovalFunction
from slipway.approvals.models import Approval, Status
from slipway.approvals.principals import approver_of
from slipway.approvals.request import asked_at
from slipway.changes.proposal import with_code
from slipway.errors import (
    InvalidInput,
    LinkRejected,
    NotAnApprover,
    OwnRequest,
    RequestClosed,
    RequestNotFound,
    RetryableError,
    UserError,
)
from slipway.observability import logger

_STATUS: dict[type[Exception], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    RequestNotFound: HTTPStatus.NOT_FOUND,
    RequestClosed: HTTPStatus.CONFLICT,
    NotAnApprover: HTTPStatus.FORBIDDEN,
    OwnRequest: HTTPStatus.FORBIDDEN,
    LinkRejected: HTTPStatus.FORBIDDEN,
}
_TITLES = {
    InvalidInput: "Slipway cannot read this decision",
    RequestNotFound: "This request does not exist",
    RequestClosed: "This request is closed",
    NotAnApprover: "You may not decide this",
    OwnRequest: "This is your own request",
    LinkRejected: "This link is not valid",
}
_FIELDS = 10
_EXAMPLE = '{"decision": "APPROVE", "change": "…", "comment": "…"}'
_LATER = "Slipway is temporarily unavailable and did not record your decision. Retry in a minute."


app = APIGatewayRestResolver()


def resolve(event: dict[str, Any], context: LambdaContext, function: ApprovalFunction) -> Any:
    """Answer a request from API Gateway."""
    app.context["function"] = function
    return app.resolve(event, context)


@app.post("/approvals/<approval_id>/decision")
def decide(approval_id: str) -> Response[str]:
    """Count the vote of the person who signed the request."""
    function, request = _function(), app.current_event.request_context
    policy = function.policy().policy
    approver = approver_of(
        request.identity.user_arn or "",
        policy.approver_principals,
        policy.approver_accounts,
        function.config.own_account,
    )
    try:
        body = json.loads(_body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInput("body", f"must be JSON as {_EXAMPLE}")
    ballot = Ballot(
        approver,
        read_decision(body.get("decision")),
        "REST API",
        read_comment(body.get("comment")),
        _read_hash(body.get("change")),
        request_id=request.request_id or "",
    )
    approval = function.decisions.decide(approval_id, ballot)
    answer = {
        "id": approval.id,
        "status": approval.status,
        "approvals": approval.approvals,
        "needed": approval.needed,
        "message": message_to_voter(approval),
    }
    return _json(HTTPStatus.OK, answer)


@app.get("/links/<token>")
def show(token: str) -> Response[str]:
    """Show the request of a link, without deciding it."""
    function = _function()
    link = function.read_link(token)
    approval = function.decisions.store.get(link.approval_id)
    return _page(
        page.request_page(
            approval,
            with_code(function.decisions.store.preview(approval)),
            link.approver,
            asked_at(approval, function.config),
        )
    )


@app.post("/links/<token>")
def decide_by_link(token: str) -> Response[str]:
    """Count the vote of the person who received the link."""
    function = _function()
    link = function.read_link(token)
    typed = _form(_body())
    ballot = Ballot(
        link.approver,
        read_decision(typed.get("decision")),
        "link",
        # Browsers send a line break as two characters but count it as one.
        read_comment(typed.get("comment", "").replace("\r\n", "\n")),
        typed.get("change_hash", ""),
        request_id=app.current_event.request_context.request_id or "",
    )
    approval = function.decisions.decide(link.approval_id, ballot)
    return _page(page.answer_page(200, "Thank you", message_to_voter(approval)))


@app.exception_handler(UserError)  # type: ignore[untyped-decorator]  # of Powertools
def refuse(error: UserError) -> Response[str]:
    """Return the response for a refused request."""
    status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
    title = _TITLES.get(type(error), "Your decision was not recorded")
    return _refusal(status, type(error).__name__, title, str(error))


@app.exception_handler(RetryableError)  # type: ignore[untyped-decorator]  # of Powertools
def postpone(error: RetryableError) -> Response[str]:
    """Return the response for a request that may succeed later."""
    logger.warning(
        "a decision could not be recorded; the caller may retry", extra={"why": str(error)}
    )
    return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "Not now", _LATER)


def message_to_voter(approval: Approval) -> str:
    """Return the outcome of a vote for the approver."""
    if approval.status is Status.PENDING:
        return (
            f"Slipway counted your approval: {approval.approvals} of {approval.needed}. "
            "The request waits for the others."
        )
    return outcome(approval)


def _function() -> ApprovalFunction:
    function: ApprovalFunction = app.context["function"]
    return function


def _body() -> str:
    """Return the request's body as text.

    Replaces bytes that are not UTF-8: only comments have them.
    """
    body = app.current_event.body or ""
    if not app.current_event.is_base64_encoded:
        return body
    return base64.b64decode(body).decode(errors="replace")


def _read_hash(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(
            "change",
            "must be the hash of the change that you were shown: the property `change_hash` of the "
            "request's entity in Port",
        )
    return value.strip()


def _form(body: str) -> dict[str, str]:
    try:
        form = parse_qs(body, max_num_fields=_FIELDS, errors="replace")
    except ValueError:
        raise InvalidInput("form", f"must have at most {_FIELDS} fields") from None
    return {name: values[0] for name, values in form.items()}


def _refusal(status: HTTPStatus, error: str, title: str, message: str) -> Response[str]:
    if app.current_event.path.startswith("/links/"):
        return _page(page.answer_page(status, title, message))
    return _json(status, {"error": error, "message": message})


def _json(status: HTTPStatus, body: dict[str, Any]) -> Response[str]:
    headers: Any = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    text = json.dumps(body, ensure_ascii=False)
    return Response(status, "application/json", text, headers)


def _page(shown: page.Page) -> Response[str]:
    headers: Any = {k: v for k, v in page.HEADERS.items() if k != "Content-Type"}
    return Response(shown.status, page.HEADERS["Content-Type"], shown.html, headers)
