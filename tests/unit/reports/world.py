"""A small Port and GitHub behind one real HTTP server, a ledger, and reports to them."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import SecretStr
from slipway.aws import dynamodb_table
from slipway.catalog.reading import read_folder
from slipway.config import GitHubConfig, GitHubCredentials, PortCredentials, load
from slipway.github.ended import EndedPulls
from slipway.github.models import Place
from slipway.github.repository import ServicesRepository
from slipway.port.client import PortClient
from slipway.reports.report import Outcome, Reports
from slipway.reports.settings import ReportingConfig
from slipway.runs.ledger import Ledger

from tests.catalogs.samples import ACME
from tests.scripted import LocalServer
from tests.unit.conftest import put_catalog
from tests.unit.port.conftest import UnhurriedSession

Json = dict[str, Any]
RUN_ID = "r_0123456789abcdef"
SERVICE = "my-demo-service"
REPOSITORY = "acme/services"
SECRET = "port-client-secret-value"
FOLDER = f"apps/{SERVICE}"
NUMBER = 12
PR_URL = "https://github.test/acme/services/pull/12"
MERGE, MAIN = "merge-sha", "main-sha"
PORT_DATA = {
    "identifier": SERVICE,
    "title": SERVICE,
    "owner": "dev@acme.example",
    "responsible_team": "payments",
    "project": "shop",
    "environment": "Test",
    "service_type": "backend",
    "health_status": "Pending",
    "sync_status": "OutOfSync",
    "blueprint": "service",
    "run_id": RUN_ID,
}
HEALTH_URL = "http://127.0.0.1:3300/services/{service}/health"
REVIEWED = ("owner", "responsible_team", "project", "environment", "service_type")
COMMON = {"image": {"tag": "1.4.0"}, "replicas": 2}


def refusal(code: str, message: str = "said so") -> Json:
    return {"ok": False, "error": code, "message": message}


class World:
    """The state of Port and GitHub. Tests set it before a report and check it afterwards."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[str] = []
        # Each is (start of "METHOD path", status), used once, in this order.
        self.faults: list[tuple[str, int]] = []
        self.run: Json = {
            "id": RUN_ID,
            "status": "IN_PROGRESS",
            "action": {"identifier": "create_service"},
            "blueprint": {"identifier": "service"},
            "entity": None,
            "properties": {"service_name": SERVICE},
            "link": [],
        }
        # Whether another writer ends the run as soon as it was read.
        self.ends_in_between = False
        self.logs: list[str] = []
        self.entities: dict[str, Json] = {}
        self.entity_writes: list[tuple[Json, str | None]] = []
        self.dependents: list[str] = []
        # (commit, path) → text
        self.files: dict[tuple[str, str], str] = {}
        self.pulls: dict[int, Json] = {}
        self.changed = [f"{FOLDER}/common_values.json"]
        # The base branch compared with the merge; None: GitHub does not know the merge yet.
        self.compared: str | None = "ahead"
        self.closed_by: Json | None = {"login": "closer"}
        self.settings: Json = {"health_url": HEALTH_URL}
        # The repository's keys in the map of repositories.
        self.keys: tuple[str, ...] = ("services",)

    # -- set-up

    def pull(self, action: str = "create_service", *, merged: bool = True, **changes: Any) -> Json:
        """Add the run's pull request, which Slipway has recorded."""
        pull = {
            "number": NUMBER,
            "url": f"{self.url}/github/repos/{REPOSITORY}/pulls/{NUMBER}",
            "state": "closed",
            "html_url": PR_URL,
            "body": "For humans.",
            "merged": merged,
            "merged_by": {"login": "octocat"} if merged else None,
            "merge_commit_sha": MERGE,
            "head": {
                "ref": f"slipway/{action}/{RUN_ID}",
                "sha": "head-sha",
                "repo": {"id": 7, "full_name": REPOSITORY},
            },
            "base": {
                "ref": "main",
                "sha": "base-sha",
                "repo": {"id": 7, "full_name": REPOSITORY},
            },
            **changes,
        }
        self.pulls[NUMBER] = pull
        self.note()
        return pull

    def note(self, **fields: Any) -> None:
        """Write the ledger's row of the run."""
        row = {
            "run_id": RUN_ID,
            "service": f"service/{SERVICE}",
            "repository": "services",
            "pr_number": NUMBER,
            "pr_url": PR_URL,
        }
        known = {name: value for name, value in {**row, **fields}.items() if value is not None}
        dynamodb_table("runs").put_item(Item=known)

    def day_2(self, action: str, *, merged: bool = True, **changes: Any) -> Json:
        """Make a pull request for an existing service, whose files another run created."""
        self.run |= {"action": {"identifier": action}, "entity": {"identifier": SERVICE}}
        self.run["properties"] = {"step": 1}
        self.entities[SERVICE] = deployed(
            health_status="Healthy", sync_status="Synced", replicas=2, image_tag="1.4.0"
        )
        if action != "delete_service":
            self.commit({**COMMON, "replicas": 3}, port_data={**PORT_DATA, "run_id": "r_created"})
        return self.pull(action, merged=merged, **changes)

    def commit(
        self, common: Json | None = None, *, port_data: Json | None = None, ref: str = MAIN
    ) -> None:
        """Put the service's folder on the base branch."""
        self.files[ref, f"{FOLDER}/portData.json"] = json.dumps(port_data or PORT_DATA)
        self.files[ref, f"{FOLDER}/common_values.json"] = json.dumps(common or COMMON)

    def values(self, text: str) -> None:
        """Write the values as YAML."""
        self.files.pop((MAIN, f"{FOLDER}/common_values.json"), None)
        self.files[MAIN, f"{FOLDER}/common_values.yaml"] = text

    def pending(self, **properties: Any) -> None:
        self.entities[SERVICE] = entity(**{"pr_url": PR_URL, **properties})

    def report(self, number: int = NUMBER) -> Outcome:
        """Report as the function does."""
        return self.reports().report(number)

    def reports(self) -> Reports:
        config = GitHubConfig.model_validate(
            {
                "GITHUB_API_URL": f"{self.url}/github",
                "GITHUB_SECRET_ID": "slipway/github",
            }
        )
        place = Place(name=REPOSITORY)
        token = GitHubCredentials(token=SecretStr("ghp_token"))
        secret = PortCredentials(client_id="client", client_secret=SecretStr(SECRET))
        return Reports(
            EndedPulls(ServicesRepository(config, place, lambda _fresh: token, retry_budget=0.5)),
            PortClient(
                f"{self.url}/port",
                lambda _fresh: secret,
                retry_budget=0.5,
                session=UnhurriedSession(),
            ),
            Ledger("runs"),
            load(ReportingConfig),
            self.settings,
            self.keys,
        )

    def writes(self) -> list[str]:
        """Return the writes to Port or GitHub, without sign-ins."""
        return [c for c in self.calls if not c.startswith("GET ") and "access_token" not in c]

    @property
    def properties(self) -> Json:
        found: Json = self.entities[SERVICE]["properties"]
        return found

    # -- the servers

    def respond(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        path, query = unquote(parts.path), {k: v[0] for k, v in parse_qs(parts.query).items()}
        if path.startswith("/github/"):
            return self._github(path.removeprefix(f"/github/repos/{REPOSITORY}"), query)
        return self._port(method, path.removeprefix("/port/v1"), query, token, body)

    def _port(
        self, method: str, path: str, query: dict[str, str], token: str, body: Any
    ) -> tuple[int, Any]:
        if path == "/auth/access_token" and body["clientSecret"] == SECRET:
            return 200, {"ok": True, "accessToken": "token-1", "expiresIn": 10_800}
        if token != "Bearer token-1":
            return 401, refusal("unauthorized")
        if path.startswith("/actions/runs/"):
            return self._runs(method, path.removeprefix("/actions/runs/"), body)
        if path == "/entities/search":
            assert body["rules"][0]["direction"] == "downstream"
            found = [{"blueprint": "route", "identifier": name} for name in self.dependents]
            return 200, {"ok": True, "entities": found}
        return self._catalogue(method, path, query, body)

    def _github(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        missing = 404, {"message": "Not Found"}
        kind, _, rest = path.removeprefix("/").partition("/")
        match kind:
            case "pulls" if rest.endswith("/files"):
                return 200, [{"filename": name} for name in self.changed]
            case "pulls":
                pull = self.pulls.get(int(rest))
                return (200, pull) if pull else missing
            case "issues":
                return 200, {"number": int(rest), "closed_by": self.closed_by}
            case "compare":
                assert rest == f"{MERGE}...main"
                known = self.compared is not None
                return (200, {"status": self.compared}) if known else missing
            case "contents":
                found = self._folder(query["ref"], rest)
                return (200, found) if found else missing
        return 200, self._git(rest)

    def _git(self, path: str) -> Json:
        if path == "ref/heads/main":
            return {"object": {"sha": MAIN}}
        blobs = {sha(text): text for text in self.files.values()}
        content = base64.b64encode(blobs[path.removeprefix("blobs/")].encode()).decode()
        return {"content": content, "encoding": "base64"}

    def _folder(self, ref: str, path: str) -> list[Json]:
        return [
            {
                "type": "file",
                "path": name,
                "sha": sha(text),
                "size": len(text),
                "download_url": f"{self.url}/raw/{name}",
            }
            for (commit, name), text in self.files.items()
            if commit == ref and name.startswith(f"{path}/")
        ]

    def _runs(self, method: str, rest: str, body: Any) -> tuple[int, Any]:
        run_id, _, logs = rest.partition("/")
        if run_id != self.run["id"]:
            return 404, refusal("not_found")
        if method == "GET":
            shown = json.loads(json.dumps(self.run))
            if self.ends_in_between:
                self.run["status"] = "FAILURE"
            return 200, {"ok": True, "run": shown}
        if self.run["status"] != "IN_PROGRESS":
            return 422, refusal("run_exhausted")
        if logs:
            self.logs.append(body["message"])
            return 201, {"ok": True, "runLog": {}}
        self.run |= body
        return 200, {"ok": True, "run": self.run}

    def _catalogue(  # noqa: PLR0911  one route each
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        identifier = path.removeprefix("/blueprints/service/entities").lstrip("/")
        if "run_id" in query and self.run["status"] != "IN_PROGRESS":
            return 400, refusal("run_exhausted")
        if method == "POST":
            assert query["upsert"] == query["merge"] == "true"
            self.entity_writes.append((body, query.get("run_id")))
            there = self.entities.setdefault(body["identifier"], {**body, "properties": {}})
            there["properties"] |= body["properties"]
            return 201, {"ok": True, "entity": there}
        if identifier not in self.entities:
            return 404, refusal("not_found")
        if method == "PATCH":
            self.entities[identifier]["properties"] |= body["properties"]
            return 200, {"ok": True, "entity": self.entities[identifier]}
        if method == "DELETE":
            if self.dependents:
                return 403, refusal("has_dependents", "Entity has dependents")
            del self.entities[identifier]
            return 200, {"ok": True}
        return 200, {"ok": True, "entity": self.entities[identifier]}


def entity(**properties: Any) -> Json:
    start = {"health_status": "Pending", "sync_status": "OutOfSync"}
    return {"identifier": SERVICE, "blueprint": "service", "properties": {**start, **properties}}


def deployed(**properties: Any) -> Json:
    """Return the entity of an existing service, as its files describe it."""
    return entity(
        namespace=SERVICE,
        health_url=HEALTH_URL.replace("{service}", SERVICE),
        **{name: PORT_DATA[name] for name in REVIEWED},
        **properties,
    )


def sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def serve(world: World) -> Iterator[World]:
    """Serve the world at `world.url`."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            called = f"{self.command} {self.path}"
            world.calls.append(called)
            if world.faults and called.startswith(world.faults[0][0]):
                status = world.faults.pop(0)[1]
                # A 404 without Port's envelope is not Port's.
                data: Any = {} if status == 404 else refusal("fault")
            else:
                token = self.headers.get("Authorization", "")
                status, data = world.respond(self.command, self.path, token, body)
            sent = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = _do

        def log_message(self, *_args: object) -> None:
            """Keep the tests' output quiet."""

    with LocalServer(Handler).running() as server:
        world.url = server.url
        yield world


def acme_service(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a service of acme, whose unit is only in its identifier and its repository's key."""
    monkeypatch.setenv("CATALOG_VERSION", put_catalog(read_folder(ACME)))
    load.cache_clear()
    identifier = "shop.billing.invoices.qa"
    metadata = {"identifier": identifier, "blueprint": "service", "tier": "gold"}
    values = {"deployment": {"replicaCount": 4, "image": {"tag": "2"}}, "regions": []}
    folder = "services/billing/invoices"
    world.files[MAIN, f"{folder}/port-qa.json"] = json.dumps(metadata)
    world.files[MAIN, f"{folder}/values-qa.yaml"] = json.dumps(values)
    world.entities[identifier] = entity(replicas=2) | {"identifier": identifier}
    world.changed = [f"{folder}/values-qa.yaml"]
    world.keys = ("shop",)
    return identifier
