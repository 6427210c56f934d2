"""Describe the progress of a change that takes more than one invocation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Later:
    """The change is not finished yet.

    Attributes:
        until: when to check again, in UTC.
        why: what it waits for, as a sentence.
    """

    until: datetime
    why: str


@dataclass(frozen=True)
class Result:
    """How the run ends.

    Attributes:
        status: Port's status of the run.
        label: what the run's page shows instead of it.
        reason: as a sentence.
    """

    status: Literal["SUCCESS", "FAILURE"]
    label: str
    reason: str
