"""The two doors over HTTP: the REST API (signed by IAM) and the links in e-mails.

Routes:
    POST /approvals/<id>/decision: body `{"decision": "APPROVE"|"DECLINE", "comment": "…"}`, with
        `change_hash` if the caller wants to be sure of what is decided.
    GET  /links/<token>: a page that shows what is asked; changes nothing.
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
from slipway.approvals.decision import Ballot, outcome, read_comment, read_verdict
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
    InvalidInput: "That cannot be taken",
    RequestNotFound: "There is no such request",
    RequestClosed: "This request is closed",
    NotAnApprover: "You may not decide this",
    OwnRequest: "This is your own request",
    LinkRejected: "This link is not valid",
}
_FIELDS = 10
_LATER = "Slipway cannot decide at the moment. Nothing was decided; try again in a minute."


def resolve(event: dict[str, Any], context: LambdaContext, function: ApprovalFunction) -> Any:
    """Answer a request of API Gateway."""
    app = APIGatewayRestResolver()

    @app.post("/approvals/<approval_id>/decision")
    def decide(approval_id: str) -> Response[str]:
        return _json_answer(lambda: _decide_by_api(app, function, approval_id))

    @app.get("/links/<token>")
    def show(token: str) -> Response[str]:
        return _page_answer(lambda: _show(function, token))

    @app.post("/links/<token>")
    def decide_by_link(token: str) -> Response[str]:
        return _page_answer(lambda: _decide_by_link(app, function, token))

    return app.resolve(event, context)


def _decide_by_api(
    app: APIGatewayRestResolver, function: ApprovalFunction, approval_id: str
) -> Any:
    identity = app.current_event.request_context.identity
    policy = function.policy().policy
    approver = approver_of(
        identity.user_arn or "",
        policy.approver_principals,
        policy.approver_accounts,
        function.config.own_account,
    )
    try:
        body = json.loads(_body(app))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInput("body", 'must be JSON as {"decision": "APPROVE", "comment": "…"}')
    seen = body.get("change_hash")
    ballot = Ballot(
        approver,
        read_verdict(body.get("decision")),
        "REST API",
        read_comment(body.get("comment")),
        seen if isinstance(seen, str) else None,
        request_id=app.current_event.request_context.request_id or "",
    )
    approval = function.desk.decide(approval_id, ballot)
    return {
        "id": approval.id,
        "status": approval.status,
        "approvals": approval.approvals,
        "needed": approval.needed,
        "message": said(approval),
    }


def _show(function: ApprovalFunction, token: str) -> page.Page:
    link = function.read_link(token)
    approval = function.desk.store.get(link.approval_id)
    return page.request_page(
        approval,
        with_code(function.desk.store.preview(approval)),
        link.approver,
        asked_at(approval, function.config),
    )


def _decide_by_link(
    app: APIGatewayRestResolver, function: ApprovalFunction, token: str
) -> page.Page:
    link = function.read_link(token)
    typed = _form(_body(app))
    ballot = Ballot(
        link.approver,
        read_verdict(typed.get("decision")),
        "link",
        # Browsers send line breaks as two characters, and count them as one.
        read_comment(typed.get("comment", "").replace("\r\n", "\n")),
        typed.get("change_hash", ""),
        request_id=app.current_event.request_context.request_id or "",
    )
    approval = function.desk.decide(link.approval_id, ballot)
    return page.answer_page(200, "Thank you", said(approval))


def _body(app: APIGatewayRestResolver) -> str:
    """The request's body. Bytes that are no UTF-8 are replaced: they can only spoil a comment."""
    body = app.current_event.body or ""
    if not app.current_event.is_base64_encoded:
        return body
    return base64.b64decode(body).decode(errors="replace")


def _form(body: str) -> dict[str, str]:
    try:
        form = parse_qs(body, max_num_fields=_FIELDS, errors="replace")
    except ValueError:
        raise InvalidInput("form", f"must have at most {_FIELDS} fields") from None
    return {name: values[0] for name, values in form.items()}


def said(approval: Approval) -> str:
    """What a vote has led to, told to the voter."""
    if approval.status is Status.PENDING:
        return (
            f"Your approval counts: {approval.approvals} of {approval.needed} are there. "
            "The request waits for the others."
        )
    return outcome(approval)


def _json_answer(act: Any) -> Response[str]:
    try:
        status, body = HTTPStatus.OK, act()
    except UserError as error:
        status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        body = {"error": type(error).__name__, "message": str(error)}
    except RetryableError as error:
        logger.warning("a decision must wait", extra={"why": str(error)})
        status, body = HTTPStatus.SERVICE_UNAVAILABLE, {"error": "Unavailable", "message": _LATER}
    headers: Any = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    text = json.dumps(body, ensure_ascii=False)
    return Response(status, "application/json", text, headers)


def _page_answer(act: Any) -> Response[str]:
    try:
        shown: page.Page = act()
    except UserError as error:
        title = _TITLES.get(type(error), "That did not work")
        status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        shown = page.answer_page(status, title, str(error))
    except RetryableError as error:
        logger.warning("a decision must wait", extra={"why": str(error)})
        shown = page.answer_page(HTTPStatus.SERVICE_UNAVAILABLE, "Not now", _LATER)
    headers: Any = {k: v for k, v in page.HEADERS.items() if k != "Content-Type"}
    return Response(shown.status, page.HEADERS["Content-Type"], shown.html, headers)
