"""Who requested a change, by Port's own record of the run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.port.client import PortClient


def is_machine(port: "PortClient", email: str, created_by: str, impersonated_by: str) -> bool:
    """Return whether Port's record of a run does not name a person as the one who executed the
    action.

    Machine credentials execute an action as themselves, or in a person's name (`run_as`). Port then
    notes them as `impersonatedBy`.

    Args:
        port: knows the people.
        email: the address of the person who is said to have executed it.
        created_by: the id that the record names.
        impersonated_by: the machine credentials that the record names; empty: none.
    """
    if impersonated_by:
        return True
    user = port.get_user(email)
    return user is None or not user.id or user.id != created_by
