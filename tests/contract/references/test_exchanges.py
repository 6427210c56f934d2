"""Requests to Port and GitHub, and the stand-ins' answers, conform to the descriptions.

One test runs all flows once, because running them takes most of the time.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import graphql
import pytest
import requests
from graphql.execution.values import get_variable_values

from tests.contract.github.conftest import TOKEN
from tests.contract.references import visits
from tests.faults.flows import FLOWS
from tests.faults.installation import EXPECTED_WARNINGS, Installation
from tests.faults.world import case
from tests.references import descriptions
from tests.references.description import Route
from tests.references.recorder import Exchange

pytestmark = EXPECTED_WARNINGS
REST, GRAPHQL = "/api/v3", "/api/graphql"
# Flows whose requests and answers have the same kinds as those of other flows.
LEFT_OUT = frozenset(
    {
        "create_and_close",
        "create_with_approval",
        "create_and_cancel_while_postponed",
        "upscale_straight",
        "dry_run",
        "nothing_to_do",
        "a_bad_request",
        "two_at_once",
        "delivered_later",
        "upscale_approved_in_port",
        "downscale_approved_by_api",
        "delete_approved_by_link",
        "reminded_and_expired",
        "reminded_and_approved",
        "asked_again_because_the_base_moved",
        "merged_when_its_check_has_passed",
        "reported_unhealthy_by_webhook_but_healthy",
        "a_remediation_is_stopped",
        "swept_because_never_received",
        "swept_because_closed_unreported",
        "swept_because_of_a_lost_message",
    }
)


def play(installation: Installation, folder: Path) -> None:
    """Run the flows and the other visits once, without faults."""
    visits.read_people(installation)
    visits.end_a_node_run(installation)
    visits.look_as_the_doctor(installation)
    visits.install_again(installation)
    visits.merge_behind_a_check(installation)
    visits.propose_as_an_app(installation)
    visits.make_an_app(installation)
    visits.prepare_an_installation(installation)
    with case(installation, folder) as world:
        visits.play_the_demo(world, folder)
    with case(installation, folder) as world:
        visits.adopt_a_service(world)
    assert FLOWS.keys() >= LEFT_OUT
    for name in (name for name in FLOWS if name not in LEFT_OUT):
        with case(installation, folder) as world:
            FLOWS[name](world)


def sent_to(exchanges: list[Exchange], url: str, below: str) -> Iterator[tuple[Exchange, str]]:
    """Return the exchanges with a server, each with its path below a prefix."""
    for exchange in exchanges:
        path = urlsplit(exchange.url).path
        if exchange.url.startswith(url) and path.startswith(below):
            yield exchange, path.removeprefix(below)


def document_faults(exchange: Exchange) -> Iterator[str]:
    """Return the faults of a GraphQL request by GitHub's schema."""
    schema = descriptions.github_graphql()
    sent = json.loads(exchange.sent)
    document = graphql.parse(sent["query"])
    yield from (error.message for error in graphql.validate(schema, document))
    for definition in document.definitions:
        if isinstance(definition, graphql.OperationDefinitionNode):
            declared = definition.variable_definitions or ()
            found = get_variable_values(schema, declared, sent.get("variables") or {})
            if isinstance(found, list):
                yield from (error.message for error in found)


def test_exchanges_conform_to_the_published_descriptions(
    installation: Installation,
    exchanges: list[Exchange],
    folder: Path,
    subtests: pytest.Subtests,
) -> None:
    play(installation, folder)

    with subtests.test("GitHub's REST API"):
        described = descriptions.github()
        rest = sent_to(exchanges, installation.github.url, REST)
        faults = {fault for each, path in rest for fault in described.faults(each, path)}
        assert not faults, "\n".join(sorted(faults))
    with subtests.test("GitHub's GraphQL API"):
        documents = list(sent_to(exchanges, installation.github.url, GRAPHQL))
        assert documents
        faults = {fault for each, _ in documents for fault in document_faults(each)}
        assert not faults, "\n".join(sorted(faults))
    with subtests.test("Port's API"):
        described = descriptions.port()
        asked = list(sent_to(exchanges, installation.port.url, "/v1"))
        faults = {f for each, path in asked for f in described.faults(each, f"/v1{path}")}
        assert not faults, "\n".join(sorted(faults))
    with subtests.test("each route that is described of Port's API is used"):
        used: set[Route | None] = {
            described.route(each.method, f"/v1{path}") for each, path in asked
        }
        assert described.routes <= used, "\n".join(map(str, described.routes - used))


def test_graphql_schema_is_a_subset_of_githubs(installation: Installation) -> None:
    answer = requests.post(
        f"{installation.github.url}{GRAPHQL}",
        json={"query": graphql.get_introspection_query()},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=300,
    )

    ours = graphql.build_client_schema(answer.json()["data"])
    # A "breaking change" from our schema to GitHub's is something that only ours has.
    only_ours = graphql.find_breaking_changes(ours, descriptions.github_graphql())
    assert not only_ours, "\n".join(change.description for change in only_ours)
