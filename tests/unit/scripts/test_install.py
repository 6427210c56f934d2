"""Refusals, files and state of `scripts/install`; tests/integration runs all of it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from moto import mock_aws
from typer.testing import CliRunner

from scripts import install
from scripts.installing import account as aws
from scripts.installing.config import Config, read_config
from scripts.installing.memory import Memory
from scripts.installing.organization import Organization
from scripts.installing.root import MODULE, secret_inputs, tfvars, write_root
from scripts.installing.stopped import Stopped
from tests.unit.conftest import ROOT

ACCOUNT = "123456789012"  # moto's
CONFIG = f"""
approvers = ["devops@acme.example"]
[aws]
account = "{ACCOUNT}"
region = "eu-west-1"
[github.repositories.services]
name = "acme/services"
"""
SECRETS = {"client_id": "id-of-port", "client_secret": "secret-of-port" * 3}
KAFKA = {"username": "user-of-kafka", "password": "password-of-kafka"}
APP = {"app_id": "1", "installation_id": "2", "private_key": "key-of-the-app"}
PORT = Organization("org_acme", SECRETS, ["broker.port.test:9196"], KAFKA)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Any:
    with mock_aws():
        yield


def config(text: str = CONFIG, **more: Any) -> Config:
    return Config.model_validate(tomllib.loads(text) | more)


def inputs(**more: Any) -> dict[str, Any]:
    return tfvars(config(**more), PORT, manage_log_role=True, numbers={})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[aws", "is not TOML"),
        (CONFIG.replace(ACCOUNT, "12"), "'aws.account'"),
        (CONFIG.replace("acme/services", "services"), "'github.repositories.services.name'"),
        (f"passwort = 'x'\n{CONFIG}", "'passwort'"),
        (CONFIG.replace("devops@acme.example", "devops"), "'approvers.0'"),
        (f"source = 'kafka'\n{CONFIG}", "'source'"),
        (f"name_prefix = 'Slipway'\n{CONFIG}", "'name_prefix'"),
    ],
)
def test_faulty_configuration_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "slipway.toml"
    file.write_text(text)

    with pytest.raises(Stopped) as stopped:
        read_config(file)

    assert said in stopped.value.what
    assert stopped.value.where == str(file)
    assert stopped.value.cure.startswith("Correct")


def test_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="cannot be read: No such file.*--config"):
        read_config(tmp_path / "slipway.toml")


def test_unattended_run_needs_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="No configuration.*--config FILE"):
        install.configured(None, tmp_path, yes=True)


def test_answers_become_a_configuration_without_secrets(
    tmp_path: Path, cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"Services repository (owner/name)": "acme/services", "AWS region": "eu-west-1"}

    def prompt(text: str, default: Any = None, **_: Any) -> Any:
        return answers.get(text, default)

    monkeypatch.setattr(typer, "prompt", prompt)

    asked = install.configured(None, tmp_path, yes=False)

    assert asked.aws.account == ACCOUNT
    assert asked == read_config(tmp_path / install.CONFIG)


def test_inputs_have_the_shape_of_the_module() -> None:
    assert inputs() == {
        "name_prefix": "slipway",
        "port": {
            "base_url": "https://api.port.io",
            "app_url": "https://app.port.io",
            "org_id": "org_acme",
        },
        "github": {
            "api_url": "https://api.github.com",
            "repositories": {
                "services": {
                    "name": "acme/services",
                    "base_branch": "main",
                    "merge_method": "auto",
                }
            },
            "team_reviewers": {},
        },
        "kafka": {"mode": "external", "bootstrap_servers": ["broker.port.test:9196"]},
        "approvals": {
            "approvers": {"emails": ["devops@acme.example"]},
            "api": {"manage_account": True},
        },
        "alarm_emails": [],
        "remediation": {"mode": "verify"},
    }


def test_webhook_source_has_no_kafka_settings() -> None:
    by_webhook = config(source="webhook")

    found = tfvars(by_webhook, Organization("org_acme", SECRETS), manage_log_role=False, numbers={})

    assert found["run_source"] == {"mode": "webhook"}
    assert "kafka" not in found


def test_input_without_a_value_is_omitted() -> None:
    given = secret_inputs(Organization("org_acme", SECRETS), APP)

    assert given.keys() == {"TF_VAR_port_credentials", "TF_VAR_github_credentials"}


def test_further_inputs_override_the_others() -> None:
    limits = {"upscale_service": {"max": 3}}

    found = inputs(terraform={"approvals": {"limits": limits}, "sweep": {}})

    assert found["approvals"]["limits"] == limits
    assert found["approvals"]["approvers"] == {"emails": ["devops@acme.example"]}
    assert found["sweep"] == {}


def test_repositories_of_two_owners_have_two_installations() -> None:
    repositories = {"services": {"name": "acme/services"}, "data": {"name": "other/data"}}
    both = config(github={"repositories": repositories})

    found = tfvars(
        both, PORT, manage_log_role=False, numbers={"acme/services": 2, "other/data": 3}
    )["github"]["repositories"]

    assert [found[key]["installation_id"] for key in ("services", "data")] == ["2", "3"]


def test_root_contains_no_secret(tmp_path: Path) -> None:
    write_root(tmp_path, config(), inputs())

    written = "".join(file.read_text() for file in tmp_path.iterdir())
    secrets = [*SECRETS.values(), *KAFKA.values(), APP["private_key"]]
    assert not [each for each in secrets if each in written]
    assert all(each in "".join(secret_inputs(PORT, APP).values()) for each in secrets)


def test_root_refuses_another_account(tmp_path: Path) -> None:
    write_root(tmp_path, config(), inputs())

    root = json.loads((tmp_path / "main.tf.json").read_text())
    assert root["provider"]["aws"] == {"region": "eu-west-1", "allowed_account_ids": [ACCOUNT]}
    assert (tmp_path / root["module"]["slipway"]["source"]).resolve() == MODULE


def test_root_stores_the_state_in_the_named_bucket(tmp_path: Path) -> None:
    where = {"account": ACCOUNT, "region": "eu-west-1", "state_bucket": "acme-state"}

    write_root(tmp_path, config(aws=where), inputs())

    backend = json.loads((tmp_path / "main.tf.json").read_text())["terraform"]["backend"]["s3"]
    assert backend["bucket"] == "acme-state"
    assert backend["use_lockfile"] is True


def test_credentials_of_another_account_are_refused(cloud: None) -> None:
    other = config(CONFIG.replace(ACCOUNT, "999999999999"))

    with pytest.raises(Stopped, match=f"for account {ACCOUNT}; .* names 999999999999.*correct"):
        aws.check_account(other)


def test_missing_aws_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Stopped, match="Unable to locate credentials.*eu-west-1.*AWS_PROFILE"):
        aws.check_account(config())


def test_unknown_region_is_refused() -> None:
    with pytest.raises(Stopped, match="no region eu-west-9.*aws.region"):
        aws.check_region("eu-west-9")


def test_another_region_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    with pytest.raises(Stopped, match="region us-east-1; .* eu-west-1.*Unset AWS_REGION"):
        aws.check_region("eu-west-1")


def test_resources_of_another_installation_are_refused(cloud: None) -> None:
    secrets = boto3.client("secretsmanager", "eu-west-1")
    secrets.create_secret(Name="slipway/port", SecretString="{}")

    with pytest.raises(Stopped, match=f"secret slipway/port.*account {ACCOUNT}.*name_prefix"):
        aws.check_unused(aws.Account("eu-west-1"), config())


def test_unused_name_is_accepted(cloud: None) -> None:
    aws.check_unused(aws.Account("eu-west-1"), config())


def test_new_app_key_is_kept_until_deleted(cloud: None) -> None:
    account = aws.Account("eu-west-1")

    aws.keep_key(account, config(), {"app_id": "1"})
    aws.keep_key(account, config(), {"app_id": "2"})
    kept = aws.read_secret(account, aws.key_name(config()))
    aws.drop_key(account, config())
    aws.drop_key(account, config())

    assert kept == {"app_id": "2"}
    assert aws.read_secret(account, aws.key_name(config())) is None


def test_empty_fields_of_a_secret_are_omitted(cloud: None) -> None:
    text = json.dumps({"app_id": 1, "private_key": "key", "token": None})
    boto3.client("secretsmanager", "eu-west-1").create_secret(Name="known", SecretString=text)

    found = aws.read_secret(aws.Account("eu-west-1"), "known")

    assert found == {"app_id": "1", "private_key": "key"}


def test_folder_of_another_organization_is_refused(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.hold_to("org_id", "org_acme", "Port organisation", "Use another.")
    memory.note(begun=True)

    with pytest.raises(Stopped, match="Port organisation is org_acme, not org_other.*Use another"):
        Memory(tmp_path).hold_to("org_id", "org_other", "Port organisation", "Use another.")


def test_wrong_answer_can_be_corrected_before_the_apply(tmp_path: Path) -> None:
    Memory(tmp_path).hold_to("region", "us-east-1", "region", "Use another.")

    Memory(tmp_path).hold_to("region", "eu-west-1", "region", "Use another.")

    assert Memory(tmp_path).get("region") == "eu-west-1"


def test_corrupt_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "install.json").write_text("{")

    with pytest.raises(Stopped, match=r"cannot be read.*install\.json.*Remove the file"):
        Memory(tmp_path)


def test_plan_is_counted_by_verb_and_type() -> None:
    def resource(kind: str, *actions: str) -> dict[str, Any]:
        return {"type": kind, "change": {"actions": list(actions)}}

    counted = install._changes(
        {
            "resource_changes": [
                resource("aws_sqs_queue", "create"),
                resource("aws_sqs_queue", "create"),
                resource("aws_kms_key", "no-op"),
                resource("aws_lambda_alias", "delete", "create"),
                resource("aws_region", "read"),
            ]
        }
    )

    assert counted == {("create", "aws_sqs_queue"): 2, ("replace", "aws_lambda_alias"): 1}


STEPS = len(install.Installer(config(), Path("/nowhere"), False, False, print).steps)


@pytest.mark.parametrize("at", range(STEPS))
def test_interrupted_step_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    file = tmp_path / "slipway.toml"
    file.write_text(CONFIG)
    taken: list[int] = []
    interrupted = [at]

    def take(number: int) -> None:
        if interrupted == [number]:
            interrupted.clear()
            raise KeyboardInterrupt
        taken.append(number)

    steps = [(f"Step {each}", lambda each=each: take(each)) for each in range(STEPS)]
    monkeypatch.setattr(install.Installer, "steps", steps)
    app = typer.Typer()
    app.command()(install.main)
    arguments = ["--config", str(file), "--folder", str(tmp_path / "x"), "--yes"]

    first = CliRunner().invoke(app, arguments)
    second = CliRunner().invoke(app, arguments)

    assert first.exit_code == 130
    assert "Interrupted" in first.stderr
    assert "Run the same command again" in first.stderr
    assert second.exit_code == 0, second.stderr
    assert f"ended at 'Step {at}'" in second.stdout
    assert taken == [*range(at), *range(STEPS)]


def test_missing_secret_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    run = install.Installer(config(), tmp_path, False, False, print)

    with pytest.raises(Stopped, match="GITHUB_TOKEN is not set.*environment.*Set GITHUB_TOKEN"):
        _ = run.token


class Doctor:
    """A doctor that finds some faults."""

    def __init__(self, *faults: str) -> None:
        self.stdout = json.dumps(
            [{"name": name, "ok": False, "detail": "bad", "cure": "Cure it."} for name in faults]
        )


def examined(folder: Path, monkeypatch: pytest.MonkeyPatch, *faults: str) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(install.Installer, "_command", lambda *_: Doctor(*faults))
    install.Installer(config(), folder, False, False, said.append).examine()
    return said


def test_manual_settings_do_not_fail_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = examined(tmp_path, monkeypatch, "GitHub: base branch", "AWS: e-mails to a@b.test")

    assert "2 checks need a person" in said[-1]
    assert "Cure it." in said[0]


def test_faults_of_the_installation_fail_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Stopped, match="finds faults: AWS: functions.*Apply the fixes"):
        examined(tmp_path, monkeypatch, "AWS: functions", "GitHub: base branch")


def test_readme_installs_with_at_most_six_commands() -> None:
    section = (ROOT / "README.md").read_text().split("\n## Install\n")[1]
    block = section.split("```sh\n")[1].split("```")[0]
    lines = [line.split(" #")[0] for line in block.splitlines() if not line.startswith("release=")]
    commands = [command.strip() for line in lines for command in line.split("&&")]

    assert commands[-1] == "sh scripts/install"
    assert len(commands) <= 6
