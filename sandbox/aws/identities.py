"""Who has an access key: a user or a role's session, as moto's IAM and STS know them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.iam.models import User, iam_backends
from moto.sts.models import AssumedRole, sts_backends

# LocalStack lets everybody in who says `test`; here that is the account's root.
ROOT_ACCESS_KEY_ID = "test"
ROOT_SECRET_ACCESS_KEY = "test"  # noqa: S105 documented by LocalStack
ROOT_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Identity:
    """A principal, with what it takes to check that a request is its own.

    Attributes:
        arn: Of the user, of the role's session, or of the account's root.
        id: IAM's unique id; of a role's session `<role's id>:<session's name>`.
        account: The twelve digits.
        secret_access_key: What its requests are signed with.
        session_token: What its requests carry; None for a user and for root.
        expires: When its credentials end, in UTC; None for never.
        policies: Its identity policies, parsed; None for root, which needs none.
        principal_arn: `aws:PrincipalArn`: of a role's session, the role.
    """

    arn: str
    id: str
    account: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None
    policies: tuple[Mapping[str, Any], ...] | None = None
    principal_arn: str = ""


def assumed_role(access_key_id: str) -> AssumedRole | None:
    """Return the role's session that has an access key."""
    for account in list(sts_backends.values()):
        for backend in list(account.values()):
            if found := backend.get_assumed_role_from_access_key(access_key_id):
                return found
    return None


def identity_of(access_key_id: str) -> Identity | None:
    """Return who has an access key, or None; the key of a user may also be switched off."""
    if access_key_id == ROOT_ACCESS_KEY_ID:
        arn = f"arn:aws:iam::{ROOT_ACCOUNT}:root"
        return Identity(arn, ROOT_ACCOUNT, ROOT_ACCOUNT, ROOT_SECRET_ACCESS_KEY, principal_arn=arn)
    if session := assumed_role(access_key_id):
        return Identity(
            arn=session.arn,
            id=session.user_id,
            account=session.account_id,
            secret_access_key=session.secret_access_key,
            session_token=session.session_token,
            expires=session.expiration,
            policies=tuple(_role_policies(session)),
            principal_arn=session.role_arn,
        )
    for user in _users():
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status == "Active":
                return Identity(
                    arn=user.arn,
                    id=user.id,
                    account=user.account_id,
                    secret_access_key=key.secret_access_key,
                    policies=tuple(_user_policies(user)),
                    principal_arn=user.arn,
                )
    return None


def _users() -> Iterator[User]:
    for account in list(iam_backends.values()):
        for backend in list(account.values()):
            yield from list(backend.users.values())


def _user_policies(user: User) -> Iterator[Mapping[str, Any]]:
    yield from _policies_of(user)
    backend = iam_backends[user.account_id]["aws"]
    for group in backend.get_groups_for_user(user.name):
        yield from _policies_of(group)


def _role_policies(session: AssumedRole) -> Iterator[Mapping[str, Any]]:
    """STS lets a role be assumed here that does not exist; it may do nothing."""
    backend = iam_backends[session.account_id][session.partition]
    for role in backend.roles.values():
        if role.arn == session.role_arn:
            yield from _policies_of(role)


def _policies_of(holder: Any) -> Iterator[Mapping[str, Any]]:
    documents: Iterable[Any] = [
        *holder.policies.values(),
        *(policy.document for policy in holder.managed_policies.values()),
    ]
    for document in documents:
        yield json.loads(document) if isinstance(document, str) else document
