"""Slipway as a whole in one process: its real handlers, and everything around them.

AWS is moto, Port and GitHub are the sandbox's servers, executions are run by `machines`, and time
moves only when somebody waits. Whatever would repeat a failed piece of work does so here too: the
event source mapping, Step Functions' retries, `deliver_later`, and people who press the button
again.
"""

import base64
import importlib
import io
import json
import os
import re
import secrets
import select
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import requests
import time_machine
from github import InputGitTreeElement
from github.PullRequest import PullRequest
from github.WorkflowRun import WorkflowRun
from moto.backends import get_backend
from report import main as report
from slipway.approvals.links import Link, sign
from slipway.errors import RunEnded
from slipway.health.record import execution_name
from slipway.observability import logger
from slipway.port.client import PortClient
from slipway_report.api import Patience

from tests.contract.github.conftest import TOKEN, GitHubServer
from tests.faults.machines import Execution, read_machine
from tests.faults.wire import Fault, Killed, Wire
from tests.port_server import CREDENTIALS, PortServer
from tests.scripted import ScriptedServer
from tests.unit.conftest import ENVIRONMENT, POLICY, TABLES, make_account, set_policy

Json = dict[str, Any]
# Everybody else's time.
real = time_machine.escape_hatch.time
REGION, ACCOUNT = "eu-west-1", "123456789012"
RUNS, CHANGES = "org_sandbox.runs", "org_sandbox.change.log"
DEVELOPER, DEVOPS = "developer@acme.example", "devops@acme.example"
ROLE = "arn:aws:sts::123456789012:assumed-role/approver/session"
ACTIONS = ("create_service", "upscale_service", "downscale_service", "delete_service")
LINK_KEY = "a-key-that-signs-links"
VALUES = "# by hand\nreplicas: 2   # not more\nimage: {tag: '1.0'}\n"
EXPECTED_WARNINGS = pytest.mark.filterwarnings(
    # A process that was killed leaves its connections to the garbage collector.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:No application metrics:UserWarning",
)
# As often as the event source, a person or a machine tries before this counts as stuck.
PATIENCE = 6
# What the workflows of the services repository do is done by the flows themselves: the report by
# its own script, the restart by whoever says what is ill.
_WORKFLOW = """\
name: {name}
run-name: {run_name}
on: {{workflow_dispatch: {{inputs: {{{inputs}}}}}}}
jobs:
  nothing:
    runs-on: ubuntu-latest
    steps: [{{run: "true"}}]
"""
WORKFLOWS = {
    "slipway-report.yml": _WORKFLOW.format(
        name="Slipway report",
        run_name="Report ${{ inputs.pull_request }}",
        inputs="pull_request: {required: true, type: string}",
    ),
    "slipway-restart.yml": _WORKFLOW.format(
        name="Slipway restart",
        run_name="Restart ${{ inputs.service }} (${{ inputs.remediation }})",
        inputs="service: {required: true, type: string}, "
        "remediation: {required: false, type: string}",
    ),
}
REMEDIATION: Json = {
    "schema_version": 1,
    "strategies": [
        {"kind": "restart", "wait_seconds": 5},
        {"kind": "roll_back", "wait_seconds": 5, "auto_merge": True},
        {"kind": "scale_up", "wait_seconds": 5},
    ],
    "environments": ["Test", "Staging"],
    "approval_environments": ["Staging"],
    "verify": {"probes": 3, "interval_seconds": 5, "healthy_after": 2, "ill_after": 2},
    "settle": {"probes": 3, "interval_seconds": 5, "healthy_after": 2, "ill_after": 2},
}


class Clock:
    """The time of everything in this process; it passes at once when somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self._ahead = 0.0
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self._ahead)
        monkeypatch.setattr(time, "sleep", self.pass_by)
        # These have taken time.sleep as a default before.
        defaults = PortClient.__init__.__kwdefaults__ or {}
        monkeypatch.setitem(defaults, "sleep", self.pass_by)
        monkeypatch.setattr(Patience.__init__, "__defaults__", (300, self.pass_by))

    def pass_by(self, seconds: float) -> None:
        self._ahead += seconds
        self._traveller.shift(timedelta(seconds=seconds))

    def until(self, moment: datetime) -> None:
        self.pass_by(max(0.0, (moment - datetime.now(UTC)).total_seconds()))

    def set_right(self) -> None:
        """Go back to everybody else's time."""
        self._ahead = 0.0
        self._traveller.move_to(real.time())


class Context:
    """What Lambda tells a function of its invocation."""

    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, function: str) -> None:
        self.function_name = f"slipway-{function}"
        self.invoked_function_arn = function_arn(function)

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:slipway-{name}:live"


class Installation:
    """What all cases share: the servers, moto's account, the clock and the wire."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        port: PortServer,
        github: GitHubServer,
        health: ScriptedServer,
        clock: Clock,
        bare_repository: Path,
    ) -> None:
        self.port, self.github, self.health, self.clock = port, github, health, clock
        self.bare_repository = bare_repository
        # Numbers of the newest message, and of the newest pull request or issue, of earlier cases.
        self.message = self.pull = 0
        self.wire = Wire(monkeypatch)
        self.wire.services = {
            port.url.removeprefix("http://"): "Port",
            github.url.removeprefix("http://"): "GitHub",
        }
        self.repository = github.client().get_repo("acme/services")
        _keep_clients(monkeypatch)
        for name, value in {
            **ENVIRONMENT,
            "PORT_BASE_URL": port.url,
            "GITHUB_API_URL": github.api,
            "OWN_ACTIONS": json.dumps(
                {action: function_arn(action) for action in ACTIONS}
                | dict.fromkeys(
                    ["decide_approval", *(f"{action}_ended" for action in ACTIONS)],
                    function_arn("approval"),
                )
            ),
            "SWEEP_LIMITS": "{}",
            "HEALTH_PROBE": json.dumps(
                {"allowed_cidrs": ["127.0.0.0/8"], "allowed_ports": [health.server_port]}
            ),
            "POWERTOOLS_METRICS_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        logger.setLevel(os.environ.get("FAULTS_LOG", "CRITICAL"))
        self.new_process()
        make_account()
        keep = boto3.client("secretsmanager").create_secret
        keep(Name="slipway/port", SecretString=json.dumps(CREDENTIALS))
        keep(Name="slipway/github", SecretString=json.dumps({"token": TOKEN}))
        keep(Name="slipway/links", SecretString=json.dumps({"key": LINK_KEY}))
        self.approvers = read_machine("approval", function=function_arn("approval"))
        self.machines = {
            "approval": self.approvers,
            "remediation": read_machine(
                "remediation",
                function=function_arn("remediation"),
                probe_function=function_arn("probe_health"),
                approvals=function_arn("approval"),
            ),
            "deliver_later": read_machine(
                "deliver_later", runs_table="runs", records_bucket="records"
            ),
        }
        self.set_remediation({})

    def new_process(self) -> None:
        """Throw away what a process keeps in its modules."""
        for name, module in list(sys.modules.items()):
            if name.startswith("slipway"):
                for value in list(vars(module).values()):
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    def set_remediation(self, changes: Json) -> None:
        body = json.dumps({**REMEDIATION, **changes}).encode()
        boto3.client("s3").put_object(Bucket="records", Key="policy/remediation.json", Body=body)

    def clear_account(self) -> None:
        """Empty the tables, the buckets, the topics and the machines."""
        for table in TABLES:
            _backend("dynamodb").tables[table].items.clear()
        for bucket in ("records", "audit"):
            _backend("s3", "aws").buckets[bucket].keys.clear()
        for topic in _backend("sns").topics.values():
            topic.sent_notifications.clear()
        for machine in _backend("stepfunctions").state_machines:
            machine.executions.clear()
        set_policy(POLICY)
        self.set_remediation({})
        boto3.client("s3").put_object(Bucket="records", Key="policy/consumers.json", Body=b"{}")


def _keep_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each of boto3's clients once: they keep nothing of a process but what they were told.

    Making one takes longer than most of what it is made for.
    """
    make, made = botocore.session.Session.create_client, dict[str, Any]()

    def create(session: Any, service: str, *args: Any, **more: Any) -> Any:
        config = more.get("config")
        key = f"{service} {sorted(vars(config).items()) if config else None}"
        if key not in made:
            made[key] = make(session, service, *args, **more)
        return made[key]

    monkeypatch.setattr(botocore.session.Session, "create_client", create)


def _backend(service: str, region: str = REGION) -> Any:
    return get_backend(service)[ACCOUNT][region]  # type: ignore[call-overload]


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
        self.executions: dict[tuple[str, str], Execution] = {}
        # Whether changes of the service are looked at, pull requests reported, the service ill.
        self.watches, self.reports = False, True
        self.is_ill: Callable[[], bool] = lambda: False
        # What is away while the next record is worked on for the first time.
        self.outage: tuple[str, Fault] | None = None
        self.crashes = 0
        self._reported: set[tuple[int, str]] = set()
        self.looked_at_pulls = -1
        self._calls_of_people = 0

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """What is arranged here meets no fault."""
        before, self.wire.counts = self.wire.counts, False
        try:
            yield
        finally:
            self.wire.counts = before

    def time_passes(self, time: timedelta) -> None:
        self.clock.pass_by(time.total_seconds())

    # -- what people do

    def exists(self, environment: str = "Production", **properties: Any) -> None:
        """Make the service as a merged create would have left it."""
        folder = f"apps/{self.service}"
        data = {
            "identifier": self.service,
            "title": self.service,
            "owner": DEVELOPER,
            "responsible_team": "payments",
            "project": "shop",
            "environment": environment,
            "service_type": "backend",
            "health_status": "Pending",
            "sync_status": "OutOfSync",
            "blueprint": "service",
            "run_id": "r_0000000000000000",
        }
        self.commit(
            {
                f"{folder}/portData.json": json.dumps(data, indent=2),
                f"{folder}/common_values.yaml": VALUES,
            }
        )
        shown = ("owner", "responsible_team", "project", "environment", "service_type")
        body = {
            "identifier": self.service,
            "title": self.service,
            "properties": {**{name: data[name] for name in shown}, "replicas": 2, **properties},
        }
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
        answer = self.port.request(
            "POST", f"/v1/actions/{action}/runs", params={"run_as": person}, json=body
        )
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
        return self.execute("decide_approval", inputs, entity=f"{run_id}.{ask}", person=DEVOPS)

    def decide_by_api(self, approval_id: str, verdict: str) -> None:
        body = json.dumps({"decision": verdict, "comment": "so be it"})
        self._press("POST", f"/approvals/{approval_id}/decision", body)

    def decide_by_link(self, approval_id: str, verdict: str) -> None:
        row = boto3.resource("dynamodb").Table("approvals").get_item(Key={"id": approval_id})
        ends = datetime.fromisoformat(str(row["Item"]["expires_at"]))
        token = sign(Link(approval_id, DEVOPS, ends), LINK_KEY)
        self._press("GET", f"/links/{token}", None)
        seen = str(row["Item"]["change_hash"])
        self._press("POST", f"/links/{token}", f"decision={verdict}&change_hash={seen}")

    def _press(self, method: str, path: str, body: str | None) -> None:
        """Somebody's request, who tries again when the answer says so, or never comes."""
        event = {
            "httpMethod": method,
            "path": path,
            "resource": path,
            "headers": {},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "body": body,
            "isBase64Encoded": False,
            "requestContext": {"stage": "live", "identity": {"userArn": ROLE}},
        }
        self._repeated(
            f"{method} {path}", lambda: self.invoke("approval", event)["statusCode"] < 500, 60
        )

    def end_run(self, run_id: str) -> None:
        """Somebody ends a run in Port."""
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
        self._calls_of_people += 1

    def close(self) -> None:
        self.open_pull().edit(state="closed")
        self._calls_of_people += 1

    # -- what AWS and GitHub do

    def invoke(self, function: str, event: Json) -> Any:
        """Invoke a function once."""
        handler = importlib.import_module(f"functions.{function}.handler").handler
        if function == "probe_health":
            # What is probed is no part of Slipway: its answer is data, not a fault.
            sick = self.is_ill()
            self.at.health.script(f"GET /{self.service}", (503 if sick else 200, {}, {}))
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
        """Deliver records as an event source mapping does: until they are taken."""

        def take() -> bool:
            self.wire.given, self.outage = dict([self.outage] if self.outage else []), None
            try:
                return self.deliver_once(function, records)
            finally:
                self.wire.given = {}

        self._repeated(f"{function}'s record", take, 1)

    def _repeated(self, what: str, act: Callable[[], object], pause: float) -> None:
        """Have a piece of work done again until it is done, as whoever calls it does."""
        why = "it says that it has failed"
        for _ in range(PATIENCE):
            try:
                if act() is not False:
                    return
            except (Killed, Exception) as error:  # noqa: BLE001 - whatever it is, it is done again
                why = repr(error)
            self.clock.pass_by(pause)
        raise AssertionError(f"{what} is never done: {why}")

    def deliver_once(self, function: str, records: list[Json]) -> bool:
        """Deliver records; whether all were taken."""
        event = {
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": "broker:9092",
            "records": {f"{records[0]['topic']}-0": records},
        }
        return not self.invoke(function, event)["batchItemFailures"]

    def sweep(self) -> None:
        """The schedule's next call, and the next if that was cut off."""
        event = {"detail-type": "Scheduled Event"}
        self._repeated("the sweep", lambda: self.invoke("sweep_runs", event), 300)

    def be_swept(self) -> None:
        """Let as much time pass as the net may take to mend what was cut off."""
        for _ in range(2):
            self.time_passes(timedelta(minutes=31))
            self.sweep()
            self.settle()

    def tell_stopped(self, machine: str, name: str) -> None:
        """EventBridge's word on an execution, repeated as for any asynchronous invocation."""
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
        self._repeated("EventBridge's word", lambda: self.invoke("sweep_runs", event), 60)

    def stop(self, machine: str, name: str, status: str = "ABORTED") -> None:
        """End an execution from outside."""
        self.executions[machine, name].status = status
        self.note_executions()

    def time_out(self, name: str, machine: str = "approval") -> None:
        """The wait for a decision ends without one."""
        execution = self.executions[machine, name]
        self.clock.pass_by(execution.seconds)
        execution.time_out()

    def lose_messages(self) -> None:
        """What was published is never delivered."""
        self.new_messages()

    @property
    def health_url(self) -> str:
        return f"{self.at.health.url}/{self.service}"

    def restarts(self) -> int:
        """How many restarts of the service have ended."""
        name = f"Restart {self.service} "
        return sum(
            run.display_title.startswith(name) and run.status == "completed"
            for run in self._workflow_runs()
        )

    def _workflow_runs(self) -> list[WorkflowRun]:
        """The newest."""
        return list(islice(self.at.repository.get_workflow_runs(), 10))

    def run_report(self, pull: PullRequest, *, by_hand: bool = False) -> None:
        """The workflow after a pull request's end; whoever sees that it failed re-runs it."""
        closed = pull.raw_data
        login = (closed.get("merged_by") or {}).get("login", "developer")
        event: Json = {"action": "closed", "pull_request": closed, "sender": {"login": login}}
        if by_hand:
            event = {"inputs": {"pull_request": str(pull.number)}}
        path = self.folder / "event.json"
        path.write_text(json.dumps(event))
        environment = {
            "GITHUB_API_URL": self.at.github.api,
            "GITHUB_REPOSITORY": "acme/services",
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REF_NAME": "main",
            "GITHUB_TOKEN": TOKEN,
            "PORT_BASE_URL": self.at.port.url,
            "PORT_CLIENT_ID": CREDENTIALS["client_id"],
            "PORT_CLIENT_SECRET": CREDENTIALS["client_secret"],
            "HEALTH_URL": f"{self.at.health.url}/{{service}}",
        }

        def run() -> bool:
            with redirect_stdout(io.StringIO()), self.wire.invocation("report"):
                return report(environment) == 0

        self._repeated(f"the report of #{pull.number}", run, 60)

    def settle(self) -> None:
        """Let everything go on until nothing does."""
        for _ in range(300):
            if not (
                self._deliver_messages()
                or self._advance()
                or self.report_ended_pulls()
                or self._wake()
            ):
                return
        raise AssertionError("it never comes to rest")

    def _deliver_messages(self) -> bool:
        messages = self.new_messages()
        for message in messages:
            if function := self.consumer_of(message):
                self.deliver(function, [self.record(message)])
        return bool(messages)

    def consumer_of(self, message: Json) -> str | None:
        """The function whose event source mapping lets a message through."""
        value = json.loads(message["value"])
        if message["topic"] == CHANGES:
            ours = (value.get("context") or {}).get("entity") == self.service
            return "health_checker" if self.watches and ours else None
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
        found = requests.get(url, params={"limit": "50"}, timeout=10).json()["messages"]
        new = [message for message in found if message["number"] > self.at.message][::-1]
        if new:
            self.at.message = new[-1]["number"]
        return new

    def _advance(self) -> bool:
        """Go on with the executions."""
        self.note_executions()
        moved = [execution.advance() for execution in list(self.executions.values())]
        self.note_executions()
        return any(moved)

    def note_executions(self) -> None:
        """Take on what was started, and have Step Functions know what has ended."""
        for machine in _backend("stepfunctions").state_machines:
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
        """Step Functions' SendTaskSuccess; whether somebody waits under this token."""
        for execution in self.executions.values():
            if execution.token == token and execution.status == "RUNNING":
                execution.tell(output)
                return True
        return False

    def _wake(self) -> bool:
        """Let time pass until the next execution goes on."""
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
        """Wait for those of GitHub, which are real."""
        ends = real.time() + 20
        while any(run.status != "completed" for run in self._workflow_runs()):
            assert real.time() < ends, "a workflow does not end"
            select.select([], [], [], 0.05)  # between two looks; `time.sleep` moves the clock

    def report_ended_pulls(self) -> bool:
        made = (
            sum(call.service == "GitHub" and call.writes for call in self.wire.everything)
            + self._calls_of_people
        )
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
        """End what is still open, so that the next case does not meet it."""
        for run_id in self.runs:
            if not self.port.get_run(run_id).ended:
                self.port.update_run(run_id, status="SUCCESS")
        for message in self.new_messages():
            if told := json.loads(message["value"]).get("context", {}).get("automationRunId"):
                with suppress(RunEnded):
                    self.port.update_run(told, status="SUCCESS")
        if any(call.service == "GitHub" and call.writes for call in self.wire.everything):
            for pull in self.pulls():
                if pull.state == "open":
                    pull.edit(state="closed")
            issues = self.at.repository.get_issues(state="all", sort="created", direction="desc")
            self.at.pull = max(self.at.pull, next((issue.number for issue in issues), 0))


def _machine_arn(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


# -- what is compared


_TIMES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"
    r"|(\d\d [A-Z][a-z]{2} )?\d\d:\d\d UTC"
)
_HASHES = re.compile(
    r"\b([0-9a-f]{64}|[0-9a-f]{40})\b|(?<=\[)[0-9a-f]{7}(?=\])|(?<=undo )[0-9a-f]{7}\b"
)


class Observed:
    """The final state of a case, with its own names and times taken out."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers: dict[int, str] = {}

    def everything(self) -> Json:
        """All that must be the same whatever has gone wrong.

        Legitimate differences, which are not looked at:

        * lines of a run's log: what is repeated says its line again, and a comfort line may be
          lost (`RunReporter.remark`); the run's status, label, summary and links are looked at;
        * how often an e-mail was sent: the kinds of e-mail are looked at, not their number;
        * how often a workflow of the services repository was started: both do what they do once,
          however often they are started (`Repairs.restart`, `PullRequests.report_again`);
        * an e-mail that SNS refuses for as long as it is tried: the request, or the issue, says the
          same (`Notices`, `Alerts`);
        * rows' counters and times (deliveries, postponements, versions, attempts of a wait);
        * `later/` records and `deliver_later` executions, as long as these have ended;
        * health findings' details, as a service is looked at once more or less often.
        """
        world = self._world
        pulls = [self._pull(pull) for pull in world.pulls()]
        found = {
            "runs": [self._run(run_id) for run_id in world.runs],
            "pulls": pulls,
            "branches": self._branches(),
            "main": self._folder(),
            "entity": self._entity("service", world.service),
            "requests": self._requests(),
            "ledger": [self._row(row) for row in self._rows("runs")],
            "locks": [(row["service"], row["owner"]) for row in self._rows("locks")],
            "approvals": [self._approval(row) for row in self._rows("approvals")],
            "remediations": [self._remediation(row) for row in self._rows("remediations")],
            "executions": self._executions(),
            "audit": self._audit(),
            "issues": self._issues() if world.watches else [],
            "e-mails": self._emails(),
        }
        result: Json = json.loads(self._anonymous(json.dumps(found, default=str, sort_keys=True)))
        return result

    def _anonymous(self, text: str) -> str:
        world = self._world
        for number in range(1, 9):
            text = text.replace(execution_name(world.service, number), f"REMEDIATION-{number}")
        for place, name in enumerate(world.names):
            text = text.replace(name, f"NAME-{place}")
        for number, alias in self._numbers.items():
            text = re.sub(rf"((?<!&)#|pull/|pulls/|issues/){number}\b", rf"\g<1>{alias}", text)
        return _HASHES.sub("HASH", _TIMES.sub("TIME", text))

    def _run(self, run_id: str) -> Json:
        answer = self._world.port.request(
            "GET", f"/v1/actions/runs/{run_id}", params={"version": "v2"}
        )
        run = answer["run"]
        return {name: run.get(name) for name in ("status", "statusLabel", "summary", "link")}

    def _pull(self, pull: PullRequest) -> Json:
        self._numbers[pull.number] = f"PULL-{len(self._numbers)}"
        return {
            "number": f"#{pull.number}",
            "branch": pull.head.ref,
            "state": pull.state,
            "merged": pull.merged_at is not None,
            "title": pull.title,
            "body": pull.body,
            "labels": sorted(label.name for label in pull.labels),
            "commits": pull.commits,
            "files": sorted(file.filename for file in pull.get_files()),
            "comments": [comment.body for comment in pull.get_issue_comments()],
        }

    def _branches(self) -> list[str]:
        names = self._git("for-each-ref", "--format=%(refname)", "refs/heads/slipway").decode()
        ours = (*self._world.runs, execution_name(self._world.service, 1)[:32])
        return sorted(name for name in names.split() if any(one in name for one in ours))

    def _folder(self) -> dict[str, str]:
        """The service's files on the base branch."""
        folder = f"apps/{self._world.service}"
        if not self._git("ls-tree", "main", folder):
            return {}
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", "main", folder))) as archive:
            return {
                member.name: (archive.extractfile(member) or io.BytesIO()).read().decode()
                for member in archive.getmembers()
                if member.isfile()
            }

    def _git(self, *command: str) -> bytes:
        repository = self._world.at.bare_repository
        done = subprocess.run(["git", "-C", repository, *command], capture_output=True, check=True)
        return done.stdout

    def _entity(self, blueprint: str, identifier: str) -> Json | None:
        entity = self._world.port.get_entity(blueprint, identifier)
        if entity is None:
            return None
        volatile = {"health_check_id", "last_health_check", "health_detail"}
        return {k: v for k, v in entity.properties.items() if k not in volatile}

    def _requests(self) -> list[Json | None]:
        rows = self._rows("approvals")
        return [self._entity("approval_request", str(row["id"])) for row in rows]

    def _rows(self, table: str) -> list[Json]:
        items = boto3.resource("dynamodb").Table(table).scan()["Items"]
        return sorted(items, key=lambda row: self._anonymous(str(row[TABLES[table]])))

    @staticmethod
    def _row(row: Json) -> Json:
        kept = (
            "run_id", "action", "service", "ask", "verdict", "outcome", "open", "pr_number",
            "requested_by",
        )  # fmt: skip
        return {name: row[name] for name in kept if name in row and name != "pr_number"} | {
            "pull request": f"#{row['pr_number']}" if "pr_number" in row else None
        }

    @staticmethod
    def _approval(row: Json) -> Json:
        votes = [(v["approver"], v["verdict"], v["door"]) for v in row["votes"].values()]
        return {"id": row["id"], "status": row["status"], "votes": votes}

    @staticmethod
    def _remediation(row: Json) -> Json:
        record = json.loads(row["record"])
        ending = record["ending"] or {}
        attempts = [(one["repair"]["step"], one["outcome"]) for one in record["state"]["attempts"]]
        return {
            "at work": record["execution"],
            "ending": ending.get("step"),
            "attempts": attempts,
        }

    def _executions(self) -> Json:
        return {
            f"{machine}/{name}": execution.status
            for (machine, name), execution in self._world.executions.items()
            if machine != "deliver_later" or execution.status != "SUCCEEDED"
        }

    @staticmethod
    def _audit() -> list[str]:
        found = boto3.client("s3").list_objects_v2(Bucket="audit").get("Contents", [])
        return sorted(item["Key"] for item in found)

    def _issues(self) -> list[Json]:
        found = []
        issues = self._world.at.repository.get_issues(state="all", sort="created", direction="desc")
        for issue in issues:
            if issue.number <= self._world.at.pull:
                break
            if "/pull/" not in issue.html_url:
                self._numbers[issue.number] = f"ISSUE-{len(self._numbers)}"
                found.append(
                    {"title": issue.title, "state": issue.state, "comments": issue.comments}
                )
        return found

    @staticmethod
    def _emails() -> list[str]:
        # (message id, message, subject, attributes, group)
        return sorted(
            {
                f"{sent[2]} {json.dumps(sent[3], sort_keys=True, default=str)}"
                for topic in _backend("sns").topics.values()
                for sent in topic.sent_notifications
            }
        )


def endings(world: World) -> dict[str, set[str]]:
    """Run → the terminal statuses that Slipway has tried to write."""
    found: dict[str, set[str]] = {}
    for call in world.wire.everything:
        ending = re.fullmatch(r"PATCH /v1/actions/runs/(\w+)", call.what)
        if ending and (status := call.status):
            found.setdefault(ending[1], set()).add(status)
    return found


@contextmanager
def case(installation: Installation, folder: Path) -> Iterator[World]:
    """A world, cleared up afterwards."""
    world = World(installation, folder)
    installation.wire.on_token = world.answer_token
    try:
        yield world
    finally:
        world.wire.fault = None
        world.clear()


Flow = Callable[[World], None]
