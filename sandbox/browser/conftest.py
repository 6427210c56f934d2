"""A Port organisation for the pages, with services that are always the same."""

from collections.abc import Iterator

import pytest

from sandbox.browser.fixtures import browser_context_args, browser_type_launch_args, visit
from sandbox.browser.services import SERVICES
from sandbox.browser.tools import ACTIONS, BLUEPRINT
from tests.port_server import PortServer

__all__ = ["browser_context_args", "browser_type_launch_args", "visit"]


@pytest.fixture(scope="session")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with PortServer(tmp_path_factory.mktemp("port")) as started:
        started.client.request("POST", "/v1/blueprints", json=BLUEPRINT)
        for action in ACTIONS:
            started.client.request("POST", "/v1/actions", json=action)
        yield started


@pytest.fixture(scope="session")
def base_url(organisation: PortServer) -> str:
    return organisation.url


@pytest.fixture
def server(organisation: PortServer) -> PortServer:
    """The organisation, with `SERVICES` and a tool `hammer`, and nothing else in its catalogue."""
    client = organisation.client
    for blueprint in ("tool", "service", "approval_request"):
        client.request("DELETE", f"/v1/blueprints/{blueprint}/all-entities")
    body = {"entities": SERVICES}
    client.request("POST", "/v1/blueprints/service/entities/bulk", json=body)
    hammer = {"identifier": "hammer", "title": "Hammer", "relations": {"service": "checkout"}}
    client.request("POST", "/v1/blueprints/tool/entities", json=hammer)
    return organisation
