"""What releases left behind that the next one must understand: machines that go on, and rows.

An execution keeps the definition that it was started with, for weeks if it waits for an approval,
while the alias that it calls is that of the new release.
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
    """A state machine's definition as Terraform renders it, as far as payloads go."""

    states: dict[str, dict[str, Any]]

    @property
    def payloads(self) -> dict[str, dict[str, Any]]:
        """Each task that calls a function, with what it sends."""
        return {
            name: state["Parameters"]["Payload"]
            for name, state in self.states.items()
            if "Payload" in state.get("Parameters", {})
        }

    @property
    def understood(self) -> set[str]:
        """The answers `next` that its choices know."""
        return set(re.findall(r'"StringEquals": "([\w ]+)"', json.dumps(self.states)))

    def calls(self, function: str) -> list[str]:
        """The tasks that call a function, as the template names it."""
        return [
            name
            for name in self.payloads
            if self.states[name]["Parameters"]["FunctionName"] == function
        ]


def read_machine(file: Path) -> Machine:
    """Read a definition with its templates filled in by anything."""
    text = re.sub(r"\$\{(\w+)\}", lambda m: _UNQUOTED.get(m[1], m[1]), file.read_text())
    return Machine(json.loads(text)["States"])


def fill(payload: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A payload with its references (`run_id.$`) replaced by values."""
    return {
        name.removesuffix(".$"): fill(value, values)
        if isinstance(value, dict)
        else values.get(value, value)
        for name, value in payload.items()
    }
