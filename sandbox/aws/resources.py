"""What the sandbox's AWS holds, for rules that depend on it.

LocalStack's stores are imported late: `sandbox.aws.rules` is also read without LocalStack.
"""

import json
from typing import Any


def inline_policies(account: str, role: str) -> dict[str, str]:
    """Name → document of each inline policy of a role; none of a role that does not exist."""
    from moto.iam.models import iam_backends

    for found in iam_backends[account]["global"].roles.values():
        if found.name == role:
            return dict(found.policies)
    return {}


def key_policy(account: str, region: str, key: str) -> dict[str, Any] | None:
    """Return the policy of a KMS key by id or ARN; None for an unknown key."""
    from localstack.services.kms.models import kms_stores

    found = kms_stores[account][region].keys.get(key.rsplit("/", 1)[-1])
    return None if found is None else json.loads(found.policy)


def queue_visibility(account: str, region: str, name: str) -> int | None:
    """Return a queue's visibility timeout in seconds; None for an unknown queue."""
    from localstack.services.sqs.models import sqs_stores

    found = sqs_stores[account][region].queues.get(name)
    return None if found is None else int(found.attributes["VisibilityTimeout"])


def function_settings(account: str, region: str, name: str) -> tuple[int, str] | None:
    """Return a function's timeout in seconds and its role's name; None if it is unknown."""
    from localstack.services.lambda_.invocation.models import lambda_stores

    found = lambda_stores[account][region].functions.get(name)
    if found is None:
        return None
    config = found.latest().config
    return config.timeout, config.role.rpartition("/")[2]
