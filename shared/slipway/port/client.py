"""Port's API: runs, logs and entities, with retries that know when to stop.

https://docs.port.io/api-reference/port-api
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Never, Protocol
from urllib.parse import quote

import requests
from pydantic import BaseModel, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.wait import wait_base

from slipway.config import PortCredentials
from slipway.errors import (
    ConfigurationError,
    PortError,
    PortUnavailable,
    RunEnded,
    RunNotFound,
    SlipwayError,
)
from slipway.observability import Metric, count, mask, register_secret
from slipway.port.models import Entity, Run, Team, User
from slipway.port.node_run import is_node_run

CONNECT_SECONDS = 3.05
READ_SECONDS = 10.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
# All functions get the same token, so each renews it at a moment of its own within these seconds
# before the end.
_TOKEN_MARGIN = 300.0
# Requests for a token that Port refuses until a named time are spread over so many seconds after
# it: Port allows 100 in five minutes, and ten at once.
# https://docs.port.io/api-reference/rate-limits
_SPREAD = 10.0
# What can stand in a header.
_TOKEN = re.compile(r"[!-~]+")
_EPOCH_IF_ABOVE = 1_000_000_000
_LONGEST_NAMED = timedelta(days=1)
_PAGE = 100  # runs in one answer
_USER_SECONDS = 300.0
_FAR = 2**33  # The year 2242: a time that every platform can hold.
# Even if Port says "at once": without a pause, one call would be repeated hundreds of times.
_SHORTEST_WAIT = 0.5


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: object = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class NodeRunStore(Protocol):
    """What is known of runs of workflow nodes."""

    def get(self, run_id: str) -> Run:
        """Read a node run.

        Raises:
            RunNotFound: it is not known.
        """

    def note_end(self, run_id: str, status: str) -> None:
        """Note that it was ended."""


class PortClient:
    """A client of Port's API. It may be used from several threads.

    Args:
        base_url: as `https://api.port.io`; the `/v1` of all routes may be at its end.
        credentials: gives client id and secret; True asks for freshly read ones.
        patience: seconds that one call may take with all its repetitions.
        session: HTTP session to use.
        sleep: waits for so many seconds.
        jitter: a number from 0 to 1, another one each time.
        node_runs: what is known of runs of workflow nodes, which Port does not show.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Callable[[bool], PortCredentials],
        *,
        patience: float = 20.0,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        node_runs: NodeRunStore | None = None,
    ) -> None:
        self._base_url = base_url.strip().rstrip("/").removesuffix("/v1")
        self._credentials = credentials
        self._patience = patience
        self._session = session or requests.Session()
        self._session.headers["User-Agent"] = "slipway"
        self._sleep = sleep
        self._jitter = jitter
        self._node_runs = node_runs
        self._token = ""
        self._token_ends = 0.0
        self._lock = threading.Lock()
        # E-mail address → person, and until when that is believed.
        self._users: dict[str, tuple[User, float]] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
    ) -> dict[str, Any]:
        """Call a route and return its answer's body.

        Passing failures are repeated, whatever the method: every write of Slipway can be repeated.
        A 401 (of the call, or of the token's route) is answered with a new token, and fresh
        credentials, once.

        Raises:
            PortUnavailable: Port is throttling, failing or silent for longer than our patience, or
                something other than Port answers.
            PortError: Port refused the call.
            ConfigurationError: the base URL is not that of Port's API.
        """
        call = _Call(method, path, params, json)
        used = ""
        try:
            used = self._bearer(refused=None)
            return self._repeat(call, used)
        except PortError as error:
            if error.status != 401:
                raise
            return self._repeat(call, self._bearer(refused=used))

    def get_run(self, run_id: str) -> Run:
        """Read a run.

        Raises:
            RunNotFound: Port does not know it.
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
        """The runs of an action that have not ended, newest first.

        A page may be empty though others follow: only an answer without `next` is the last one.
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
                _odd("has no list of runs")
            runs = [_model(Run, {"run": item}, "run") for item in found]
            yield from (run for run in runs if run.action == action and not run.ended)
            following = answer.get("next")
            if not following:
                return
            if not isinstance(following, str) or following == query.get("next"):
                _odd("repeats its 'next', or has an odd one")
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
            _odd("has no form of the action")
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
        """Change what the run's page shows; `link` replaces all links, `status` ends the run.

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
        """End a node run, or write what a run's page would show into its log."""
        said = {name: value for name, value in output.items() if value}
        if status is None:
            words = [mask(str(said[name])) for name in ("label", "summary") if name in said]
            if words or "links" in said:
                self.add_log(run_id, " ".join([*words, *said.get("links", [])]))
            return
        body = {
            "status": "COMPLETED",
            "result": "SUCCESS" if status == "SUCCESS" else "FAILED",
            "output": {k: v if k == "links" else mask(str(v)) for k, v in said.items()},
        }
        self._write_run("PATCH", _run(run_id), run_id, body)
        if self._node_runs is not None:
            self._node_runs.note_end(run_id, status)

    def get_entity(self, blueprint: str, identifier: str) -> Entity | None:
        """Read an entity; None if there is none."""
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
        """Create an entity, or change just the given fields of the one that is there.

        A run that has ended cannot be linked any more; the entity is then written without it.
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
            False if there is no such entity: it is not made.
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
        """Remove an entity; one that is not there is fine.

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
        """Read a person; None if no person of that address can sign in to the organisation.

        A person who was found is remembered for five minutes, teams included.

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
        """Everybody in the organisation, also those who can no longer sign in.

        The route is documented without the shape of its answer.
        https://docs.port.io/api-reference/get-all-users-in-your-organization
        """
        found = self.request("GET", "/v1/users").get("users")
        if not isinstance(found, list):
            _odd("has no list of users")
        return [_model(User, {"user": item}, "user") for item in found]

    def team_members(self, team: str) -> list[str]:
        """E-mail addresses of the members who can sign in; none if there is no team of that name.

        https://docs.port.io/api-reference/get-a-team
        """
        # Without `fields`, the answer has no members.
        fields = ["name", "users.email", "users.status"]
        answer = self._found("teams", team, params={"fields": fields})
        if answer is None:
            return []
        return [user.email for user in _model(Team, answer, "team").users if user.active]

    def dependents(self, blueprint: str, identifier: str) -> list[str]:
        """The entities that relate to one, as `blueprint/identifier`.

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
            _odd("has no list of entities")
        entities = [_model(Entity, {"entity": item}, "entity") for item in found]
        return sorted(f"{entity.blueprint}/{entity.identifier}" for entity in entities)

    def _found(self, *path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """What a route answers; None if it knows nothing of that name."""
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

    def _bearer(self, refused: str | None) -> str:
        """A valid access token; if `refused` was the last one, a new one with fresh credentials."""
        with self._lock:
            current = self._token if time.monotonic() < self._token_ends else ""
            if current and current != refused:
                return current
            credentials = self._credentials(refused is not None)
            body = {
                "clientId": credentials.client_id,
                "clientSecret": credentials.client_secret.get_secret_value(),
            }
            answer = self._sign_in(body)
            token, seconds = answer.get("accessToken"), answer.get("expiresIn", 0)
            token = token if isinstance(token, str) and _TOKEN.fullmatch(token) else None
            if token is None or not isinstance(seconds, int | float):
                _odd("has no 'accessToken', or an odd 'expiresIn'")
            self._token = token
            register_secret(self._token)
            # One token per credentials: a second request gets the same one, with less time left.
            # It is used for at least half of that: a token that ends on its way gets a 401.
            early = min(_TOKEN_MARGIN, max(seconds, 0) / 2) * self._jitter()
            self._token_ends = time.monotonic() + seconds - early
            return self._token

    def _sign_in(self, body: dict[str, str]) -> dict[str, Any]:
        """Ask for an access token.

        Raises:
            ConfigurationError: what answers is not Port's API.
        """
        try:
            return self._repeat(_Call("POST", "/v1/auth/access_token", json=body), token=None)
        except _NotPort as error:
            if self._token:  # The address was right before, so this is an outage.
                raise PortUnavailable(str(error)) from None
            raise _wrong_address(error) from None
        except PortError as error:
            if error.status < 400 or error.status in {404, 405}:
                raise _wrong_address(error) from None
            raise

    def _repeat(self, call: _Call, token: str | None) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        # What answers a sign-in in Port's place is most likely at a wrong address: not repeated.
        final = (_NotPort,) if token is None else ()
        retrying = Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, PortUnavailable) and not isinstance(error, final)
            ),
            wait=_WaitAsTold(self._jitter if token is None else lambda: 0.0),
            stop=lambda state: time.monotonic() + state.upcoming_sleep > deadline,
            sleep=self._sleep,
            before_sleep=lambda _: count(Metric.API_RETRY, api="port"),
            reraise=True,
        )
        return retrying(self._send, call, token, deadline)

    def _send(self, call: _Call, token: str | None, deadline: float) -> dict[str, Any]:
        left = max(deadline - time.monotonic(), 0.1)
        try:
            response = self._session.request(
                call.method,
                self._base_url + call.path,
                params=call.params,
                json=call.json,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
                allow_redirects=False,
            )
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,  # the connection broke within the answer
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise PortUnavailable(
                f"Port could not be reached for {call} ({type(error).__name__})."
            ) from None
        except ValueError as error:  # from a `Location` that is none
            _odd(f"to {call} cannot be read ({type(error).__name__})")
        try:
            return _read(response, str(call))
        except PortUnavailable as error:
            if token is None and error.retry_at:
                error.retry_at += timedelta(seconds=_SPREAD * self._jitter())
            raise


class _NotPort(PortUnavailable):
    """Something other than Port's API has answered: a gateway, a proxy, a web server."""


def _wrong_address(error: SlipwayError) -> ConfigurationError:
    return ConfigurationError(
        f"{error} The base URL of Port's API is wrong: Terraform's 'port.base_url', or "
        "PORT_BASE_URL for commands. It is https://api.port.io, or https://api.us.port.io for "
        "organisations in the US."
    )


class _WaitAsTold(wait_base):
    """As long as Port says (half a second at least), else half a second, one, two … up to eight.

    Args:
        jitter: what is added to the latter, as a part of it.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, PortUnavailable) and error.retry_at:
            return max(_SHORTEST_WAIT, (error.retry_at - datetime.now(UTC)).total_seconds())
        seconds = float(min(8.0, 0.25 * 2 ** min(retry_state.attempt_number, 5)))
        return seconds * (1 + self._jitter())


def _linked(run_id: str | None) -> dict[str, str]:
    """The query that links a write to a run; the runs of workflow nodes cannot be linked."""
    return {"run_id": run_id} if run_id and not is_node_run(run_id) else {}


def _run(run_id: str) -> str:
    if is_node_run(run_id):
        return _path("workflows", "nodes", "runs", run_id)
    return _path("actions", "runs", run_id)


def _entities(blueprint: str) -> str:
    return _path("blueprints", blueprint, "entities")


def _path(*names: str) -> str:
    """A route's path, each name one part of it.

    Raises:
        PortError: a name can be no part, so that Port has nothing of it. Dots would lead to the
            route above, however they are written: `DELETE …/entities/..` is of the blueprint.
    """
    parts = [quote(name.encode(errors="replace"), safe="") for name in names]
    if not {"", ".", ".."}.isdisjoint(parts):
        named = "/".join(names)[:200]
        raise PortError(404, "not_found", f"Port can have nothing that is named {named!r}.")
    return f"/v1/{'/'.join(parts)}"


def _read(response: requests.Response, what: str) -> dict[str, Any]:
    """The body of an answer, or the error that it stands for."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    envelope = body if isinstance(body, dict) else {}
    if response.status_code < 300 and envelope.get("ok", True) and isinstance(body, dict):
        return body
    if _is_foreign(response.status_code, body):
        kind = mask(response.headers.get("Content-Type", "no content type"))
        raise _NotPort(
            f"Something other than Port answered {response.status_code} ({kind}) to {what}."
        )
    code = str(envelope.get("error", ""))
    said = str(envelope.get("message", "")) or response.reason or "no reason given"
    trace = response.headers.get("X-Trace-Id", "none")
    # Some of these texts are shown on the run's page, and Port may quote what it was sent.
    text = mask(
        f"Port answered {response.status_code} {code} to {what}: {said} (Port's trace {trace})."
    )
    if response.status_code in _PASSING:
        raise PortUnavailable(text, _named_time(response.status_code, response.headers))
    raise PortError(response.status_code, code, text)


def _is_foreign(status: int, body: object) -> bool:
    """Whether an answer is one that Port's API never gives: it says nothing about Port's objects.

    Each answer of Port is an object; one that refuses has `"ok": false` and a code.
    """
    if status == 404:
        return not (isinstance(body, dict) and body.get("ok") is False and body.get("error"))
    return 200 <= status < 300 and not isinstance(body, dict)


def _model[T: BaseModel](model: type[T], answer: dict[str, Any], name: str) -> T:
    """What Port says that it answers with under `name`."""
    try:
        return model.model_validate(answer.get(name))
    except ValidationError as error:
        # The error's own text would quote the answer, and with it what a person typed.
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join((name, *map(str, first["loc"])))
        _odd(f"is not what was expected of it at '{field}': {first['msg']}")


def _odd(fault: str) -> Never:
    raise PortError(200, "", f"Port's answer {fault}.") from None


def _named_time(status: int, headers: Mapping[str, str]) -> datetime | None:
    """When Port says that it answers again (a day from now at most), or None if it does not say.

    Port's documentation has `x-ratelimit-reset` as a time in one place and as seconds in another.
    It counts with status 429, and with any other if it comes with `x-ratelimit-remaining: 0`.
    """
    now = datetime.now(UTC)
    named = _time_or_seconds(headers.get("Retry-After", ""), now)
    if named is None and (status == 429 or headers.get("x-ratelimit-remaining") == "0"):
        named = _time_or_seconds(headers.get("x-ratelimit-reset", ""), now)
    return min(named, now + _LONGEST_NAMED) if named else None


def _time_or_seconds(text: str, now: datetime) -> datetime | None:
    """Read seconds from now, seconds since 1970 or an HTTP date; None if it is neither."""
    try:
        if not text.strip().isdecimal():
            return parsedate_to_datetime(text).astimezone(UTC)
        seconds = int(text)
        if seconds > _EPOCH_IF_ABOVE:
            return datetime.fromtimestamp(min(seconds, _FAR), UTC)
        return now + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
