"""What only an own cluster needs: its topics."""

import subprocess

import pytest
from confluent_kafka.admin import AdminClient

from scripts.apply_sandbox import ROOT, Mode, Stack
from tests.integration.conftest import SandboxClient

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.MSK], indirect=True),
]


def make_topics(sandbox: SandboxClient, cluster_arn: str) -> list[str]:
    command = [str(ROOT / "scripts/topics"), "--cluster-arn", cluster_arn, "--org-id", "org_new"]
    options = ["--plaintext", "--env-file", str(sandbox.folder / "env")]
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PATH": "/bin"}
    done = subprocess.run(
        [*command, *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.splitlines()


def test_topics_are_created_once_when_requested_twice(sandbox: SandboxClient, stack: Stack) -> None:
    arn = stack.outputs()["kafka"]["cluster_arn"]

    first, second = make_topics(sandbox, arn), make_topics(sandbox, arn)

    assert first == [
        "org_new.runs was created, partitions: 1",
    ]
    assert second == [
        "org_new.runs exists already",
    ]
    brokers = AdminClient({"bootstrap.servers": sandbox.env["KAFKA_BOOTSTRAP_SERVERS"]})
    assert "org_new.runs" in brokers.list_topics(timeout=300).topics
