"""Describe security group rules for a group or prefix list.

moto only describes those of ranges.

Terraform compares what it sent with what it reads: without them, every plan would show changes.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
"""

from collections.abc import Callable
from typing import Any

from localstack.utils.patch import patch
from moto.ec2.models.security_groups import SecurityGroupRule


def _make(original: Callable[..., None], rule: Any, *place: Any, **kwargs: Any) -> None:
    """Keep what a prefix list is named with, of which moto keeps the id only."""
    # moto gives all but egress and tags by position, the prefix list as the last.
    rule.prefix_list = place[-1] or {}
    original(rule, *place, **kwargs)


def _description(rule: Any) -> str | None:
    """Of the one thing that the rule is about."""
    target = rule.ip_range or rule.source_group or rule.prefix_list
    description: str | None = target.get("Description")
    return description


def install() -> None:
    """Show every description."""
    patch(SecurityGroupRule.__init__)(_make)
    SecurityGroupRule.description = property(_description)
