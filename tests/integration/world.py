"""One service in the sandbox, and what people do with it."""

import base64
import json
import re
import secrets
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any
from urllib.parse import quote

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from github import InputGitTreeElement

from scripts.apply_sandbox import ROOT, Stack
from scripts.soaking.installation import Installation
from tests.entities import created_service
from tests.integration.conftest import SandboxClient, wait_for

DEVELOPER, DEVOPS, ADMIN = "developer@acme.example", "devops@acme.example", "admin@acme.example"


class World:
    """One service in the sandbox, and the actions of people on it."""

    def __init__(self, sandbox: SandboxClient, stack: Stack, service: str) -> None:
        self.sandbox = sandbox
        self.service = service
        self.outputs = stack.outputs()
        functions = self.outputs["functions"]
        self.prefix = functions["sweep_runs"]["function_name"].removesuffix("-sweep_runs")

    def commit(self, message: str, files: dict[str, str | None], branch: str = "main") -> str:
        """Push a commit that changes files on a branch."""
        repository = self.sandbox.services
        reference = repository.get_git_ref(f"heads/{branch}")
        head = repository.get_git_commit(reference.object.sha)
        elements = [
            InputGitTreeElement(path, "100644", "blob", sha=None)
            if text is None
            else InputGitTreeElement(path, "100644", "blob", content=text)
            for path, text in files.items()
        ]
        tree = repository.create_git_tree(elements, head.tree)
        commit = repository.create_git_commit(message, tree, [head])
        reference.edit(commit.sha)
        return commit.sha

    def exists(self, environment: str = "Production") -> None:
        """Create the service as a merged create leaves it."""
        files, body = created_service(self.service, environment)
        self.commit(f"Service {self.service}", files)
        self.sandbox.port.upsert_entity("service", body)

    def text(self, path: str, branch: str = "main") -> str:
        """Read a file of the services repository."""
        file = self.sandbox.services.get_contents(path, ref=branch)
        assert not isinstance(file, list)
        return file.decoded_content.decode()

    def upscale(self, **inputs: Any) -> str:
        return self.sandbox.execute("upscale_service", inputs, entity=self.service)

    def delete(self, typed: str | None = None) -> str:
        inputs = {"service_name": typed or self.service}
        return self.sandbox.execute("delete_service", inputs, entity=self.service)

    def request(self, run_id: str, ask: int = 1) -> dict[str, Any]:
        """Return the request's entity when the run waits for it."""
        identifier = f"{run_id}.{ask}"

        def waiting() -> dict[str, Any] | None:
            run = self.sandbox.run(run_id)
            assert run["status"] == "IN_PROGRESS", (run["summary"], self.sandbox.logs(run_id))
            if not (run["statusLabel"] or "").startswith("Waiting for approval"):
                return None
            entity = self.sandbox.port.get_entity("approval_request", identifier)
            return {"identifier": identifier, **entity.properties} if entity else None

        return wait_for(f"request {identifier}", waiting)

    def request_now(self, run_id: str, ask: int = 1) -> dict[str, Any]:
        entity = self.sandbox.port.get_entity("approval_request", f"{run_id}.{ask}")
        assert entity is not None
        return entity.properties

    def decide(
        self, run_id: str, verdict: str, person: str = DEVOPS, comment: str = "", ask: int = 1
    ) -> dict[str, Any]:
        """Decide in Port; return the ended run of *Decide Approval*."""
        # Port's form fills this in when it opens.
        shown = self.request_now(run_id, ask)["change_hash"]
        inputs = {"decision": verdict, "change": shown} | ({"comment": comment} if comment else {})
        decision = self.sandbox.execute(
            "decide_approval", inputs, entity=f"{run_id}.{ask}", person=person
        )

        def ended() -> dict[str, Any] | None:
            run = self.sandbox.run(decision)
            return run if run["status"] != "IN_PROGRESS" else None

        return wait_for(f"answer of {decision}", ended)

    def ended(self, run_id: str, status: str) -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            run = self.sandbox.run(run_id)
            return run if run["status"] != "IN_PROGRESS" else None

        run = wait_for(f"end of {run_id}", over)
        assert run["status"] == status, (run["summary"], self.sandbox.logs(run_id))
        return run

    def pulls(self, run_id: str) -> list[Any]:
        action = self.sandbox.run(run_id)["action"]["identifier"]
        head = f"acme:slipway/{action}/{run_id}"
        return list(self.sandbox.services.get_pulls(state="all", head=head))

    def lock(self) -> str | None:
        """Return the lock owner of the service."""
        table = self.outputs["tables"]["locks"]
        answer = self.sandbox.aws("dynamodb").get_item(
            TableName=table, Key={"service": {"S": f"service/{self.service}"}}
        )
        return str(answer["Item"]["owner"]["S"]) if "Item" in answer else None

    def wait_until_free(self) -> None:
        wait_for("the service to be free", lambda: self.lock() is None or None)

    def audit(self, run_id: str, ask: int = 1) -> list[dict[str, Any]]:
        storage = self.sandbox.aws("s3")
        bucket = self.outputs["audit_bucket"]
        found = storage.list_objects_v2(Bucket=bucket, Prefix=f"decisions/{run_id}.{ask}/")
        return [
            json.loads(storage.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            for item in found.get("Contents", [])
        ]

    def emails(self, run_id: str) -> list[dict[str, Any]]:
        """Return the e-mails about a run, oldest first."""
        found = self.sandbox.sandbox("aws", "GET", "emails")
        return [email for email in found if run_id in email["message"]]

    def link(self, run_id: str) -> str:
        """Return the approver's personal link."""

        def mailed() -> str | None:
            for email in self.emails(run_id):
                if found := re.search(r"http\S+/links/\S+", email["message"]):
                    return found[0]
            return None

        return wait_for("the e-mail", mailed)

    def executions(self, run_id: str) -> dict[str, str]:
        """Return name → status of the run's executions."""
        answer = self.sandbox.aws("stepfunctions").list_executions(
            stateMachineArn=self.outputs["approval_machine_arn"]
        )
        return {
            item["name"]: item["status"]
            for item in answer["executions"]
            if item["name"].startswith(run_id)
        }

    def policy(
        self, change: Callable[[dict[str, Any]], None], name: str = "policy"
    ) -> AbstractContextManager[None]:
        """Use another policy for a while."""
        return Installation(self.sandbox.env, self.outputs).policy(change, name)

    def asking(self, **changes: Any) -> Any:
        """Use a policy with other approvals for all actions."""

        def change(document: dict[str, Any]) -> None:
            rules = [r for r in document["rules"] if r["approval"]]
            for requirement in (*rules, document["default"]):
                requirement["approval"].update(changes)

        return self.policy(change)

    def merging(self, *, auto_merge: bool) -> Any:
        def change(document: dict[str, Any]) -> None:
            for requirement in (*document["rules"], document["default"]):
                requirement["auto_merge"] = auto_merge

        return self.policy(change)

    def call(self, approval: str, body: object, *, role: str | None = "slipway-approver") -> Any:
        """Decide by the REST API, signed with a role's credentials."""
        url = f"{self.outputs['approvals_api_url']}/approvals/{quote(approval, safe='')}/decision"
        data = body if isinstance(body, str) else json.dumps(body)
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, data)
        if role is not None:
            region = self.sandbox.env["AWS_REGION"]
            SigV4Auth(self._assume(role), "execute-api", region).add_auth(request)
        return requests.post(url, data=data, headers=dict(request.headers.items()), timeout=300)

    def _assume(self, role: str) -> Credentials:
        iam, sts = self.sandbox.aws("iam"), self.sandbox.aws("sts")
        trust = {"Version": "2012-10-17", "Statement": []}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        may_decide = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": self.outputs["approvals_decision_arn"],
                }
            ],
        }
        document = json.dumps(may_decide)
        iam.put_role_policy(RoleName=role, PolicyName="decide", PolicyDocument=document)
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        given = sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the records under a prefix."""
        storage, bucket = self.sandbox.aws("s3"), self.outputs["records_bucket"]
        listed = storage.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def record(self, key: str) -> dict[str, Any]:
        """Return a record of the records bucket."""
        storage, bucket = self.sandbox.aws("s3"), self.outputs["records_bucket"]
        found: dict[str, Any] = json.load(storage.get_object(Bucket=bucket, Key=key)["Body"])
        return found

    def failed(self, what: str) -> str | None:
        """Return the key of a failed record that contains a text."""
        for key in self.keys("aws/lambda/"):
            if what in base64_values(self.record(key)):
                return key
        return None

    def announced(self, key: str) -> bool:
        """Whether the queue has a message about a record."""
        queue = self.sandbox.aws("sqs")
        url = self.outputs["failed_records_queue"]["url"]
        messages = []
        while found := queue.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5
        ).get("Messages"):
            messages += found
        for message in messages:
            handle = message["ReceiptHandle"]
            queue.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return any(key.rpartition("-")[2] in message["Body"] for message in messages)

    def script(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run an operator's command."""
        path, *arguments = command
        env_file = str(self.sandbox.folder / "env")
        options = ["--name-prefix", self.prefix, "--env-file", env_file]
        return subprocess.run(
            [ROOT / "scripts" / path, *arguments, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


def base64_values(record: dict[str, Any]) -> str:
    """Return the decoded values of a failed record."""
    payload = (
        json.loads(record["payload"]) if isinstance(record["payload"], str) else record["payload"]
    )
    records = [r for batch in payload["records"].values() for r in batch]
    return " ".join(base64.b64decode(r["value"]).decode() for r in records)


def service_name(request: pytest.FixtureRequest) -> str:
    """Make a name that contains its test's name."""
    words = request.node.originalname.removeprefix("test_").split("_")[:5]
    # The suffix separates parameters, and test runs in a sandbox that continues to run.
    return "-".join([*(word[:9] for word in words), secrets.token_hex(3)])


@pytest.fixture
def made_world(sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest) -> World:
    """Make a service for the test, in Production."""
    made = World(sandbox, stack, service_name(request))
    made.exists()
    return made
