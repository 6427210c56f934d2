from typing import Any

import pytest

from sandbox.tests.port.harness import SERVICE, Port, Start, add_service

PLAIN = {"identifier": "plain", "title": "Plain", "schema": {"properties": {}}}


def test_blueprint_is_returned_unchanged_with_its_authorship(port: Port) -> None:
    made = port.call("POST", "/blueprints", SERVICE, 201)["blueprint"]
    assert {key: made[key] for key in SERVICE} == SERVICE
    assert {"createdAt", "createdBy", "updatedAt", "updatedBy"} <= made.keys()
    assert port.call("GET", "/blueprints/service")["blueprint"] == made
    listed = port.call("GET", "/blueprints")["blueprints"]
    assert [blueprint["identifier"] for blueprint in listed] == ["_team", "_user", "service"]


def test_a_second_blueprint_of_the_name_is_refused(catalogue: Port) -> None:
    assert catalogue.refused("POST", "/blueprints", SERVICE) == (409, "identifier_taken")


def test_an_unknown_blueprint_is_not_found(port: Port) -> None:
    for method, body in (("GET", None), ("PUT", PLAIN), ("PATCH", {}), ("DELETE", None)):
        assert port.refused(method, "/blueprints/none", body) == (404, "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": ".."},
        {"identifier": "a b"},
        {"identifier": "x" * 101},
        {"title": ""},
        {"schema": {"properties": {"a": {"type": "text"}}}},
        {"schema": {"properties": {"a": {"type": "string", "format": "uri"}}}},
        {"schema": {"properties": {"a": {"type": "string", "colour": "red"}}}},
        {"schema": {"properties": {"a": {"type": "string", "enumColors": {"x": "mauve"}}}}},
        {"schema": {"properties": {"a": {"type": "string", "pattern": "("}}}},
        {"schema": {"properties": {"a b": {"type": "string"}}}},
        {"schema": {"properties": {}, "required": ["a"]}},
        {"relations": {"r": {"target": "plain", "required": True, "many": True}}},
        {"mirrorProperties": {"m": {"path": "nowhere.x"}}},
        {"ownership": {"type": "Inherited"}},
        {"aggregationProperties": {"n": {"title": "N"}}},
    ],
)
def test_a_wrong_blueprint_is_refused(port: Port, change: dict[str, Any]) -> None:
    assert port.refused("POST", "/blueprints", {**PLAIN, **change}) == (422, "invalid_request")


def test_letters_of_every_script_are_legal_in_identifiers(port: Port) -> None:
    port.call("POST", "/blueprints", {**PLAIN, "identifier": "dienst_ä.1"}, 201)


def test_a_relation_needs_its_target(port: Port) -> None:
    body = {**PLAIN, "relations": {"r": {"target": "none"}}}
    assert port.refused("POST", "/blueprints", body) == (404, "not_found")
    assert port.refused("GET", "/blueprints/plain") == (404, "not_found")


def test_put_replaces_and_patch_adds(catalogue: Port) -> None:
    added = {"schema": {"properties": {"ttl": {"type": "number"}}}}
    patched = catalogue.call("PATCH", "/blueprints/service", added)["blueprint"]
    assert set(patched["schema"]["properties"]) == {*SERVICE["schema"]["properties"], "ttl"}
    assert patched["schema"]["required"] == ["owner"]
    replaced = catalogue.call("PUT", "/blueprints/service", {**PLAIN, "identifier": "service"})
    assert replaced["blueprint"]["schema"]["properties"] == {}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("PUT", "/service"), ("PATCH", "/service")]
)
def test_changelog_destination_is_refused(catalogue: Port, method: str, path: str) -> None:
    body = {**SERVICE, "changelogDestination": {"type": "KAFKA"}}
    if method == "POST":
        body["identifier"] = "another"

    assert catalogue.refused(method, f"/blueprints{path}", body) == (422, "invalid_request")


def test_changelog_destination_is_taken_by_a_change_log_server(start: Start) -> None:
    body = {**SERVICE, "changelogDestination": {"type": "KAFKA"}}

    made = start(change_log=True).call("POST", "/blueprints", body, 201)["blueprint"]

    assert made["changelogDestination"] == {"type": "KAFKA"}


def test_the_type_of_a_property_cannot_change(catalogue: Port) -> None:
    body = {"schema": {"properties": {"owner": {"type": "number"}}}}
    assert catalogue.refused("PATCH", "/blueprints/service", body) == (422, "invalid_request")


def test_a_blueprint_with_dependents_cannot_be_removed(catalogue: Port) -> None:
    refusal = (403, "has_dependents")
    assert catalogue.refused("DELETE", "/blueprints/service") == refusal  # its actions
    add_service(catalogue, "a")
    assert catalogue.refused("DELETE", "/blueprints/service", delete_actions=True) == refusal
    catalogue.call("DELETE", "/blueprints/service/all-entities")
    catalogue.call("DELETE", "/blueprints/service", delete_actions=True)
    assert catalogue.call("GET", "/actions")["actions"] == []


def test_ports_own_blueprints_cannot_be_removed(port: Port) -> None:
    assert port.refused("DELETE", "/blueprints/_user") == (403, "missing_permissions")
    assert port.refused("DELETE", "/blueprints/_user/all-entities") == (403, "missing_permissions")
