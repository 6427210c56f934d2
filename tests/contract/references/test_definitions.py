"""The definitions that Slipway installs in Port conform to Port's description."""

from typing import Any

import pytest

from scripts.port_definitions import load_definitions
from tests.references import descriptions

DEFINITIONS = load_definitions()
NAMES = [f"{kind} {definition['identifier']}" for kind, definition in DEFINITIONS]


@pytest.mark.parametrize(("kind", "definition"), DEFINITIONS, ids=NAMES)
def test_definition_conforms_to_ports_description(kind: str, definition: dict[str, Any]) -> None:
    faults = list(descriptions.port().check(kind, definition))

    assert not faults, "\n".join(faults)
