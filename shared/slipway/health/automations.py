"""End the runs of the automations that publish changes of entities.

Port starts such a run with each change and leaves it in progress until a consumer ends it. An open
run is harmless, so ending it is best effort: it never fails, and it stops when Port throttles or
fails.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from slipway.errors import PortError, SkippedMessage, SlipwayError
from slipway.health.subscriptions import HEALTH, Subscription
from slipway.observability import logger

if TYPE_CHECKING:
    from slipway.port.client import PortClient

# Runs that are ended at the same time; below the connections that a session keeps.
_AT_ONCE = 8
SUFFIX = "_changes"


def automation_of(subscription: Subscription, prefix: str = "") -> str:
    """Return the automation that publishes a subscription's changes.

    Port's event belongs to one blueprint, and several blueprints have Slipway's own subscription.

    Args:
        subscription: the subscription.
        prefix: the installation's, `identifier_prefix`.
    """
    own = f"{subscription.filter.blueprint}_" if subscription.name == HEALTH else ""
    return f"{prefix}{own}{subscription.name}{SUFFIX}"


def end_runs(
    run_ids: Iterable[str], automations: frozenset[str], port: "PortClient", seconds: float
) -> int:
    """End runs of automations with SUCCESS.

    A message is not trusted to name the right run: Port's record of the run decides.

    Args:
        run_ids: the runs.
        automations: identifiers of the automations whose runs may be ended.
        port: a client that gives up early.
        seconds: after which no further run is begun.

    Returns:
        How many runs were ended.
    """
    ends = time.monotonic() + seconds
    distinct = list(dict.fromkeys(run_ids))
    if not distinct:
        return 0
    refused: list[str] = []

    def end(run_id: str) -> bool:
        if refused or time.monotonic() > ends:
            return False
        try:
            return _end(run_id, automations, port)
        except (PortError, SkippedMessage) as error:
            logger.info(
                "A run of an automation stays open", extra={"run": run_id, "why": str(error)}
            )
        except SlipwayError as error:
            refused.append(str(error))
        return False

    with ThreadPoolExecutor(min(_AT_ONCE, len(distinct))) as pool:
        ended = sum(pool.map(end, distinct))
    if ended < len(distinct):
        why = refused[0] if refused else "see the other lines"
        extra = {"ended": ended, "of": len(distinct), "why": why}
        logger.info("Runs of automations stay open", extra=extra)
    return ended


def _end(run_id: str, automations: frozenset[str], port: "PortClient") -> bool:
    run = port.get_run(run_id)
    if run.ended or run.action not in automations:
        return run.ended
    port.update_run(run_id, status="SUCCESS")
    return True
