"""The actions on services that are there: each is one entry here."""

from collections.abc import Callable
from dataclasses import dataclass

from slipway.changes import delete_service, scale_service
from slipway.changes.proposal import NothingToDo, Proposal
from slipway.changes.situation import Situation
from slipway.port.message import RunMessage


@dataclass(frozen=True)
class Action:
    """What there is to know of an action.

    Attributes:
        plan: decides what a request wants done. It may raise `UserError`.
        reads: names of the files in the service's folder whose texts it needs beside
            `portData.json`; None: of all.
        asks_dependents: whether it needs to know which entities relate to the service.
    """

    plan: Callable[[RunMessage, Situation], Proposal | NothingToDo]
    reads: frozenset[str] | None
    asks_dependents: bool = False


ACTIONS: dict[str, Action] = {
    "delete_service": Action(delete_service.plan, None, asks_dependents=True),
    "downscale_service": Action(scale_service.plan, scale_service.FILES),
    "upscale_service": Action(scale_service.plan, scale_service.FILES),
}
