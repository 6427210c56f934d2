"""The policies of examples/policies, compared with what the plans create.

`tests/consumer` compares them with every recorded call, but only of the sandbox's example.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.terraform.conftest import ROOT, Plan
from tests.terraform.test_side_by_side import PREFIXES, made
from tests.tools.iam import refusal
from tests.tools.iam.actions import Access

Attributes = Mapping[str, Any]
# MSK's network and cluster are not in the policy: examples/policies/README.md.
RUNS = ("hosted", "webhook")


def regional(service: str, name: str) -> Callable[[Attributes], str]:
    """The ARN of a resource, by the attributes that its name has in braces."""
    pattern = f"arn:aws:{service}:eu-west-1:111122223333:{name}"
    return lambda attributes: pattern.format(**attributes)


def globally(pattern: str) -> Callable[[Attributes], str]:
    return lambda attributes: pattern.format(**attributes)


# Type → the action that creates or invokes it, and its ARN.
CREATED: dict[str, tuple[str, Callable[[Attributes], str]]] = {
    "aws_cloudwatch_dashboard": (
        "cloudwatch:PutDashboard",
        globally("arn:aws:cloudwatch::111122223333:dashboard/{dashboard_name}"),
    ),
    "aws_cloudwatch_event_rule": ("events:PutRule", regional("events", "rule/{name}")),
    "aws_cloudwatch_log_group": ("logs:CreateLogGroup", regional("logs", "log-group:{name}")),
    "aws_cloudwatch_metric_alarm": (
        "cloudwatch:PutMetricAlarm",
        regional("cloudwatch", "alarm:{alarm_name}"),
    ),
    "aws_dynamodb_table": ("dynamodb:CreateTable", regional("dynamodb", "table/{name}")),
    "aws_iam_role": ("iam:CreateRole", globally("arn:aws:iam::111122223333:role/{name}")),
    "aws_kms_alias": ("kms:CreateAlias", regional("kms", "{name}")),
    "aws_lambda_event_source_mapping": ("lambda:CreateEventSourceMapping", globally("*")),
    "aws_lambda_function": (
        "lambda:CreateFunction",
        regional("lambda", "function:{function_name}"),
    ),
    "aws_lambda_invocation": (
        "lambda:InvokeFunction",
        regional("lambda", "function:{function_name}:{qualifier}"),
    ),
    "aws_lambda_layer_version": (
        "lambda:PublishLayerVersion",
        regional("lambda", "layer:{layer_name}"),
    ),
    "aws_s3_bucket": ("s3:CreateBucket", globally("arn:aws:s3:::{bucket}")),
    "aws_secretsmanager_secret": (
        "secretsmanager:CreateSecret",
        regional("secretsmanager", "secret:{name}-a1b2c3"),
    ),
    "aws_sfn_state_machine": (
        "states:CreateStateMachine",
        regional("states", "stateMachine:{name}"),
    ),
    "aws_sns_topic": ("sns:CreateTopic", regional("sns", "{name}")),
    "aws_sqs_queue": ("sqs:CreateQueue", regional("sqs", "{name}")),
    "aws_xray_group": ("xray:CreateGroup", regional("xray", "group/{group_name}/*")),
}


def policy(name: str, prefix: str) -> dict[str, Any]:
    """A policy for an installation, as the README's command writes it."""
    text = (ROOT / f"examples/policies/{name}.json").read_text()
    text = text.replace("slipway", prefix).replace(f"parameter/{prefix}/", "parameter/slipway/")
    found: dict[str, Any] = json.loads(text)
    return found


def objects(plan: Plan, prefix: str) -> list[str]:
    """The ARNs of a plan's objects; the plans override the names of buckets."""
    return [
        f"arn:aws:s3:::{prefix}-{bucket}-111122223333-eu-west-1/{attributes['key']}"
        for kind, address, attributes in made(plan)
        if kind == "aws_s3_object"
        for bucket in ["artifacts" if ".artifact[" in address else "records"]
    ]


@pytest.mark.parametrize("run", RUNS)
def test_appliers_policy_allows_every_planned_resource(plans: dict[str, Plan], run: str) -> None:
    document = policy("apply", PREFIXES[run])
    # Nor is a web ACL.
    planned = [
        each for each in made(plans[run]) if each[0] in CREATED and "log_group.waf" not in each[1]
    ]
    needed = [
        Access(action, arn(attributes))
        for kind, _, attributes in planned
        for action, arn in [CREATED[kind]]
    ] + [Access("s3:PutObject", arn) for arn in objects(plans[run], PREFIXES[run])]

    assert {kind for kind, *_ in planned} == set(CREATED)
    assert [access for access in needed if refusal(access, [document])] == []


@pytest.mark.parametrize("run", RUNS)
def test_operators_policy_allows_the_planned_reads(plans: dict[str, Plan], run: str) -> None:
    document = policy("operate", PREFIXES[run])
    queues = regional("sqs", "{name}")
    reads = [
        Access(action, queues(attributes))
        for kind, _, attributes in made(plans[run])
        if kind == "aws_sqs_queue"
        for action in ("sqs:GetQueueUrl", "sqs:GetQueueAttributes")
    ]
    # `scripts/doctor` and `scripts/adopt` read the version that the functions use.
    reads += [
        Access("s3:GetObjectVersion", arn)
        for arn in objects(plans[run], PREFIXES[run])
        if arn.endswith("/catalog/catalog.json")
    ]

    assert len(reads) >= 3
    assert [access for access in reads if refusal(access, [document])] == []
