"""What a check finds, and what it may ask for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes:
        name: what was looked at.
        ok: None if the check could not be made and so says nothing.
        detail: what there is.
        cure: what to do about a fault.
    """

    name: str
    ok: bool | None
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class Installation:
    """The installation that is looked at.

    Attributes:
        settings: variables of the environment, as `PORT_BASE_URL`.
        name_prefix: Terraform's `name_prefix`.
    """

    settings: Mapping[str, str]
    name_prefix: str = "slipway"


# Some checks have a row for each of what they look at.
Check = Callable[[Installation], Result | list[Result]]
