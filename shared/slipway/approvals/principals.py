"""Find the person behind an IAM principal."""

import re
from collections.abc import Collection, Mapping

from slipway.errors import NotAnApprover

_ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>[0-9]{12}):assumed-role"
    r"/(?P<role>[\w+=,.@-]{1,64})/(?P<session>[\w+=,.@-]{2,64})",
    re.ASCII,
)
# IAM Identity Center creates these roles and uses the user's name as the session name.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-and-iam-roles.html
_SSO_ROLE = re.compile(r"AWSReservedSSO_[\w+=,.@-]{1,32}_[0-9a-f]{16}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def approver_of(
    user_arn: str, principals: Mapping[str, str], accounts: Collection[str], own_account: str
) -> str:
    """Return the e-mail address of the person who signed a request.

    Args:
        user_arn: `requestContext.identity.userArn` of API Gateway.
        principals: IAM role → e-mail address of the only person who may assume it. A role of this
            account is given by its name, a role of another account by its ARN without a path.
        accounts: other accounts whose Identity Center roles count.
        own_account: the account of this installation.

    Raises:
        NotAnApprover: the principal does not identify a person. The caller chooses the session
            name of an ordinary role, so that name proves nothing.
    """
    if found := _ASSUMED_ROLE.fullmatch(user_arn):
        role, account, session = found["role"], found["account"], found["session"]
        named = (
            role
            if account == own_account
            else f"arn:{found['partition']}:iam::{account}:role/{role}"
        )
        if named in principals:
            return principals[named]
        known = account == own_account or account in accounts
        if known and _SSO_ROLE.fullmatch(role) and _EMAIL.fullmatch(session):
            return session
    raise NotAnApprover(
        f"{user_arn or 'The caller'} does not identify a person that Slipway knows. Use a role "
        "of IAM Identity Center in this account or one of 'approvals.approver_accounts', or have "
        "the role added to 'approvals.approver_principals'."
    )
