from collections.abc import Iterator

import pytest

from tests.port_server import PortServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    """Run an organisation with all definitions and a service `shop`."""
    with PortServer(tmp_path_factory.mktemp("port")) as organisation:
        shop = {"identifier": "shop", "title": "Shop", "properties": {"replicas": 2}}
        organisation.client.create_entity("service", shop)
        yield organisation
