"""Store an installation's progress: no secrets, nothing it can look up."""

import json
from pathlib import Path
from typing import Any

from scripts.installing.stopped import Stopped


class Memory:
    """A JSON file in the installation's folder.

    Args:
        folder: of the installation.

    Raises:
        Stopped: the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "install.json"
        self._known: dict[str, Any] = {}
        if self.file.exists():
            try:
                self._known = json.loads(self.file.read_text(encoding="utf-8"))
            except ValueError:
                raise Stopped(
                    "The stored progress of this installation cannot be read.",
                    str(self.file),
                    "Remove the file and run scripts/install again: it looks everything up again.",
                ) from None

    def get(self, name: str) -> Any:
        """Return a stored value; None if there is none."""
        return self._known.get(name)

    def note(self, **values: Any) -> None:
        """Store a value durably, even if the process is killed right after."""
        self._known |= values
        self.file.parent.mkdir(parents=True, exist_ok=True)
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps(self._known, indent=2) + "\n", encoding="utf-8")
        written.replace(self.file)

    def hold_to(self, name: str, value: str, what: str, cure: str) -> None:
        """Store a value that an apply fixes, and refuse to change it later.

        Raises:
            Stopped: the installation has a different value.
        """
        known = self._known.get(name, value)
        if known != value and self.get("begun"):
            raise Stopped(
                f"This installation's {what} is {known}, not {value}.", self.file.name, cure
            )
        self.note(**{name: value})
