"""Answers that are not from Port's API: of a gateway, a proxy or a wrong address."""

from collections.abc import Callable

import pytest
from slipway.errors import ConfigurationError, PortError, PortUnavailable
from slipway.port.client import PortClient

from tests.scripted import Answer
from tests.unit.port.conftest import RUN, RUN_PATH, TOKEN, Port, refusal

pytestmark = pytest.mark.waits

HTML = {"Content-Type": "text/html"}
PAGE = b"<!doctype html><title>Gateway</title>"
SHOP = "/v1/blueprints/service/entities/shop"
FOREIGN: list[Answer] = [
    (404, PAGE, HTML),
    (404, {"message": f"Route GET:/v1{RUN_PATH} not found", "error": "Not Found"}, {}),
    (404, {"error": "not_found"}, {}),
    (404, b"", {}),
    (200, PAGE, HTML),
    (502, PAGE, HTML),
    (204, b"", {}),
    (200, ["a", "list"], {}),
    (200, b"[" * 200_000, {}),
    (200, b"\xff\xfe", {}),
]
CALLS: dict[str, Callable[[PortClient], object]] = {
    f"GET {RUN_PATH}": lambda client: client.get_run("r_1"),
    f"POST {RUN_PATH}/logs": lambda client: client.add_log("r_1", "text"),
    f"PATCH {RUN_PATH}": lambda client: client.update_run("r_1", status="SUCCESS"),
    f"GET {SHOP}": lambda client: client.get_entity("service", "shop"),
    f"PATCH {SHOP}": lambda client: client.update_entity("service", "shop", {}),
    f"DELETE {SHOP}": lambda client: client.delete_entity("service", "shop"),
    "GET /v1/users/dev%40acme.example": lambda client: client.get_user("dev@acme.example"),
    "GET /v1/teams/devops": lambda client: client.team_members("devops"),
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize("answer", FOREIGN[:6], ids=str)
def test_foreign_answer_is_retried_later_for_every_call(
    port: Port, route: str, answer: Answer
) -> None:
    port.script(route, answer)

    with pytest.raises(PortUnavailable):
        CALLS[route](port.client(retry_budget=0))


@pytest.mark.parametrize("answer", FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_answer_is_repeated(port: Port, answer: Answer) -> None:
    port.script(f"GET {RUN_PATH}", answer, (200, {"run": RUN}, {}))

    assert port.client().get_run("r_1").id == "r_1"


@pytest.mark.parametrize("route", CALLS)
def test_404_with_another_code_is_an_error(port: Port, route: str) -> None:
    port.script(route, (404, refusal("not_resolvable"), {}))

    with pytest.raises(PortError, match="not_resolvable"):
        CALLS[route](port.client())


@pytest.mark.parametrize(
    "answer",
    [
        (404, PAGE, HTML),
        (404, refusal("not_found"), {}),
        (405, PAGE, HTML),
        (200, PAGE, HTML),
        (302, b"", {"Location": "https://app.port.io/"}),
    ],
    ids=["page", "Port's not_found", "405", "200", "redirect"],
)
@pytest.mark.parametrize("route", CALLS)
def test_sign_in_at_a_wrong_address_names_the_base_url(
    port: Port, route: str, answer: Answer
) -> None:
    port.script(TOKEN, answer)

    with pytest.raises(ConfigurationError, match=r"'port\.base_url'.*PORT_BASE_URL"):
        CALLS[route](port.client())

    assert port.routes() == [TOKEN]


def test_foreign_sign_in_answer_is_retried_later_after_a_success(port: Port) -> None:
    port.issue("token-1", lifetime=1)
    client = port.client()
    client.get_run("r_1")
    port.slept.append(2)
    port.script(TOKEN, (404, PAGE, HTML))

    with pytest.raises(PortUnavailable):
        client.get_run("r_1")


@pytest.mark.parametrize("end", ["/", "/v1", "/v1/", "/v1//", " "])
def test_base_url_may_end_with_the_version(port: Port, end: str) -> None:
    port.url += end

    assert port.client().get_run("r_1").id == "r_1"


def test_foreign_answer_is_named_without_its_text(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (404, {"message": "typed-by-a-person"}, HTML))

    with pytest.raises(
        PortUnavailable, match=r"other than Port answered 404 \(text/html\)"
    ) as caught:
        port.client(retry_budget=0).get_run("r_1")

    assert "typed-by-a-person" not in str(caught.value)
