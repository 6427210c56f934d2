"""Who an IAM principal is, as a person."""

import re
from collections.abc import Mapping

from slipway.errors import NotAnApprover

_ASSUMED_ROLE = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/(?P<role>[^/]+)/(?P<session>.+)")
# IAM Identity Center makes these roles and gives the session the name of the user. Nobody else can
# make a role of such a name, or choose the session's name.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
_SSO_ROLE = "AWSReservedSSO_"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def approver_of(user_arn: str, principals: Mapping[str, str]) -> str:
    """The e-mail address of the person who signed a request.

    Args:
        user_arn: `requestContext.identity.userArn` of API Gateway.
        principals: IAM role → e-mail address of the one person who may assume it.

    Raises:
        NotAnApprover: the principal stands for no person. The session's name of an ordinary role
            is chosen by whoever assumes it, and so says nothing.
    """
    found = _ASSUMED_ROLE.fullmatch(user_arn)
    if found and found["role"] in principals:
        return principals[found["role"]]
    if found and found["role"].startswith(_SSO_ROLE) and _EMAIL.fullmatch(found["session"]):
        return found["session"]
    raise NotAnApprover(
        f"{user_arn or 'The caller'} stands for no person that Slipway knows. Use a role of IAM "
        "Identity Center, or have the role added to 'approvals.approver_principals'."
    )
