"""A Port and a GitHub that accept any request, over real HTTP."""

import base64
import itertools
import json
import re
from collections.abc import Callable
from typing import Any, override
from urllib.parse import unquote

from slipway.port.models import Run

from tests.scripted import Answer, ScriptedServer
from tests.unit.github.conftest import NODE, REPOSITORY, SHA, data, proposed, seen

_RUN = re.compile(r"GET /v1/actions/runs/([^/]+)")
Decide = Callable[[str], Answer | None]


class _Table(dict[str, list[Answer]]):
    """A server with scripted answers; other requests are answered by `decide`."""

    def __init__(self, decide: Decide) -> None:
        super().__init__()
        self._decide = decide

    @override
    def get(self, route: str, default: Any = None) -> Any:
        if route in self:
            return self[route]
        found = self._decide(route)
        return default if found is None else [found]


class AnyPort(ScriptedServer):
    """A Port in which every run is in progress, and belongs to one action and any person.

    Attributes:
        action: the action of all runs.
        published: further fields of a run's record, by run id.
    """

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
        self.published: dict[str, dict[str, Any]] = {}
        self.answers = _Table(self._decide)

    def _decide(self, route: str) -> Answer | None:
        method, _, path = route.partition(" ")
        if path == "/v1/auth/access_token":
            return 200, {"ok": True, "accessToken": "port-token", "expiresIn": 10_800}, {}
        if found := _RUN.fullmatch(route):
            run = {
                "id": found[1],
                "status": "IN_PROGRESS",
                "action": {"identifier": self.action},
                "createdBy": "auth0|1",
                **self.published.get(found[1], {}),
            }
            return 200, {"ok": True, "run": run}, {}
        if method == "GET" and path.startswith("/v1/users/"):
            user = {"id": "auth0|1", "email": unquote(path.removeprefix("/v1/users/"))}
            return 200, {"ok": True, "user": user}, {}
        if method == "GET":
            return 404, {"ok": False, "error": "not_found"}, {}
        entity = {"identifier": "x", "blueprint": "service"}
        return 200, {"ok": True, "entity": entity, "run": {}, "entities": []}, {}

    def publish(self, event: dict[str, Any]) -> None:
        """Let the records of runs match the messages of an event, where possible."""
        for record in itertools.chain.from_iterable(event.get("records", {}).values()):
            try:
                value = json.loads(base64.b64decode(record.get("value", "")))
                known = {"properties": value["payload"]["properties"]}
                if value["context"]["entity"]:
                    known["entity"] = value["context"]["entity"]
                Run.model_validate({"id": "r", "status": "SUCCESS", "action": "a", **known})
                self.published[value["context"]["runId"]] = known
            except (ValueError, LookupError, TypeError, RecursionError):
                continue


class AnyGitHub(ScriptedServer):
    """A GitHub whose services repository is empty; every proposal gets a pull request."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self.answers = _Table(self._decide)

    def written(self) -> list[list[dict[str, Any]]]:
        """Return the additions and deletions of each commit."""
        changes = [sent["commit"]["fileChanges"] for sent in self._proposals() if "commit" in sent]
        return [[*change["additions"], *change["deletions"]] for change in changes]

    def branches(self) -> list[str]:
        """Return the branches of the opened pull requests."""
        return [sent["pull"]["headRefName"] for sent in self._proposals() if "pull" in sent]

    def _proposals(self) -> list[dict[str, Any]]:
        bodies = self.bodies("POST /graphql")
        return [body["variables"] for body in bodies if "mutation Propose" in body["query"]]

    def _decide(self, route: str) -> Answer | None:
        method, _, path = route.partition(" ")
        path = path.removeprefix(REPOSITORY)
        if path.startswith("/graphql "):
            return self._execute(path.partition(" ")[2])
        if path == "/git/ref/heads/main":
            return 200, {"object": {"sha": SHA}}, {}
        if method == "GET":
            return (200, [], {}) if path == "/pulls" else (404, {"message": "Not Found"}, {})
        return (200, [], {}) if path.endswith("/labels") else (201, {"sha": SHA}, {})

    def _execute(self, operation: str) -> Answer:
        if operation == "Look":
            several = {f"{kind}{n}": None for kind in ("folder", "label") for n in range(9)}
            return seen(organization={f"team{n}": None for n in range(9)}, **several)
        if operation == "Decorate":
            return data(addLabelsToLabelable=None)
        number = next(self._numbers)
        pull = {**NODE, "number": number, "url": f"{self.url}/pull/{number}"}
        return proposed(createPullRequest={"pullRequest": pull})
