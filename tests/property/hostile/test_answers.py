"""Any answer of Port or GitHub becomes a valid value or a documented error."""

import contextlib
import gc
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials, PortCredentials
from slipway.errors import GitHubError, PortError, SlipwayError
from slipway.github.ended import EndedPull, EndedPulls
from slipway.github.folder import everything, nothing
from slipway.github.models import Change, Place
from slipway.github.pull_requests import PullRequests
from slipway.github.repairs import Repairs
from slipway.github.repository import ServicesRepository
from slipway.github.workflows import Workflows
from slipway.port.client import PortClient

from tests.entities import service_files
from tests.property.hostile.mutation import NASTY, examples, mutated_bytes, to_bytes
from tests.scripted import Answer, ScriptedServer
from tests.unit.github.conftest import NODE, SHA, proposed, refused, seen
from tests.unit.github.conftest import PULL as OPEN_PULL
from tests.unit.port.conftest import UnhurriedSession

pytestmark = pytest.mark.waits

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RUN = {"id": "r_1", "status": "IN_PROGRESS", "action": {"identifier": "a"}, "link": "https://x"}
ENTITY = {"identifier": "shop", "blueprint": "service", "properties": {"a": 1}, "relations": {}}
USER = {"id": "u", "email": "a@b.c", "status": "ACTIVE", "teams": [{"name": "t"}], "roles": []}
PORT_SEEDS: list[Any] = [
    {"ok": True, "run": RUN},
    {"ok": True, "runs": [RUN, RUN], "next": "x"},
    {"ok": True, "entity": ENTITY},
    {"ok": True, "entities": [ENTITY, ENTITY]},
    {"ok": True, "user": USER},
    {"ok": True, "team": {"name": "t", "users": [USER, "a@b.c"]}},
    {"ok": False, "error": "run_exhausted", "message": "No."},
    {"ok": True, "accessToken": "t", "expiresIn": 10_800},
]
PORT_CALLS: list[Callable[[PortClient], object]] = [
    lambda port: port.get_run("r_1"),
    lambda port: list(itertools.islice(port.active_runs("a"), 5)),
    lambda port: port.add_log("r_1", "text", status_label="label"),
    lambda port: port.update_run("r_1", status="SUCCESS"),
    lambda port: port.get_entity("service", "shop"),
    lambda port: port.create_entity("service", {"identifier": "shop"}, run_id="r_1"),
    lambda port: port.upsert_entity("service", {"identifier": "shop"}, run_id="r_1"),
    lambda port: port.update_entity("service", "shop", {}),
    lambda port: port.delete_entity("service", "shop"),
    lambda port: port.get_user("a@b.c"),
    lambda port: port.team_members("t"),
    lambda port: port.dependents("service", "shop"),
]
FOLDER = "apps/shop"
FILE = {
    "type": "file",
    "name": "common_values.yaml",
    "path": f"{FOLDER}/common_values.yaml",
    "sha": SHA,
    "size": 10,
    "download_url": "https://x",
    "filename": f"{FOLDER}/common_values.yaml",
    "status": "modified",
}
FULL_PULL = {
    **OPEN_PULL,
    "head": {"sha": SHA, "ref": "slipway/create_service/r_1", "repo": {"full_name": "acme/s"}},
    "base": {"ref": "main", "sha": SHA, "repo": {"full_name": "acme/s", "url": "https://x"}},
    "user": {"login": "slipway"},
    "auto_merge": {"enabled_by": {"login": "slipway"}, "merge_method": "squash"},
    "mergeable": False,
}
COMMIT = {
    "sha": SHA,
    "html_url": "https://x",
    "parents": [{"sha": SHA}],
    "commit": {"committer": {"date": "2026-11-23T00:00:00Z"}},
    "files": [FILE],
}
ISSUE = {"number": 1, "html_url": "https://x/issues/1", "body": "<!-- m -->", "title": "t"}
GITHUB_SEEDS: list[Any] = [
    [FULL_PULL], FULL_PULL, [FILE, {**FILE, "type": "dir", "path": f"{FOLDER}/d"}], FILE,
    {"object": {"sha": SHA}, "ref": "refs/heads/main", "sha": SHA}, [COMMIT], COMMIT, [ISSUE],
    ISSUE,
    {"sha": SHA, "tree": [{"path": "x", "type": "blob", "mode": "100644", "sha": SHA, "size": 3}]},
    {"content": "YTogMQo=", "encoding": "base64", "sha": SHA, "size": 3},
    {"id": 1, "path": ".github/workflows/slipway-restart.yml", "url": "https://x"},
    {"total_count": 1, "workflow_runs": [{"id": 1, "display_title": "x", "status": "completed"}]},
    seen()[1], seen(NODE, branch=SHA)[1], proposed()[1],
    proposed([refused("x", "createRef")], createRef=None, createPullRequest=None)[1],
    {"message": "Reference already exists", "errors": [{"message": "x", "type": "RATE_LIMIT"}]},
]  # fmt: skip
CHANGE = Change(
    entity=service_files("shop"),
    branch="slipway/create_service/r_1",
    title="t",
    body="b",
    files={f"{FOLDER}/portData.json": "{}\n"},
    labels=("slipway",),
    reviewers=("team:payments",),
    creates=True,
)
SHOP = service_files("shop")
WORKFLOW = ".github/workflows/slipway-restart.yml"
PULL = EndedPull(
    number=7,
    url="u",
    state="merged",
    branch=CHANGE.branch,
    base="main",
    from_here=True,
    merge_sha="a" * 40,
)
GITHUB_CALLS: list[Callable[[ServicesRepository], object]] = [
    lambda github: github.propose(CHANGE),
    lambda github: github.find(CHANGE.branch),
    lambda github: github.read(service_files("shop"), everything),
    lambda github: github.merge(CHANGE, 7, "b" * 40),
    lambda github: github.close(CHANGE.branch, "comment"),
    lambda github: PullRequests(github).open(),
    lambda github: PullRequests(github).remind(7, "comment"),
    lambda github: EndedPulls(github).read(7),
    lambda github: EndedPulls(github).paths_of(PULL),
    lambda github: EndedPulls(github).read_files(SHOP, PULL, nothing),
    lambda github: Workflows(github).blob(WORKFLOW),
    lambda github: Workflows(github).find(WORKFLOW, "x-1", since=NOW),
    lambda github: Workflows(github).dispatch(WORKFLOW, {}),
    lambda github: Workflows(github).get(WORKFLOW, 1),
    lambda github: Workflows(github).cancel(WORKFLOW, 1),
    lambda github: Repairs(github).last_change(SHOP),
    lambda github: Repairs(github).escalate(title="t", body="m", labels=["l"], marker="m"),
]

# A separate test covers it as a `Location`.
NO_TEXT = "\xb2"
odd_headers = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining", "Location"]),
    st.sampled_from(
        ["0", "1", "-1", NO_TEXT, "9" * 30, "1e9", "Mon, 99 Foo", "Sat, 01 Jan 0001 00:00:00 GMT",
         "Fri, 31 Dec 9999 23:59:59 -2359", "nan", "//x", "http://[", ""]
    ),
    max_size=3,
).filter(lambda headers: headers.get("Location") != NO_TEXT)  # fmt: skip
statuses = st.sampled_from([200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429])


def answers(*seeds: Any) -> st.SearchStrategy[list[Answer]]:
    bodies = mutated_bytes(*seeds) | st.sampled_from(seeds).map(to_bytes) | st.binary(max_size=20)
    return st.lists(st.tuples(statuses, bodies, odd_headers), min_size=1, max_size=6)


class Sequence(ScriptedServer):
    """A server that answers any request with the next answer, and then repeats the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.following: list[Answer] = []
        owner = self

        class Table(dict[str, list[Answer]]):
            def get(self, route: str, default: Any = None) -> Any:
                if route.endswith("/access_token") and owner.signs_in:
                    return [(200, {"accessToken": "t", "expiresIn": 10_800}, {})]
                left = owner.following
                return [left.pop(0) if len(left) > 1 else left[0]]

        self.answers = Table()
        self.signs_in = True


@pytest.fixture(scope="module")
def server() -> Iterator[Sequence]:
    with Sequence().running() as running:
        yield running


def port_client(server: Sequence, *, retry_budget: float = 0) -> PortClient:
    credentials = PortCredentials.model_validate({"client_id": "i", "client_secret": "s"})
    return PortClient(
        server.url,
        lambda _: credentials,
        retry_budget=retry_budget,
        session=UnhurriedSession(),
        sleep=lambda _: None,
    )


def services_repository(server: Sequence) -> ServicesRepository:
    config = GitHubConfig.model_validate({"GITHUB_API_URL": server.url, "GITHUB_SECRET_ID": "s"})
    token = GitHubCredentials(token=SecretStr("ghp_first"))
    return ServicesRepository(config, Place(name="acme/s"), lambda fresh: token, retry_budget=0)


@given(
    answered=answers(*PORT_SEEDS),
    call=st.integers(0, len(PORT_CALLS) - 1),
    signs_in=st.booleans() | st.just(True),
)
@example(answered=[(200, {"accessToken": "a\nb", "expiresIn": 1}, {})], call=0, signs_in=False)
@example(answered=[(200, {"ok": True, "runs": [], "next": {"a": []}}, {})], call=1, signs_in=True)
@examples(120)
def test_port_answers_give_a_value_or_a_documented_error(
    server: Sequence, answered: list[Answer], call: int, signs_in: bool
) -> None:
    server.following, server.signs_in = list(answered), signs_in
    port = port_client(server)

    with contextlib.suppress(SlipwayError):
        PORT_CALLS[call](port)


@given(answered=answers(*GITHUB_SEEDS), call=st.integers(0, len(GITHUB_CALLS) - 1))
@example(answered=[(429, {"message": "slow"}, {"Retry-After": "\xb2"})], call=1)
@example(answered=[(429, {"message": "slow"}, {"Retry-After": "9" * 30})], call=1)
@example(answered=[(400, {"errors": [{"message": "x", "type": {"a": 1}}]}, {})], call=2)
@examples(150)
def test_github_answers_give_a_value_or_a_documented_error(
    server: Sequence, answered: list[Answer], call: int
) -> None:
    server.following = list(answered)
    github = services_repository(server)

    with contextlib.suppress(SlipwayError):
        GITHUB_CALLS[call](github)


# requests reads the header before the body, and drops the answer with its socket when it cannot.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_redirect_to_invalid_text_is_a_documented_error(
    server: Sequence,
) -> None:
    server.following, server.signs_in = [(302, {}, {"Location": NO_TEXT})], True

    with pytest.raises(GitHubError, match="has an unexpected form"):
        services_repository(server).find(CHANGE.branch)
    with pytest.raises(PortError, match="cannot be read"):
        port_client(server, retry_budget=30).get_user("a@b.c")

    gc.collect()  # This closes the sockets within the test.


names = st.sampled_from([n for n in NASTY if isinstance(n, str)]) | st.text(max_size=20)


@given(blueprint=names, identifier=names)
@example(blueprint="service", identifier="..")
@example(blueprint="service", identifier="")
@examples(60)
def test_entity_names_cannot_reach_another_port_route(
    server: Sequence, blueprint: str, identifier: str
) -> None:
    server.following = [(404, {"ok": False, "error": "not_found"}, {})]
    server.signs_in = True
    port = port_client(server, retry_budget=30)
    server.requests.clear()

    assert port.get_entity(blueprint, identifier) is None
    assert port.update_entity(blueprint, identifier, {}) is False
    port.delete_entity(blueprint, identifier)

    asked = {route for route in server.routes() if "access_token" not in route}
    for route in asked:
        parts = route.split(" ")[1].split("/")
        assert parts[:3] == ["", "v1", "blueprints"]
        assert (parts[4], len(parts)) == ("entities", 6)
