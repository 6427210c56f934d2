"""Check recorded AWS calls against IAM policies, because LocalStack does not enforce them.

It supports what Slipway's own policies use. It refuses anything else by name (a condition operator
or key, a policy variable, a principal) and never ignores it. The rules are IAM's:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from tests.tools.iam.actions import Access, accesses

_STATEMENT_MEMBERS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


class PolicyError(ValueError):
    """A policy contains something that this evaluator does not support; the message names it."""


@dataclass(frozen=True)
class Violation:
    """A call that the policies do not allow.

    Attributes:
        action: IAM's name of the action, such as `dynamodb:PutItem`.
        resource: The ARN that it was done to.
        reason: `denied` by a statement, or `not allowed` by any.
        call: The recorded call.
    """

    action: str
    resource: str
    reason: str
    call: Mapping[str, Any]

    def __str__(self) -> str:
        who = self.call.get("function") or self.call.get("role")
        return f"{who}: {self.action} on {self.resource} is {self.reason}"


@dataclass(frozen=True)
class Statement:
    """A statement of a policy document, with its place for messages."""

    place: str
    document: Mapping[str, Any]

    @property
    def is_allow(self) -> bool:
        """Whether it allows; otherwise it denies."""
        return bool(self.document["Effect"] == "Allow")

    def applies(self, access: Access) -> bool:
        """Whether action, resource and conditions match.

        Raises:
            PolicyError: A condition is of a kind that is not supported.
        """
        document = self.document
        if "Action" in document:
            is_action = _any_action(document["Action"], access.action)
        else:
            is_action = not _any_action(document["NotAction"], access.action)
        if "Resource" in document:
            is_resource = _any_resource(document["Resource"], access.resource)
        else:
            is_resource = not _any_resource(document["NotResource"], access.resource)
        return is_action and is_resource and self._conditions_hold(access)

    def _conditions_hold(self, access: Access) -> bool:
        for operator, keys in self.document.get("Condition", {}).items():
            for key, expected in keys.items():
                if operator == "Null":
                    is_absent = _condition_key(self.place, key) not in access.context
                    if str(is_absent).lower() not in map(str.lower, _listed(expected)):
                        return False
                elif not _condition_holds(self.place, operator, key, _listed(expected), access):
                    return False
        return True


def check(
    calls: Iterable[Mapping[str, Any]], policy_documents: Sequence[Mapping[str, Any]]
) -> tuple[list[Violation], list[str]]:
    """Check the calls of one role against its policies.

    Args:
        calls: As `sandbox.aws.calls` records them.
        policy_documents: The role's identity policies, parsed.

    Returns:
        The calls that are not allowed, and the Allow statements that no call needed.

    Raises:
        PolicyError: A policy has something that is not supported.
        UnknownCallError: A call of a service or operation that is not supported.
    """
    statements = [
        statement
        for index, document in enumerate(policy_documents)
        for statement in parse(document, f"policy {index}")
    ]
    used: set[str] = set()
    violations = []
    for call in calls:
        for access in accesses(call):
            matching = [s for s in statements if s.applies(access)]
            used |= {s.place for s in matching if s.is_allow}
            if reason := _refusal(matching):
                violations.append(Violation(access.action, access.resource, reason, call))
    unused = [s.place for s in statements if s.is_allow and s.place not in used]
    return violations, unused


def refusal(access: Access, policy_documents: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why a principal's policies do not allow something, or None.

    Returns:
        `denied` by a statement, or `not allowed` by any.

    Raises:
        PolicyError: A policy has something that is not supported.
    """
    statements = (
        statement
        for index, document in enumerate(policy_documents)
        for statement in parse(document, f"policy {index}")
    )
    return _refusal([statement for statement in statements if statement.applies(access)])


def lets_service_in(
    document: Mapping[str, Any], service: str, action: str, context: Mapping[str, str]
) -> bool:
    """Whether a resource's policy allows a service of AWS to do something.

    Args:
        document: The policy of a key, a queue or the like, parsed.
        service: The service's principal, as `logs.eu-west-1.amazonaws.com`.
        action: IAM's name of the action.
        context: The condition keys that the service sends; a condition on another key fails.
    """
    allowed = False
    for statement in _listed(document["Statement"]):
        principal = statement.get("Principal", {})
        services = (
            _listed(principal.get("Service", [])) if isinstance(principal, Mapping) else ["*"]
        )
        if not {service, "*"} & set(services) or not _any_action(statement["Action"], action):
            continue
        if all(
            _compares(operator, _listed(expected), context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        ):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def _refusal(matching: Sequence[Statement]) -> str | None:
    if any(not statement.is_allow for statement in matching):
        return "denied"
    return None if matching else "not allowed"


def parse(document: Mapping[str, Any], name: str) -> list[Statement]:
    """Return the statements of a policy document.

    Raises:
        PolicyError: Something in it is not supported or is missing.
    """
    statements = []
    for index, statement in enumerate(_listed(document["Statement"])):
        sid = statement.get("Sid")
        place = f"{name} statement {index}" + (f" ({sid})" if sid else "")
        if unknown := sorted(set(statement) - _STATEMENT_MEMBERS):
            raise PolicyError(f"{place}: {', '.join(unknown)} is not supported")
        if statement.get("Effect") not in {"Allow", "Deny"}:
            raise PolicyError(f"{place}: Effect must be Allow or Deny")
        for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
            if (one in statement) == (other in statement):
                raise PolicyError(f"{place}: needs either {one} or {other}")
        if "${" in str(statement):
            raise PolicyError(f"{place}: policy variables are not supported")
        for operator, keys in statement.get("Condition", {}).items():
            if operator != "Null":
                _operator(place, operator)
            for key in keys:
                _condition_key(place, key)
        statements.append(Statement(place, statement))
    return statements


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Translate IAM's wildcards: `*` is any characters or none, `?` is one."""
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)
    )
    return re.compile("".join(parts), re.DOTALL)


def _like(pattern: str, value: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _any_action(patterns: str | list[str], action: str) -> bool:
    return any(_like(pattern.lower(), action.lower()) for pattern in _listed(patterns))


def _any_resource(patterns: str | list[str], resource: str) -> bool:
    return any(_like_arn(pattern, resource) for pattern in _listed(patterns))


def _like_arn(pattern: str, resource: str) -> bool:
    """Match each part of an ARN separately; only a final `*` crosses colons."""
    patterns = pattern.split(":", 5)
    parts = resource.split(":", len(patterns) - 1 if pattern.endswith("*") else 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringEqualsIgnoreCase": lambda expected, actual: expected.lower() == actual.lower(),
    "StringLike": _like,
    "ArnEquals": _like_arn,
    "ArnLike": _like_arn,
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
# The keys that `iam_actions` can derive from a call.
_KEYS = (
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "kms:ViaService",
    "lambda:SourceFunctionArn",
    "s3:prefix",
    "secretsmanager:VersionStage",
    "cloudwatch:namespace",
)


def _operator(place: str, name: str) -> tuple[Callable[[str, str], bool], bool, bool]:
    """Return the comparison, whether it is negated, and whether an absent key makes it true."""
    base = name.removesuffix("IfExists")
    negated = base in _NEGATED
    base = _NEGATED.get(base, base)
    if base not in _OPERATORS:
        raise PolicyError(f"{place}: condition operator {name} is not supported")
    return _OPERATORS[base], negated, name.endswith("IfExists")


def _condition_key(place: str, key: str) -> str:
    for known in _KEYS:
        if fnmatchcase(key.lower(), known.lower()):
            return known
    raise PolicyError(f"{place}: condition key {key} is not supported")


def _condition_holds(
    place: str, operator: str, key: str, expected: list[str], access: Access
) -> bool:
    return _compares(operator, expected, access.context.get(_condition_key(place, key)), place)


def _compares(
    operator: str, expected: list[str], actual: str | None, place: str = "a resource's policy"
) -> bool:
    compare, negated, if_exists = _operator(place, operator)
    if actual is None:
        # A negated operator is true for a key that a request does not have.
        return if_exists or negated
    return any(compare(str(value), actual) for value in expected) != negated
