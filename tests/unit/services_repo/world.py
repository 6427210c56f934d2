"""A small Port and a small GitHub behind one real HTTP server, and a job that reports to them."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
RUN_ID = "r_0123456789abcdef"
SERVICE = "my-demo-service"
REPOSITORY = "acme/services"
SECRET = "port-client-secret-value"
FOLDER = f"apps/{SERVICE}"
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
COMMON = {"image": {"tag": "1.4.0"}, "replicas": 2}


def comment(**changes: Any) -> str:
    """The hidden comment of a pull request's text."""
    data = {
        "schema_version": 1,
        "action": "create_service",
        "run_id": RUN_ID,
        "blueprint": "service",
        "identifier": SERVICE,
        "requested_by": "dev@acme.example",
    }
    return f"<!-- slipway {json.dumps({**data, **changes})} -->"


def answer(code: str, message: str = "said so") -> Json:
    return {"ok": False, "error": code, "message": message}


class World:
    """What Port and GitHub hold. Tests change it before and look at it after a report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.calls: list[str] = []
        # Each is (start of "METHOD path", status, headers), used once, in this order.
        self.faults: list[tuple[str, int, dict[str, str]]] = []
        self.secret = SECRET
        self.token = "token-1"
        self.run: Json = {
            "id": RUN_ID,
            "status": "IN_PROGRESS",
            "action": {"identifier": "create_service"},
            "blueprint": {"identifier": "service"},
            "entity": None,
            "properties": {"service_name": SERVICE},
            "link": [],
        }
        self.logs: list[str] = []
        self.entities: dict[str, Json] = {}
        self.entity_writes: list[tuple[Json, str | None]] = []
        self.dependents: list[str] = []
        # (branch or commit, path) → text
        self.files: dict[tuple[str, str], str] = {}
        self.pulls: dict[int, Json] = {}
        self.changed = [f"{FOLDER}/common_values.json"]
        # The base branch compared with the merge; None: GitHub does not know the merge yet.
        self.compared: str | None = "ahead"

    # -- what a test arranges

    def pull(self, action: str = "create_service", *, merged: bool = True, **changes: Any) -> Json:
        pull = {
            "number": 12,
            "state": "closed",
            "html_url": "https://github.test/acme/services/pull/12",
            "body": f"For humans.\n\n{comment(action=action)}\n",
            "merged": merged,
            "merge_commit_sha": "merge-sha",
            "head": {
                "ref": f"slipway/{action}/{RUN_ID}",
                "sha": "head-sha",
                "repo": {"full_name": REPOSITORY},
            },
            "base": {"ref": "main", "sha": "base-sha"},
            **changes,
        }
        self.pulls[12] = pull
        return pull

    def day_2(self, action: str, *, merged: bool = True, **changes: Any) -> Json:
        """A pull request for a service that is there, whose files another run has made."""
        self.run |= {"action": {"identifier": action}, "entity": {"identifier": SERVICE}}
        self.run["properties"] = {"step": 1}
        self.entities[SERVICE] = entity(health_status="Healthy", sync_status="Synced", replicas=2)
        self.commit("base-sha", port_data={**PORT_DATA, "run_id": "r_created"})
        if action != "delete_service":
            for ref in ("merge-sha", "main"):
                self.commit(
                    ref, {**COMMON, "replicas": 3}, port_data={**PORT_DATA, "run_id": "r_created"}
                )
        return self.pull(action, merged=merged, **changes)

    def commit(
        self, ref: str, common: Json | None = None, *, port_data: Json | None = None
    ) -> None:
        self.files[ref, f"{FOLDER}/portData.json"] = json.dumps(port_data or PORT_DATA)
        self.files[ref, f"{FOLDER}/common_values.json"] = json.dumps(common or COMMON)

    def pending(self, **properties: Any) -> None:
        self.entities[SERVICE] = entity(pr_url="https://github.test/acme/services/pull/12") | {}
        self.entities[SERVICE]["properties"] |= properties

    def job(self, event: Json, **variables: str) -> dict[str, str]:
        """The environment of a workflow step."""
        path = self.folder / "event.json"
        path.write_text(json.dumps(event))
        return {
            "GITHUB_API_URL": f"{self.url}/github",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REF_NAME": "main",
            "GITHUB_TOKEN": "job-token",
            "PORT_BASE_URL": f"{self.url}/port",
            "PORT_CLIENT_ID": "client",
            "PORT_CLIENT_SECRET": SECRET,
            "HEALTH_URL": "http://127.0.0.1:3300/services/{service}/health",
            **variables,
        }

    def closed(self, pull: Json, by: str = "octocat", **variables: str) -> dict[str, str]:
        """The job that the closing of a pull request starts."""
        event = {"action": "closed", "pull_request": pull, "sender": {"login": by}}
        return self.job(event, **variables)

    def writes(self) -> list[str]:
        """What was written to Port or GitHub, signing in aside."""
        return [c for c in self.calls if not c.startswith("GET ") and "access_token" not in c]

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
        if path == "/auth/access_token" and body["clientSecret"] == self.secret:
            return 200, {"ok": True, "accessToken": self.token, "expiresIn": 10_800}
        if token != f"Bearer {self.token}":
            return 401, answer("unauthorized")
        if path.startswith("/actions/runs/"):
            return self._runs(method, path.removeprefix("/actions/runs/"), body)
        if path == "/entities/search":
            assert body["rules"][0]["direction"] == "downstream"
            found = [{"blueprint": "route", "identifier": name} for name in self.dependents]
            return 200, {"ok": True, "entities": found}
        return self._catalogue(method, path, query, body)

    def _github(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path.endswith("/files"):
            return 200, [{"filename": name} for name in self.changed]
        if path.startswith("/pulls/"):
            pull = self.pulls.get(int(path.removeprefix("/pulls/")))
            return (200, pull) if pull else (404, {"message": "Not Found"})
        if path.startswith("/issues/"):
            return 200, {"closed_by": {"login": "closer"}}
        if path.startswith("/compare/"):
            assert path == "/compare/merge-sha...main"
            known = self.compared is not None
            return (200, {"status": self.compared}) if known else (404, {"message": "Not Found"})
        text = self.files.get((query["ref"], path.removeprefix("/contents/")))
        if text is None:
            return 404, {"message": "Not Found"}
        content = base64.encodebytes(text.encode()).decode()
        return 200, {"type": "file", "encoding": "base64", "content": content}

    def _runs(self, method: str, rest: str, body: Any) -> tuple[int, Any]:
        run_id, _, logs = rest.partition("/")
        if run_id != self.run["id"]:
            return 404, answer("not_found")
        if method == "GET":
            lines = [{"message": line} for line in self.logs]
            return 200, {"ok": True, "runLogs": lines} if logs else {"ok": True, "run": self.run}
        if self.run["status"] != "IN_PROGRESS":
            return 422, answer("run_exhausted")
        if logs:
            self.logs.append(body["message"])
            return 201, {"ok": True, "runLog": {}}
        self.run |= body
        return 200, {"ok": True, "run": self.run}

    def _catalogue(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        identifier = path.removeprefix("/blueprints/service/entities").lstrip("/")
        if "run_id" in query and self.run["status"] != "IN_PROGRESS":
            return 400, answer("run_exhausted")
        if method == "POST":
            assert query["upsert"] == query["merge"] == "true"
            self.entity_writes.append((body, query.get("run_id")))
            there = self.entities.setdefault(body["identifier"], {"properties": {}})
            there["properties"] |= body["properties"]
            return 201, {"ok": True, "entity": there}
        if identifier not in self.entities:
            return 404, answer("not_found")
        if method == "DELETE":
            if self.dependents:
                return 403, answer("has_dependents", "Entity has dependents")
            del self.entities[identifier]
            return 200, {"ok": True}
        return 200, {"ok": True, "entity": self.entities[identifier]}


def entity(**properties: Any) -> Json:
    start = {"health_status": "Pending", "sync_status": "OutOfSync"}
    return {"identifier": SERVICE, "blueprint": "service", "properties": {**start, **properties}}


@contextmanager
def serve(world: World) -> Iterator[World]:
    """Have the world answer at `world.url`."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            called = f"{self.command} {self.path}"
            world.calls.append(called)
            headers: dict[str, str] = {}
            if world.faults and called.startswith(world.faults[0][0]):
                _, status, headers = world.faults.pop(0)
                data: Any = answer("fault")
            else:
                token = self.headers.get("Authorization", "")
                status, data = world.respond(self.command, self.path, token, body)
            sent = json.dumps(data).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = _do

        def log_message(self, *_args: object) -> None:
            """Nothing in the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        world.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
