"""The people of a soak: who asks, who approves, who reviews, who changes their mind."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from github import Auth, Github, GithubException
from github.PullRequest import PullRequest
from slipway.errors import PortError, PortUnavailable, RetryableError, SlipwayError

from scripts.demo import APPROVER, Story
from scripts.soaking.gather import ACTIONS, Asked
from scripts.soaking.workload import CREATE, DECIDE, Ask, as_creation

_SECOND_APPROVER = "admin@acme.example"
_LOOK_SECONDS = 1.0
# What a person who gets such an answer tries again later.
PASSING = (RetryableError, GithubException, requests.RequestException)


class People:
    """Asks for what the plan says, and does what people do meanwhile. Not for several threads.

    Args:
        folder: the sandbox's folder.
        asking: held while an action is executed.
        at_once: how many runs may be in progress.
    """

    def __init__(self, folder: Path, asking: threading.Lock, at_once: int) -> None:
        self.story = Story(folder)
        # Without PyGithub's pauses, and without its patience: this loop tries again by itself.
        base = self.story.services.requester.base_url
        token = self.story.services.requester.auth.token
        self._github = Github(
            base_url=base,
            auth=Auth.Token(token),
            seconds_between_requests=None,
            seconds_between_writes=None,
            retry=None,
            timeout=10,
        )
        self.services = self._github.get_repo(self.story.services.full_name, lazy=True)
        self.asked: dict[str, Asked] = {}
        self.open: set[str] = set()
        self._asking = asking
        self._at_once = at_once
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._seen: set[str] = set()
        self._next_look = 0.0

    def ask(self, ask: Ask) -> bool:
        """Execute an action, unless too many runs are in progress.

        Returns:
            Whether it was.
        """
        if len(self.open) >= self._at_once:
            return False
        entity = None if ask.action == CREATE else ask.service
        try:
            run_id = self._execute(ask.action, ask.inputs, entity)
        except PortError as error:
            if entity is None or error.status not in {404, 422}:
                raise
            # There is no such service to be changed: then somebody wants it made.
            ask = as_creation(ask)
            run_id = self._execute(ask.action, ask.inputs, None)
        self._note(Asked(run_id, ask))
        for seconds in ask.redelivered_after:
            self._in(seconds, lambda: self._redeliver(run_id))
        if ask.cancelled_after is not None:
            self._in(ask.cancelled_after, lambda: self._cancel(run_id))
        return True

    def act(self) -> None:
        """Do what is due, and look at what there is to be decided, at most once a second."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, deed = heapq.heappop(self._due)
            try:
                deed()
            except PASSING:
                self._in(_LOOK_SECONDS, deed)
        if time.monotonic() < self._next_look:
            return
        try:
            self._look()
        except PASSING:
            pass  # Somebody who cannot look now looks again.
        self._next_look = time.monotonic() + _LOOK_SECONDS

    def _look(self) -> None:
        active = {
            run.id for action in (*ACTIONS, DECIDE) for run in self.story.port.active_runs(action)
        }
        self.open = active & self.asked.keys()
        for request in self._requests():
            self._once(f"approval {request['identifier']}", lambda r=request: self._approve(r))
        for pull in self.services.get_pulls(state="open"):
            self._once(f"pull {pull.number}", lambda p=pull: self._review(p))

    def _requests(self) -> Iterator[dict[str, Any]]:
        """The approval requests that wait."""
        rules = [
            {"property": "$blueprint", "operator": "=", "value": "approval_request"},
            {"property": "status", "operator": "=", "value": "Pending"},
        ]
        query = {"combinator": "and", "rules": rules}
        answer = self.story.port.request("POST", "/v1/entities/search", json=query)
        yield from answer["entities"]

    def _approve(self, request: dict[str, Any]) -> None:
        run_id, _, number = str(request["identifier"]).rpartition(".")
        asked = self.asked.get(run_id)
        if asked is None or asked.ask is None:
            return
        answers = {"APPROVE": ("APPROVE",), "DECLINE": ("DECLINE",), "BOTH": ("APPROVE", "DECLINE")}
        people = (APPROVER, _SECOND_APPROVER)
        for verdict, person in zip(answers.get(asked.ask.decision, ()), people, strict=False):
            self._in(
                asked.ask.hesitation,
                lambda v=verdict, p=person: self._decide(run_id, int(number), v, p),
            )

    def _decide(self, run_id: str, number: int, verdict: str, person: str) -> None:
        entity = f"{run_id}.{number}"
        decision = self._execute(DECIDE, {"decision": verdict}, entity, person)
        self._note(Asked(decision, None, (verdict, run_id, number)))

    def _review(self, pull: PullRequest) -> None:
        asked = self.asked.get(pull.head.ref.rpartition("/")[2])
        if asked is None or asked.ask is None:
            return
        ends = {"merge": self._merge, "close": self._close}
        self._in(asked.ask.hesitation, lambda: ends[asked.ask.end](pull))  # type: ignore[union-attr]

    @staticmethod
    def _merge(pull: PullRequest) -> None:
        if pull.update() or True:
            if pull.state == "open":
                pull.merge(merge_method="squash")

    @staticmethod
    def _close(pull: PullRequest) -> None:
        pull.edit(state="closed")

    def _redeliver(self, run_id: str) -> None:
        base = self.story.port_url
        answer = requests.post(f"{base}/_sandbox/redeliver", json={"run_id": run_id}, timeout=10)
        answer.raise_for_status()

    def _cancel(self, run_id: str) -> None:
        try:
            self.story.port.update_run(run_id, status="FAILURE", summary="I have changed my mind.")
        except SlipwayError as error:
            if isinstance(error, PortUnavailable):
                raise
            return  # It has ended before.
        self.asked[run_id].cancelled = True

    def _execute(
        self, action: str, inputs: dict[str, Any], entity: str | None, person: str | None = None
    ) -> str:
        with self._asking:
            if person:
                return self.story.execute(action, inputs, entity=entity, person=person)
            return self.story.execute(action, inputs, entity=entity)

    def _note(self, asked: Asked) -> None:
        self.asked[asked.run_id] = asked
        self.open.add(asked.run_id)

    def _once(self, what: str, deed: Callable[[], None]) -> None:
        if what not in self._seen:
            self._seen.add(what)
            deed()

    def _in(self, seconds: float, deed: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), deed))
