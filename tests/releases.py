"""Read what older releases leave behind for the next one: state machines and rows.

An execution keeps the definition with which it was started, for weeks if it waits for an approval.
The alias that it calls already points to the new release.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RELEASES = sorted((ROOT / "tests/fixtures/releases").iterdir())
_UNQUOTED = {"retry": "[]", "retry_of_lambda": "{}", "invoke_timeout": "60"}


@dataclass(frozen=True)
class Machine:
    """A state machine's definition as Terraform renders it, with its payloads."""

    states: dict[str, dict[str, Any]]

    @property
    def payloads(self) -> dict[str, dict[str, Any]]:
        """Return each task that calls a function, with its payload."""
        return {
            name: state["Parameters"]["Payload"]
            for name, state in self.states.items()
            if "Payload" in state.get("Parameters", {})
        }

    @property
    def understood(self) -> set[str]:
        """Return the values of `next` that its choices know."""
        return set(re.findall(r'"StringEquals": "([\w ]+)"', json.dumps(self.states)))

    def calls(self, function: str) -> list[str]:
        """Return the tasks that call a function, by its name in the template."""
        return [
            name
            for name in self.payloads
            if self.states[name]["Parameters"]["FunctionName"] == function
        ]


def read_machine(file: Path) -> Machine:
    """Read a definition, with placeholders filled in."""
    text = re.sub(r"\$\{(\w+)\}", lambda m: _UNQUOTED.get(m[1], m[1]), file.read_text())
    return Machine(json.loads(text)["States"])


def fill(payload: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Replace a payload's references (`run_id.$`) by values."""
    return {
        name.removesuffix(".$"): fill(value, values)
        if isinstance(value, dict)
        else values.get(value, value)
        for name, value in payload.items()
    }
