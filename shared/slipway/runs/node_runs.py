"""Give Slipway's own records of node runs, which Port does not show."""

from functools import cached_property

from slipway.errors import RunNotFound
from slipway.port.models import Run
from slipway.runs.ledger import Ledger


class NodeRuns:
    """The node runs of the ledger, in the form of Port's runs.

    Args:
        runs_table: the ledger's table.
    """

    def __init__(self, runs_table: str) -> None:
        self._runs_table = runs_table

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self._runs_table)

    def get(self, run_id: str) -> Run:
        """Read a node run.

        Raises:
            RunNotFound: Slipway has not started it.
        """
        row = self._ledger.get(run_id)
        if row is None:
            raise RunNotFound(f"Slipway does not know node run {run_id}.")
        return Run.model_validate(
            {
                "id": run_id,
                "status": row.get("node_result") or row.get("outcome") or "IN_PROGRESS",
                "action": row.get("action", ""),
                "entity": row.get("service"),
                "createdAt": row.get("open_since"),
            }
        )

    def note_end(self, run_id: str, status: str) -> None:
        """Record how Slipway ended a node run in Port."""
        self._ledger.record_node_result(run_id, status)
