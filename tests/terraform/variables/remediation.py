"""Rules of `terraform/variables.remediation.tf`."""

from collections.abc import Callable
from typing import Any

from tests.terraform.variables.rule import Rule, Values, variable, whole


def strategy(attribute: str) -> Callable[[Any], Values]:
    return lambda value: {"remediation": {"strategies": [{"kind": "scale_up", attribute: value}]}}


def probes(window: str, attribute: str) -> Callable[[Any], Values]:
    numbers = {"probes": 9, "healthy_after": 1, "unhealthy_after": 1}
    return lambda number: {"remediation": {window: {**numbers, attribute: number}}}


def subscription(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "state_machine": "m", "filter": {"blueprint": "b"}, **changes}


def named(attribute: str) -> Callable[[Any], Values]:
    return lambda text: {"subscriptions": [subscription(**{attribute: text})]}


REMEDIATION = [
    Rule(
        "Step Functions ends an execution at 25000",
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
        [[], ["Test", "my own"]],
        [[" "], ["*"]],
    ),
    Rule(
        "remediation.approval_environments",
        variable("remediation.approval_environments", environments=["Test"]),
        [[], ["Test"]],
        [["Production"]],
    ),
    Rule(
        "auto_merge_environments must be",
        variable("remediation.auto_merge_environments"),
        [[], ["Production"]],
        [[""], ["*"]],
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
            "unhealthy_after": 9,
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
