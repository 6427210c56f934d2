"""Serve `POST /reports`, the endpoint of the report workflow.

Only the pull request's number is taken from the caller.
"""

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from slipway.changes.policy import Policy
from slipway.changes.policy_document import read_policy
from slipway.config import GitHubConfig, PolicyDocumentConfig, load
from slipway.errors import NothingToReport, ReportTooEarly, RetryableError, TokenRejected
from slipway.observability import Metric, count, logger
from slipway.reports.limit import admit
from slipway.reports.report import Outcome, Reports
from slipway.reports.settings import ReportingConfig, ReportsConfig
from slipway.runs.clients import port_client, services_repository
from slipway.runs.ledger import Ledger

if TYPE_CHECKING:
    from github.Repository import Repository

    from slipway.reports.tokens import Home, Tokens

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_LONGEST_BODY = 1000


class ReportFunctionConfig(ReportingConfig, GitHubConfig, PolicyDocumentConfig, ReportsConfig):
    """Settings that Terraform gives the function."""


class _Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def answer(event: Mapping[str, Any], retry_budget: float) -> dict[str, Any]:
    """Answer a request from API Gateway.

    Args:
        event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
        retry_budget: seconds to wait for GitHub.
    """
    try:
        outcome = _report(event, retry_budget)
        status, body = HTTPStatus.OK, {"status": outcome.status, "message": outcome.message}
    except _Refused as refused:
        status, body = refused.status, {"error": refused.reason, "message": str(refused)}
        count(Metric.REPORT_REFUSED, reason=refused.reason)
    text = json.dumps(body, ensure_ascii=False)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": int(status), "headers": headers, "body": text, "isBase64Encoded": False}


def _report(event: Mapping[str, Any], retry_budget: float) -> Outcome:
    config = load(ReportFunctionConfig)
    try:
        claims, home = _tokens().verify(_token(event))
        logger.append_keys(workflow_run=claims.get("run_id"))
        if not admit(
            config.idempotency_table, str(claims["repository_id"]), config.reports_per_minute
        ):
            raise _Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "TooManyReports",
                f"The limit of {config.reports_per_minute} reports per minute is reached. Retry "
                "in a minute.",
            )
        number = _number(event)
        logger.append_keys(pull_request=number)
        return _reports(config, home, retry_budget).report(number)
    except TokenRejected as error:
        logger.warning("A report was refused", extra={"why": error.reason, "claims": error.claims})
        raise _Refused(HTTPStatus.UNAUTHORIZED, error.reason, str(error)) from None
    except NothingToReport as error:
        logger.info("The pull request needs no report", extra={"why": str(error)})
        raise _Refused(HTTPStatus.CONFLICT, "NothingToReport", str(error)) from None
    except (ReportTooEarly, RetryableError) as error:
        logger.warning(
            "A report could not be made; the caller may retry", extra={"why": str(error)}
        )
        reason = "TooEarly" if isinstance(error, ReportTooEarly) else "Unavailable"
        message = "The pull request cannot be reported now. Retry later; nothing is lost."
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason, message) from None


def _token(event: Mapping[str, Any]) -> str:
    headers = {str(name).lower(): value for name, value in (event.get("headers") or {}).items()}
    scheme, _, token = str(headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _number(event: Mapping[str, Any]) -> int:
    body = event.get("body") or ""
    try:
        text = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        parsed = json.loads(text) if len(text) <= _LONGEST_BODY else None
    except (ValueError, RecursionError):
        parsed = None
    number = str(parsed.get("pull_request", "")) if isinstance(parsed, dict) else ""
    if not _NUMBER.fullmatch(number):
        raise _Refused(
            HTTPStatus.BAD_REQUEST,
            "InvalidInput",
            'The body must be JSON with the number of a pull request: {"pull_request": 12}.',
        )
    return int(number)


@cache
def _tokens() -> "Tokens":
    """Return a verifier for the life of the process, with GitHub's keys."""
    from slipway.reports.tokens import Home, Tokens

    config = load(ReportFunctionConfig)

    def read(repository: "Repository", _branch: str) -> "Home":
        return Home(repository.id, repository.full_name, repository.default_branch)

    def find_homes() -> "tuple[Home, ...]":
        return tuple(
            services_repository(config, place).using("read the repository", read)
            for place in _policy(config).places()
        )

    return Tokens(config.oidc_issuer, config.reports_audience, find_homes)


def _policy(config: ReportFunctionConfig) -> Policy:
    return read_policy(config.records_bucket, config.policy_key).policy


def _reports(config: ReportFunctionConfig, home: "Home", retry_budget: float) -> Reports:
    from slipway.github.ended import EndedPulls

    policy = _policy(config)
    name = home.full_name.casefold()
    place = next((one for one in policy.places() if one.name.casefold() == name), None)
    if place is None:
        raise NothingToReport(f"{home.full_name} is not a repository of this installation.")
    return Reports(
        EndedPulls(services_repository(config, place, retry_budget=retry_budget)),
        port_client(),
        Ledger(config.runs_table),
        config,
        policy.settings,
        policy.keys_of(place),
    )
