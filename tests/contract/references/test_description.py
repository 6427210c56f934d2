"""Faults of an exchange that the check finds."""

from typing import Any

import pytest

from tests.references.description import Description
from tests.references.recorder import Exchange

Json = dict[str, Any]
NAMED: Json = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "note": {"type": "string", "nullable": True}},
}
ERROR: Json = {"type": "object", "properties": {"message": {"type": "string"}}}


@pytest.fixture
def described() -> Description:
    thing: Json = {
        "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
        "get": {
            "parameters": [
                {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                {"name": "page", "in": "query", "required": True, "schema": {"type": "string"}},
            ],
            "responses": {
                "200": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/named"}}
                    }
                }
            },
        },
        "put": {
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"oneOf": [{"type": "string"}, dict(NAMED)]},
                    }
                },
            },
            "responses": {"204": {}},
        },
    }
    path: Json = {
        "get": {
            "parameters": [
                {"name": "path", "in": "path", "schema": {}, "x-multi-segment": True},
            ],
            "responses": {"204": {}},
        }
    }
    document: Json = {
        "openapi": "3.0.3",
        "paths": {"/things/{id}": thing, "/files/{path}": path},
        "components": {"schemas": {"named": NAMED | {"properties": dict(NAMED["properties"])}}},
    }
    return Description(document, {404: dict(ERROR)})


def exchange(
    method: str, query: str = "", sent: bytes = b"", status: int = 200, answered: bytes = b""
) -> Exchange:
    kind = "application/json" if answered else ""
    return Exchange(method, f"http://server.test/things/1{query}", sent, status, kind, answered)


GOOD = b'{"name": "a", "note": null}'


@pytest.mark.parametrize(
    "good",
    [
        exchange("GET", "?page=1&limit=9", answered=GOOD),
        exchange("GET", "?page=1", status=404, answered=b'{"message": "none"}'),
        exchange("PUT", sent=b'{"name": "a"}', status=204),
        exchange("PUT", sent=b'"a"', status=204),
    ],
    ids=["parameters", "general status", "body", "other body"],
)
def test_exchange_has_no_fault_when_it_conforms(described: Description, good: Exchange) -> None:
    assert list(described.faults(good, "/things/1")) == []


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (exchange("POST"), "POST /things/1: no such route"),
        (exchange("GET", answered=GOOD), "query: page is required"),
        (exchange("GET", "?page=1&pages=2", answered=GOOD), "query: pages is not described"),
        (exchange("GET", "?page=1&limit=10", answered=GOOD), "query limit: $: 10 is greater than"),
        (exchange("GET", "?page=1&limit=x", answered=GOOD), "query limit: $: 'x' is not of type"),
        (exchange("GET", "?page=1"), "answer 200: has no body"),
        (exchange("GET", "?page=1", status=500), "answer 500: is not described"),
        (exchange("GET", "?page=1", answered=b'{"name": 1}'), "answer 200: $.name: 1 is not of"),
        (exchange("GET", "?page=1", answered=b'{"name": "a", "b": 1}'), "('b' was unexpected)"),
        (exchange("GET", "?page=1", b"{}", answered=GOOD), "request: no body is described"),
        (exchange("PUT", status=204), "request: a body is required"),
        (exchange("PUT", sent=b'{"note": 1}', status=204), "request: $: 'name' is a required"),
        (exchange("PUT", sent=b'"a"', status=204, answered=b"{}"), "application/json is not"),
    ],
)
def test_exchange_has_a_fault_when_it_does_not_conform(
    described: Description, bad: Exchange, fault: str
) -> None:
    found = list(described.faults(bad, "/things/1"))

    assert any(fault in each for each in found), found


def test_path_parameter_is_checked_by_its_type(described: Description) -> None:
    (fault,) = described.faults(exchange("PUT", sent=b'"a"', status=204), "/things/one")

    assert "path id: $: 'one' is not of type 'integer'" in fault


def test_route_accepts_slashes_only_where_described(described: Description) -> None:
    assert str(described.route("GET", "/files/a/b.yaml")) == "GET /files/{path}"
    assert described.route("PUT", "/things/1/2") is None


def test_schema_of_a_composition_may_have_more_properties() -> None:
    more = {"type": "object", "properties": {"pem": {"type": "string"}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/named"}, more]}
    answer = {"201": {"content": {"application/json": {"schema": schema}}}}
    description = Description(
        {
            "paths": {"/things": {"post": {"responses": answer}}},
            "components": {"schemas": {"named": dict(NAMED)}},
        },
        {},
    )

    whole, lacking = (
        list(description.faults(exchange("POST", status=201, answered=sent), "/things"))
        for sent in (b'{"name": "one", "pem": "key"}', b'{"pem": "key"}')
    )

    assert whole == []
    assert "'name' is a required property" in lacking[0]
