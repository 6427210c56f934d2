"""The sweep's surroundings: Port and GitHub are real HTTP servers, AWS is moto."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from slipway import aws
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.runs import clients
from slipway.runs.ledger import Ledger, timestamp
from slipway.runs.lock import ServiceLocks

from tests.scripted import ScriptedServer
from tests.unit.conftest import POLICY, RUN_ID
from tests.unit.github.conftest import FakeGitHub

LIST = "GET /v1/actions/runs"
RUN = f"/v1/actions/runs/{RUN_ID}"
SHOP = "/v1/blueprints/service/entities/shop"
UPSERT = "POST /v1/blueprints/service/entities"
BRANCHES = "GET /git/matching-refs/heads/slipway/"
PR_URL = "https://github.test/pull/7"
MAPPING = "a14e31db-10fe-4dca-a86e-3a684ab20a35"
INVOCATIONS = (
    "/2015-03-31/functions/"
    + quote(POLICY["own_actions"]["upscale_service"], safe="")
    + "/invocations"
)
REMEDIATION = "a" * 32 + "-1"


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


class World:
    """An organisation with a run of Slipway, and a services repository."""

    def __init__(self, port: ScriptedServer, github: FakeGitHub) -> None:
        self.port = port
        self.github = github
        self.ledger = Ledger("runs")
        self.locks = ServiceLocks("locks", lambda owner: False)
        self.listed: list[dict[str, Any]] = []
        port.script(LIST, (200, {"ok": True, "runs": self.listed}, {}))
        port.script(f"DELETE {SHOP}", (200, {"ok": True}, {}))
        port.script(UPSERT, (200, {"ok": True, "entity": {"identifier": "shop"}}, {}))
        for action in POLICY["own_actions"]:
            self.form(action)
        github.script(BRANCHES, (200, [], {}))
        never_made: Any = (422, {"message": "Reference does not exist"}, {})
        for action in ("create_service", "upscale_service", "delete_service"):
            github.script(f"DELETE /git/refs/heads/slipway/{action}/{RUN_ID}", never_made)

    def run(
        self,
        run_id: str = RUN_ID,
        *,
        action: str = "upscale_service",
        status: str = "IN_PROGRESS",
        executed: datetime | None = None,
        changed: datetime | None = None,
    ) -> None:
        """Add a run to Port's list; a separate read returns it as ended."""
        executed = executed or ago(days=5)
        run = {
            "id": run_id,
            "status": status,
            "action": {"identifier": action},
            "createdAt": executed.isoformat(),
            "updatedAt": (changed or executed).isoformat(),
        }
        self.listed.append(run)
        self.ended(run_id, action)

    def ended(self, run_id: str, action: str = "upscale_service") -> None:
        ended = {"id": run_id, "status": "FAILURE", "action": {"identifier": action}}
        route = f"/v1/actions/runs/{run_id}"
        self.port.script(f"GET {route}", (200, {"ok": True, "run": ended}, {}))
        self.port.script(f"PATCH {route}", (200, {"ok": True, "run": ended}, {}))
        self.port.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def seen(
        self,
        run_id: str = RUN_ID,
        *,
        action: str = "upscale_service",
        at: datetime | None = None,
        **fields: Any,
    ) -> None:
        """Add a row of the ledger for the service `shop`, which the run has locked."""
        row = {
            "run_id": run_id,
            "action": action,
            "service": "service/shop",
            "repository": "services",
            "open": "yes",
            "open_since": timestamp(ago(days=5)),
            "updated_at": timestamp(at or ago(days=5)),
        }
        dynamodb_table("runs").put_item(Item={**row, **fields})
        self.lock(run_id)

    def lock(self, owner: str, kind: str = "run", *, taken: datetime | None = None) -> None:
        row = {"service": "service/shop", "owner": owner, "kind": kind}
        dynamodb_table("locks").put_item(Item={**row, "taken_at": timestamp(taken or ago(days=5))})

    def pull(
        self, state: str, *, opened: datetime | None = None, ended: datetime | None = None
    ) -> None:
        """Add the run's pull request."""
        pull = {
            **self.github.pull,
            "state": "open" if state == "open" else "closed",
            "created_at": timestamp(opened or ago(days=5)),
            "merged_at": timestamp(ended or ago(days=1)) if state == "merged" else None,
            "closed_at": timestamp(ended or ago(days=1)) if state != "open" else None,
            "head": {
                "ref": f"slipway/upscale_service/{RUN_ID}",
                "sha": "a" * 40,
                "repo": {"id": 7, "full_name": "acme/services"},
            },
            "base": {"ref": "main", "repo": {"id": 7, "full_name": "acme/services"}},
            "merged": state == "merged",
            "merged_by": {"login": "octocat"} if state == "merged" else None,
            "merge_commit_sha": "b" * 40,
        }
        self.github.script("GET /pulls/7", (200, pull, {}))
        compare: Any = (200, {"status": "ahead", "url": f"{self.github.url}/compare"}, {})
        self.github.script(f"GET /compare/{'b' * 40}...main", compare)
        if state == "open":
            self.github.script("GET /pulls", (200, [pull], {}))
        else:
            self.github.script("GET /pulls", (200, [], {}), (200, [pull], {}))
        self.github.script("PATCH /pulls/7", (200, {**pull, "state": "closed"}, {}))
        self.github.script("GET /issues/7", (200, {"number": 7, "url": pull["issue_url"]}, {}))
        self.github.script("GET /issues/7/comments", (200, [], {}))
        self.github.script("POST /issues/7/comments", (201, {}, {}))
        branch = f"slipway/upscale_service/{RUN_ID}"
        self.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))

    def merged(self, action: str, **fields: Any) -> None:
        """Add a run whose merged pull request was not reported."""
        self.run(action=action)
        self.seen(action=action, pr_number=7, pr_url=PR_URL, **fields)
        self.pull("merged")

    def entity(self, **properties: Any) -> None:
        entity = {"identifier": "shop", "blueprint": "service", "properties": properties}
        self.port.script(f"GET {SHOP}", (200, {"ok": True, "entity": entity}, {}))

    def folder(self, files: dict[str, str]) -> None:
        """Put the service's folder on the base branch."""
        path = "/contents/apps/shop"
        url = f"{self.github.url}/repos/acme/services"
        entries = []
        for number, (name, text) in enumerate(files.items()):
            sha = f"{number:040x}"
            entries.append(
                {
                    "type": "file",
                    "path": f"apps/shop/{name}",
                    "sha": sha,
                    "size": len(text),
                    "download_url": f"{url}/{name}",
                }
            )
            content = base64.b64encode(text.encode()).decode()
            blob = {"content": content, "encoding": "base64", "sha": sha}
            self.github.script(f"GET /git/blobs/{sha}", (200, blob, {}))
        self.github.script(f"GET {path}", (200, entries, {}))

    def form(self, action: str = "upscale_service", **inputs: Any) -> None:
        """Add the action to Port."""
        trigger = {"type": "self-service", "userInputs": {"properties": inputs}}
        answer = {"ok": True, "action": {"identifier": action, "trigger": trigger}}
        self.port.script(f"GET /v1/actions/{action}", (200, answer, {}))

    def rung(self, times: int, run_id: str = RUN_ID) -> None:
        """Record doorbells that the sweep has sent before."""
        item: Any = {"id": f"doorbells/{run_id}", "doorbells": times}
        dynamodb_table("idempotency").put_item(Item=item)

    def bells(self) -> list[Any]:
        """Return the invocations of the function of `upscale_service`."""
        return self.port.bodies(f"POST {INVOCATIONS}")

    def mapping(self, monkeypatch: pytest.MonkeyPatch, status: int = 200, **changes: Any) -> None:
        """Set Lambda's answer about the event source mapping of `upscale_service`."""
        alias = POLICY["own_actions"]["upscale_service"]
        body = json.dumps({alias: MAPPING}).encode()
        boto3.client("s3").put_object(Bucket="records", Key="policy/consumers.json", Body=body)
        client = boto3.client("lambda", endpoint_url=self.port.url)
        monkeypatch.setattr(aws, "lambda_", lambda: client)
        mapping = {
            "UUID": MAPPING,
            "State": "Enabled",
            "LastModified": ago(days=2).timestamp(),
            "LastProcessingResult": "OK",
            **changes,
        }
        self.port.script(f"POST {INVOCATIONS}", (202, {}, {}))
        headers = {} if status == 200 else {"x-amzn-ErrorType": "ResourceNotFoundException"}
        route = f"GET /2015-03-31/event-source-mappings/{MAPPING}"
        self.port.script(route, (status, mapping, headers))

    def updates(self, run_id: str = RUN_ID) -> list[Any]:
        return self.port.bodies(f"PATCH /v1/actions/runs/{run_id}")

    def row(self) -> dict[str, Any]:
        return self.ledger.get(RUN_ID) or {}

    def holder(self) -> Any:
        return next((lock.owner.id for lock in self.locks.all()), None)

    def asked_github(self) -> list[str]:
        return [route.replace("/repos/acme/services", "") for route in self.github.routes()]


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, secret in (
        ("slipway/port", {"client_id": "id", "client_secret": "secret-of-port"}),
        ("slipway/github", {"token": "ghp_token"}),
    ):
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    clients.port_client.cache_clear()
    with ScriptedServer().running() as port, FakeGitHub().running() as github:
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        load.cache_clear()
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        port.script("POST /v1/auth/access_token", (200, token, {}))
        yield World(port, github)
    clients.port_client.cache_clear()


def execution(name: str, machine: str = "approval", *, aborted: bool = False) -> None:
    states = boto3.client("stepfunctions")
    arn = f"arn:aws:states:eu-west-1:123456789012:stateMachine:{machine}"
    started = states.start_execution(stateMachineArn=arn, name=name, input="{}")
    if aborted:
        states.stop_execution(executionArn=started["executionArn"])
