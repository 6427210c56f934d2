"""Call Port's API: runs, logs, entities and people.

https://docs.port.io/api-reference/port-api
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from slipway.config import PortCredentials
from slipway.errors import PortError, RunEnded, RunNotFound
from slipway.observability import mask
from slipway.port.models import Entity, Run, Team, User
from slipway.port.node_run import is_node_run
from slipway.port.transport import PortTransport, unexpected

_PAGE = 100  # runs in one answer
_USER_SECONDS = 300.0


class NodeRunStore(Protocol):
    """Known runs of workflow nodes."""

    def get(self, run_id: str) -> Run:
        """Read a node run.

        Raises:
            RunNotFound: the node run is unknown.
        """

    def note_end(self, run_id: str, status: str) -> None:
        """Record that it ended."""


class PortClient(PortTransport):
    """A client of Port's API. Thread-safe.

    Args:
        base_url: for example `https://api.port.io`; may end in `/v1`.
        credentials: gives client id and secret; True requests a fresh read.
        node_runs: known runs of workflow nodes, which Port does not show.
        transport: further arguments of `PortTransport`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Callable[[bool], PortCredentials],
        *,
        node_runs: NodeRunStore | None = None,
        **transport: Any,
    ) -> None:
        super().__init__(base_url, credentials, **transport)
        self._node_runs = node_runs
        # E-mail address → person, and the expiry of the entry.
        self._users: dict[str, tuple[User, float]] = {}

    def get_run(self, run_id: str) -> Run:
        """Read a run.

        Raises:
            RunNotFound: Port does not have it.
        """
        if is_node_run(run_id):
            if self._node_runs is None:
                raise RunNotFound(f"Port does not show node run {run_id}.")
            return self._node_runs.get(run_id)
        try:
            answer = self.request("GET", _run(run_id), params={"version": "v2"})
        except PortError as error:
            if error.not_found:
                raise RunNotFound(f"Port does not know run {run_id}.") from error
            raise
        return _model(Run, answer, "run")

    def active_runs(self, action: str) -> Iterator[Run]:
        """Yield the unfinished runs of an action, newest first.

        A page may be empty although others follow: only an answer without `next` is the last one.
        https://docs.port.io/api-reference/get-all-action-runs
        """
        query: dict[str, Any] = {
            "action": action,
            "active": "true",
            "version": "v2",
            "limit": _PAGE,
        }
        while True:
            answer = self.request("GET", "/v1/actions/runs", params=query)
            found = answer.get("runs")
            if not isinstance(found, list):
                unexpected("lacks the list of runs")
            runs = [_model(Run, {"run": item}, "run") for item in found]
            yield from (run for run in runs if run.action == action and not run.ended)
            following = answer.get("next")
            if not following:
                return
            if not isinstance(following, str) or following == query.get("next"):
                unexpected("repeats its 'next', or has an invalid one")
            query["next"] = following

    def has_encrypted_inputs(self, action: str) -> bool:
        """Whether an action's form has inputs that Port encrypts, and keeps nowhere.

        https://docs.port.io/api-reference/get-an-action-automation
        """
        found = self.request("GET", _path("actions", action)).get("action")
        trigger = found.get("trigger") if isinstance(found, dict) else None
        inputs = trigger.get("userInputs") if isinstance(trigger, dict) else None
        form = inputs.get("properties") if isinstance(inputs, dict) else None
        if not isinstance(form, dict):
            unexpected("has no form of the action")
        return any(isinstance(each, dict) and each.get("encryption") for each in form.values())

    def add_log(self, run_id: str, message: str, *, status_label: str | None = None) -> None:
        """Add a line to the run's log, and set its label if one is given.

        Raises:
            RunEnded: the run has ended.
        """
        if is_node_run(run_id):
            text = mask(f"{status_label}: {message}" if status_label else message)
            logs = {"logs": [{"level": "INFO", "message": text}]}
            self._write_run("POST", f"{_run(run_id)}/logs", run_id, logs)
            return
        label = {"statusLabel": mask(status_label)} if status_label else {}
        body = {"message": mask(message), **label}
        self._write_run("POST", f"{_run(run_id)}/logs", run_id, body)

    def update_run(
        self,
        run_id: str,
        *,
        status: Literal["SUCCESS", "FAILURE"] | None = None,
        status_label: str | None = None,
        link: list[str] | None = None,
        summary: str | None = None,
        external_run_id: str | None = None,
    ) -> None:
        """Change what the run's page shows.

        `link` replaces all links, and `status` ends the run.

        Raises:
            RunEnded: the run has ended.
        """
        if is_node_run(run_id):
            output = {"label": status_label, "summary": summary, "links": link}
            self._update_node_run(run_id, status, output)
            return
        fields = {
            "status": status,
            "statusLabel": mask(status_label) if status_label else status_label,
            "link": link,
            "summary": mask(summary) if summary else summary,
            "externalRunId": external_run_id,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        self._write_run("PATCH", _run(run_id), run_id, body, params={"version": "v2"})

    def _update_node_run(
        self, run_id: str, status: Literal["SUCCESS", "FAILURE"] | None, output: dict[str, Any]
    ) -> None:
        """End a node run, or write its changes to its log."""
        filled = {name: value for name, value in output.items() if value}
        if status is None:
            words = [mask(str(filled[name])) for name in ("label", "summary") if name in filled]
            if words or "links" in filled:
                self.add_log(run_id, " ".join([*words, *filled.get("links", [])]))
            return
        body = {
            "status": "COMPLETED",
            "result": "SUCCESS" if status == "SUCCESS" else "FAILED",
            "output": {k: v if k == "links" else mask(str(v)) for k, v in filled.items()},
        }
        self._write_run("PATCH", _run(run_id), run_id, body)
        if self._node_runs is not None:
            self._node_runs.note_end(run_id, status)

    def get_entity(self, blueprint: str, identifier: str) -> Entity | None:
        """Read an entity; None if it does not exist."""
        answer = self._found("blueprints", blueprint, "entities", identifier)
        return None if answer is None else _model(Entity, answer, "entity")

    def create_entity(
        self, blueprint: str, body: dict[str, Any], *, run_id: str | None = None
    ) -> Entity:
        """Create an entity.

        Raises:
            PortError: code `identifier_taken` if it exists, `run_exhausted` if the run has ended.
        """
        params = {"upsert": "false"} | _linked(run_id)
        answer = self.request("POST", _entities(blueprint), params=params, json=body)
        return _model(Entity, answer, "entity")

    def upsert_entity(
        self, blueprint: str, body: dict[str, Any], *, run_id: str | None = None
    ) -> Entity:
        """Create an entity, or update the given fields of an existing one.

        A run that has ended cannot be linked. The entity is then written without it.
        """
        params: dict[str, Any] = {"upsert": "true", "merge": "true"}
        linked = params | _linked(run_id)
        try:
            answer = self.request("POST", _entities(blueprint), params=linked, json=body)
        except PortError as error:
            if error.code != "run_exhausted":
                raise
            answer = self.request("POST", _entities(blueprint), params=params, json=body)
        return _model(Entity, answer, "entity")

    def update_entity(self, blueprint: str, identifier: str, properties: dict[str, Any]) -> bool:
        """Change the given properties of an entity.

        Returns:
            False if the entity does not exist; it is not created.
        """
        try:
            path = _path("blueprints", blueprint, "entities", identifier)
            self.request("PATCH", path, json={"properties": properties})
        except PortError as error:
            if not error.not_found:
                raise
            return False
        return True

    def delete_entity(self, blueprint: str, identifier: str) -> None:
        """Remove an entity; a missing one is fine.

        Raises:
            PortError: code `has_dependents` if other entities relate to it.
        """
        params = {"delete_dependents": "false"}
        try:
            path = _path("blueprints", blueprint, "entities", identifier)
            self.request("DELETE", path, params=params)
        except PortError as error:
            if not error.not_found:
                raise

    def get_user(self, email: str) -> User | None:
        """Read a person; None if the address belongs to no active user.

        A found person is cached for five minutes, with their teams.

        https://docs.port.io/api-reference/get-a-user
        """
        if "@" not in email:
            return None
        user, until = self._users.get(email, (None, 0.0))
        if user is not None and time.monotonic() < until:
            return user
        answer = self._found("users", email)
        if answer is None:
            return None
        user = _model(User, {"user": answer.get("user", answer)}, "user")
        if not user.active:
            return None
        self._users[email] = (user, time.monotonic() + _USER_SECONDS)
        return user

    def users(self) -> list[User]:
        """Return all users of the organisation, including inactive ones.

        The documentation does not describe the form of the answer.
        https://docs.port.io/api-reference/get-all-users-in-your-organization
        """
        found = self.request("GET", "/v1/users").get("users")
        if not isinstance(found, list):
            unexpected("lacks the list of users")
        return [_model(User, {"user": item}, "user") for item in found]

    def team_members(self, team: str) -> list[str]:
        """Return e-mail addresses of a team's active members.

        Empty if the team does not exist.

        https://docs.port.io/api-reference/get-a-team
        """
        # Without `fields`, the answer has no members.
        fields = ["name", "users.email", "users.status"]
        answer = self._found("teams", team, params={"fields": fields})
        if answer is None:
            return []
        return [user.email for user in _model(Team, answer, "team").users if user.active]

    def dependents(self, blueprint: str, identifier: str) -> list[str]:
        """Return the entities that relate to one, as `blueprint/identifier`.

        https://docs.port.io/search-and-query/relation-operators#direction
        """
        rule = {
            "operator": "relatedTo",
            "blueprint": blueprint,
            "value": identifier,
            "direction": "downstream",
        }
        query = {"combinator": "and", "rules": [rule]}
        answer = self.request("POST", "/v1/entities/search", json=query)
        found = answer.get("entities")
        if not isinstance(found, list):
            unexpected("lacks the list of entities")
        entities = [_model(Entity, {"entity": item}, "entity") for item in found]
        return sorted(f"{entity.blueprint}/{entity.identifier}" for entity in entities)

    def _found(self, *path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return a route's answer; None if the object does not exist."""
        try:
            return self.request("GET", _path(*path), params=params)
        except PortError as error:
            if not error.not_found:
                raise
            return None

    def _write_run(
        self,
        method: str,
        path: str,
        run_id: str,
        body: dict[str, Any],
        params: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            self.request(method, path, params=params, json=body)
        except PortError as error:
            if error.code == "run_exhausted":
                raise RunEnded(f"Run {run_id} has ended.") from error
            if error.not_found:
                raise RunNotFound(f"Port does not know run {run_id}.") from error
            raise


def _linked(run_id: str | None) -> dict[str, str]:
    """Return the query that links a write to a run.

    Runs of workflow nodes cannot be linked.
    """
    return {"run_id": run_id} if run_id and not is_node_run(run_id) else {}


def _run(run_id: str) -> str:
    if is_node_run(run_id):
        return _path("workflows", "nodes", "runs", run_id)
    return _path("actions", "runs", run_id)


def _entities(blueprint: str) -> str:
    return _path("blueprints", blueprint, "entities")


def _path(*names: str) -> str:
    """Return a route's path, with each name as one segment.

    Raises:
        PortError: a name is not a valid segment. Dots would lead to the parent route in any
            spelling: `DELETE …/entities/..` would delete the blueprint.
    """
    parts = [quote(name.encode(errors="replace"), safe="") for name in names]
    if not {"", ".", ".."}.isdisjoint(parts):
        named = "/".join(names)[:200]
        raise PortError(404, "not_found", f"Port cannot have an object named {named!r}.")
    return f"/v1/{'/'.join(parts)}"


def _model[T: BaseModel](model: type[T], answer: dict[str, Any], name: str) -> T:
    """Return the field `name` of Port's answer."""
    try:
        return model.model_validate(answer.get(name))
    except ValidationError as error:
        # The error's own text would quote the answer, and with it untrusted input.
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join((name, *map(str, first["loc"])))
        unexpected(f"has an unexpected value at '{field}': {first['msg']}")
