"""Rules of `terraform/variables.tf`."""

from collections.abc import Callable
from typing import Any

from tests.terraform.conftest import ROOT, STACK
from tests.terraform.variables.rule import Rule, Values, variable, whole


def repository(attribute: str) -> Callable[[Any], Values]:
    """Represent the value of an attribute of a repository."""
    return lambda value: {
        "github": {"repositories": {"services": {"name": "acme/services", attribute: value}}}
    }


ADDRESSES: list[tuple[str, Values]] = [
    ("port.base_url", {"org_id": "org_test"}),
    ("port.app_url", {"org_id": "org_test"}),
    ("github.api_url", {"repositories": {"services": {"name": "acme/services"}}}),
]
GENERAL = [
    *(
        Rule(
            f"{name.partition('.')[0]}.{name.partition('.')[2]}",
            variable(name, **others),
            accepted=[
                "https://api.us.port.io",
                "http://127.0.0.1:3000",
                "https://git.acme.example/api/v3",
            ],
            refused=["https://api.port.io/", "api.port.io"],
        )
        for name, others in ADDRESSES
    ),
    Rule(
        "port.base_url must not end with /v1",
        variable("port.base_url", org_id="org_test"),
        ["https://api.port.io", "https://port.acme.example/v1/proxy"],
        ["https://api.port.io/v1"],
    ),
    Rule(
        "port.org_id",
        variable("port.org_id"),
        ["org_Test-1", "o" * 200],
        ["", "org.test", "o" * 201],
    ),
    Rule(
        "port.signature",
        variable("port.signature", org_id="org_test"),
        ["required", "if_present"],
        ["maybe"],
    ),
    Rule(
        "github.repositories needs",
        lambda key: {"github": {"repositories": {key: {"name": "acme/services"}} if key else {}}},
        ["a", "pay.Team-1_x", "k" * 100],
        ["", "-a", "a.", "a/b", "k" * 101],
    ),
    Rule("name must be", repository("name"), ["acme/services.prod"], ["services", "a/b/c"]),
    Rule("base_branch must be", repository("base_branch"), ["release/1.x"], ["my branch"]),
    Rule(
        "merge_method must be",
        repository("merge_method"),
        ["auto", "squash", "merge", "rebase"],
        ["Squash", "fast-forward"],
    ),
    Rule(
        "installation_id must be", repository("installation_id"), [None, "1", 12345678], ["0", "x"]
    ),
    Rule(
        "must agree",
        lambda other: {
            "github": {
                "repositories": {
                    "one": {"name": "acme/services", "base_branch": "main"},
                    "other": other,
                }
            }
        },
        [
            {"name": "Acme/Services"},
            {"name": "acme/others", "base_branch": "master"},
        ],
        [
            {"name": "acme/services", "base_branch": "master"},
            {"name": "ACME/services", "merge_method": "squash"},
            {"name": "acme/services", "installation_id": "1"},
        ],
    ),
    Rule(
        "github.team_reviewers",
        variable(
            "github.team_reviewers.platform", repositories={"services": {"name": "acme/services"}}
        ),
        [["octocat", "team:platform"]],
        [["@octocat"]],
    ),
    Rule(
        "catalog_dir has no kind",
        variable("catalog_dir"),
        [str(ROOT / "tests" / "catalogs" / "acme")],
        [str(ROOT / "tests"), str(ROOT / "not_there")],
    ),
    Rule(
        "catalog_settings must be",
        variable("catalog_settings"),
        [{}, {"ttl_days": 3, "health_url": None, "any": {"List": ["a", 1]}}],
        [{"Name": "x"}, {"a.b": "x"}, ["a"], "text"],
    ),
    Rule(
        "identifier_prefix",
        variable("identifier_prefix"),
        ["", "acme_", "p" * 20],
        ["acme-", "Acme_", "p" * 21],
    ),
    Rule(
        "functions.architecture", variable("functions.architecture"), ["arm64", "x86_64"], ["amd64"]
    ),
    Rule("functions.memory_mb", variable("functions.memory_mb"), **whole(128, 10240)),
    Rule("functions.timeout_seconds", variable("functions.timeout_seconds"), [30, 840], [29, 841]),
    Rule(
        "functions.log_level",
        variable("functions.log_level"),
        ["DEBUG", "INFO", "WARNING", "ERROR"],
        ["WARN"],
    ),
    Rule(
        "functions.log_retention_days", variable("functions.log_retention_days"), [1, 3653], [0, 31]
    ),
    Rule(
        "functions.reserved_concurrency",
        variable("functions.reserved_concurrency"),
        [{}, {"approval": 1}],
        [{"approval": 0}, {"approval": 1.5}],
    ),
    Rule(
        "functions.vpc",
        lambda ids: {"functions": {"vpc": {"subnet_ids": ids[0], "security_group_ids": ids[1]}}},
        [(["subnet-a"], ["sg-a"])],
        [([], ["sg-a"]), (["subnet-a"], []), (["vpc-a"], ["sg-a"]), (["subnet-a"], ["vpc-a"])],
    ),
    Rule(
        "has no layer for arm64",
        lambda folder: {"functions": {"architecture": "arm64"}, "artifacts_dir": str(folder)},
        [STACK / "tests" / "artifacts"],
        [ROOT / "tests" / "fixtures" / "terraform" / "x86_64"],
    ),
    Rule(
        "no artifacts.json",
        variable("artifacts_dir"),
        [str(STACK / "tests" / "artifacts")],
        [str(STACK / "tests")],
    ),
    Rule(
        "changes.source must be",
        variable("changes.source"),
        ["automations", "change_log"],
        ["kafka"],
    ),
    Rule(
        "approvals.without_person must be",
        variable("approvals.without_person"),
        ["two_approvers", "refuse"],
        ["nobody"],
    ),
    Rule(
        "name_prefix",
        variable("name_prefix"),
        ["abc", "a-3456789012345678901234"],
        ["ab", "a-34567890123456789012345", "Slipway", "1abc", "abc-"],
    ),
    Rule(
        "alarm_actions",
        lambda arn: {"alarm_actions": [arn]},
        ["arn:aws:sns:eu-west-1:111122223333:alarms"],
        ["operator@acme.example"],
    ),
    Rule(
        "alarm_emails must be e-mail addresses",
        lambda email: {"alarm_emails": [email]},
        ["operator@acme.example"],
        ["arn:aws:sns:eu-west-1:111122223333:alarms"],
    ),
    Rule(
        "permissions_boundary_arn",
        variable("permissions_boundary_arn"),
        [None, "arn:aws:iam::111122223333:policy/boundary", "arn:aws:iam::aws:policy/boundary"],
        ["arn:aws:iam::111122223333:role/boundary"],
    ),
    Rule(
        "observability.runbook_url",
        variable("observability.runbook_url"),
        ["https://acme.example/runbook"],
        ["https://acme.example/runbook#top"],
    ),
    Rule(
        "observability.record_age_seconds",
        variable("observability.record_age_seconds"),
        **whole(60),
    ),
]

SWEEP = [
    Rule("sweep.rate_minutes", variable("sweep.rate_minutes"), [1, 1440], [0, 1441]),
    Rule("whole numbers", variable("sweep.rate_minutes"), refused=[1.5]),
    Rule(
        "sweep.never_received_seconds",
        variable("sweep.never_received_seconds"),
        [60, 86400],
        [59, 86401],
    ),
    Rule(
        "sweep.report_seconds must be from",
        lambda limit: {"functions": {"timeout_seconds": 30}, "sweep": {"report_seconds": limit}},
        [60, 86400],
        [59, 86401],
    ),
    Rule(
        "sweep.report_seconds must not be less than functions.timeout_seconds",
        lambda limit: {"functions": {"timeout_seconds": 120}, "sweep": {"report_seconds": limit}},
        [120],
        [119],
    ),
    Rule(
        "sweep.pull_request_seconds",
        variable("sweep.pull_request_seconds", reminder_seconds=60),
        [3600, 31536000],
        [3599, 31536001],
    ),
    Rule(
        "sweep.reminder_seconds",
        variable("sweep.reminder_seconds", pull_request_seconds=7200),
        [60, 7199],
        [59, 7200],
    ),
    Rule("sweep.held_seconds", variable("sweep.held_seconds"), [3600, 2592000], [3599, 2592001]),
]
