"""An installation from before the shared modules keeps all that it has.

A state with the addresses of then is planned with the code of now. `addresses.txt` lists them, each
after the version of its type's schema.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scripts.terraform_test import without_account
from tests.terraform.conftest import ROOT

ADDRESSES = ROOT / "tests" / "fixtures" / "terraform" / "addresses.txt"
PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>"
    b"<Arn>arn:aws:iam::111122223333:user/any</Arn><UserId>any</UserId>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
VALID = b'{"result": "OK", "diagnostics": []}'


class Aws(BaseHTTPRequestHandler):
    """Answers what a plan without refresh asks: the account, and whether a definition is valid."""

    def do_POST(self) -> None:
        asks_for_definition = "ValidateStateMachine" in self.headers.get("X-Amz-Target", "")
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VALID if asks_for_definition else IDENTITY)

    def log_message(self, *args: Any) -> None:
        """Keep the test's output short."""


@pytest.fixture
def aws() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Aws)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def resource(line: str) -> dict[str, Any]:
    """An entry of a state for a line of `addresses.txt`.

    Tainted, because its attributes are not known: Terraform would replace it where it is.
    """
    version, _, address = line.partition(" ")
    place = re.fullmatch(r"(?:(module\..*)\.)?(\w+)\.(\w+)(?:\[(.*)\])?", address)
    assert place, address
    module, kind, name, index = place.groups()
    builtin = kind == "terraform_data"
    instance = {
        "status": "tainted",
        "schema_version": int(version),
        "attributes": {"id": "any"},
    }
    return {
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]' if builtin else PROVIDER,
        "instances": [instance if index is None else instance | {"index_key": json.loads(index)}],
        **({"module": module} if module else {}),
    }


def merged(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for all instances of a resource."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in resources:
        key = (one.get("module"), one["type"], one["name"])
        found.setdefault(key, {**one, "instances": []})["instances"] += one["instances"]
    return list(found.values())


def planned(folder: Path, aws: str) -> list[dict[str, Any]]:
    """What Terraform would change, by its own words."""
    environment = {
        **without_account(os.environ),
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": aws,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GOGC": "800",
    }
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


def root_moves(lines: list[str]) -> list[dict[str, str]]:
    """From a root of its own into a module of another."""
    tops = {re.sub(r"\[.*", "", ".".join(line.split(" ")[1].split(".")[:2])) for line in lines}
    return [{"from": top, "to": f"module.slipway.{top}"} for top in sorted(tops)]


def test_installed_state_moves_without_a_destroy(tmp_path: Path, aws: str) -> None:
    # Given a state with the addresses of before
    lines = ADDRESSES.read_text().splitlines()
    state = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 1,
        "lineage": "00000000-0000-0000-0000-000000000000",
        "outputs": {},
        "resources": merged([resource(line) for line in lines]),
    }
    (tmp_path / "terraform.tfstate").write_text(json.dumps(state))
    # And a root that calls the module with the same settings
    call = {
        "source": os.path.relpath(ROOT / "terraform", tmp_path),
        "artifacts_dir": str(ROOT / "terraform" / "tests" / "artifacts"),
        "name_prefix": "first",
        "port": {"org_id": "org_xxxxxxxxxxxxxxxx"},
        "github": {"services_repo": "acme/services"},
        "approvals": {"approvers": {"emails": ["devops@acme.example"]}},
        "alarm_emails": ["platform@acme.example"],
        "remediation": {"alert_emails": ["platform@acme.example"]},
        "health_probe": {"vpc": {"subnet_ids": ["subnet-a"], "security_group_ids": ["sg-b"]}},
        "secret_versions": {"slack": 1},
        "features": {"waf": True},
        "provisioned_pollers": {"min": 1, "max": 1},
    }
    root = {"module": {"slipway": call}, "moved": root_moves(lines)}
    (tmp_path / "main.tf.json").write_text(json.dumps(root))

    # When it is planned
    changes = planned(tmp_path, aws)

    # Then each of them has its place
    assert len(lines) > 200
    assert [
        change["address"]
        for change in changes
        if change.get("action_reason", "").startswith("delete_")
    ] == []
    # And nothing is made that was there
    assert {c["address"] for c in changes if c["change"]["actions"] == ["create"]} == set()
