"""Compare a mapping's secret with the credentials of the sandbox's Port.

The sandbox's broker has no TLS and accepts every client. A mapping whose secret is missing or wrong
must fail here, because it would fail against the real cluster.
"""

import json
import secrets
from dataclasses import dataclass, field

from sandbox.aws.event_source.collaborators import Aws, CallFailed
from sandbox.aws.event_source.problem import Problem


@dataclass(frozen=True)
class Credentials:
    """A user of the cluster."""

    username: str
    password: str = field(repr=False)


def parse(text: str, arn: str) -> Credentials:
    """Read a secret's value.

    Args:
        text: JSON with `username` and `password`.
        arn: the secret's, for the message.

    Raises:
        Problem: it is something else.
    """
    try:
        secret = json.loads(text)
    except ValueError:
        secret = None
    if not isinstance(secret, dict):
        raise Problem(f"The secret {arn} is not a JSON object with username and password.")
    for name in ("username", "password"):
        if not isinstance(secret.get(name), str) or not secret[name]:
            raise Problem(
                f"The secret {arn} has no {name}: it must be JSON with username, password."
            )
    return Credentials(secret["username"], secret["password"])


def check(aws: Aws, arn: str, expected: Credentials | None) -> None:
    """Read a mapping's secret and judge it.

    Args:
        aws: the calls.
        arn: the secret's.
        expected: the cluster's user; None if there is nothing to compare with.

    Raises:
        Problem: the secret cannot be read, is malformed, or holds other credentials.
    """
    try:
        given = parse(aws.read_secret(arn), arn)
    except CallFailed as error:
        raise Problem(f"The secret {arn} cannot be read: {error}") from error
    if expected and not _equal(given, expected):
        raise Problem(
            f"SASL authentication failed. The cluster does not know the username and password in "
            f"the secret {arn}."
        )


def _equal(one: Credentials, other: Credentials) -> bool:
    return secrets.compare_digest(
        f"{one.username}\0{one.password}".encode(), f"{other.username}\0{other.password}".encode()
    )
