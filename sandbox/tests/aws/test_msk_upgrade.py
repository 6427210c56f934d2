"""A newer Kafka version, applied by the real Terraform: a mocked provider replaces nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.tests.waiting import LIMIT

from .conftest import REGION, REPOSITORY, RunningAws
from .test_services import subnets

# CloudWatch Logs must be let in: the brokers' logs are encrypted with the key.
KEY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
                "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:GenerateDataKey*"],
                "Resource": "*",
            }
        ],
    }
)
# The cluster of the stack, and nothing else of it.
ROOT_MODULE = """
variable "kafka_version" {{}}

module "kafka" {{
  source             = "{modules}/kafka"
  name               = "{name}"
  subnet_ids         = {subnet_ids}
  security_group_id  = "sg-1"
  logs               = {{ prefix = "/aws", retention_days = 90 }}
  authentication     = "IAM"
  storage_scaling    = false
  key_arn            = "{key_arn}"
  settings = {{
    type                 = "provisioned"
    kafka_version        = var.kafka_version
    broker_instance_type = "kafka.m7g.large"
    brokers_per_zone     = 1
    volume_gib           = 50
    volume_gib_max       = 200
  }}
}}
"""


class Terraform:
    """The real one, in a folder of its own.

    Args:
        folder: with the root module.
        aws: what it is applied to.
    """

    def __init__(self, folder: Path, aws: RunningAws) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._folder = folder
        self._environment = own | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "GOGC": "400",
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [REPOSITORY / "scripts/terraform", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply(self, kafka_version: str) -> dict[str, list[str]]:
        """Apply a version; what was planned for it, by type of resource."""
        self.run("plan", "-input=false", "-out=plan", f"-var=kafka_version={kafka_version}")
        planned = json.loads(self.run("show", "-json", "plan"))["resource_changes"]
        self.run("apply", "-input=false", "plan")
        return {
            change["type"]: change["change"]["actions"]
            for change in planned
            if change["change"]["actions"] != ["no-op"]
        }


@pytest.fixture
def terraform(aws: RunningAws, tmp_path: Path) -> Terraform:
    key_arn = aws.client("kms").create_key(Policy=KEY_POLICY)["KeyMetadata"]["Arn"]
    text = ROOT_MODULE.format(
        modules=REPOSITORY / "terraform/modules",
        name=aws.name("upgrade"),
        subnet_ids=json.dumps(subnets(aws, "euw1-az1", "euw1-az2")),
        key_arn=key_arn,
    )
    (tmp_path / "main.tf").write_text(text)
    shutil.copy(REPOSITORY / "terraform/.terraform.lock.hcl", tmp_path)
    made = Terraform(tmp_path, aws)
    made.run("init", "-input=false", "-lockfile=readonly")
    return made


def software_of(aws: RunningAws, name: str) -> dict[str, Any]:
    (cluster,) = aws.client("kafka").list_clusters_v2(ClusterNameFilter=name)["ClusterInfoList"]
    software: dict[str, Any] = cluster["Provisioned"]["CurrentBrokerSoftwareInfo"]
    return software


@pytest.mark.timeout(900)  # without a mirror the provider is downloaded
def test_new_kafka_version_keeps_the_configuration_in_use(
    aws: RunningAws, terraform: Terraform
) -> None:
    terraform.run("apply", "-input=false", "-auto-approve", "-var=kafka_version=3.8.x")
    before = software_of(aws, "upgrade")

    planned = terraform.apply("3.9.x")

    # MSK deletes no configuration that is in use: the next one comes first.
    assert planned == {
        "aws_msk_cluster": ["update"],
        "aws_msk_configuration": ["create", "delete"],
    }
    after = software_of(aws, "upgrade")
    assert (before["KafkaVersion"], after["KafkaVersion"]) == ("3.8.x", "3.9.x")
    assert after["ConfigurationArn"] != before["ConfigurationArn"]
    # Ends with another status if there are changes.
    terraform.run("plan", "-detailed-exitcode", "-var=kafka_version=3.9.x")
