"""Inputs that several actions have."""

from collections.abc import Mapping
from typing import Any

from slipway.errors import InvalidInput


def is_dry_run(inputs: Mapping[str, Any]) -> bool:
    """Whether the request is for a preview only.

    Raises:
        InvalidInput: the input is neither true nor false.
    """
    match inputs.get("dry_run"):
        case None | False:
            return False
        case True:
            return True
    raise InvalidInput("dry_run", "must be true or false")
