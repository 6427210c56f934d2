"""Set up what all cases share: servers, moto's account, clock, wire and state machines."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import botocore.session
import pytest
import time_machine
from aws_lambda_powertools.metrics.provider import cold_start
from slipway.catalog.reading import read_folder
from slipway.observability import logger
from slipway.port.transport import PortTransport

from tests.contract.github.conftest import TOKEN, GitHubServer
from tests.faults.machines import read_machine
from tests.faults.wire import Wire
from tests.port_server import CREDENTIALS, PortServer
from tests.scripted import ScriptedServer
from tests.unit.conftest import (
    ACCOUNT,
    ENVIRONMENT,
    ROOT,
    TABLES,
    backend,
    make_account,
    put_catalog,
    set_policy,
)
from tests.unit.conftest import POLICY as UNIT_POLICY

Json = dict[str, Any]
# The real time.
real = time_machine.escape_hatch.time
REGION = "eu-west-1"
ACTIONS = ("create_service", "upscale_service", "downscale_service", "delete_service")
AUDIENCE = "https://reports.test/reports"
LINK_KEY = "a-key-that-signs-links"
EXPECTED_WARNINGS = pytest.mark.filterwarnings(
    # A process that was killed leaves its connections to the garbage collector.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:No application metrics:UserWarning",
)
# These workflows of the services repository do nothing. The flows do their work: they call the
# reporting function, and a restart changes what `is_unhealthy` returns.
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
    "slipway-restart.yml": _WORKFLOW.format(
        name="Slipway restart",
        run_name="Restart ${{ inputs.service }} (${{ inputs.remediation }})",
        inputs=", ".join(
            f"{name}: {{required: true, type: string}}"
            for name in ("service", "namespace", "environment", "remediation")
        ),
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
    "auto_merge_environments": ["Test", "Staging"],
    "verify": {"probes": 3, "interval_seconds": 5, "healthy_after": 2, "unhealthy_after": 2},
    "settle": {"probes": 3, "interval_seconds": 5, "healthy_after": 2, "unhealthy_after": 2},
}


class Clock:
    """The time of this process; a wait only moves it forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self._ahead = 0.0
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self._ahead)
        monkeypatch.setattr(time, "sleep", self.pass_by)
        # The default argument was bound to `time.sleep` at import.
        defaults = cast("Any", PortTransport.__init__).__kwdefaults__
        monkeypatch.setitem(defaults, "sleep", self.pass_by)

    def pass_by(self, seconds: float) -> None:
        self._ahead += seconds
        self._traveller.shift(timedelta(seconds=seconds))

    def until(self, moment: datetime) -> None:
        self.pass_by(max(0.0, (moment - datetime.now(UTC)).total_seconds()))

    def set_right(self) -> None:
        """Return to the real time."""
        self._ahead = 0.0
        self._traveller.move_to(real.time())


class Context:
    """Lambda's context object of an invocation."""

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


POLICY: Json = {
    **UNIT_POLICY,
    "own_actions": {action: function_arn(action) for action in ACTIONS}
    | {"decide_approval": function_arn("approval")},
    "own_automations": [f"{action}_ended" for action in ACTIONS],
}
# Six times the function's timeout, as `terraform/modules/queue_trigger` has it.
VISIBILITY_SECONDS = 360
QUEUES: dict[str, dict[Any, str]] = {
    "slipway-runs": {"VisibilityTimeout": str(VISIBILITY_SECONDS)},
    "slipway-health_checker.fifo": {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "FifoQueue": "true",
    },
}


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
        # Numbers of the newest message and the newest pull request or issue of earlier cases.
        self.message = self.pull = 0
        self.wire = Wire(monkeypatch)
        self.wire.services = {
            port.url.removeprefix("http://"): "Port",
            github.url.removeprefix("http://"): "GitHub",
        }
        # The tests make more requests in minutes than GitHub allows in an hour.
        github.control("PUT", "rate_limit", {"limit": 10_000_000})
        # A case reads only its own pull requests, which are the newest.
        self.repository = github.client(per_page=5).get_repo("acme/services")
        # Otherwise the first run would create a label, a call that later runs do not make.
        known = {label.name for label in self.repository.get_labels()}
        for label in sorted({"slipway", "repair", "remediation", *ACTIONS} - known):
            self.repository.create_label(label, "ededed")
        # The server may have pull requests of another installation whose ledger is gone.
        newest = self.repository.get_issues(state="all", sort="created", direction="desc")
        self.pull = next((issue.number for issue in newest), 0)
        _keep_clients(monkeypatch)
        for name, value in {
            **ENVIRONMENT,
            "PORT_BASE_URL": port.url,
            "GITHUB_API_URL": github.api,
            "SWEEP_LIMITS": "{}",
            "REPORTS_AUDIENCE": AUDIENCE,
            "REPORTS_PER_MINUTE": "1000",
            "GITHUB_OIDC_ISSUER": f"{github.url}/_services/token",
            "HEALTH_PROBE": json.dumps(
                {"allowed_cidrs": ["127.0.0.0/8"], "allowed_ports": [health.server_port]}
            ),
            "POWERTOOLS_METRICS_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        # Powertools prints the metric of a cold start even if metrics are disabled.
        monkeypatch.setattr(cold_start, "is_cold_start", False)
        logger.setLevel(os.environ.get("FAULTS_LOG", "CRITICAL"))
        self.new_process()
        make_account()
        monkeypatch.setenv("CATALOG_VERSION", put_catalog(read_folder(ROOT / "catalog")))
        POLICY["settings"] = {
            "health_url": f"{health.url}/{{service}}",
            "health_allowed": [f"{health.url}/"],
        }
        keep = boto3.client("secretsmanager").create_secret
        keep(Name="slipway/port", SecretString=json.dumps(CREDENTIALS))
        keep(Name="slipway/github", SecretString=json.dumps({"token": TOKEN}))
        keep(Name="slipway/links", SecretString=json.dumps({"key": LINK_KEY}))
        # One queue serves all functions of runs; the changes of an entity stay in order.
        self.queues = {
            name: str(boto3.client("sqs").create_queue(QueueName=name, Attributes=more)["QueueUrl"])
            for name, more in QUEUES.items()
        }
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
        """Clear what a process caches in its modules."""
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
            backend("dynamodb").tables[table].items.clear()
        for bucket in ("records", "audit"):
            backend("s3", "aws").buckets[bucket].keys.clear()
        for topic in backend("sns").topics.values():
            topic.sent_notifications.clear()
        for machine in backend("stepfunctions").state_machines:
            machine.executions.clear()
        set_policy(POLICY)
        self.set_remediation({})
        boto3.client("s3").put_object(Bucket="records", Key="policy/consumers.json", Body=b"{}")
        runs, entities = self.queues.values()
        queues = {
            "runs": dict.fromkeys([*ACTIONS, "decide_approval", "run_ended"], runs),
            "entities": entities,
        }
        body = json.dumps(queues).encode()
        boto3.client("s3").put_object(Bucket="records", Key="policy/queues.json", Body=body)
        for queue in backend("sqs").queues.values():
            queue._messages.clear()
            queue._pending_messages.clear()


def _keep_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each boto3 client once, because making one takes longer than most calls.

    Clients keep nothing of a process except their configuration.
    """
    make, made = botocore.session.Session.create_client, dict[str, Any]()

    def create(session: Any, service: str, *args: Any, **more: Any) -> Any:
        config = more.get("config")
        key = f"{service} {sorted(vars(config).items()) if config else None}"
        if key not in made:
            made[key] = make(session, service, *args, **more)
        return made[key]

    monkeypatch.setattr(botocore.session.Session, "create_client", create)
