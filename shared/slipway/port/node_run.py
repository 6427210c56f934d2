"""Read runs of nodes of Port's Workflows: ids and requests. Pure.

Known from documentation only. A KAFKA node publishes on `ORG_ID.runs`: "the payload you configured,
wrapped with additional metadata about the workflow run". The wrapper is not documented, so the
run's id is read where Port's own agent reads it. No documented route reads a node run, so its
inputs come from the message, and it has no person.
https://docs.port.io/workflows/build-workflows/nodes/action-nodes/kafka/
https://docs.port.io/workflows/runs
"""

import re
from typing import Any

_NODE_RUN = re.compile(r"wfnr_[A-Za-z0-9]{1,64}")


def is_node_run(run_id: str) -> bool:
    """Return whether an id belongs to a workflow node's run."""
    return _NODE_RUN.fullmatch(run_id) is not None


def node_run_id(value: dict[str, Any]) -> str | None:
    """Return the id of the node run behind a message, or None.

    None: the message is not from a workflow's node.
    """
    context = value.get("context")
    run_id = context.get("runId") if isinstance(context, dict) else None
    return run_id if isinstance(run_id, str) and is_node_run(run_id) else None


def node_request(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return a node message's payload; None if it names no action.

    The payload has the form of our example. It may be inside the wrapper or beside it.
    """
    for found in (value.get("payload"), value):
        if (
            isinstance(found, dict)
            and isinstance(found.get("action"), str)
            and isinstance(found.get("properties"), dict)
        ):
            return found
    return None
