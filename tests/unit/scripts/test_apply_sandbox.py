"""Terraform's input when it applies the stack to a sandbox."""

from pathlib import Path

import boto3
import pytest

from scripts.apply_sandbox import Stack

SANDBOX = """\
AWS_ENDPOINT_URL=http://127.0.0.1:4566
AWS_REGION=eu-west-1
PORT_BASE_URL=http://127.0.0.1:3100
PORT_ORG_ID=org_sandbox
KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092
GITHUB_API_URL=http://127.0.0.1:3200/api/v3
SERVICES_REPO=acme/services
CLUSTER_URL=http://127.0.0.1:3300
"""


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide a Terraform that prints its environment."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.usefixtures("terraform")
def test_operators_aws_settings_do_not_reach_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text(SANDBOX)
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.eu-west-1.amazonaws.com")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-production-account")
    printed: list[str] = []

    Stack(tmp_path, say=printed.append).init()

    variables = dict(line.split("=", 1) for line in printed if line.startswith("AWS_"))
    assert variables == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def test_subscription_to_a_removed_topic_is_not_pending(aws: None) -> None:
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="removed")["TopicArn"]
    sns.delete_topic(TopicArn=topic)

    assert not Stack._is_pending(sns, {"topic": topic, "to": "devops@acme.example"})
