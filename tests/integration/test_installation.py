"""Checks of an installation, and how Slipway signs in to GitHub."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import GitHubError
from slipway.github.models import Change, Place
from slipway.github.repository import ServicesRepository

from scripts.apply_sandbox import ROOT, Mode
from tests.contract.references.visits import admit
from tests.entities import service_files
from tests.integration.conftest import SandboxClient, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
NEEDED = {
    "contents": "write",
    "pull_requests": "write",
    "actions": "write",
    "issues": "write",
    "members": "read",
    "metadata": "read",
}


def as_app(sandbox: SandboxClient, slug: str, permissions: dict[str, str]) -> ServicesRepository:
    body = {"slug": slug, "account": "acme", "permissions": permissions}
    app: dict[str, Any] = sandbox.sandbox("github", "POST", "apps", body)
    admit(sandbox.services, app["app_id"])
    credentials = GitHubCredentials.model_validate(app)
    config = GitHubConfig.model_validate({**sandbox.env, "GITHUB_SECRET_ID": "unused"})
    return ServicesRepository(
        config, Place(name=sandbox.env["SERVICES_REPO"]), lambda fresh: credentials
    )


def change(service: str) -> Change:
    return Change(
        entity=service_files(service),
        branch=f"slipway/create_service/r_{service.replace('-', '')}",
        title=f"Scaffold new service {service}",
        body="body",
        files={f"apps/{service}/portData.json": "{}\n"},
        labels=("slipway",),
        reviewers=("team:payments",),
        creates=True,
    )


@pytest.mark.story
def test_pull_request_is_opened_by_the_app(
    sandbox: SandboxClient,
) -> None:
    made = as_app(sandbox, "slipway-app", NEEDED).propose(change("by-an-app"))

    pull = sandbox.services.get_pull(made.number)
    assert pull.user.login == "slipway-app[bot]"
    assert [file.filename for file in pull.get_files()] == ["apps/by-an-app/portData.json"]
    assert made.notes == ()


def test_change_proposed_again_is_the_same_pull_request(
    sandbox: SandboxClient,
) -> None:
    app = as_app(sandbox, "slipway-first", NEEDED)
    first = app.propose(change("twice"))
    head = sandbox.services.get_pull(first.number).head.sha

    second = app.propose(change("twice"))

    assert second.number == first.number
    assert sandbox.services.get_pull(first.number).head.sha == head


def test_missing_app_permission_quotes_the_error_from_github(
    sandbox: SandboxClient,
) -> None:
    app = as_app(sandbox, "slipway-reader", {**NEEDED, "contents": "read"})

    with pytest.raises(GitHubError, match="GitHub refused: .*not accessible by integration"):
        app.propose(change("not-allowed"))


def doctor(env_file: Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.doctor", "--env-file", env_file.resolve(), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.story
def test_doctor_finds_no_fault_in_a_complete_installation(
    sandbox: SandboxClient,
) -> None:
    status, results = doctor(sandbox.folder / "env")

    assert [result for result in results if not result["ok"]] == []
    assert status == 0


def test_doctor_names_a_wrong_secret_and_its_fix(sandbox: SandboxClient, tmp_path: Path) -> None:
    wrong = tmp_path / "env"
    lines = (sandbox.folder / "env").read_text().splitlines()
    wrong.write_text("\n".join(line for line in lines if "SECRET" not in line))
    with wrong.open("a") as file:
        file.write("\nPORT_CLIENT_SECRET=another-secret-of-more-than-32-bytes-000\n")

    status, results = doctor(wrong)

    faults = [result for result in results if not result["ok"]]
    assert status == 1
    assert any("redentials" in fault["name"] for fault in faults)
    assert all(fault["cure"] for fault in faults)


@pytest.mark.parametrize(
    ("permissions", "missing"), [(NEEDED, ""), ({**NEEDED, "contents": "read"}, "contents")]
)
def test_doctor_checks_the_permissions_of_the_app(
    sandbox: SandboxClient,
    tmp_path: Path,
    permissions: dict[str, str],
    missing: str,
) -> None:
    slug = f"doctor-{missing or 'whole'}"
    body = {"slug": slug, "account": "acme", "permissions": permissions}
    app: dict[str, Any] = sandbox.sandbox("github", "POST", "apps", body)
    settings = {
        **{name: value for name, value in sandbox.env.items() if name != "GITHUB_TOKEN"},
        "GITHUB_APP_ID": str(app["app_id"]),
        "GITHUB_INSTALLATION_ID": str(app["installation_id"]),
        "GITHUB_PRIVATE_KEY": app["private_key"],
    }
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in settings.items()))

    _, results = doctor(env_file)

    (judged,) = [result for result in results if result["name"].startswith("GitHub: permissions")]
    assert judged["ok"] is not bool(missing)
    assert missing in judged["detail"]


@pytest.mark.story
def test_alarm_reaches_the_operator_by_email(sandbox: SandboxClient) -> None:
    name = "slipway-failed-records-age"

    sandbox.aws("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="a test"
    )

    def email() -> dict[str, str] | None:
        found: list[dict[str, str]] = sandbox.sandbox("aws", "GET", "emails")
        return next((one for one in found if f'ALARM: "{name}"' in one["subject"]), None)

    assert wait_for("the e-mail", email)["to"] == "operator@acme.example"
