from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.port.errors import PortApiError
from sandbox.port.search import Scope, matches
from sandbox.tests.port.harness import Port, add_service

ENTITY = {
    "identifier": "a",
    "title": "Service A",
    "blueprint": "service",
    "team": ["platform", "payments"],
    "properties": {"n": 5, "tags": ["x", "y"], "due": "2026-11-20T10:00:00Z", "empty": ""},
    "relations": {"runs_on": "eu-1"},
}
SCOPE = Scope(
    related=lambda *_: {("service", "a")},
    definitions=lambda _: {"n": {"type": "number"}, "due": {"type": "string"}},
    user={"email": "a@b.example"},
    user_teams=("platform",),
    now=datetime(2026, 11, 23, 12, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("$identifier", "=", "a"), True),
        (("$blueprint", "!=", "service"), False),
        (("n", ">", 4), True),
        (("n", ">=", 5), True),
        (("n", "<", 5), False),
        (("n", "<=", 5), True),
        (("n", ">", "4"), False),
        (("due", "<", "2026-11-21T00:00:00Z"), True),
        (("$title", "contains", "vice"), True),
        (("tags", "contains", "x"), True),
        (("tags", "doesNotContains", "z"), True),
        (("tags", "containsAny", ["z", "y"]), True),
        (("$title", "beginsWith", "Serv"), True),
        (("$title", "doesNotBeginsWith", "Serv"), False),
        (("$title", "endsWith", "A"), True),
        (("$title", "doesNotEndsWith", "A"), False),
        (("n", "in", [5, 6]), True),
        (("n", "notIn", [5, 6]), False),
        (("runs_on", "=", "eu-1"), True),
        (("empty", "isEmpty", None), True),
        (("none", "isEmpty", None), True),
        (("n", "isNotEmpty", None), True),
        (("due", "isExpired", None), True),
        (("due", "isNotExpired", None), False),
        (("due", "between", {"preset": "lastWeek"}), True),
        (("due", "between", {"preset": "today"}), False),
        (("due", "notBetween", {"preset": "yesterday"}), True),
        (("due", "between", {"from": "2026-11-19T00:00:00Z", "to": "2026-11-21T00:00:00Z"}), True),
        (("$team", "containsAny", {"property": "x", "context": "userTeams"}), True),
        (("$title", "=", {"property": "email", "context": "user"}), False),
        (("tags", "matchAny", ["x"]), True),
    ],
)
def test_operator_decides_on_the_entity(rule: tuple[str, str, Any], expected: bool) -> None:
    name, operator, value = rule
    query = {"property": name, "operator": operator, "value": value}
    assert matches({"combinator": "and", "rules": [query]}, ENTITY, SCOPE) is expected


def test_groups_can_be_nested() -> None:
    yes = {"property": "n", "operator": "=", "value": 5}
    no = {"property": "n", "operator": "=", "value": 6}
    inner = {"combinator": "or", "rules": [no, yes]}
    assert matches({"combinator": "and", "rules": [yes, inner]}, ENTITY, SCOPE)
    assert not matches({"combinator": "and", "rules": [no, inner]}, ENTITY, SCOPE)


def test_property_schema_applies_to_every_property_of_a_type() -> None:
    rule = {"propertySchema": {"type": "number"}, "operator": "=", "value": 5}
    assert matches({"combinator": "and", "rules": [rule]}, ENTITY, SCOPE)


@pytest.mark.parametrize(
    "query",
    [
        [],
        {"rules": []},
        {"combinator": "and"},
        {"combinator": "and", "rules": [1]},
        {"combinator": "and", "rules": [{"property": "n", "operator": "like", "value": 1}]},
        {"combinator": "and", "rules": [{"operator": "=", "value": 1}]},
        {"combinator": "and", "rules": [{"property": "due", "operator": "between", "value": {}}]},
    ],
)
def test_invalid_query_is_refused(query: Any) -> None:
    with pytest.raises(PortApiError) as refused:
        matches(query, ENTITY, SCOPE)
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")


def test_related_to_follows_relations_upstream_and_downstream(catalogue: Port) -> None:
    body = {"relations": {"needs": {"target": "service", "many": True}}}
    catalogue.call("PATCH", "/blueprints/service", body)
    add_service(catalogue, "db")
    for name, needs in (("api", ["db"]), ("web", ["api"])):
        entity = {"identifier": name, "properties": {"owner": "D"}, "relations": {"needs": needs}}
        catalogue.call("POST", "/blueprints/service/entities", entity, 201)

    def related(value: str, direction: str) -> set[str]:
        rule = {
            "operator": "relatedTo",
            "blueprint": "service",
            "value": value,
            "direction": direction,
        }
        query = {"combinator": "and", "rules": [rule]}
        found = catalogue.call("POST", "/entities/search", query)
        return {entity["identifier"] for entity in found["entities"]}

    assert related("web", "upstream") == {"api", "db"}
    assert related("db", "downstream") == {"api", "web"}
    assert related("db", "upstream") == set()


def test_search_names_the_matching_blueprints(catalogue: Port) -> None:
    add_service(catalogue, "a")
    rule = {"property": "$identifier", "operator": "in", "value": ["a", "platform"]}
    found = catalogue.call("POST", "/entities/search", {"combinator": "and", "rules": [rule]})
    assert found["matchingBlueprints"] == ["_team", "service"]


def test_search_in_a_blueprint_is_paginated(catalogue: Port) -> None:
    for name in ("a", "b", "c"):
        add_service(catalogue, name)
    path = "/blueprints/service/entities/search"
    first = catalogue.call("POST", path, {"limit": 2, "include": ["title"]})
    second = catalogue.call("POST", path, {"limit": 2, "from": first["next"]})
    names = [e["identifier"] for e in first["entities"] + second["entities"]]
    assert sorted(names) == ["a", "b", "c"]
    assert "next" not in second
