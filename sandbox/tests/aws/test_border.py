"""LocalStack answers its own host and its own pages only, also at routes that it has itself."""

import httpx
import pytest

from sandbox.aws.runtime_api import RuntimeApi
from sandbox.tests.http import HTTP

from .conftest import RunningAws

LINK = "/_aws/execute-api/none/live/links/token"
FOLLOWED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def ask(aws: RunningAws, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTP.request(method, f"http://127.0.0.1:{aws.port}{path}", headers=named)


@pytest.mark.parametrize("path", ["/", "/_localstack/health", "/_sandbox/emails", LINK, "/bucket"])
def test_foreign_host_is_refused(aws: RunningAws, path: str) -> None:
    assert ask(aws, path, Host=f"localhost:{aws.port}").status_code == 421
    assert ask(aws, path, Host="attacker.example").status_code == 421


@pytest.mark.parametrize("origin", ["http://attacker.example", "https://app.localstack.cloud"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_foreign_origin_is_refused(aws: RunningAws, origin: str, method: str) -> None:
    answer = ask(aws, "/_localstack/health", method, Origin=origin)

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_image_address_makes_no_call(aws: RunningAws) -> None:
    path = f"/?Action=CreateTopic&Name={aws.name('by-image')}"
    of_image = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}

    assert ask(aws, path, **of_image).status_code == 403
    topics = aws.client("sns").list_topics()["Topics"]
    assert not any("by-image" in topic["TopicArn"] for topic in topics)


def test_link_in_an_email_opens_the_approval_page_alone(aws: RunningAws) -> None:
    followed = {**FOLLOWED, "Sec-Fetch-Site": "cross-site"}

    assert ask(aws, LINK, **followed).status_code == 404  # the answer for an API that is not there
    assert ask(aws, "/?Action=ListTopics", **followed).status_code == 403


def test_form_of_the_approval_page_is_sent(aws: RunningAws) -> None:
    # The page sends no referrer, so the browser sends no origin.
    own = {**FOLLOWED, "Sec-Fetch-Site": "same-origin", "Origin": "null"}

    assert ask(aws, LINK, "POST", **own).status_code != 403
    assert ask(aws, LINK, "POST", **{**own, "Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("path", ["/_sandbox/emails", "//_sandbox/emails", "/_sandbox//emails"])
def test_own_routes_need_the_token(aws: RunningAws, path: str) -> None:
    assert ask(aws, path, X_Sandbox_Token="wrong").status_code == 401


def test_runtime_api_refuses_a_foreign_host() -> None:
    api = RuntimeApi()
    try:
        url = f"http://{api.address}/2018-06-01/runtime/init/error"
        answer = HTTP.post(url, headers={"Host": "attacker.example"}, content=b"{}")
    finally:
        api.close()

    assert answer.status_code == 421
    assert api.events.empty()
