"""Plan the stack so that the plan names everything that AWS would create."""

import json
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from scripts.terraform_test import without_account

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / "terraform"
Plan = dict[str, Any]


@pytest.fixture(scope="session")
def plans() -> dict[str, Plan]:
    """Plan each run in terraform/references; return its plan as JSON by name."""
    terraform: list[str | Path] = [ROOT / "scripts" / "terraform", "-chdir=terraform"]
    init = ["init", "-backend=false", "-input=false", "-lockfile=readonly"]
    run([*terraform, *init, "-test-directory=references"])
    lines = run([*terraform, "test", "-test-directory=references", "-verbose", "-json"])
    said = [json.loads(line) for line in lines.splitlines()]
    return {line["@testrun"]: line["test_plan"] for line in said if line["type"] == "test_plan"}


def run(command: list[str | Path]) -> str:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=without_account(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout


IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>"
    b"<Arn>arn:aws:iam::111122223333:user/any</Arn><UserId>any</UserId>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
VALID = b'{"result": "OK", "diagnostics": []}'


class Aws(BaseHTTPRequestHandler):
    """Answers the requests of a plan without refresh.

    That is the account, whether a definition is valid, and which release is installed.
    """

    installed: ClassVar[str | None] = None
    parameters: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        _, _, operation = self.headers.get("X-Amz-Target", "").rpartition(".")
        found = {**self.parameters, "/slipway/slipway/release": self.installed}
        parameters = [{"Name": name, "Value": value} for name, value in found.items() if value]
        answers = {
            "ValidateStateMachineDefinition": VALID,
            "GetParametersByPath": json.dumps({"Parameters": parameters}).encode(),
        }
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answers.get(operation, IDENTITY))

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Aws)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def planned(folder: Path, aws: str) -> list[dict[str, Any]]:
    """Return the changes that Terraform plans."""
    environment = {
        **without_account(os.environ),
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": aws,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GOGC": "800",
    }
    # The tests' common provider has no credentials.
    environment.pop("TF_REATTACH_PROVIDERS", None)
    terraform: list[str | Path] = [ROOT / "scripts" / "terraform", f"-chdir={folder}"]
    for command in (["init"], ["plan", "-refresh=false", "-lock=false", "-out=plan"]):
        ended = subprocess.run(
            [*terraform, *command, "-input=false"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    shown = subprocess.run(
        [*terraform, "show", "-json", "plan"], capture_output=True, text=True, check=True
    )
    changes: list[dict[str, Any]] = json.loads(shown.stdout)["resource_changes"]
    return [change for change in changes if change["mode"] == "managed"]
