"""Check the plan against AWS's publications: IAM's actions, and the States Language."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from policy_sentry.querying.actions import get_action_data, get_actions_for_service

from sandbox.aws.rules import Request, broken
from sandbox.aws.shapes import faults
from tests.terraform.conftest import ROOT, Plan

CFN_LINT = ROOT / "sandbox" / ".venv" / "bin" / "cfn-lint"

# IAM checks a resource for these actions although its reference names none. It checks the state
# machine of a task token (https://github.com/aws/aws-cdk/pull/8486), and `log-group::log-stream:`
# (its error messages name it).
BEYOND_THE_REFERENCE = {"states:SendTaskSuccess", "logs:DescribeLogGroups"}
# Keys of every request, and the key of a function's code:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-source-function-arn.html
EVERYWHERE = {
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "lambda:SourceFunctionArn",
}


@dataclass(frozen=True)
class Statement:
    """A policy statement in a plan, without resources that only AWS knows."""

    place: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place} {self.sid}"


@dataclass
class Reference:
    """An action's entry in the Service Authorization Reference.

    Attributes:
        arns: its resources, as ARNs with `${…}`; `*` for any resource.
        keys: condition keys that its requests have.
    """

    arns: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def statements(plan: Plan) -> Iterator[Statement]:
    for change in plan["resource_changes"]:
        after, place = change["change"]["after"], change["address"]
        if change["type"] == "aws_iam_policy_document":
            yield from (_planned(place, statement) for statement in after["statement"])
            continue
        for name in ("policy", "assume_role_policy"):
            text = (after or {}).get(name) or ""
            if text.lstrip().startswith("{"):  # otherwise only AWS knows it
                for statement in _listed(json.loads(text)["Statement"]):
                    yield _written(f"{place} {name}", statement)


def _planned(place: str, statement: dict[str, Any]) -> Statement:
    """Return a statement that is composed when its resources exist."""
    return Statement(
        place,
        str(statement["sid"]),
        tuple(statement["actions"]),
        tuple(resource for resource in statement["resources"] or [] if resource),
        tuple(condition["variable"] for condition in statement["condition"]),
    )


def _written(place: str, statement: dict[str, Any]) -> Statement:
    conditions = statement.get("Condition", {}).values()
    return Statement(
        place,
        statement.get("Sid", "–"),
        tuple(_listed(statement["Action"])),
        tuple(_listed(statement.get("Resource", []))),
        tuple(key for keys in conditions for key in keys),
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def references(action: str) -> list[Reference]:
    """Return the published entry of each action that a statement's action matches."""
    service, _, name = action.partition(":")
    if name.endswith("*"):
        known = get_actions_for_service(service)
        return [r for one in known if one.startswith(action[:-1]) for r in references(one)]
    data = get_action_data(service, name)
    if not data:
        return []
    found = Reference()
    for row in data[service]:
        found.arns.add(row["resource_arn_format"])
        found.keys.update(row["condition_keys"])
    return [found]


def overlap(published: str, arn: str) -> bool:
    """Whether an ARN that AWS publishes and one of a policy can match the same resource."""
    theirs, ours = glob(published).split(":", 5), arn.split(":", 5)
    return len(ours) == len(theirs) and all(map(_overlap, theirs, ours))


def glob(published: str) -> str:
    """Replace each `${…}` of a published name by `*`, or by a zero for a bucket (no slash)."""
    return re.sub(r"\$\{[^}]*\}", "*", published.replace("${BucketName}", "\0"))


def _overlap(one: str, other: str) -> bool:
    """Whether a text can match both patterns, step by step."""
    seen = {(0, 0)}
    ahead = [(0, 0)]
    while ahead:
        i, j = ahead.pop()
        a, b = one[i : i + 1], other[j : j + 1]
        if not a and not b:
            return True
        steps = [(i + 1, j + 1)] if a and a == b else []
        if a in ("*", "\0"):
            steps.append((i + 1, j))
            if b and (a, b) != ("\0", "/"):
                steps.append((i, j + 1))
        if b == "*":
            steps.append((i, j + 1))
            if a:
                steps.append((i + 1, j))
        ahead += [step for step in steps if step not in seen]
        seen.update(steps)
    return False


@pytest.fixture(scope="session")
def granted(plans: dict[str, Plan]) -> list[Statement]:
    found = [statement for plan in plans.values() for statement in statements(plan)]
    # Policies of functions, machines, event sources, buckets, queues and keys are included.
    known = {statement.sid for statement in found if statement.resources}
    assert known > {"ReadSecrets", "TakeSteps", "EventSourceReadTopic", "OnlyByTls"}
    assert known > {"NoticesOfTheBucket", "LogsOfThisStack"}
    return found


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("arn:${Partition}:s3:::${BucketName}", "arn:aws:s3:::a", True),
        ("arn:${Partition}:s3:::${BucketName}", "arn:aws:s3:::a/*", False),
        ("arn:${Partition}:s3:::${BucketName}/${ObjectName}", "arn:aws:s3:::a/b/*", True),
        ("arn:${Partition}:s3:::${BucketName}/${ObjectName}", "arn:aws:s3:::a", False),
        ("arn:${Partition}:logs:${Region}:${Account}:log-group:${L}:log-stream:${S}",
         "arn:aws:logs:r:1:log-group:/aws/x:*", True),
        ("arn:${Partition}:sns:${Region}:${Account}:${TopicName}", "arn:aws:sqs:r:1:q", False),
    ],
)  # fmt: skip
def test_policy_arn_is_compared_with_published_arns(
    pattern: str, resource: str, expected: bool
) -> None:
    assert overlap(pattern, resource) is expected


def test_every_action_of_a_policy_exists(granted: list[Statement]) -> None:
    unknown = {
        (str(statement), action)
        for statement in granted
        for action in statement.actions
        if not references(action)
    }

    assert unknown == set()


def test_every_resource_of_a_policy_fits_an_action(granted: list[Statement]) -> None:
    odd = [
        (str(statement), resource)
        for statement in granted
        if not BEYOND_THE_REFERENCE & set(statement.actions)
        for resource in set(statement.resources) - {"*"}
        if not any(
            fits(reference, resource)
            for action in statement.actions
            for reference in references(action)
        )
    ]

    assert odd == []


def test_every_action_of_a_policy_fits_a_resource(granted: list[Statement]) -> None:
    odd = [
        (str(statement), action)
        for statement in granted
        if statement.resources and "*" not in statement.resources
        for action in set(statement.actions) - BEYOND_THE_REFERENCE
        if not any(
            fits(reference, resource)
            for reference in references(action)
            for resource in statement.resources
        )
    ]

    assert odd == []


def fits(reference: Reference, resource: str) -> bool:
    """Whether the action can be limited to the resource; `*` is not a limit."""
    return any(overlap(arn, resource) for arn in reference.arns - {"*"})


def test_every_condition_key_of_a_policy_fits_its_action(granted: list[Statement]) -> None:
    odd = [
        (str(statement), action, key)
        for statement in granted
        for key in set(statement.keys) - EVERYWHERE
        for action in statement.actions
        if not any(
            _overlap(glob(known), key)
            for reference in references(action)
            for known in reference.keys
        )
    ]

    assert odd == []


def test_objects_take_none_of_forty_default_tags(plans: dict[str, Plan]) -> None:
    # S3 takes ten tags of an object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    tags: dict[str, set[int]] = {}
    for change in (change for plan in plans.values() for change in plan["resource_changes"]):
        after = change["change"]["after"]
        if change["mode"] == "managed" and "tags_all" in {
            *after,
            *change["change"]["after_unknown"],
        }:
            tags.setdefault(change["type"], set()).add(len(after.get("tags_all") or {}))

    assert tags["aws_lambda_function"] == {40}
    assert tags.pop("aws_s3_object", {0}) == {0}
    assert max(max(each) for each in tags.values()) <= 50


def test_cfn_lint_finds_a_fault_in_a_state_machine(tmp_path: Path) -> None:
    right = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    astray = {**right, "StartAt": "Nowhere"}
    odd = {**right, "States": {"A": {"Type": "Pass", "Retry": [], "End": True}}}

    found = linted({"Right": right, "Astray": astray, "Odd": odd}, tmp_path)

    assert {place.split("/")[1] for place, _ in found} == {"Astray", "Odd"}


def test_state_machines_pass_cfn_lint(plans: dict[str, Plan], tmp_path: Path) -> None:
    machines = {
        f"{run}{change['address'].split('.')[1].title().replace('_', '')}": json.loads(
            change["change"]["after"]["definition"]
        )
        for run, plan in plans.items()
        for change in plan["resource_changes"]
        if change["type"] == "aws_sfn_state_machine"
    }

    assert len(machines) == 9
    assert linted(machines, tmp_path) == []


def linted(machines: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Return cfn-lint's findings in definitions of state machines, each with its place."""
    role = "arn:aws:iam::111122223333:role/any"
    template = {
        "Resources": {
            name: {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"RoleArn": role, "Definition": definition},
            }
            for name, definition in machines.items()
        }
    }
    file = folder / "template.json"
    file.write_text(json.dumps(template))
    # Its exit status also depends on its findings.
    command: list[str | Path] = [CFN_LINT, "--format", "json", "--regions", "eu-west-1", "--", file]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not ended.stderr, ended.stderr
    return [
        ("/".join(map(str, match["Location"]["Path"] or [])), match["Message"])
        for match in json.loads(ended.stdout)
    ]


# Types that no sandbox creates → the operation and the parameters that AWS limits.
NOT_IN_THE_SANDBOX: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "aws_mskconnect_connector": (
        "kafkaconnect:CreateConnector",
        lambda r: {"connectorName": r["name"], "connectorDescription": r["description"]},
    ),
    "aws_mskconnect_custom_plugin": (
        "kafkaconnect:CreateCustomPlugin",
        lambda r: {"name": r["name"], "description": r["description"]},
    ),
    "aws_mskconnect_worker_configuration": (
        "kafkaconnect:CreateWorkerConfiguration",
        lambda r: {"name": r["name"], "description": r["description"]},
    ),
    "aws_security_group": (
        "ec2:CreateSecurityGroup",
        lambda r: {"GroupName": r["name"], "Description": r["description"]},
    ),
    "aws_vpc_security_group_egress_rule": (
        "ec2:AuthorizeSecurityGroupEgress",
        lambda r: {"IpPermissions": [{"IpRanges": [{"Description": r["description"]}]}]},
    ),
    "aws_vpc_security_group_ingress_rule": (
        "ec2:AuthorizeSecurityGroupIngress",
        lambda r: {"IpPermissions": [{"IpRanges": [{"Description": r["description"]}]}]},
    ),
    "aws_wafv2_web_acl": (
        "wafv2:CreateWebACL",
        lambda r: {"Name": r["name"], "Description": r["description"]},
    ),
    "aws_xray_group": (
        "xray:CreateGroup",
        lambda r: {"GroupName": r["group_name"], "FilterExpression": r["filter_expression"]},
    ),
}


def test_values_unknown_to_the_sandbox_fit_awss_models(plans: dict[str, Plan]) -> None:
    session = botocore.session.get_session()
    seen, odd = set(), []
    for change in (change for plan in plans.values() for change in plan["resource_changes"]):
        if change["type"] not in NOT_IN_THE_SANDBOX:
            continue
        seen.add(change["type"])
        operation, parameters = NOT_IN_THE_SANDBOX[change["type"]]
        service, _, name = operation.partition(":")
        shape = session.get_service_model(service).operation_model(name).input_shape
        assert shape
        given = parameters(change["change"]["after"])
        found = [
            fault for p, value in given.items() for fault in faults(value, shape.members[p], p)
        ]
        request = Request(operation, given, "111122223333", "eu-west-1")
        found += [message for _, message in broken(request)]
        odd += [(change["address"], fault) for fault in found]

    assert seen == set(NOT_IN_THE_SANDBOX)
    assert odd == []
