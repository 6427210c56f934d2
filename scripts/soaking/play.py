"""Play the people of a soak: requesters, approvers, reviewers."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import requests
from github import Auth, Github, GithubException
from github.PullRequest import PullRequest
from slipway.errors import RetryableError, RunEnded, SlipwayError

from scripts.apply_sandbox import knob, read_environment
from scripts.demo import APPROVER, REQUESTER
from scripts.environment import SANDBOX_PASSWORD, port_client
from scripts.soaking.gather import ACTIONS, CHANGED_MIND, Asked
from scripts.soaking.workload import CREATE, DECIDE, Ask, as_creation

_SECOND_APPROVER = "admin@acme.example"
_LOOK_SECONDS = 1.0
# Maximum number of concurrent runs of one service.
_CROWD = 3
# Answers after which a person retries later.
_PASSING = (RetryableError, GithubException, requests.RequestException)


class People:
    """Makes the planned requests and plays the people. Not thread-safe.

    Args:
        folder: the sandbox's folder.
        asking: lock taken while an action is executed.
        at_once: how many runs may be in progress.
    """

    def __init__(self, folder: Path, asking: threading.Lock, at_once: int) -> None:
        env = read_environment(folder)
        self.port = port_client(env)
        # Without PyGithub's pauses and retries: this loop retries by itself.
        github = Github(
            base_url=env["GITHUB_API_URL"],
            auth=Auth.Token(env["GITHUB_TOKEN"]),
            seconds_between_requests=None,
            seconds_between_writes=None,
            retry=None,
            timeout=300,
            lazy=True,
        )
        self.services = github.get_repo(env["SERVICES_REPO"])
        self._env = env
        self._url = env["PORT_BASE_URL"]
        self._headers = {
            person: self._sign_in(person) for person in (REQUESTER, APPROVER, _SECOND_APPROVER)
        }
        self.asked: dict[str, Asked] = {}
        self.open: set[str] = set()
        self._asking = asking
        self._at_once = at_once
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._seen: set[str] = set()
        self._next_look = 0.0

    def _sign_in(self, person: str) -> dict[str, str]:
        """Return the headers of a person's requests.

        The client would retry the execution of an action, which creates a second run.
        """
        login = {"clientId": person, "clientSecret": SANDBOX_PASSWORD}
        answer = requests.post(f"{self._url}/v1/auth/access_token", json=login, timeout=300)
        answer.raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['accessToken']}"}

    def may_ask(self, ask: Ask) -> bool:
        """Return whether a request is due: mostly one at a time per service."""
        if len(self.open) >= self._at_once:
            return False
        runs = [asked.ask for run_id in self.open if (asked := self.asked[run_id]).ask]
        under_way = sum(run is not None and run.service == ask.service for run in runs)
        return under_way < (_CROWD if ask.impatient else 1)

    def ask(self, ask: Ask) -> None:
        """Execute an action."""
        entity = None if ask.action == CREATE else ask.service
        run_id = self._execute(ask.action, ask.inputs, entity)
        if run_id is None:
            # The service does not exist yet, so the request first creates it.
            ask = as_creation(ask)
            run_id = self._execute(ask.action, ask.inputs, None)
        if run_id is None:
            raise SlipwayError(f"Port has no action {ask.action}. Install it: scripts/port_setup")
        self._note(Asked(run_id, ask))
        for seconds in ask.redelivered_after:
            self._in(seconds, partial(self._redeliver, run_id))
        if ask.cancelled_after is not None:
            self._in(ask.cancelled_after, partial(self._cancel, run_id))

    def act(self) -> None:
        """Do what is due, and check open decisions at most once a second."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, action = heapq.heappop(self._due)
            try:
                action()
            except _PASSING:
                self._in(_LOOK_SECONDS, action)
        if time.monotonic() < self._next_look:
            return
        with suppress(*_PASSING):  # After a failed read, the next round reads again.
            self._look()
        self._next_look = time.monotonic() + _LOOK_SECONDS

    def _look(self) -> None:
        active = {run.id for action in (*ACTIONS, DECIDE) for run in self.port.active_runs(action)}
        self.open = active & self.asked.keys()
        for request in self._requests():
            self._once(f"approval {request['identifier']}", partial(self._approve, request))
        for pull in self.services.get_pulls(state="open"):
            self._once(f"pull {pull.number}", partial(self._review, pull))

    def _requests(self) -> Iterator[dict[str, Any]]:
        """Yield the approval requests that wait."""
        rules = [
            {"property": "$blueprint", "operator": "=", "value": "approval_request"},
            {"property": "status", "operator": "=", "value": "Pending"},
        ]
        query = {"combinator": "and", "rules": rules}
        answer = self.port.request("POST", "/v1/entities/search", json=query)
        yield from answer["entities"]

    def _approve(self, request: dict[str, Any]) -> None:
        run_id, _, number = str(request["identifier"]).rpartition(".")
        asked = self.asked.get(run_id)
        if asked is None or asked.ask is None:
            return
        answers = {"APPROVE": ("APPROVE",), "DECLINE": ("DECLINE",), "BOTH": ("APPROVE", "DECLINE")}
        people = (APPROVER, _SECOND_APPROVER)
        for decision, person in zip(answers.get(asked.ask.decision, ()), people, strict=False):
            decide = partial(self._decide, run_id, int(number), decision, person)
            self._in(asked.ask.hesitation, decide)

    def _decide(self, run_id: str, number: int, decision: str, person: str) -> None:
        entity = f"{run_id}.{number}"
        decision_run = self._execute(DECIDE, {"decision": decision}, entity, person)
        if decision_run:
            self._note(Asked(decision_run, None, (decision, run_id, number)))

    def _review(self, pull: PullRequest) -> None:
        asked = self.asked.get(pull.head.ref.rpartition("/")[2])
        if asked and asked.ask:
            end = self._merge if asked.ask.end == "merge" else self._close
            self._in(asked.ask.hesitation, partial(end, pull.number))

    def _merge(self, number: int) -> None:
        pull = self.services.get_pull(number)
        if pull.state == "open":
            pull.merge(merge_method="squash")

    def _close(self, number: int) -> None:
        pull = self.services.get_pull(number)
        if pull.state == "open":
            pull.edit(state="closed")

    def _redeliver(self, run_id: str) -> None:
        knob(self._env, "port", "POST", "redeliver", {"run_id": run_id})

    def _cancel(self, run_id: str) -> None:
        with suppress(RunEnded):
            self.port.update_run(run_id, status="FAILURE", summary=CHANGED_MIND)

    def _execute(
        self, action: str, inputs: dict[str, Any], entity: str | None, person: str = REQUESTER
    ) -> str | None:
        """Execute an action; return the run's id, or None without an entity."""
        with self._asking:
            answer = requests.post(
                f"{self._url}/v1/actions/{action}/runs",
                json={"properties": inputs} | ({"entity": entity} if entity else {}),
                headers=self._headers[person],
                timeout=300,
            )
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return str(answer.json()["run"]["id"])

    def _note(self, asked: Asked) -> None:
        self.asked[asked.run_id] = asked
        self.open.add(asked.run_id)

    def _once(self, what: str, action: Callable[[], None]) -> None:
        if what not in self._seen:
            self._seen.add(what)
            action()

    def _in(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), action))
