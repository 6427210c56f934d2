"""A service becomes unhealthy: automation → remediation → catalogue, by the real topic.

The cluster really breaks services. Each fault has one cure, so the tests notice a repair without
effect.
"""

import hashlib
import json
import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from github.Issue import Issue
from slipway.port.models import Run

from scripts.apply_sandbox import TEAM_MACHINE, Mode, Stack
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.world import DEVOPS, World, service_name

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]

RESTART = {"kind": "restart", "wait_seconds": 5}
ROLL_BACK = {"kind": "roll_back", "wait_seconds": 5, "auto_merge": True}
SCALE_UP = {"kind": "scale_up", "wait_seconds": 5, "max_replicas": 5}
QUICK = {"probes": 3, "interval_seconds": 1, "healthy_after": 2, "unhealthy_after": 2}


class Patient(World):
    """A service that runs in the cluster, and its catalogue entry."""

    def runs(self, environment: str = "Staging") -> None:
        """Deploy the service, and let Slipway find it healthy."""
        self.exists(environment)
        wait_for("the deployment", lambda: self._in_cluster("state").get("health") == "Healthy")
        url = f"{self.sandbox.env['CLUSTER_URL']}/services/{self.service}/health"
        self.says(health_url=url, health_status="Healthy", sync_status="Synced")

    def says(self, **properties: Any) -> None:
        """Write the catalogue entry, as another writer than Slipway."""
        self.sandbox.port.update_entity("service", self.service, properties)

    def becomes_unhealthy(self, cure: str, **how: Any) -> None:
        self._in_cluster("break", {"cure": cure, **how})

    def restarts(self) -> int:
        return int(self._in_cluster("state")["restarts"])

    def properties(self) -> dict[str, Any]:
        entity = self.sandbox.port.get_entity("service", self.service)
        return entity.properties if entity else {}

    def becomes(self, status: str, detail: str = "") -> dict[str, Any]:
        """Wait until the catalogue entry has this status."""

        def said() -> dict[str, Any] | None:
            now = self.properties()
            fits = now.get("health_status") == status and detail in now.get("health_detail", "")
            return now if fits else None

        try:
            return wait_for(f"{self.service} {status} ({detail})", said)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.properties()} {self.looks()}") from error

    def row(self) -> dict[str, Any]:
        """Return Slipway's row of the service."""
        answer = self.sandbox.aws("dynamodb").get_item(
            TableName=self.outputs["tables"]["remediations"],
            Key={"service": {"S": f"service/{self.service}"}},
        )
        return dict(json.loads(answer["Item"]["record"]["S"])) if "Item" in answer else {}

    def looks(self) -> dict[str, str]:
        """Return name → status of the service's remediation executions."""
        prefix = hashlib.sha256(f"service/{self.service}".encode()).hexdigest()[:32]
        pages = self.sandbox.aws("stepfunctions").get_paginator("list_executions")
        return {
            item["name"]: item["status"]
            for page in pages.paginate(stateMachineArn=self.outputs["remediation_machine_arn"])
            for item in page["executions"]
            if item["name"].startswith(prefix)
        }

    def is_left_alone(self) -> dict[str, Any]:
        """Return Slipway's row after the last execution has ended."""

        def idle() -> dict[str, Any] | None:
            row = self.row()
            return row if row and row["execution"] is None else None

        return wait_for(f"the end of the check of {self.service}", idle)

    def history(self) -> list[dict[str, Any]]:
        """Return the entity's changes from the audit log, oldest first."""
        params = {"blueprint": "service", "entity": self.service, "limit": 1000}
        answer = self.sandbox.port.request("GET", "/v1/audit-log", params=params)
        changes: list[dict[str, Any]] = answer["audits"][::-1]
        return changes

    def automation_runs(self) -> list[Run]:
        """Return the runs of the automations that published changes of the service."""
        topic = f"{self.sandbox.env['PORT_ORG_ID']}.runs"
        query = f"messages?topic={topic}&limit=2000"
        found = self.sandbox.sandbox("port", "GET", query)["messages"]
        # Other tests publish invalid messages.
        texts = [each["value"] for each in found if "automationRunId" in (each["value"] or "")]
        contexts = [json.loads(text).get("context", {}) for text in texts]
        return [
            self.sandbox.port.get_run(context["automationRunId"])
            for context in contexts
            if context.get("entity") == self.service and "automationRunId" in context
        ]

    def issues(self) -> list[Issue]:
        issues = self.sandbox.services.get_issues(state="open", labels=["remediation"])
        return [issue for issue in issues if self.service in issue.title]

    def alerts(self) -> list[dict[str, Any]]:
        found = self.sandbox.sandbox("aws", "GET", "emails")
        return [
            mail
            for mail in found
            if mail["to"] == "platform@acme.example" and self.service in mail["message"]
        ]

    def faults_left(self) -> int:
        return len(self.sandbox.sandbox("port", "GET", "faults")["pending"])

    def by_policy(
        self, *strategies: dict[str, Any], **changes: Any
    ) -> AbstractContextManager[None]:
        """Use another remediation policy for a while."""

        def change(document: dict[str, Any]) -> None:
            known = {"verify": QUICK, "settle": QUICK, "strategies": list(strategies)}
            document.update(known | changes)

        return self.policy(change, "remediation")

    def _in_cluster(self, what: str, body: object = None) -> dict[str, Any]:
        base = f"{self.sandbox.env['CLUSTER_URL']}/services"
        if what == "state":
            found = requests.get(base, timeout=300).json()
            return next((each for each in found if each["name"] == self.service), {})
        answer = requests.post(f"{base}/{self.service}/{what}", json=body, timeout=300)
        answer.raise_for_status()
        return dict(answer.json())


@pytest.fixture
def patient(sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest) -> Patient:
    """Make a healthy service for the test, in Staging."""
    made = Patient(sandbox, stack, service_name(request))
    made.runs()
    return made


# -- successful repairs


def test_degraded_service_is_restarted_once_and_healthy(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART, ROLL_BACK):
        patient.becomes_unhealthy("restart", symptom="timeout")
        now = patient.becomes("Healthy", "after: restart")
        row = patient.is_left_alone()

    assert patient.restarts() == 1
    assert now["sync_status"] == "Synced"
    assert datetime.fromisoformat(now["last_health_check"]) > datetime.now(UTC) - timedelta(
        minutes=2
    )
    assert [a["outcome"] for a in row["state"]["attempts"]] == ["done"]
    assert patient.issues() == []
    assert patient.lock() is None


def test_bad_change_is_rolled_back_and_the_service_is_healthy(
    patient: Patient,
) -> None:
    path = f"apps/{patient.service}/common_values.yaml"
    good = patient.text(path)
    bad = patient.commit("A new image", {path: good.replace("1.0", "2.0")})
    wait_for("the bad version", lambda: patient._in_cluster("state").get("commit") == bad)

    with patient.by_policy(RESTART, ROLL_BACK):
        patient.becomes_unhealthy("roll_back")
        patient.becomes("Healthy", "after: roll back")
        row = patient.is_left_alone()

    assert patient.text(path) == good
    assert [a["repair"]["step"] for a in row["state"]["attempts"]] == ["restart", "roll_back"]
    assert patient.lock() is None


def test_service_is_scaled_up_and_healthy(patient: Patient) -> None:
    with patient.by_policy(SCALE_UP):
        patient.becomes_unhealthy("scale")
        patient.becomes("Healthy", "after: scale up")

    assert "replicas: 3   # not more" in patient.text(f"apps/{patient.service}/common_values.yaml")
    # The services repository's workflow has updated the catalogue.
    wait_for("the new number", lambda: patient.properties()["replicas"] == 3)


# -- no repair helps


@pytest.mark.story
def test_failed_remediation_escalates_with_every_attempt(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART, SCALE_UP):
        patient.becomes_unhealthy("never")
        now = patient.becomes("Degraded", "No repair is left to try")
        patient.is_left_alone()

        (issue,) = patient.issues()
        assert "Slipway restarts the service" in issue.body.replace("&#46;", ".")
        assert "Scale up carried out" in issue.body
        assert "503" in issue.body
        (alert,) = patient.alerts()
        assert issue.html_url in alert["message"]
        assert now["health_detail"] in alert["message"]

        # Unhealthy again within the quiet time: the issue is updated, without a notification.
        before = issue.body
        patient.says(health_status="Progressing")
        wait_for("the second check", lambda: len(patient.looks()) == 2)
        patient.becomes("Degraded", "No repair is left to try")
        patient.is_left_alone()

    (same,) = patient.issues()
    assert same.number == issue.number
    assert same.body != before
    assert len(patient.alerts()) == 1


def test_remediation_respects_the_lock_of_an_open_pull_request(
    patient: Patient,
) -> None:
    def do_not_merge(document: dict[str, Any]) -> None:
        for rule in (*document["rules"], document["default"]):
            rule["auto_merge"] = False

    with patient.policy(do_not_merge):
        run_id = patient.upscale()
        link = patient.sandbox.wait_for_link(run_id)

    with patient.by_policy(ROLL_BACK, SCALE_UP):
        patient.becomes_unhealthy("scale")
        patient.becomes("Degraded", "another change of the service is in progress")

    assert f"pull request #{link.rpartition('/')[2]}" in patient.properties()["health_detail"]
    assert patient.lock() == run_id


def test_scaling_is_refused_while_a_repair_has_the_lock(
    patient: Patient,
) -> None:
    table = patient.outputs["tables"]["locks"]
    execution = "a" * 32 + "-1"
    item = {
        "service": {"S": f"service/{patient.service}"},
        "owner": {"S": execution},
        "kind": {"S": "remediation"},
        "taken_at": {"S": datetime.now(UTC).isoformat()},
    }
    patient.sandbox.aws("dynamodb").put_item(TableName=table, Item=item)

    run = patient.ended(patient.upscale(), "FAILURE")

    assert f"Slipway's repair {execution}" in run["summary"]


# -- approval


@pytest.fixture
def in_production(sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest) -> Patient:
    """Make a service in Production, where repairs need an approval."""
    made = Patient(sandbox, stack, service_name(request))
    made.runs("Production")
    return made


def request_of(patient: Patient) -> str:
    """Return the id of the open approval request of the repair."""

    def asked() -> str | None:
        name = patient.row().get("execution")
        entity = patient.sandbox.port.get_entity("approval_request", f"{name}.1") if name else None
        return str(name) if entity and entity.properties["status"] == "Pending" else None

    return wait_for("the request for approval", asked)


@pytest.mark.story
def test_service_in_production_is_repaired_after_approval(in_production: Patient) -> None:
    with in_production.by_policy(RESTART):
        in_production.becomes_unhealthy("restart")
        execution = request_of(in_production)
        assert in_production.restarts() == 0
        request = in_production.request_now(execution)
        assert (request["requested_by"], request["summary"]) == ("Slipway", "try to restart")
        assert in_production.service in request["service_url"]

        answer = in_production.decide(execution, "APPROVE", DEVOPS)

        assert answer["status"] == "SUCCESS"
        in_production.becomes("Healthy", "after: restart")

    assert in_production.request_now(execution)["status"] == "Approved"
    assert in_production.restarts() == 1


def test_repair_escalates_when_it_is_declined_by_link(
    in_production: Patient,
) -> None:
    with in_production.by_policy(RESTART):
        in_production.becomes_unhealthy("restart")
        execution = request_of(in_production)
        link = in_production.link(in_production.service)
        shown = requests.get(link, timeout=300).text
        form = dict(re.findall(r"type='hidden' name='(\w+)' value='(\w+)'", shown))
        typed = {**form, "decision": "DECLINE", "comment": "I look myself"}
        requests.post(link, data=typed, timeout=300)

        now = in_production.becomes("Degraded", "was not approved")

    assert "I look myself" in now["health_detail"]
    assert in_production.request_now(execution)["status"] == "Declined"
    assert in_production.restarts() == 0


def test_repair_escalates_after_its_request_expires(
    in_production: Patient,
) -> None:
    short = in_production.asking(expires_after_seconds=10, remind_before_seconds=5)
    with in_production.by_policy(RESTART), short:
        in_production.becomes_unhealthy("restart")

        now = in_production.becomes("Degraded", "expired")

    assert "was not approved" in now["health_detail"]
    subjects = [mail["subject"] for mail in in_production.emails(in_production.service)]
    assert any(subject.startswith("Reminder") for subject in subjects)


# -- verification


@pytest.mark.story
def test_wrong_degraded_status_is_corrected_with_a_note(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART):
        patient.says(health_status="Degraded")
        patient.becomes("Healthy", "Reported as Degraded, but its health check passes")

    assert patient.restarts() == 0


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        (None, "no health URL"),
        ("http://169.254.169.254/latest/meta-data/", "not probed"),
    ],
    ids=["none", "metadata"],
)
def test_forbidden_health_url_becomes_unknown_once(
    patient: Patient, url: str | None, detail: str
) -> None:
    with patient.by_policy(RESTART):
        patient.says(health_url=url, health_status="Degraded")
        patient.becomes("Unknown", detail)
        row = patient.is_left_alone()

    assert row["number"] == 1
    assert patient.restarts() == 0


# -- storms, loops, flapping


@pytest.mark.story
def test_thousand_changes_in_a_second_start_one_remediation(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART):
        patient.becomes_unhealthy("restart")
        wait_for("the check", patient.looks)
        record = patient.history()[-1]
        begin = datetime.now(UTC)
        for number in range(1000):
            at = (begin + timedelta(milliseconds=number)).isoformat().replace("+00:00", "Z")
            record["trigger"]["at"] = record["diff"]["after"]["updatedAt"] = at
            message = {"topic": "runs", "value": record}
            patient.sandbox.sandbox("port", "POST", "publish", message)
        patient.becomes("Healthy")
        wait_for("the records", lambda: datetime.fromisoformat(patient.row()["seen"]) > begin)

    row = patient.is_left_alone()
    assert patient.restarts() == 1
    # A check costs far more than ten records, so this is true on a slow machine too.
    assert row["number"] < 100


def test_records_of_own_repair_writes_start_nothing(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART):
        patient.becomes_unhealthy("restart")
        patient.becomes("Healthy", "after: restart")
        row = patient.is_left_alone()
        written = patient.history()
        ids = [e["diff"]["after"]["properties"].get("health_check_id") for e in written]
        own = [new for old, new in pairwise([None, *ids]) if new is not None and new != old]
        assert len(own) >= 5
        # This record is certainly read after all others.
        patient.says(health_status="Progressing")
        wait_for("the next check", lambda: patient.row()["number"] == row["number"] + 1)
        patient.becomes("Healthy", "health check passes")
        patient.is_left_alone()

    assert patient.row()["number"] == row["number"] + 1
    # Everything written after it comes from that one remediation.
    assert {name.partition(".")[0] for name in own} == {min(patient.looks())}


def test_flapping_service_cools_down_and_notifies_once(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART, max_per_hour=2):
        for number in (1, 2):
            patient.says(health_status="Degraded")
            patient.becomes("Healthy")
            assert patient.is_left_alone()["number"] == number
        patient.says(health_status="Degraded")
        patient.becomes("Degraded", "cools down")
        for _ in range(5):
            patient.says(health_status="Progressing")
            patient.says(health_status="Degraded")

    assert len(patient.alerts()) == 1
    running = [name for name, status in patient.looks().items() if status == "RUNNING"]
    assert len(running) == 1
    assert patient.row()["number"] == 3


def test_repair_is_reported_after_a_port_outage(
    patient: Patient,
) -> None:
    with patient.by_policy(RESTART):
        patient.becomes_unhealthy("restart")
        wait_for("the repair", lambda: patient.restarts() == 1)
        fault = {
            "method": "PATCH",
            "path": f"/entities/{patient.service}",
            "status": 503,
            "times": 8,
        }
        patient.sandbox.sandbox("port", "POST", "faults", fault)
        try:
            wait_for("the failure", lambda: not patient.faults_left())
        finally:
            patient.sandbox.sandbox("port", "DELETE", "faults")
        patient.becomes("Healthy", "after: restart")

    assert patient.restarts() == 1


# -- the automation, and other subscribers to changes


def test_automation_run_is_ended_when_its_change_was_read(patient: Patient) -> None:
    before = {run.id for run in patient.automation_runs()}

    patient.says(health_status="Progressing")
    patient.becomes("Healthy", "health check passes")
    patient.is_left_alone()

    def fresh() -> list[Run]:
        runs = [run for run in patient.automation_runs() if run.id not in before]
        return runs if all(run.ended for run in runs) else []

    # Slipway's own writes fire no automation, so one change has one run.
    (run,) = wait_for("the end of the automation's runs", fresh)
    assert (run.action, run.status) == ("service_health_changes", "SUCCESS")


def test_team_subscription_starts_once_for_each_change(
    patient: Patient,
) -> None:
    arn = patient.outputs["remediation_machine_arn"].rpartition(":")[0] + f":{TEAM_MACHINE}"
    states = patient.sandbox.aws("stepfunctions")

    def started() -> list[dict[str, Any]]:
        found = states.list_executions(stateMachineArn=arn, maxResults=1000)["executions"]
        inputs = [
            json.loads(states.describe_execution(executionArn=each["executionArn"])["input"])
            for each in found
        ]
        return [each for each in inputs if each["entity"] == patient.service]

    before = len(started())
    patient.says(replicas=7)
    wait_for("the team's machine", lambda: len(started()) == before + 1)
    patient.says(owner="other@acme.example")
    patient.says(replicas=8)
    wait_for("the team's machine again", lambda: len(started()) == before + 2)

    assert {each["subscription"] for each in started()} == {"scaling-log"}


def test_change_is_handled_after_its_execution_was_stopped(
    patient: Patient,
) -> None:
    with patient.by_policy({**RESTART, "wait_seconds": 600}):
        patient.becomes_unhealthy("restart")

        def repaired() -> bool:
            attempts = patient.row().get("state", {}).get("attempts")
            return bool(attempts and attempts[0]["outcome"])

        wait_for("the repair", repaired)
        # Another writer changes the status at the same time; no execution has checked that yet.
        patient.says(health_status="Progressing")
        known = patient.row()["known"]
        wait_for("the change", lambda: patient.row()["changes"] > known)
        name = patient.row()["execution"]
        arn = patient.outputs["remediation_machine_arn"].replace("stateMachine", "execution")
        patient.sandbox.aws("stepfunctions").stop_execution(executionArn=f"{arn}:{name}")

        patient.becomes("Healthy")

    assert patient.looks()[name] == "ABORTED"
    assert patient.row()["number"] == 2
