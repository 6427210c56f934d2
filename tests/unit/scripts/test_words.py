"""Results in the requester's words."""

from typing import Any
from unittest.mock import create_autospec

import pytest
from slipway.port.client import PortClient
from slipway.port.models import Entity, Run

from scripts.words import request_of

PRODUCTION = Entity(identifier="shop", properties={"environment": "Production"})


def run(action: str, **more: Any) -> Run:
    return Run(id="r_1", status="IN_PROGRESS", action=action, **more)


@pytest.mark.parametrize(
    ("made", "entity", "words"),
    [
        (
            run("restart_service", blueprint="service", entity="shop"),
            PRODUCTION,
            "Restart service for shop in Production",
        ),
        (
            run("restart_service", blueprint="service", entity="shop"),
            None,
            "Restart service for shop",
        ),
        (
            run("create_service", properties={"service_name": "shop", "environment": "Test"}),
            None,
            "Create service in Test",
        ),
        (run("decide_approval"), None, "Decide approval"),
    ],
)
def test_request_is_named_in_the_requesters_words(
    made: Run, entity: Entity | None, words: str
) -> None:
    port = create_autospec(PortClient, instance=True)
    port.get_entity.return_value = entity

    assert request_of(made, port) == f"{words} (r_1)"
