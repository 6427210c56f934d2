"""Rules of `terraform/variables.approvals.tf`."""

import json
from typing import Any

from scripts.permissions import actions
from tests.terraform.variables.rule import Rule, Values, variable, whole

ACTION = next(iter(actions()))


def rule_of(**approval: Any) -> Values:
    """Make an approval rule for all actions and environments."""
    return {
        "approvals": {"rules": [{"actions": ["*"], "environments": ["*"], "approval": approval}]}
    }


def reachable(**changes: Any) -> str:
    """Make a resource policy of one statement, by default for every caller; None omits a key."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"}
    statement |= {"Resource": "execute-api:/*"} | changes
    return json.dumps({"Statement": [{k: v for k, v in statement.items() if v is not None}]})


def api_policy(resource: Any) -> str:
    principal = {"AWS": "arn:aws:iam::444455556666:role/devops"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "execute-api:Invoke"}
    named = {} if resource is None else {"Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | named]})


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
        "no request could ever be approved",
        lambda emails: {"approvals": {"approvers": {"emails": emails, "count": 2}}},
        [["one@acme.example", "two@acme.example"]],
        [["one@acme.example"], ["one@acme.example", "One@acme.example"]],
    ),
    Rule(
        "no request could ever be approved",
        lambda approvers: rule_of(count=2, **approvers),
        [
            {"emails": ["one@acme.example", "two@acme.example"]},
            {"emails": ["one@acme.example"], "teams": ["a"]},
        ],
        [{"emails": ["one@acme.example"]}],
    ),
    Rule(
        "no request could ever be approved",
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
    Rule(
        "approvals.limits must name actions",
        lambda name: {"approvals": {"limits": {name: {"max": 0.5}}}},
        [ACTION],
        ["not_an_action", "*", "approval"],
    ),
    Rule(
        "environments_without_approval",
        variable("approvals.environments_without_approval"),
        [[], ["my own"]],
        [[""], ["Test", "*"]],
    ),
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
