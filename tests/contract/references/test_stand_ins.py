"""The stand-ins' answers to requests that Slipway does not send, but other clients do."""

from collections.abc import Iterator

import pytest
import requests
from slipway.config import PortCredentials
from slipway.port.client import PortClient

from tests.port_server import CREDENTIALS, PortServer
from tests.references import descriptions


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with PortServer(tmp_path_factory.mktemp("stand_in")) as server:
        yield server


def written_by(server: PortServer, user_agent: str) -> list[str]:
    """Search for entities by their last writer."""
    rule = {"property": "$datasource", "operator": "contains", "value": user_agent}
    query = {"combinator": "and", "rules": [rule]}
    answer = server.client.request("POST", "/v1/entities/search", json=query)
    return [entity["identifier"] for entity in answer["entities"]]


def another(server: PortServer, user_agent: str) -> PortClient:
    """Sign in a client other than Slipway with the same credentials."""
    session = requests.Session()
    credentials = PortCredentials.model_validate(CREDENTIALS)
    client = PortClient(server.url, lambda _fresh: credentials, session=session)
    session.headers["User-Agent"] = user_agent
    return client


def test_search_finds_entities_by_their_datasource(server: PortServer) -> None:
    # https://github.com/port-labs/port-k8s-exporter, pkg/port/cli/entity.go
    exporter = another(server, "port-k8s-exporter/0.1.0 statekey/blue")
    for client, name in ((exporter, "exported"), (exporter, "edited"), (server.client, "own")):
        client.create_entity("service", {"identifier": name, "title": name})
    server.client.update_entity("service", "edited", {"project": "shop"})

    assert written_by(server, "port-k8s-exporter") == ["exported"]
    assert written_by(server, "statekey/green") == []
    assert set(written_by(server, "slipway")) == {"edited", "own"}


def test_run_has_the_older_shape_when_no_version_is_named(server: PortServer) -> None:
    server.client.create_entity("service", {"identifier": "shop", "title": "Shop"})
    run_id = server.execute("upscale_service", {}, "shop", "developer@acme.example")
    path = f"/v1/actions/runs/{run_id}"

    unversioned = server.client.request("GET", path)["run"]
    versioned = server.client.request("GET", path, params={"version": "v2"})["run"]

    assert not list(descriptions.port().check("unversionedRun", unversioned))
    assert not list(descriptions.port().check("run", versioned))
