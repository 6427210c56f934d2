"""Limits of the functions' permission table, which must equal the plan."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts import permissions
from tests.tools.iam import refusal
from tests.tools.iam.actions import Access

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "permissions.md"
REGION = "eu-west-1:111122223333"
SECRETS = ("port", "github", "kafka", "links", "slack")
# Actions for which AWS has no resource.
EVERYWHERE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def read() -> dict[str, list[dict[str, Any]]]:
    """Return each function's policy statements in IAM's form."""
    functions: dict[str, list[dict[str, Any]]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 5 or cells[0] in {"Function", "---"}:
            continue
        statement: dict[str, Any] = {
            "Sid": cells[1],
            "Effect": "Allow",
            "Action": re.findall("`([^`]+)`", cells[2]),
            "Resource": [arn(short) for short in re.findall("`([^`]+)`", cells[3])],
        }
        for condition in filter(None, cells[4].split("; ")):
            test, key, values = condition.split(" ", 2)
            statement.setdefault("Condition", {})[test] = {key.strip("`"): values.split(", ")}
        functions.setdefault(cells[0], []).append(statement)
    return functions


def arn(short: str) -> str:
    if short == "*" or short.startswith("s3:::"):
        return short if short == "*" else f"arn:aws:{short}"
    service, _, rest = short.partition(":")
    return f"arn:aws:{service}:{REGION}:{rest}"


POLICIES = read()
ALL = sorted(POLICIES)


def may(function: str, action: str, resource: str, **context: str) -> bool:
    """Whether a function's policy allows something, by the rules of IAM."""
    document = {"Version": "2012-10-17", "Statement": POLICIES[function]}
    return refusal(Access(action, arn(resource), context), [document]) is None


def who_may(action: str, resource: str) -> set[str]:
    return {function for function in ALL if may(function, action, resource)}


def test_table_has_a_policy_for_every_function() -> None:
    functions = {handler.parent.name for handler in ROOT.glob("functions/*/handler.py")}

    assert set(ALL) == functions - {"action"} | {permissions.ACTION}


@pytest.mark.parametrize("function", ALL)
def test_function_policy_has_no_wildcards_beyond_its_own_names(function: str) -> None:
    for statement in POLICIES[function]:
        assert not [action for action in statement["Action"] if "*" in action]
        assert "*" not in statement["Resource"] or set(statement["Action"]) <= EVERYWHERE
        services = {action.partition(":")[0] for action in statement["Action"]}
        if statement["Sid"] != "RingForRuns":
            assert services.isdisjoint({"iam", "sts", "organizations", "ec2", "lambda", "kafka"})
        # The stack's own names: each contains `slipway…`, without a wildcard before it.
        for resource in statement["Resource"]:
            assert resource == "*" or re.fullmatch(r"arn:aws:[^*]*slipway[^*]*(/\*|:\*)?", resource)


@pytest.mark.parametrize(
    ("secret", "functions"),
    [
        ("port", set(ALL) - {"probe_health", "check_catalog"}),
        (
            "github",
            set(ALL) - {"probe_health", "check_catalog", "health_checker", "receive_webhook"},
        ),
        ("links", {"approval"}),
        ("slack", {"approval", "remediation"}),
        ("kafka", set()),
    ],
)
def test_secret_is_readable_only_by_the_functions_that_use_it(
    secret: str, functions: set[str]
) -> None:
    assert (
        who_may("secretsmanager:GetSecretValue", f"secretsmanager:secret:slipway/{secret}")
        == functions
    )


@pytest.mark.parametrize(
    "action", ["PutSecretValue", "UpdateSecret", "DeleteSecret", "DescribeSecret"]
)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_function_can_change_a_secret(secret: str, action: str) -> None:
    assert who_may(f"secretsmanager:{action}", f"secretsmanager:secret:slipway/{secret}") == set()


def test_only_the_sweep_invokes_functions_of_slipway() -> None:
    assert who_may("lambda:InvokeFunction", "lambda:function:slipway-create_service:live") == {
        "sweep_runs"
    }
    assert who_may("lambda:InvokeFunction", "lambda:function:acme-payments:live") == set()


def test_only_the_receiving_function_writes_into_queues() -> None:
    assert who_may("sqs:SendMessage", "sqs:slipway-create_service") == {"receive_webhook"}
    assert who_may("sqs:SendMessage", "sqs:slipway-create_service-failed") == set()


def test_probe_function_may_only_log_and_trace() -> None:
    actions = {action for statement in POLICIES["probe_health"] for action in statement["Action"]}
    assert actions == EVERYWHERE | {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize(
    "action",
    [
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
        "s3:GetObject",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
    ],
)
def test_no_function_can_touch_a_decision_record(action: str) -> None:
    assert who_may(action, "s3:::slipway-audit/decisions/r_1.1/x.json") == set()
    assert who_may(action, "s3:::slipway-audit") == set()


def test_audit_trail_is_written_only_by_deciding_functions() -> None:
    assert who_may("s3:PutObject", "s3:::slipway-audit/decisions/x") == {"approval", "sweep_runs"}
    assert who_may("s3:PutObject", "s3:::slipway-audit/elsewhere") == set()


def test_no_function_can_write_the_stored_policies() -> None:
    for name in ("approvals", "remediation"):
        assert who_may("s3:PutObject", f"s3:::slipway-records/policy/{name}.json") == set()


def test_remediation_function_cannot_decide_a_request() -> None:
    for action in ("PutItem", "UpdateItem", "DeleteItem", "GetItem"):
        assert not may("remediation", f"dynamodb:{action}", "dynamodb:table/slipway-approvals")
    for machine in ("approval", "remediation"):
        target = f"states:stateMachine:slipway-{machine}"
        assert who_may("states:SendTaskSuccess", target) == {"approval", "sweep_runs"}


def test_kms_key_works_only_through_its_service() -> None:
    for function in ALL:
        assert not may(function, "kms:Decrypt", "kms:key/slipway")
        assert not may(
            function, "kms:Decrypt", "kms:key/slipway",
            **{"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"},
        )  # fmt: skip
    assert may(
        "approval", "kms:Decrypt", "kms:key/slipway",
        **{"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"},
    )  # fmt: skip


def test_log_group_is_written_only_by_its_function() -> None:
    for function in ALL:
        group = f"logs:log-group:/aws/lambda/slipway-{function}:log-stream:x"
        assert who_may("logs:PutLogEvents", group) == {function}


def planned(**resources: str) -> dict[str, Any]:
    """Make a plan in which each function may read one resource and write its own log."""
    changes = []
    for number, (function, resource) in enumerate(resources.items()):
        group = {"arn": f"group-{number}", "name": f"/aws/lambda/slipway-{function}"}
        statements = [
            {"sid": sid, "actions": ["s3:GetObject"], "resources": [arn], "effect": None,
             "condition": [], "not_actions": None, "not_resources": None, "principals": [],
             "not_principals": []}
            for sid, arn in (("WriteOwnLog", f"group-{number}:*"), ("Read", resource))
        ]  # fmt: skip
        changes += [
            {
                "module_address": f'module.function["{function}"]',
                "type": kind,
                "name": "this",
                "change": {"after": after},
            }
            for kind, after in [
                ("aws_cloudwatch_log_group", group),
                ("aws_iam_role_policy", {}),
                ("aws_iam_policy_document", {"statement": statements}),
            ]
        ]
    return {"resource_changes": changes}


def test_table_does_not_change_when_an_action_is_added() -> None:
    before = permissions.table(planned(one="a", other="b"), {"one"})

    assert permissions.table(planned(one="a", two="a", other="b"), {"one", "two"}) == before
    assert (
        "| ACTION | WriteOwnLog | `s3:GetObject` | `logs:log-group:/aws/lambda/slipway-ACTION:*` |"
        in before
    )
    assert (
        "| other | WriteOwnLog | `s3:GetObject` | `logs:log-group:/aws/lambda/slipway-other:*` |"
        in before
    )


def test_table_is_refused_when_two_actions_differ() -> None:
    with pytest.raises(typer.BadParameter, match="two may not do the same as the other actions"):
        permissions.table(planned(one="a", two="b"), {"one", "two"})


def test_table_is_refused_when_a_log_is_not_its_own() -> None:
    plan = planned(one="group-1:*", two="group-1:*")

    with pytest.raises(typer.BadParameter, match="two may not do the same"):
        permissions.table(plan, {"one", "two"})
