"""The function behind `POST /reports`, with a GitHub that signs tokens and a scripted Port."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.reports import endpoint
from slipway.runs import clients

from functions.report_pull_request.handler import handler
from tests.scripted import ScriptedServer
from tests.unit.conftest import RUN_ID
from tests.unit.reports.github import AUDIENCE, TokenGitHub

Json = dict[str, Any]
RUN = f"/v1/actions/runs/{RUN_ID}"
ENTITY = "/v1/blueprints/service/entities/shop"
PULL = "GET /repos/acme/services/pulls/7"


class Context:
    """Lambda's context object of an invocation."""

    function_name = "slipway-report_pull_request"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-report:live"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def open_run(port: ScriptedServer, pull: int) -> None:
    """Provide a run in progress that waits for the end of its pull request."""
    run = {
        "id": RUN_ID,
        "status": "IN_PROGRESS",
        "action": {"identifier": "upscale_service"},
        "entity": "shop",
    }
    token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
    port.script("POST /v1/auth/access_token", (200, token, {}))
    port.script(f"GET {RUN}", (200, {"ok": True, "run": run}, {}))
    port.script(f"PATCH {RUN}", (200, {"ok": True, "run": run}, {}))
    port.script(f"POST {RUN}/logs", (201, {"ok": True, "runLog": {}}, {}))
    row: Any = {"run_id": RUN_ID, "service": "service/shop", "repository": "services"}
    row["pr_number"] = pull
    dynamodb_table("runs").put_item(Item=row)


class Installation:
    """A run whose pull request #7 was closed without a merge."""

    def __init__(self, github: TokenGitHub, port: ScriptedServer) -> None:
        self.github, self.port = github, port
        open_run(port, 7)
        self.pull()
        github.script("GET /repos/acme/services/issues/7", (200, {"closed_by": None}, {}))

    def pull(self, **changes: Any) -> None:
        """Return GitHub's data of pull request #7."""
        repository = {"id": 4711, "full_name": "acme/services"}
        pull = {
            "number": 7,
            "url": f"{self.github.url}/repos/acme/services/pulls/7",
            "html_url": "https://github.test/acme/services/pull/7",
            "state": "closed",
            "merged": False,
            "head": {"ref": f"slipway/upscale_service/{RUN_ID}", "repo": repository},
            "base": {"ref": "main", "repo": repository},
        }
        self.github.script(PULL, (200, {**pull, **changes}, {}))

    def ask(self, token: str | None, body: Any = None, **fields: Any) -> tuple[int, Json]:
        """Call the function as API Gateway does; return status and body."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        text = body if isinstance(body, str) else json.dumps(body or {"pull_request": 7})
        event = {
            "httpMethod": "POST",
            "path": "/reports",
            "headers": headers,
            "body": text,
            "isBase64Encoded": False,
            **fields,
        }
        context: Any = Context()
        answer = handler(event, context)
        return int(answer["statusCode"]), json.loads(answer["body"])

    def writes(self) -> list[str]:
        """Return the writes to Port or GitHub."""
        routes = [*self.port.routes(), *self.github.routes()]
        return [r for r in routes if not r.startswith("GET ") and "access_token" not in r]


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Install Slipway in an existing account."""
    for name, secret in (
        ("slipway/port", {"client_id": "id", "client_secret": "secret-of-port"}),
        ("slipway/github", {"token": "ghp_token"}),
    ):
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    with ScriptedServer().running() as port, TokenGitHub().running() as github:
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_OIDC_ISSUER", github.issuer)
        monkeypatch.setenv("REPORTS_AUDIENCE", AUDIENCE)
        monkeypatch.setenv("REPORTS_PER_MINUTE", "5")
        _forget()
        yield Installation(github, port)
    _forget()


def _forget() -> None:
    """Clear the caches, as in a new process."""
    load.cache_clear()
    clients.port_client.cache_clear()
    endpoint._tokens.cache_clear()
