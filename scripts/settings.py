"""Write terraform/settings.json: environment variables per function.

They follow from the model that a handler names `SETTINGS`. The functions of all actions share one
handler, and so one entry.
"""

import importlib
import json
from pathlib import Path

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "terraform" / "settings.json"


def main() -> None:
    """Write the names of the variables that Terraform gives each function."""
    FILE.write_text(written(settings()), encoding="utf-8")


def settings() -> dict[str, list[str]]:
    """Return the names of each function's variables, in order."""
    found: dict[str, list[str]] = {}
    for handler in sorted(ROOT.glob("functions/*/handler.py")):
        name = handler.parent.name
        model = importlib.import_module(f"functions.{name}.handler").SETTINGS
        found[name] = sorted(str(field.alias) for field in model.model_fields.values())
    return dict(sorted(found.items()))


def written(names: dict[str, list[str]]) -> str:
    """Return the file's text."""
    return json.dumps(names, indent=2) + "\n"


if __name__ == "__main__":
    start(main, "")
