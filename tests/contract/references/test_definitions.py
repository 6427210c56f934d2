"""What is installed in Port is what Port's description says of it."""

import json
from pathlib import Path

import pytest

from tests.references import descriptions

FOLDER = descriptions.ROOT / "port"
FILES = sorted(FOLDER.glob("*/*.json"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(FOLDER)) for file in FILES])
def test_definition_fits_ports_description(file: Path) -> None:
    schema = "blueprint" if file.parent.name == "blueprints" else "action"

    faults = list(descriptions.port().check(schema, json.loads(file.read_text())))

    assert not faults, "\n".join(faults)
