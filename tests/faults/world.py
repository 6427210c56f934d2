"""Run all of Slipway in one process: its real handlers, and everything around them.

AWS is moto, Port and GitHub are the sandbox's servers, and `machines` runs the executions. Time
moves only when code waits. Failed work is repeated as in production: by the event source mapping,
Step Functions' retries, `deliver_later`, and people who press the button again.
"""

import base64
import importlib
import json
import os
import re
import secrets
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import batched, islice
from pathlib import Path
from typing import Any

import boto3
import requests
from github import InputGitTreeElement
from github.PullRequest import PullRequest
from github.WorkflowRun import WorkflowRun
from slipway.approvals.links import Link, sign
from slipway.aws import dynamodb_table
from slipway.config import load
from slipway.errors import RunEnded
from slipway.runs.queues import QueueBatch

from sandbox.testing import OWN_ROUTES
from tests.entities import created_service
from tests.faults.installation import (
    ACTIONS,
    AUDIENCE,
    LINK_KEY,
    REGION,
    VISIBILITY_SECONDS,
    Context,
    Installation,
    Json,
    real,
)
from tests.faults.machines import Execution
from tests.faults.wire import Fault, Killed
from tests.gateway import proxy_event
from tests.port_server import CREDENTIALS
from tests.unit.conftest import ACCOUNT, backend
from tests.unit.port.signing import signed_request

DEVELOPER, DEVOPS = "developer@acme.example", "devops@acme.example"
ROLE = "arn:aws:sts::123456789012:assumed-role/approver/session"
# Work that fails this often (by an event source, a person or a machine) counts as stuck.
MOST_ATTEMPTS = 6


class World:
    """One service, and everything that happens to it in one case."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.at = installation
        self.wire, self.clock, self.port = (
            installation.wire,
            installation.clock,
            installation.port.client,
        )
        self.folder = folder
        self.wire.reset()
        self.clock.set_right()
        installation.clear_account()
        installation.new_process()
        self.service = "s" + secrets.token_hex(6)
        self.names = [self.service]
        self.runs: list[str] = []
        # Run of a decision → its approval request.
        self.decisions: dict[str, str] = {}
        self.executions: dict[tuple[str, str], Execution] = {}
        # Whether changes of the service are watched, and ended pull requests are reported.
        self.watches, self.reports = False, True
        self.is_unhealthy: Callable[[], bool] = lambda: False
        # What is unavailable when the next record is delivered for the first time.
        self.outage: tuple[str, Fault] | None = None
        # What is unavailable until the flow says otherwise.
        self.away: dict[str, Fault] = {}
        self.crashes = 0
        # Whether Port sends webhook requests, each once, instead of messages on a topic.
        self.by_webhook = False
        # Bytes that each request is larger, and whether SQS delivers each message twice because
        # its deletion comes too late.
        self.padding, self.repeats = 0, False
        # Asynchronous invocations by the sweep.
        self.doorbells: list[tuple[str, Any]] = []
        self._sequence: dict[str, int] = {}
        self._reported: set[tuple[int, str]] = set()
        self.looked_at_pulls = -1
        self.calls_of_people = 0

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep faults away from what happens here."""
        before, self.wire.counts = self.wire.counts, False
        try:
            yield
        finally:
            self.wire.counts = before

    def time_passes(self, time: timedelta) -> None:
        self.clock.pass_by(time.total_seconds())

    # -- what people do

    def exists(self, environment: str = "Production", **properties: Any) -> None:
        """Create the service as a merged create leaves it."""
        files, body = created_service(self.service, environment, **properties)
        self.commit(files)
        self.port.upsert_entity("service", body)

    def commit(self, files: dict[str, str | None], branch: str = "main") -> None:
        repository = self.at.repository
        reference = repository.get_git_ref(f"heads/{branch}")
        head = repository.get_git_commit(reference.object.sha)
        elements = [
            InputGitTreeElement(path, "100644", "blob", sha=None)
            if text is None
            else InputGitTreeElement(path, "100644", "blob", content=text)
            for path, text in files.items()
        ]
        tree = repository.create_git_tree(elements, head.tree)
        commit = repository.create_git_commit("By hand", tree, [head])
        reference.edit(commit.sha)

    def execute(
        self, action: str, inputs: Json | None = None, *, entity: str = "", person: str = DEVELOPER
    ) -> str:
        """Execute an action as its form would; returns the run's id."""
        body: Json = {"properties": inputs or {}} | ({"entity": entity} if entity else {})
        client = self.at.port.person(person)
        answer = client.request("POST", f"/v1/actions/{action}/runs", json=body)
        run_id = str(answer["run"]["id"])
        self.runs.append(run_id)
        self.names.append(run_id)
        return run_id

    def create(self, environment: str = "Test", **inputs: Any) -> str:
        return self.execute(
            "create_service",
            {
                "service_name": self.service,
                "owner": DEVELOPER,
                "team": "payments",
                "project": "shop",
                "environment": environment,
                "service_type": "backend",
                "replicas": 2,
                "image_tag": "1.4.0",
                "values_format": "JSON",
                **inputs,
            },
        )

    def upscale(self, **inputs: Any) -> str:
        return self.execute("upscale_service", inputs, entity=self.service)

    def downscale(self, **inputs: Any) -> str:
        return self.execute("downscale_service", inputs, entity=self.service)

    def delete(self) -> str:
        return self.execute("delete_service", {"service_name": self.service}, entity=self.service)

    def decide(self, run_id: str, verdict: str, ask: int = 1) -> str:
        """Decide in Port."""
        inputs = {"decision": verdict, "comment": "so be it"}
        request = f"{run_id}.{ask}"
        decision = self.execute("decide_approval", inputs, entity=request, person=DEVOPS)
        self.decisions[decision] = request
        return decision

    def decide_by_api(self, approval_id: str, verdict: str) -> None:
        row = boto3.resource("dynamodb").Table("approvals").get_item(Key={"id": approval_id})
        change = str(row["Item"]["change_hash"])
        body = json.dumps({"decision": verdict, "change": change, "comment": "so be it"})
        self._press("POST", f"/approvals/{approval_id}/decision", body)

    def decide_by_link(self, approval_id: str, verdict: str) -> None:
        row = boto3.resource("dynamodb").Table("approvals").get_item(Key={"id": approval_id})
        ends = datetime.fromisoformat(str(row["Item"]["expires_at"]))
        token = sign(Link(approval_id, DEVOPS, ends), LINK_KEY)
        self._press("GET", f"/links/{token}", None)
        seen = str(row["Item"]["change_hash"])
        self._press("POST", f"/links/{token}", f"decision={verdict}&change_hash={seen}")

    def _press(self, method: str, path: str, body: str | None) -> None:
        """Send a person's request, and repeat it after a 5xx or a missing answer."""
        event = proxy_event(method, path, body, ROLE)
        self._repeated(
            f"{method} {path}", lambda: self.invoke("approval", event)["statusCode"] < 500, 60
        )

    def end_run(self, run_id: str) -> None:
        """End a run in Port, as a person does."""
        self.port.update_run(run_id, status="FAILURE", summary="Not wanted any more")

    def pulls(self) -> list[PullRequest]:
        """The pull requests of this case, oldest first."""
        found = []
        for pull in self.at.repository.get_pulls(state="all", sort="created", direction="desc"):
            if pull.number <= self.at.pull:
                break
            if pull.head.ref.startswith("slipway/"):
                found.append(pull)
        return found[::-1]

    def open_pull(self) -> PullRequest:
        (pull,) = (pull for pull in self.pulls() if pull.state == "open")
        return pull

    def merge(self) -> None:
        self.open_pull().merge(merge_method="squash")
        self.calls_of_people += 1

    def close(self) -> None:
        self.open_pull().edit(state="closed")
        self.calls_of_people += 1

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Require a check and an up-to-date branch for each merge."""
        self._protect()
        try:
            yield
        finally:
            self.at.repository.get_branch("main").remove_protection()

    def _protect(self) -> None:
        self.at.repository.get_branch("main").edit_protection(
            strict=True, contexts=["ci"], enforce_admins=True
        )

    def move_base(self) -> None:
        """Commit another change to the base branch."""
        self.at.repository.get_branch("main").remove_protection()
        self.commit({"apps/other/note": self.service})
        self._protect()

    def pass_check(self) -> None:
        """Report success for the newest commit of the open pull request."""
        head = self.open_pull().head.sha
        self.at.repository.get_commit(head).create_status("success", context="ci")

    def is_behind(self) -> bool:
        """Whether the open pull request lacks commits of the base branch."""
        number = self.open_pull().number
        return self.at.repository.get_pull(number).mergeable_state == "behind"

    def waits_to_merge(self, run_id: str) -> bool:
        """Whether the approval's execution waits for GitHub to allow the merge."""
        return self.executions["approval", run_id].state == "Wait to merge"

    # -- what AWS and GitHub do

    def invoke(self, function: str, event: Json) -> Any:
        """Invoke a function once."""
        folder = "action" if function in ACTIONS else function
        if os.environ.get("ACTION") != function:
            os.environ["ACTION"] = function
            load.cache_clear()  # Actions share a module here; in AWS each has its own process.
        handler = importlib.import_module(f"functions.{folder}.handler").handler
        if function == "probe_health":
            # The probed service is not part of Slipway: its answer is data, not a fault.
            unhealthy = self.is_unhealthy()
            self.at.health.script(f"GET /{self.service}", (503 if unhealthy else 200, {}, {}))
        # The event travels as JSON.
        sent = json.loads(json.dumps(event))
        kinds = ("step", "httpMethod", "detail-type")
        kind = next((event[kind] for kind in kinds if kind in event), "records")
        try:
            with self.wire.invocation(f"{function}, {kind}"):
                return handler(sent, Context(function))
        except Killed:
            self.crashes += 1
            self.at.new_process()
            raise

    def deliver(self, function: str, records: list[Json]) -> None:
        """Deliver records as an event source mapping does: until they are processed."""

        def take() -> bool:
            once, self.outage = [self.outage] if self.outage else [], None
            self.wire.given = self.away | dict(once)
            try:
                return self.deliver_once(function, records)
            finally:
                self.wire.given = self.away

        self._repeated(f"{function}'s record", take, 1)

    def _repeated(self, what: str, act: Callable[[], object], pause: float) -> None:
        """Repeat work until it succeeds, as its caller does."""
        why = "it reported a failure"
        for _ in range(MOST_ATTEMPTS):
            try:
                if act() is not False:
                    return
            except (Killed, Exception) as error:  # noqa: BLE001 - any failure is repeated
                why = repr(error)
            self.clock.pass_by(pause)
        raise AssertionError(f"{what} never succeeds: {why}")

    def deliver_once(self, function: str, records: list[Json]) -> bool:
        """Deliver records; return whether all were processed."""
        event = {
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": "broker:9092",
            "records": {f"{records[0]['topic']}-0": records},
        }
        return not self.invoke(function, event)["batchItemFailures"]

    def sweep(self) -> None:
        """Run the scheduled sweep, and repeat it if it was interrupted."""
        event = {"detail-type": "Scheduled Event"}
        self._repeated("the sweep", lambda: self.invoke("sweep_runs", event), 300)

    def be_swept(self) -> None:
        """Let the time pass that the sweep may take to repair what was interrupted."""
        for _ in range(2):
            self.time_passes(timedelta(minutes=31))
            self.sweep()
            self.settle()

    def report_stopped(self, machine: str, name: str) -> None:
        """Send EventBridge's event on an execution, repeated like any asynchronous invocation."""
        execution = self.executions[machine, name]
        event = {
            "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "stateMachineArn": _machine_arn(machine),
                "name": name,
                "status": execution.status,
                "input": json.dumps(execution.data),
            },
        }
        self._repeated("EventBridge's event", lambda: self.invoke("sweep_runs", event), 60)

    def stop(self, machine: str, name: str, status: str = "ABORTED") -> None:
        """End an execution from outside."""
        self.executions[machine, name].status = status
        self.note_executions()

    def time_out(self, name: str, machine: str = "approval") -> None:
        """End the wait for a decision without one."""
        execution = self.executions[machine, name]
        self.clock.pass_by(execution.seconds)
        execution.time_out()

    def lose_messages(self) -> None:
        """Drop the published messages, so that they are never delivered."""
        self.new_messages()

    @property
    def health_url(self) -> str:
        return f"{self.at.health.url}/{self.service}"

    def restarts(self) -> int:
        """Count the completed restarts of the service."""
        name = f"Restart {self.service} "
        return sum(
            run.display_title.startswith(name) and run.status == "completed"
            for run in self._workflow_runs()
        )

    def _workflow_runs(self) -> list[WorkflowRun]:
        """Return the newest workflow runs."""
        return list(islice(self.at.repository.get_workflow_runs(), 10))

    def run_report(self, pull: PullRequest, *, by_hand: bool = False) -> None:
        """Run the report workflow of an ended pull request; it repeats a failed request."""
        claims = {
            "aud": AUDIENCE,
            "repository_id": str(self.at.repository.id),
            "event_name": "workflow_dispatch" if by_hand else "pull_request_target",
            "workflow_ref": "acme/services/.github/workflows/slipway-report.yml@refs/heads/main",
            # Time moves here, but not for GitHub's process.
            "nbf": 0,
            "iat": 0,
            "exp": int(time.time()) + 3600,
        }
        token = self.at.github.control("POST", "id_tokens", {"claims": claims})["token"]
        event = {
            "httpMethod": "POST",
            "path": "/reports",
            "headers": {"Authorization": f"Bearer {token}"},
            "body": json.dumps({"pull_request": pull.number}),
            "isBase64Encoded": False,
        }

        def ask() -> bool:
            return bool(self.invoke("report_pull_request", event)["statusCode"] < 500)

        self._repeated(f"the report of #{pull.number}", ask, 60)

    def settle(self) -> None:
        """Advance everything until nothing moves any more."""
        for _ in range(300):
            if not self._go_on():
                return
        raise AssertionError("it never settles")

    def settle_until(self, condition: Callable[[], bool]) -> None:
        """Advance everything until a condition is true."""
        while not condition():
            assert self._go_on(), "the condition never becomes true"

    def _go_on(self) -> bool:
        return (
            self.deliver_messages() or self._advance() or self.report_ended_pulls() or self._wake()
        )

    def is_postponed(self, run_id: str) -> bool:
        """Whether the run waits for GitHub, and not for an invocation that was killed."""
        row = dynamodb_table("runs").get_item(Key={"run_id": run_id}).get("Item") or {}
        return {"deliveries", "resume_at"} <= row.keys()

    def deliver_messages(self) -> bool:
        messages = self.new_messages()
        for message in messages:
            if function := self.consumer_of(message):
                if self.by_webhook and function == "health_checker":
                    with self.undisturbed():  # A lost change starts nothing: docs/reliability.md.
                        self.request(message)
                elif self.by_webhook:
                    self.request(message)
                else:
                    self.deliver(function, [self.record(message)])
        return bool(messages) | self.deliver_queued() | self.answer_doorbells()

    def request(self, message: Json) -> None:
        """Send a message to the webhook as Port does: once, without regard to the answer."""
        # JSON allows white space, so any message can be larger than a message of SQS.
        body = message["value"].encode() + b" " * self.padding
        event = {**signed_request(body, secret=CREDENTIALS["client_secret"]), "httpMethod": "POST"}
        with suppress(Killed, Exception):
            self.invoke("receive_webhook", event)

    def deliver_queued(self) -> bool:
        """Deliver queued messages as event source mappings do, until SQS has none left.

        SQS delivers what was not deleted again, after the visibility timeout.
        """
        found = False
        for queue in self.at.queues.values():
            for _ in range(MOST_ATTEMPTS):
                if not (messages := self._receive(queue)):
                    break
                found = True
                if not self._empty(queue, messages):
                    self.clock.pass_by(VISIBILITY_SECONDS + 1)
            else:
                raise AssertionError(f"messages of {queue} never succeed")
        return found

    def _receive(self, queue: str) -> list[Any]:
        held = backend("sqs").queues[queue.rpartition("/")[2]]
        # moto keeps a group locked until each of its messages was received once more.
        held._pending_messages = {one for one in held._pending_messages if not one.visible}
        for message in held._messages:
            # moto's numbers are random; those of SQS increase within a group.
            number = self._sequence.setdefault(message.id, len(self._sequence))
            message.sequence_number = f"{number:020}"
        found = boto3.client("sqs").receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(found.get("Messages", []))

    def _empty(self, queue: str, messages: list[Any]) -> bool:
        """Deliver received messages once; return whether all of them are deleted."""
        # As in `terraform/functions.tf`: runs come one by one, changes in batches.
        size = 10 if queue.endswith(".fifo") else 1
        deleted = 0
        for batch in batched(messages, size, strict=False):
            event = {"Records": [queued(message, queue) for message in batch]}
            failed = {message["MessageId"] for message in batch}
            with suppress(Killed, Exception):
                failed = self._failed(event)
            for message in batch:
                first = message["Attributes"]["ApproximateReceiveCount"] == "1"
                if message["MessageId"] not in failed and not (self.repeats and first):
                    handle = message["ReceiptHandle"]
                    boto3.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=handle)
                    deleted += 1
        return deleted == len(messages)

    def _take(self, function: str, event: Json) -> bool:
        return not self.invoke(function, event)["batchItemFailures"]

    def _failed(self, event: Json) -> set[str]:
        """Invoke the function of a queue's messages; return those that failed."""
        value = QueueBatch(event, "records").records()[0].value
        function = self.consumer_of({"value": json.dumps(value)})
        if function is None:
            return set()
        failures = self.invoke(function, event)["batchItemFailures"]
        return {failure["itemIdentifier"] for failure in failures}

    def answer_doorbells(self) -> bool:
        """Invoke functions as Lambda does for asynchronous events: with two retries."""
        rung, self.doorbells = self.doorbells, []
        for arn, event in rung:
            for _attempt in range(3):
                with suppress(Killed, Exception):
                    if self._invoke_by_arn(arn, event)["outcome"] == "failed":
                        self._replay(arn, event["doorbell"]["run_id"])
                    break
        return bool(rung)

    def _replay(self, arn: str, run_id: str) -> None:
        """Replay the record that a failed doorbell left, as an operator does."""
        stored = boto3.client("s3").get_object(Bucket="records", Key=f"held/{run_id}.json")
        event = {"records": {"doorbell-0": [json.loads(stored["Body"].read())]}, "replay": True}
        function = arn.split(":")[6].removeprefix("slipway-")
        self._repeated(f"{function}'s replay", partial(self._take, function, event), 1)

    def sweep_unreceived(self) -> None:
        """Let the sweep invoke functions for runs that were never received."""
        self.time_passes(timedelta(minutes=16))
        with self.undisturbed():  # The sweep's order is random.
            self.sweep()
        self.settle()

    def consumer_of(self, message: Json) -> str | None:
        """Return the function whose event source mapping passes a message."""
        value = json.loads(message["value"])
        if value.get("resourceType") == "entity":
            ours = (value.get("context") or {}).get("entity") == self.service
            return "health_checker" if self.watches and ours else None
        if "action" not in value:  # A message of a workflow's node, which flows do not have.
            return None
        decides = value["action"] in {"run_ended", "decide_approval"}
        return "approval" if decides else str(value["action"])

    @staticmethod
    def record(message: Json) -> Json:
        """A message of the outbox as a Kafka record."""
        published = datetime.fromisoformat(message["createdAt"])
        return {
            "topic": message["topic"],
            "partition": 0,
            "offset": message["number"],
            "timestamp": int(published.timestamp() * 1000),
            "timestampType": "CREATE_TIME",
            "value": base64.b64encode(message["value"].encode()).decode(),
            "headers": [],
        }

    def new_messages(self) -> list[Json]:
        url = f"{self.at.port.url}/_sandbox/messages"
        answer = requests.get(url, params={"limit": "50"}, headers=OWN_ROUTES, timeout=300)
        found = answer.json()["messages"]
        new = [message for message in found if message["number"] > self.at.message][::-1]
        if new:
            self.at.message = new[-1]["number"]
        return new

    def _advance(self) -> bool:
        """Advance the executions."""
        self.note_executions()
        moved = [execution.advance() for execution in list(self.executions.values())]
        self.note_executions()
        return any(moved)

    def note_executions(self) -> None:
        """Take over started executions, and record in Step Functions which have ended."""
        for machine in backend("stepfunctions").state_machines:
            for started in machine.executions:
                key = (machine.name, started.name)
                if key not in self.executions:
                    self.executions[key] = Execution(
                        machine=self.at.machines[machine.name],
                        name=started.name,
                        data=json.loads(started.execution_input),
                        invoke=self._invoke_by_arn,
                        pause=self.clock.pass_by,
                    )
                started.status = self.executions[key].status

    def _invoke_by_arn(self, arn: str, payload: Json) -> Any:
        return self.invoke(arn.split(":")[6].removeprefix("slipway-"), payload)

    def answer_token(self, token: str, output: Any) -> bool:
        """Answer a task token; return whether an execution waits for it."""
        for execution in self.executions.values():
            if execution.token == token and execution.status == "RUNNING":
                execution.answer(output)
                return True
        return False

    def _wake(self) -> bool:
        """Let time pass until the next execution continues."""
        waiting = [
            (execution.until, number)
            for number, execution in enumerate(self.executions.values())
            if execution.until is not None and execution.status == "RUNNING"
        ]
        if not waiting:
            return False
        self._let_workflows_end()
        moment, number = min(waiting)
        self.clock.until(moment)
        list(self.executions.values())[number].wake()
        return True

    def _let_workflows_end(self) -> None:
        """Wait for the workflows of GitHub, which run in real time."""
        ends = real.time() + 300
        while any(run.status != "completed" for run in self._workflow_runs()):
            assert real.time() < ends, "a workflow does not end"
            select.select([], [], [], 0.05)  # between two checks; `time.sleep` moves the clock

    def writes_to(self, service: str) -> int:
        """Count the calls with which Slipway may have changed a service."""
        return sum(call.service == service and call.writes for call in self.wire.everything)

    def report_ended_pulls(self) -> bool:
        made = self.writes_to("GitHub") + self.calls_of_people
        if made == self.looked_at_pulls or not self.reports:
            return False
        self.looked_at_pulls = made
        moved = False
        for pull in self.pulls():
            key = (pull.number, str(pull.closed_at))
            if pull.state == "closed" and key not in self._reported:
                self._reported.add(key)
                self.run_report(pull)
                moved = True
        return moved

    # -- the end of a case

    def clear(self) -> None:
        """End what is still open, so that it does not affect the next case."""
        for run_id in self.runs:
            if not self.port.get_run(run_id).ended:
                self.port.update_run(run_id, status="SUCCESS")
        for message in self.new_messages():
            if run_id := json.loads(message["value"]).get("context", {}).get("automationRunId"):
                with suppress(RunEnded):
                    self.port.update_run(run_id, status="SUCCESS")
        if self.writes_to("GitHub"):
            for pull in self.pulls():
                if pull.state == "open":
                    pull.edit(state="closed")
            self._delete_branches()
            issues = self.at.repository.get_issues(state="all", sort="created", direction="desc")
            self.at.pull = max(self.at.pull, next((issue.number for issue in issues), 0))

    def _delete_branches(self) -> None:
        """Delete this case's branches, which the sweep of another case would delete."""
        git = ["git", "-C", str(self.at.bare_repository)]
        branches = ["for-each-ref", "--format=delete %(refname)", "refs/heads/slipway"]
        listed = subprocess.run([*git, *branches], check=True, stdout=subprocess.PIPE)
        subprocess.run([*git, "update-ref", "--stdin"], check=True, input=listed.stdout)


def queued(message: Any, queue: str) -> Json:
    """Return a message of SQS as an event source mapping gives it."""
    return {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rpartition('/')[2]}",
    }


def _machine_arn(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def endings(world: World) -> dict[str, set[str]]:
    """Return the terminal statuses that Slipway tried to write, by run of a person.

    Runs of automations do not count: both the sweep and the message may end one.
    """
    found: dict[str, set[str]] = {}
    for call in world.wire.everything:
        ending = re.fullmatch(r"PATCH /v1/actions/runs/(\w+)", call.what)
        if ending and ending[1] in world.runs and call.status:
            found.setdefault(ending[1], set()).add(call.status)
    return found


@contextmanager
def case(installation: Installation, folder: Path) -> Iterator[World]:
    """Make a world, and clean up afterwards."""
    world = World(installation, folder)
    installation.wire.on_token = world.answer_token
    installation.wire.on_event = lambda arn, event: world.doorbells.append((arn, event))
    try:
        yield world
    finally:
        world.wire.fault = None
        world.clear()


Flow = Callable[[World], None]
