"""Any pull request, file or report request becomes a report or a documented error.

Slipway writes only to the pull request's own service and run.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slipway.errors import SlipwayError
from slipway.reports.tokens import Home, Tokens

from tests.property.hostile.mutation import NASTY, examples, mutated, mutated_bytes
from tests.unit.reports.github import AUDIENCE, GITHUBS_KEY, TokenGitHub
from tests.unit.reports.world import COMMON, FOLDER, MAIN, PORT_DATA, SERVICE, World, serve

pytestmark = pytest.mark.waits

RUN: dict[str, Any] = {
    "id": "r_0123456789abcdef",
    "status": "IN_PROGRESS",
    "link": [],
    "entity": None,
    "action": {"identifier": "create_service"},
    "properties": {"service_name": SERVICE},
    "blueprint": {"identifier": "service"},
}
ACTIONS = ["create_service", "upscale_service", "delete_service", "hand_over_service"]
texts = st.sampled_from([n for n in NASTY if isinstance(n, str)]) | st.text(max_size=60)
file_texts = mutated_bytes(PORT_DATA).map(lambda raw: raw.decode("utf-8", "replace")) | texts
values = mutated_bytes(COMMON).map(lambda raw: raw.decode("utf-8", "replace")) | st.lists(
    st.sampled_from(
        ["replicas: 2\n", "image:\n", "  tag: 1.0\n", "  tag: '1", "\n", "{", "]", "# x\n", "- a\n",
         "replicas:\n  3\n", "\ttag: 2\n", "\u2028", "---\n", "|\n", "&a ", "*a", "٣", "\x00", '"']
    ),
    max_size=12,
).map("".join)  # fmt: skip
paths = texts | st.sampled_from(["apps/a/x", "apps/a/../b/x", "apps/../x", "apps//x", "apps/a"])


@pytest.fixture
def served(aws: None) -> Iterator[World]:
    with serve(World()) as world:
        yield world


def renewed(world: World) -> World:
    """Reuse the server with a new world."""
    url = world.url
    world.__init__()  # type: ignore[misc]  # the server keeps this object
    world.url = url
    return world


def writable(text: str) -> str:
    return text.encode(errors="replace").decode()


@given(
    action=st.sampled_from(ACTIONS),
    data=file_texts,
    common=values,
    merged=st.booleans(),
    repair=st.booleans(),
    changed=st.lists(paths, max_size=3),
)
@examples(60)
def test_any_pull_request_changes_its_own_service_only(
    served: World,
    action: str,
    data: str,
    common: str,
    merged: bool,
    repair: bool,
    changed: list[str],
) -> None:
    world = renewed(served)
    pull = world.day_2(action, merged=merged) if action != "create_service" else world.pull()
    pull["merged"] = merged
    if repair:
        pull["head"]["ref"] = "slipway/roll_back/x-1"
    world.changed = [writable(path) for path in changed]
    world.files = {
        (MAIN, f"{FOLDER}/portData.json"): writable(data),
        (MAIN, f"{FOLDER}/common_values.yaml"): writable(common),
    }

    with suppress(SlipwayError):
        world.report()

    assert {entity["identifier"] for entity, _ in world.entity_writes} <= {SERVICE}
    assert set(world.entities) <= {SERVICE}


@given(run=mutated(RUN))
@example(run={"status": "IN_PROGRESS", "properties": [1]})
@example(run={})
@examples(40)
def test_any_run_in_port_gives_a_report_or_an_error(served: World, run: Any) -> None:
    world = renewed(served)
    world.commit()
    world.pull()
    answered = dict(run) if isinstance(run, dict) else {}
    world.run = {**answered, "id": "r_0123456789abcdef"}
    world.run.setdefault("status", None)

    with suppress(SlipwayError):
        world.report()


@given(branch=texts, base=texts)
@examples(40)
def test_any_branch_gives_a_report_or_an_error(served: World, branch: str, base: str) -> None:
    world = renewed(served)
    pull = world.pull()
    pull["head"]["ref"], pull["base"]["ref"] = writable(branch), writable(base)

    with suppress(SlipwayError):
        world.report()

    assert world.entity_writes == []


@given(claims=mutated({"repository_id": "4711", "event_name": "workflow_dispatch"}))
@examples(60)
def test_token_claims_are_accepted_only_of_this_repository(
    tokens: tuple[Tokens, TokenGitHub], claims: Any
) -> None:
    verifier, github = tokens
    said = claims if isinstance(claims, dict) else {}
    try:
        token = github.token(GITHUBS_KEY, **{str(name): said[name] for name in said if name})
    except (TypeError, ValueError, OverflowError, UnicodeError, RecursionError):
        return  # A value outside JSON cannot be in a token.

    with suppress(SlipwayError):
        found, _ = verifier.verify(token)
        assert str(found["repository_id"]) == "4711"


@pytest.fixture
def tokens() -> Iterator[tuple[Tokens, TokenGitHub]]:
    with TokenGitHub().running() as github:
        home = Home(4711, "acme/services", "main")
        yield Tokens(github.issuer, AUDIENCE, lambda: (home,)), github
