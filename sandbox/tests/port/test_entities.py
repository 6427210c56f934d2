from typing import Any
from urllib.parse import quote

import pytest

from sandbox.tests.port.harness import Port, add_service, execute

PATH = "/blueprints/service/entities"
TEAM_BLUEPRINT = {
    "identifier": "cluster",
    "title": "Cluster",
    "schema": {"properties": {"region": {"type": "string"}}},
}


@pytest.fixture
def related(catalogue: Port) -> Port:
    """Services can be on one cluster, and need services."""
    catalogue.call("POST", "/blueprints", TEAM_BLUEPRINT, 201)
    relations = {
        "runs_on": {"title": "Runs on", "target": "cluster"},
        "needs": {"target": "service", "many": True},
    }
    mirrors = {"region": {"title": "Region", "path": "runs_on.region"}}
    calculations = {
        "slogan": {"calculation": '.identifier + "@" + .properties.region', "type": "string"}
    }
    body = {
        "relations": relations,
        "mirrorProperties": mirrors,
        "calculationProperties": calculations,
    }
    catalogue.call("PATCH", "/blueprints/service", body)
    cluster = {"identifier": "eu-1", "title": "Europe", "properties": {"region": "eu"}}
    catalogue.call("POST", "/blueprints/cluster/entities", cluster, 201)
    return catalogue


def test_a_new_entity_gets_defaults_and_is_answered_with_201(catalogue: Port) -> None:
    entity = add_service(catalogue, "a")
    assert entity["properties"] == {"owner": "Dana", "replicas": 1}
    assert (entity["title"], entity["blueprint"], entity["team"]) == ("a", "service", [])
    assert catalogue.call("GET", f"{PATH}/a")["entity"] == entity


def test_without_an_identifier_the_server_makes_one(catalogue: Port) -> None:
    made = catalogue.call("POST", PATH, {"properties": {"owner": "D"}}, 201)["entity"]
    assert made["identifier"].startswith("e_")
    assert len(made["identifier"]) == 18


def test_encoded_identifiers_may_have_slashes(catalogue: Port) -> None:
    add_service(catalogue, "team/a+b")
    path = f"{PATH}/{quote('team/a+b', safe='')}"
    assert catalogue.call("GET", path)["entity"]["identifier"] == "team/a+b"


def test_what_exists_is_not_created_again(catalogue: Port) -> None:
    add_service(catalogue, "a")
    body = {"identifier": "a", "properties": {"owner": "D"}}
    assert catalogue.refused("POST", PATH, body) == (409, "identifier_taken")


def test_upsert_with_merge_keeps_what_is_not_given(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    body = {"identifier": "a", "title": "A", "properties": {"environment": "Test"}}
    entity = catalogue.call("POST", PATH, body, upsert=True, merge=True)["entity"]
    assert entity["properties"] == {"owner": "Dana", "replicas": 3, "environment": "Test"}
    assert entity["title"] == "A"


def test_upsert_alone_overwrites(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    body = {"identifier": "a", "properties": {"owner": "E"}}
    assert catalogue.call("POST", PATH, body, upsert=True)["entity"]["properties"] == {"owner": "E"}


def test_upsert_of_a_new_entity_is_201(catalogue: Port) -> None:
    body = {"identifier": "a", "properties": {"owner": "E"}}
    catalogue.call("POST", PATH, body, 201, upsert=True, merge=True)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"owner": None},
        {"owner": 1},
        {"owner": "D", "environment": "Moon"},
        {"owner": "D", "replicas": 0},
        {"owner": "D", "replicas": True},
        {"owner": "D", "health_url": "no url"},
        {"owner": "D", "unknown": 1},
    ],
)
def test_properties_must_fit_the_blueprint(catalogue: Port, properties: dict[str, Any]) -> None:
    body = {"identifier": "a", "properties": properties}
    assert catalogue.refused("POST", PATH, body) == (422, "blueprint_schema_mismatch")


def test_null_takes_the_value_of_an_optional_property_away(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    body = {"properties": {"replicas": None}}
    assert catalogue.call("PATCH", f"{PATH}/a", body)["entity"]["properties"]["replicas"] is None


@pytest.mark.parametrize("body", [[], {"properties": []}, {"title": 1}, {"team": [1]}])
def test_a_body_of_the_wrong_shape_is_a_bad_request(catalogue: Port, body: Any) -> None:
    assert catalogue.refused("POST", PATH, body) == (400, "bad_request")


@pytest.mark.parametrize("identifier", ["", "..", "a b", "a" * 1001, "a\n"])
def test_illegal_identifiers_are_refused(catalogue: Port, identifier: str) -> None:
    body = {"identifier": identifier, "properties": {"owner": "D"}}
    assert catalogue.refused("POST", PATH, body) == (422, "invalid_request")


def test_patch_takes_no_other_fields(catalogue: Port) -> None:
    add_service(catalogue, "a")
    body = {"blueprint": "service", "properties": {}}
    assert catalogue.refused("PATCH", f"{PATH}/a", body) == (422, "invalid_request")
    assert catalogue.refused("PATCH", f"{PATH}/none", {}) == (404, "not_found")


def test_put_overwrites_what_exists_only(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    body = {"blueprint": "service", "properties": {"owner": "E"}}
    entity = catalogue.call("PUT", f"{PATH}/a", body)["entity"]
    assert entity["properties"] == {"owner": "E"}
    assert catalogue.refused("PUT", f"{PATH}/none", body) == (404, "not_found")


def test_validation_only_writes_nothing(catalogue: Port) -> None:
    body = {"identifier": "a", "properties": {"owner": "E"}}
    catalogue.call("POST", PATH, body, 201, validation_only=True)
    assert catalogue.refused("GET", f"{PATH}/a") == (404, "not_found")


def test_a_rename_takes_the_relations_along(related: Port) -> None:
    add_service(related, "a")
    body = {"identifier": "b", "properties": {"owner": "D"}, "relations": {"needs": ["a"]}}
    related.call("POST", PATH, body, 201)
    related.call("PATCH", f"{PATH}/a", {"identifier": "a2"})
    assert related.call("GET", f"{PATH}/b")["entity"]["relations"]["needs"] == ["a2"]
    assert related.refused("PATCH", f"{PATH}/b", {"identifier": "a2"}) == (409, "identifier_taken")


def with_relations(relations: dict[str, Any]) -> dict[str, Any]:
    return {"identifier": "a", "properties": {"owner": "D"}, "relations": relations}


def test_a_related_entity_must_exist(related: Port) -> None:
    body = with_relations({"runs_on": "us-1"})
    assert related.refused("POST", PATH, body) == (404, "not_found")


def test_missing_related_entities_are_made_if_wanted(related: Port) -> None:
    body = with_relations({"runs_on": "us-1"})
    related.call("POST", PATH, body, 201, create_missing_related_entities=True)
    assert related.call("GET", "/blueprints/cluster/entities/us-1")["entity"]["title"] == "us-1"


@pytest.mark.parametrize("relations", [{"runs_on": ["eu-1"]}, {"needs": "b"}])
def test_one_or_many_is_as_the_blueprint_says(related: Port, relations: dict[str, Any]) -> None:
    body = with_relations(relations)
    assert related.refused("POST", PATH, body) == (422, "relation_many_violation")


def test_an_unknown_relation_does_not_fit(related: Port) -> None:
    body = with_relations({"likes": "eu-1"})
    assert related.refused("POST", PATH, body) == (422, "blueprint_schema_mismatch")


def test_a_required_relation_must_be_there_and_stay(related: Port) -> None:
    body: dict[str, Any] = {"relations": {"runs_on": {"target": "cluster", "required": True}}}
    related.call("PATCH", "/blueprints/service", body)
    assert related.refused("POST", PATH, with_relations({})) == (422, "required_relation")
    related.call("POST", PATH, with_relations({"runs_on": "eu-1"}), 201)
    change = {"relations": {"runs_on": None}}
    assert related.refused("PATCH", f"{PATH}/a", change) == (403, "required_relation")


def test_a_query_can_stand_for_a_related_entity(related: Port) -> None:
    rule = {"property": "region", "operator": "=", "value": "eu"}
    body = with_relations({"runs_on": {"combinator": "and", "rules": [rule]}})
    entity = related.call("POST", PATH, body, 201)["entity"]
    assert entity["relations"]["runs_on"] == "eu-1"


def test_mirror_and_calculation_properties_are_not_stored(related: Port) -> None:
    related.call("POST", PATH, with_relations({"runs_on": "eu-1"}), 201)
    entity = related.call("GET", f"{PATH}/a")["entity"]
    assert (entity["properties"]["region"], entity["properties"]["slogan"]) == ("eu", "a@eu")
    bare = related.call("GET", f"{PATH}/a", exclude_calculated_properties=True)["entity"]
    assert bare["properties"].keys() == {"owner", "replicas"}
    change = related.call("GET", "/audit-log", entity="a")["audits"][0]
    assert "region" not in change["diff"]["after"]["properties"]


def test_relations_can_come_with_titles(related: Port) -> None:
    related.call("POST", PATH, with_relations({"runs_on": "eu-1"}), 201)
    entity = related.call("GET", f"{PATH}/a", attach_title_to_relation=True)["entity"]
    assert entity["relations"]["runs_on"] == {"identifier": "eu-1", "title": "Europe"}


def test_inherited_teams_cannot_be_written(related: Port) -> None:
    body: dict[str, Any] = {"ownership": {"type": "Inherited", "path": "runs_on"}}
    related.call("PATCH", "/blueprints/service", body)
    related.call("PATCH", "/blueprints/cluster/entities/eu-1", {"team": "platform"})
    new = with_relations({"runs_on": "eu-1"})
    assert related.refused("POST", PATH, {**new, "team": ["x"]}) == (
        422,
        "team_inheritance_enabled",
    )
    related.call("POST", PATH, new, 201)
    assert related.call("GET", f"{PATH}/a")["entity"]["team"] == ["platform"]


def test_dependents_protect_an_entity_unless_they_go_too(related: Port) -> None:
    related.call("POST", PATH, with_relations({"runs_on": "eu-1"}), 201)
    path = "/blueprints/cluster/entities/eu-1"
    assert related.refused("DELETE", path, delete_dependents=False) == (403, "has_dependents")
    related.call("DELETE", path, delete_dependents=True)
    assert related.refused("GET", f"{PATH}/a") == (404, "not_found")
    assert related.refused("DELETE", path) == (404, "not_found")


def test_include_and_exclude_pick_fields(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    entity = catalogue.call("GET", f"{PATH}/a", include=["title", "owner"])["entity"]
    assert entity == {
        "identifier": "a",
        "title": "a",
        "properties": {"owner": "Dana"},
        "relations": {},
    }
    entity = catalogue.call("GET", f"{PATH}/a", exclude=["properties.owner", "team"])["entity"]
    assert entity["properties"] == {"replicas": 3}
    assert "team" not in entity


def test_bulk_reports_each_entity(catalogue: Port) -> None:
    add_service(catalogue, "a")
    query = {"combinator": "and", "rules": [{"property": "owner", "operator": "=", "value": "?"}]}
    items = [
        {"identifier": "a", "properties": {"owner": "E"}},
        {"identifier": "b", "properties": {"owner": "E"}},
        {"identifier": "c", "properties": {}},
        {"identifier": query, "properties": {}},
    ]
    answer = catalogue.http.request(
        "POST",
        f"/v1{PATH}/bulk",
        json={"entities": items},
        params={"upsert": True, "merge": True},
        headers=catalogue.headers,
    )
    assert answer.status_code == 207
    assert answer.json()["entities"] == [
        {"created": False, "identifier": "a", "index": 0},
        {"created": True, "identifier": "b", "index": 1},
    ]
    found = [(e["identifier"], e["statusCode"], e["error"]) for e in answer.json()["errors"]]
    assert found == [("c", 422, "blueprint_schema_mismatch"), ("unknown", 404, "not_found")]


def test_bulk_takes_twenty_at_most(catalogue: Port) -> None:
    body: dict[str, Any] = {"entities": [{}] * 21}
    assert catalogue.refused("POST", f"{PATH}/bulk", body) == (422, "invalid_request")


def test_bulk_delete_removes_all_or_none(related: Port) -> None:
    add_service(related, "a")
    body = {"identifier": "b", "properties": {"owner": "D"}, "relations": {"needs": ["a"]}}
    related.call("POST", PATH, body, 201)
    path = "/blueprints/service/bulk/entities/delete"
    assert related.refused("POST", path, {"entities": ["a"]}) == (403, "has_dependents")
    answer = related.call("POST", path, {"entities": ["a", "b"]})
    assert answer["deletedEntities"] == ["a", "b"]
    assert related.call("GET", "/blueprints/service/entities-count")["count"] == 0


def test_a_write_for_a_run_is_refused_once_the_run_is_over(catalogue: Port) -> None:
    run = execute(catalogue)
    body = {"identifier": "a", "properties": {"owner": "D"}}
    catalogue.call("POST", PATH, body, 201, run_id=run["id"])
    catalogue.call("PATCH", f"/actions/runs/{run['id']}", {"status": "SUCCESS"})
    refusal = (400, "run_exhausted")
    assert catalogue.refused("PATCH", f"{PATH}/a", {}, run_id=run["id"]) == refusal
    assert catalogue.refused("DELETE", f"{PATH}/a", run_id=run["id"]) == refusal
    assert catalogue.refused("PATCH", f"{PATH}/a", {}, run_id="r_none") == (404, "not_found")
    catalogue.call("PATCH", f"{PATH}/a", {})
