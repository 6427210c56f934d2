"""The server for pictures of its pages: its ids are always the same, its clock stands in a file.

`STEADY_CLOCK=<file> python -m sandbox.tests.portal.steady` takes the server's own options.
"""

import os
import random
import string
from datetime import datetime
from pathlib import Path

import typer

from sandbox.port import naming

_CLOCK = Path(os.environ["STEADY_CLOCK"])
_RANDOM = random.Random(7)
_of = naming.timestamp


def new_id(prefix: str) -> str:
    """As the server's own, but the same ones in every run."""
    return prefix + "".join(_RANDOM.choices(string.ascii_letters + string.digits, k=16))


def timestamp(moment: datetime | None = None) -> str:
    """As the server's own, but now is what the file says."""
    return _of(moment or datetime.fromisoformat(_CLOCK.read_text()))


if __name__ == "__main__":
    # Before the modules that take them from there by name are loaded.
    naming.new_id, naming.timestamp = new_id, timestamp
    from sandbox.port.__main__ import serve

    typer.run(serve)
