"""What the stack's variables accept and refuse: a table, judged by the real Terraform.

A row is one rule of `terraform/variables*.tf`. Each value is passed to `terraform/tests/inputs`,
which has the stack's variables and nothing else. Terraform plans all of them at once and names the
line of each value that it refuses.
"""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2
import pytest

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / "terraform"
MSK = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1"
PLUGIN = {
    "bucket_arn": "arn:aws:s3:::acme-plugins",
    "key": "mm2.zip",
    "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
}
ACTION = next(iter(hcl2.loads((STACK / "actions.tf").read_text())["locals"][0]["actions"]))

type Values = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Values that a rule accepts and refuses.

    Args:
        message: Words of the message that a refused value gets.
        variables: The variables of the stack that a value of the table stands for.
    """

    message: str
    variables: Callable[[Any], Values]
    accepted: Sequence[Any] = ()
    refused: Sequence[Any] = ()


@dataclass
class Case:
    rule: Rule
    value: Any
    is_refused: bool
    messages: list[str] = field(default_factory=list)


def variable(name: str, /, **others: Any) -> Callable[[Any], Values]:
    """Stand for the value of a variable, or of an attribute: `port.org_id`."""
    first, *path = name.split(".")

    def build(value: Any) -> Values:
        for key in reversed(path[1:]):
            value = {key: value}
        return {first: {**others, path[0]: value} if path else value}

    return build


def whole(low: int, high: int | None = None) -> dict[str, Sequence[Any]]:
    """The edges of a range of whole numbers; no `high`: without end."""
    upper = (high,) if high is not None else ()
    beyond = (high + 1,) if high is not None else ()
    return {"accepted": (low, *upper), "refused": (low - 1, *beyond, low + 0.5)}


def reachable(**changes: Any) -> str:
    """A resource policy of one statement: everybody, unless said otherwise; None leaves it out."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"}
    statement |= {"Resource": "execute-api:/*"} | changes
    return json.dumps({"Statement": [{k: v for k, v in statement.items() if v is not None}]})


def rule_of(**approval: Any) -> Values:
    """An approval rule for all actions and environments."""
    return {
        "approvals": {"rules": [{"actions": ["*"], "environments": ["*"], "approval": approval}]}
    }


def api_policy(resource: Any) -> str:
    principal = {"AWS": "arn:aws:iam::444455556666:role/devops"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "execute-api:Invoke"}
    named = {} if resource is None else {"Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | named]})


def strategy(attribute: str) -> Callable[[Any], Values]:
    return lambda value: {"remediation": {"strategies": [{"kind": "scale_up", attribute: value}]}}


def probes(window: str, attribute: str) -> Callable[[Any], Values]:
    numbers = {"probes": 9, "healthy_after": 1, "ill_after": 1}
    return lambda number: {"remediation": {window: {**numbers, attribute: number}}}


def subscription(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "state_machine": "m", "filter": {"blueprint": "b"}, **changes}


def named(attribute: str) -> Callable[[Any], Values]:
    return lambda text: {"subscriptions": [subscription(**{attribute: text})]}


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
        for name, others in [
            ("port.base_url", {"org_id": "org_test"}),
            ("port.app_url", {"org_id": "org_test"}),
            ("github.api_url", {"services_repo": "acme/services"}),
        ]
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
        "github.services_repo",
        variable("github.services_repo"),
        ["acme/services.prod"],
        ["services"],
    ),
    Rule(
        "github.base_branch",
        variable("github.base_branch", services_repo="acme/services"),
        ["release/1.x"],
        ["my branch"],
    ),
    Rule(
        "github.merge_method",
        variable("github.merge_method", services_repo="acme/services"),
        ["auto", "squash", "merge", "rebase"],
        ["Squash", "fast-forward"],
    ),
    Rule(
        "github.team_reviewers",
        lambda user: {
            "github": {"services_repo": "acme/services", "team_reviewers": {"a b": [user]}}
        },
        ["octocat", "team:platform"],
        ["@octocat"],
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
        "tags must have at most 40 entries",
        lambda count: {"tags": {f"tag-{number}": "" for number in range(count)}},
        [40],
        [41],
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

NO_ADDRESSES = ["devops", "devops@acme", "dev ops@acme.example", f"{'a' * 242}@acme.example"]
APPROVALS = [
    Rule(
        "must be e-mail addresses",
        lambda email: {"approvals": {"approvers": {"emails": [email]}}},
        ["two+work@sub.acme.example", f"{'a' * 241}@acme.example"],
        NO_ADDRESSES,
    ),
    Rule("must be e-mail addresses", lambda email: rule_of(emails=[email]), refused=["devops@"]),
    Rule(
        "must be e-mail addresses",
        lambda email: {"approvals": {"approver_principals": {"devops": email}}},
        refused=["one"],
    ),
    Rule(
        "teams must be",
        lambda team: {"approvals": {"approvers": {"teams": [team]}}},
        ["Platform Team", "t" * 200],
        [" ", "t" * 201],
    ),
    Rule("teams must be", lambda team: rule_of(teams=[team]), refused=[""]),
    Rule(
        "count must be a whole number",
        variable("approvals.approvers.count"),
        **whole(1, 10),
    ),
    Rule("count must be a whole number", lambda n: rule_of(teams=["a"], count=n), **whole(1, 10)),
    Rule(
        "no approver could ever approve",
        lambda emails: {"approvals": {"approvers": {"emails": emails, "count": 2}}},
        [["one@acme.example", "two@acme.example"]],
        [["one@acme.example"], ["one@acme.example", "One@acme.example"]],
    ),
    Rule(
        "no approver could ever approve",
        lambda approvers: rule_of(count=2, **approvers),
        [
            {"emails": ["one@acme.example", "two@acme.example"]},
            {"emails": ["one@acme.example"], "teams": ["a"]},
        ],
        [{"emails": ["one@acme.example"]}],
    ),
    Rule(
        "no approver could ever approve",
        lambda approvers: {"approvals": {"approvers": approvers, **rule_of(count=2)["approvals"]}},
        [{"teams": ["a"]}, {}],
        [{"emails": ["one@acme.example"]}],
    ),
    Rule(
        "expires_after_seconds must be a whole number",
        lambda seconds: {
            "approvals": {
                "approvers": {"expires_after_seconds": seconds, "remind_before_seconds": 0}
            }
        },
        **whole(5, 2592000),
    ),
    Rule(
        "expires_after_seconds must be a whole number",
        lambda seconds: rule_of(expires_after_seconds=seconds, remind_before_seconds=0),
        **whole(5, 2592000),
    ),
    Rule(
        "remind_before_seconds",
        lambda seconds: {
            "approvals": {
                "approvers": {"expires_after_seconds": 3600, "remind_before_seconds": seconds}
            }
        },
        [0, *whole(5, 3599)["accepted"]],
        whole(5, 3599)["refused"],
    ),
    # The default reminds two hours before the end.
    Rule(
        "remind_before_seconds",
        lambda seconds: rule_of(expires_after_seconds=seconds),
        [7201],
        [7200],
    ),
    Rule(
        "approvals.rules",
        lambda actions: {"approvals": {"rules": [{"actions": actions, "environments": ["*"]}]}},
        [["*"], [ACTION]],
        [[], ["not_an_action"], ["approval"], [ACTION, "not_an_action"]],
    ),
    Rule(
        "approvals.rules",
        lambda names: {"approvals": {"rules": [{"actions": ["*"], "environments": names}]}},
        [["*"], ["my own"]],
        [[], [""], ["Test", " "]],
    ),
    Rule(
        "approvals.domain_aliases",
        lambda aliases: {"approvals": {"domain_aliases": aliases}},
        [{"acme.io": "acme.example", "acme.test": "acme.example"}],
        [
            {"acme.io": "acme.test", "acme.test": "acme.example"},
            {"Acme.io": "acme.example"},
            {"acme.io": "one@acme.example"},
        ],
    ),
    Rule("approvals.scale", variable("approvals.scale.min"), [0, 20], [-1, 21, 0.5]),
    Rule(
        "approvals.scale",
        lambda n: {"approvals": {"scale": {"min": 0, "max": n}}},
        **whole(1),
    ),
    Rule("approvals.scale", variable("approvals.scale.default_step"), **whole(1, 5)),
    Rule("approvals.scale", variable("approvals.scale.max_step"), **whole(1)),
    Rule(
        "approvals.approver_principals",
        lambda role: {"approvals": {"approver_principals": {role: "one@acme.example"}}},
        ["release.manager+1", "r" * 64, "arn:aws:iam::444455556666:role/devops"],
        [
            "teams/devops",
            "AWSReservedSSO_Admin_0123456789abcdef",
            "arn:aws:iam::444455556666:role/AWSReservedSSO_Admin_0123456789abcdef",
            "arn:aws:iam::444455556666:role/teams/devops",
            "r" * 65,
        ],
    ),
    Rule(
        "approvals.approver_accounts",
        variable("approvals.approver_accounts"),
        [[], ["444455556666"]],
        [["44445555666"], ["*"]],
    ),
    Rule(
        "approvals.audit.mode",
        variable("approvals.audit.mode"),
        ["COMPLIANCE", "GOVERNANCE"],
        ["compliance"],
    ),
    Rule(
        "approvals.audit.retention_days",
        variable("approvals.audit.retention_days"),
        **whole(1, 36500),
    ),
    Rule(
        "approvals.api.throttle_rate",
        variable("approvals.api.throttle_rate"),
        [1, 1.5, 10000],
        [0, 10001],
    ),
    Rule("throttle_burst", variable("approvals.api.throttle_burst"), **whole(1, 5000)),
    Rule(
        "approvals.api.resource_policy",
        variable("approvals.api.resource_policy"),
        [None, '{"Statement": []}'],
        ["everybody", "[]"],
    ),
    Rule(
        'needs a Resource that begins with "execute-api:/"',
        lambda resource: {"approvals": {"api": {"resource_policy": api_policy(resource)}}},
        ["execute-api:/*", ["execute-api:/live/POST/*", "execute-api:/live/GET/*"]],
        [None, [], "*", "arn:aws:s3:::bucket/*", ["execute-api:/*", "*"]],
    ),
    Rule(
        "must not allow *",
        variable("approvals.api.resource_policy"),
        [
            reachable(Effect="Deny"),
            reachable(Principal={"AWS": "arn:aws:iam::444455556666:role/devops"}),
            reachable(Condition={"StringEquals": {"aws:PrincipalAccount": ["111122223333"]}}),
            reachable(Condition={"StringEquals": {"AWS:PrincipalOrgId": "o-abcdefghij"}}),
            reachable(Resource=[f"execute-api:/live/{m}/links/*" for m in ("GET", "POST")]),
        ],
        [
            reachable(),
            reachable(Principal={"AWS": ["arn:aws:iam::444455556666:root", "*"]}),
            reachable(Principal=None, NotPrincipal={"AWS": "arn:aws:iam::444455556666:root"}),
            reachable(Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            reachable(Condition={"StringEqualsIfExists": {"aws:PrincipalAccount": "111122223333"}}),
            reachable(Condition={"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}),
            reachable(Condition={"StringLike": {"aws:PrincipalAccount": "*"}}),
            reachable(Resource=["execute-api:/live/GET/links/*", "execute-api:/*"]),
            reachable(Resource="execute-api:/live/*/links/*"),
        ],
    ),
    Rule(
        "links_base_url",
        variable("links_base_url"),
        [None, "https://approvals.acme.example/{api_id}/live", "http://127.0.0.1:4566"],
        ["https://approvals.acme.example/", "approvals.acme.example"],
    ),
]

ADDRESS = (
    [None, "https://slipway.acme.example/{api_id}/live", "http://127.0.0.1:4566"],
    ["https://slipway.acme.example/", "slipway.acme.example", "https://a b"],
)
REPORTS = [
    Rule("issuer and base_url", variable("reports.issuer"), *ADDRESS),
    Rule("issuer and base_url", variable("reports.base_url"), *ADDRESS),
    Rule("per_minute", variable("reports.per_minute"), **whole(1, 10_000)),
    Rule("throttle_rate", variable("reports.throttle_rate"), **whole(1, 10_000)),
    Rule("throttle_burst", variable("reports.throttle_burst"), **whole(1, 10_000)),
    Rule(
        "deployed_service.namespace",
        variable("deployed_service.namespace"),
        ["{service}", "{environment}-{service}", "all"],
        ["", "{team}", "{namespace}"],
    ),
    Rule(
        "deployed_service.urls may have",
        variable("deployed_service.urls"),
        [{}, {"grafana_url": "https://g.example/d?var={service}&ns={namespace}"}],
        [{"made_up_url": "https://g.example"}],
    ),
    Rule(
        "deployed_service.urls must be",
        variable("deployed_service.urls.health_url"),
        ["https://{service}.{environment}.example.com/health", "http://127.0.0.1:3300/x"],
        ["ftp://x/{service}", "{service}", "https://", "https://a b", "https://x/{team}"],
    ),
    Rule("ttl_days", variable("deployed_service.ttl_days"), **whole(1, 99_999)),
]

SECRETS = [
    Rule("secret_versions", variable("secret_versions.links"), **whole(0)),
    Rule("secret_versions", variable("secret_versions.kafka"), refused=[-1]),
    Rule(
        "port_credentials",
        variable("port_credentials"),
        [None, {"client_id": "id", "client_secret": "s" * 32}],
        [
            {"client_id": "id", "client_secret": "s" * 31},
            {"client_id": "", "client_secret": "s" * 32},
        ],
    ),
    Rule(
        "github_credentials",
        variable("github_credentials"),
        [None, {"token": "t"}, {"app_id": 1, "installation_id": 2, "private_key": "key"}],
        [
            {},
            {"app_id": 1, "installation_id": 2},
            {"app_id": 1, "installation_id": 2, "private_key": "key", "token": "t"},
        ],
    ),
    *(
        Rule(
            name,
            variable(name),
            [None, {"username": "user", "password": "p"}],
            [{"username": "user", "password": ""}, {"username": "", "password": "p"}],
        )
        for name in ("kafka_credentials", "mirror_credentials")
    ),
    Rule(
        "slack_webhook_url",
        variable("slack_webhook_url"),
        [None, "https://hooks.slack.com/services/T0/B0/x", "http://127.0.0.1:8080/hook"],
        ["http://hooks.slack.com/services/T0/B0/x", "T0/B0/x"],
    ),
]

KAFKA = [
    Rule("kafka.mode must be", variable("kafka.mode"), ["external"], ["confluent"]),
    Rule(
        "need kafka.mode",
        variable("kafka"),
        refused=[{"cluster_arn": MSK}, {"create": {}}, {"authentication": "IAM"}],
    ),
    Rule(
        "needs either kafka.cluster_arn or kafka.create",
        lambda kafka: {"kafka": {"mode": "msk", **kafka}},
        [{"create": {}}, {"cluster_arn": MSK}],
        [{}, {"create": {}, "cluster_arn": MSK}, {"create": {}, "bootstrap_servers": ["a:1"]}],
    ),
    Rule(
        "kafka.bootstrap_servers",
        variable("kafka.bootstrap_servers"),
        [None, ["kafka-1.example.com:9096"], ["10.0.0.1:9096"] * 10],
        [[], ["a:1"] * 11, ["kafka-1.example.com"], ["https://a:1"]],
    ),
    Rule(
        "kafka.cluster_arn must be",
        variable("kafka.cluster_arn", mode="msk"),
        refused=["arn:aws:kafka:eu-west-1:111122223333:topic/runs/0a1b-1/t"],
    ),
    Rule(
        "kafka.authentication must be",
        variable("kafka.authentication", mode="msk", create={}),
        ["SCRAM", "IAM"],
        ["TLS"],
    ),
    Rule(
        "kafka.create.type",
        variable("kafka.create.type", mode="msk", authentication="IAM"),
        ["provisioned", "serverless"],
        ["express"],
    ),
    Rule(
        "knows only IAM",
        variable("kafka.authentication", mode="msk", create={"type": "serverless"}),
        refused=["SCRAM"],
    ),
    Rule(
        "kafka.create.volume_gib",
        variable("kafka.create.volume_gib", mode="msk"),
        [1, 200],
        [0, 201],
    ),
    Rule(
        "volume_gib_max",
        variable("kafka.create.volume_gib_max", mode="msk"),
        [50, 16384],
        [49, 16385],
    ),
    Rule(
        "kafka.create.brokers_per_zone",
        variable("kafka.create.brokers_per_zone", mode="msk"),
        **whole(1),
    ),
    Rule(
        "kafka.starting_position",
        variable("kafka.starting_position"),
        [None, "LATEST", "TRIM_HORIZON"],
        ["AT_TIMESTAMP"],
    ),
    Rule(
        "provisioned_pollers.min",
        variable("provisioned_pollers.min", max=2000),
        [1, 200],
        [0, 201],
    ),
    Rule(
        "provisioned_pollers.min must",
        variable("provisioned_pollers.max", min=2),
        [2, 2000],
        [1, 2001],
    ),
    Rule(
        "maximum_retry_attempts",
        variable("provisioned_pollers.maximum_retry_attempts"),
        [-1, 0, 10000],
        [-2, 10001],
    ),
    Rule(
        "maximum_record_age_seconds",
        variable("provisioned_pollers.maximum_record_age_seconds"),
        [-1, 60, 604800],
        [0, 59, 604801],
    ),
    Rule(
        "kafka_mirror needs kafka.mode",
        lambda kafka: {"kafka": kafka, "kafka_mirror": {"plugin": PLUGIN}},
        [{"mode": "msk", "create": {}}],
        [{}],
    ),
    Rule(
        "kafka_mirror.plugin",
        lambda changes: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": {**PLUGIN, **changes}},
        },
        [{}, {"version": "1"}],
        [{"bucket_arn": "acme-plugins"}, {"key": ""}],
    ),
    Rule(
        "kafka_mirror.plugin.sha256",
        lambda sha256: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": {**PLUGIN, "sha256": sha256}},
        },
        [PLUGIN["sha256"]],
        ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ),
    Rule(
        "kafka_mirror.source_servers",
        lambda servers: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": PLUGIN, "source_servers": servers},
        },
        [None, ["a.example.com:9096", "b.example.com:9096"]],
        [["a.example.com:9096", "b.example.com:9097"], ["a.example.com"]],
    ),
]

NETWORK = [
    Rule("network.cidr", variable("network.cidr"), ["10.0.0.0/26"], ["10.0.0.0", "10.0.0.0/27"]),
    Rule(
        "network.cidr",
        lambda cidr: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": PLUGIN},
            "network": {"cidr": cidr},
        },
        ["10.0.0.0/24"],
        ["10.0.0.0/25"],
    ),
    Rule(
        "network.vpc_id needs network.subnet_ids",
        variable("network"),
        [
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-b"]},
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-b", "subnet-c"]},
        ],
        [
            {"vpc_id": "vpc-a"},
            {"subnet_ids": ["subnet-a", "subnet-b"]},
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-a"]},
            {"vpc_id": "vpc-a", "subnet_ids": [f"subnet-{number}" for number in range(4)]},
        ],
    ),
    Rule(
        "network.security_group_id needs", variable("network.security_group_id"), refused=["sg-a"]
    ),
    Rule(
        "ids begin with",
        lambda ids: {
            "network": dict(zip(("vpc_id", "subnet_ids", "security_group_id"), ids, strict=True))
        },
        [("vpc-a", ["subnet-a", "subnet-b"], "sg-a")],
        [
            ("sg-a", ["subnet-a", "subnet-b"], "sg-a"),
            ("vpc-a", ["subnet-a", "sg-a"], "sg-a"),
            ("vpc-a", ["subnet-a", "subnet-b"], "vpc-a"),
        ],
    ),
    Rule(
        "works in that cluster's VPC",
        lambda group: {
            "kafka": {"mode": "msk", "authentication": "IAM", "cluster_arn": MSK},
            "kafka_mirror": {"plugin": PLUGIN},
            "network": {
                "vpc_id": "vpc-a",
                "subnet_ids": ["subnet-a", "subnet-b"],
                "security_group_id": group,
            },
        },
        ["sg-a"],
        [None],
    ),
]

REMEDIATION = [
    Rule(
        "Step Functions ends one at 25000",
        lambda attempts: {
            "remediation": {
                "strategies": [
                    {"kind": "restart", "attempts": 5},
                    {"kind": "roll_back", "attempts": attempts},
                ]
            }
        },
        accepted=[1],
        refused=[2],
    ),
    Rule("remediation.mode", variable("remediation.mode"), ["repair", "verify", "off"], ["on"]),
    Rule(
        "remediation.strategies must be restart",
        lambda kinds: {"remediation": {"strategies": [{"kind": kind} for kind in kinds]}},
        [[], ["scale_up", "restart", "roll_back"]],
        [["reboot"], ["restart", "restart"]],
    ),
    Rule("attempts must be", strategy("attempts"), **whole(1, 5)),
    Rule("wait_seconds from", strategy("wait_seconds"), **whole(5, 3600)),
    Rule("step from", strategy("step"), **whole(1, 10)),
    Rule("max_replicas from", strategy("max_replicas"), **whole(1, 1000)),
    Rule(
        "remediation.environments",
        variable("remediation.environments"),
        [[], ["Test", "Staging", "Production"]],
        [["Prod"]],
    ),
    Rule(
        "remediation.approval_environments",
        variable("remediation.approval_environments", environments=["Test"]),
        [[], ["Test"]],
        [["Production"]],
    ),
    Rule(
        "remediation.auto_merge_environments",
        variable("remediation.auto_merge_environments"),
        [[], ["Production"]],
        [["Prod"]],
    ),
    Rule("remediation.max_per_hour", variable("remediation.max_per_hour"), **whole(1, 20)),
    Rule("remediation.max_repairs", variable("remediation.max_repairs"), **whole(1, 100)),
    Rule("remediation.quiet_seconds", variable("remediation.quiet_seconds"), **whole(5, 604800)),
    *(
        Rule(
            "remediation.verify and settle",
            probes(window, name),
            **whole(1, high),
        )
        for window in ("verify", "settle")
        for name, high in {
            "probes": 60,
            "interval_seconds": 600,
            "healthy_after": 9,
            "ill_after": 9,
        }.items()
    ),
    Rule(
        "remediation.alert_emails",
        lambda email: {"remediation": {"alert_emails": [email]}},
        ["one+alerts@sub.acme.example"],
        ["devops"],
    ),
    *(
        Rule(
            "name and state_machine must be",
            named(name),
            ["d_-1", "a" * 80],
            ["", "my own", "arn:aws:states:eu-west-1:111122223333:stateMachine:m", "a" * 81],
        )
        for name in ("name", "state_machine")
    ),
    Rule(
        "each name once",
        lambda names: {"subscriptions": [subscription(name=name) for name in names]},
        [["a", "b"]],
        [["a", "a"], ["health"]],
    ),
    Rule(
        "a filter needs a blueprint",
        lambda conditions: {"subscriptions": [subscription(filter=conditions)]},
        [
            {"blueprint": "b", "properties": {"x": ["y"]}},
            {"blueprint": "b", "changed": ["ttl"], "own_writes": True},
        ],
        [{"blueprint": " "}, {"blueprint": "b", "properties": {"x": []}}],
    ),
    Rule(
        "at most 4",
        lambda count: {
            "subscriptions": [subscription(name=f"s{number}") for number in range(count)]
        },
        [0, 4],
        [5],
    ),
    Rule(
        "health_probe.allowed_cidrs",
        lambda cidr: {"health_probe": {"allowed_cidrs": [cidr]}},
        ["10.0.0.0/8", "2001:db8::/32"],
        ["10.0.0.0"],
    ),
    Rule(
        "health_probe.allowed_ports",
        lambda port: {"health_probe": {"allowed_ports": [port]}},
        **whole(1, 65535),
    ),
    Rule("health_probe.allowed_ports", variable("health_probe.allowed_ports"), refused=[[]]),
    Rule(
        "health_probe.trusted_urls",
        lambda pattern: {"health_probe": {"trusted_urls": [pattern]}},
        ["https://*.example.com/", "http://10.0.0.1:8080/health", "https://a.*.b-c_d.example/x/"],
        [
            "https://*.example.com",
            "https://a*.example.com/",
            "https://Shop.example.com/",
            "https://user@shop.example.com/",
            "https://shop.example.com:*/",
            "https://shop.example.com/?x",
            "ftp://shop.example.com/",
            "*",
        ],
    ),
    Rule(
        "health_probe.canary_url",
        lambda url: {"health_probe": {"canary_url": url, "allowed_ports": [443, 8080]}},
        [None, "https://canary.example.com", "http://10.0.0.1:8080/health?x=1"],
        [
            "http://canary.example.com/",
            "https://canary.example.com:8443/",
            "https://me@canary.example.com/",
            "canary.example.com",
            "",
        ],
    ),
    Rule(
        "health_probe.vpc",
        lambda ids: {"health_probe": {"vpc": {"subnet_ids": ids[0], "security_group_ids": ids[1]}}},
        [(["subnet-a"], ["sg-a"])],
        [([], ["sg-a"]), (["subnet-a"], []), (["vpc-a"], ["sg-a"]), (["subnet-a"], ["vpc-a"])],
    ),
    Rule(
        "health_probe.deadline_seconds",
        variable("health_probe.deadline_seconds"),
        [0.1, 10],
        [0, 10.1],
    ),
]

CASES = [
    Case(rule, value, is_refused)
    for rule in (
        *GENERAL, *SWEEP, *APPROVALS, *REPORTS, *SECRETS, *KAFKA, *NETWORK, *REMEDIATION,
    )
    for is_refused, values in ((False, rule.accepted), (True, rule.refused))
    for value in values
]  # fmt: skip
# Variables whose rules look at each other's values.
TOGETHER = ({"functions", "sweep"}, {"kafka", "kafka_mirror", "network"})
REQUIRED = {
    "artifacts_dir": str(STACK / "tests" / "artifacts"),
    "port": {"org_id": "org_test"},
    "github": {"services_repo": "acme/services"},
}


def with_related(names: Iterable[str]) -> set[str]:
    found = set(names)
    return found.union(*(group for group in TOGETHER if group & found))


def calls_of(cases: Iterable[Case]) -> list[dict[str, tuple[Any, Case | None]]]:
    """Lay the cases out as few calls: a variable has one value in each.

    Returns:
        Calls of the module: variable → value and the case that it belongs to.
    """
    calls: list[dict[str, tuple[Any, Case | None]]] = []
    taken: list[set[str]] = []
    for case in cases:
        values = case.rule.variables(case.value)
        names = with_related(values)
        place = next((n for n, used in enumerate(taken) if not used & names), len(calls))
        if place == len(calls):
            calls.append({name: (value, None) for name, value in REQUIRED.items()})
            taken.append(set())
        calls[place] |= {name: (value, case) for name, value in values.items()}
        taken[place] |= names
    return calls


def written(value: Any) -> str:
    """JSON for Terraform, which reads templates in its strings."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def judge(cases: Sequence[Case], folder: Path) -> set[tuple[str, int]]:
    """Have Terraform plan all cases, and note in each what it says of it.

    Returns:
        File and line of each rule that refused something.
    """
    source = written(os.path.relpath(STACK / "tests" / "inputs", folder))
    lines = ['{"module": {']
    cases_of_lines: dict[int, Case | None] = {}
    for number, call in enumerate(calls_of(cases)):
        lines.append(f'{"," if number else ""}"call_{number}": {{"source": {source}')
        for name, (value, case) in call.items():
            lines.append(f', "{name}": {written(value)}')
            cases_of_lines[len(lines)] = case
        lines.append("}")
    (folder / "main.tf.json").write_text("\n".join([*lines, "}}"]))

    terraform(folder, "init", "-input=false")
    planned = terraform(folder, "plan", "-json", "-input=false", "-lock=false", may_fail=True)
    said = [json.loads(line) for line in planned.splitlines()]

    rules = set()
    for diagnostic in [line["diagnostic"] for line in said if line["type"] == "diagnostic"]:
        assert diagnostic["summary"] == "Invalid value for variable", diagnostic
        message, _, origin = diagnostic["detail"].partition("\n\n")
        case = cases_of_lines[diagnostic["range"]["start"]["line"]]
        assert case is not None, diagnostic
        case.messages.append(message)
        place = re.search(r"(variables[\w.]*\.tf):(\d+)", origin)
        assert place is not None, diagnostic
        rules.add((place[1], int(place[2])))
    return rules


def terraform(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    ended = subprocess.run(
        [ROOT / "scripts" / "terraform", f"-chdir={folder}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert may_fail or ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def rules_that_refused(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("variables")
    # Rules that read a second variable are judged in the plan, which Terraform makes only of
    # what it found valid.
    return judge(CASES, folder) | judge([case for case in CASES if not case.messages], folder)


def identifier(case: Case) -> str:
    return f"{case.rule.message}: {str(case.value)[:50]}"


@pytest.mark.usefixtures("rules_that_refused")
@pytest.mark.parametrize("case", [case for case in CASES if case.is_refused], ids=identifier)
def test_variable_refuses_value(case: Case) -> None:
    assert [message for message in case.messages if case.rule.message in message], case.messages


@pytest.mark.usefixtures("rules_that_refused")
@pytest.mark.parametrize("case", [case for case in CASES if not case.is_refused], ids=identifier)
def test_variable_accepts_value(case: Case) -> None:
    assert case.messages == []


def test_every_rule_refuses_a_value(rules_that_refused: set[tuple[str, int]]) -> None:
    there = {
        (file.name, number)
        for file in STACK.glob("variables*.tf")
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if line == "  validation {"
    }

    assert len(there) > 70
    assert there - rules_that_refused == set()


def test_inputs_are_the_variables_of_the_stack() -> None:
    linked = {link.name: link.resolve() for link in (STACK / "tests" / "inputs").glob("*.tf")}

    assert {name for name, file in linked.items() if file != STACK / name} == {"main.tf"}
    assert {file.name for file in STACK.glob("variables*.tf")} <= linked.keys()


def test_cases_share_no_variable_within_a_call() -> None:
    for call in calls_of(CASES):
        cases = Counter(id(case) for _, case in call.values() if case is not None)
        expected = {
            id(case): len(case.rule.variables(case.value)) for _, case in call.values() if case
        }

        assert cases == expected
