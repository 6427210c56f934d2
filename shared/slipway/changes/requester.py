"""Find out who requested a change, from Port's own record of the run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def is_machine(port: "PortClient", email: str, created_by: str, impersonated_by: str) -> bool:
    """Return whether Port's record does not name a person as requester.

    Machine credentials run an action as themselves, or in a person's name (`run_as`). Port then
    records them as `impersonatedBy`.

    Args:
        port: finds the people.
        email: the address of the claimed requester.
        created_by: the id in the record.
        impersonated_by: the machine credentials in the record; empty: none.
    """
    if impersonated_by:
        return True
    user = port.get_user(email)
    return user is None or not user.id or user.id != created_by
