"""The outsider: has no account anywhere, but may have found an old secret.

A developer with a running sandbox may look at the outsider's web page.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import boto3
import pytest
import requests
import time_machine
from slipway.approvals.function import ApprovalFunction
from slipway.approvals.links import Link, sign
from slipway.config import PREVIOUS_COUNTS, PortConfig, load
from slipway.errors import LinkRejected
from slipway.runs.clients import signing_secrets

from sandbox.testing import TOKEN
from tests.contract.github.conftest import running
from tests.port_server import PortServer

LEAKED, RENEWED = "leaked-" + "a" * 40, "renewed-" + "b" * 40
ROTATED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINK = Link("r_0123456789abcdef.1", "devops@acme.example", ROTATED_AT + timedelta(days=30))


@pytest.fixture
def rotated(aws: None) -> None:
    """The link key and Port's secret were rotated; the outsider holds what they were before."""
    secrets = boto3.client("secretsmanager")
    with time_machine.travel(ROTATED_AT, tick=False):
        for name, field in ("slipway/links", "key"), ("slipway/port", "client_secret"):
            leaked, renewed = ({"client_id": "id", field: value} for value in (LEAKED, RENEWED))
            secrets.create_secret(Name=name, SecretString=json.dumps(leaked))
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps(renewed))


@pytest.mark.usefixtures("rotated")
def test_link_of_leaked_key_is_rejected_when_rotation_is_old() -> None:
    token = sign(LINK, LEAKED)

    with (
        time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False),
        pytest.raises(LinkRejected),
    ):
        ApprovalFunction().read_link(token)


@pytest.mark.usefixtures("rotated")
def test_link_of_previous_key_counts_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert ApprovalFunction().read_link(sign(LINK, LEAKED)) == LINK


@pytest.mark.usefixtures("rotated")
def test_leaked_port_secret_does_not_sign_when_rotation_is_old() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False):
        assert list(signing_secrets(load(PortConfig))) == [RENEWED, RENEWED]


@pytest.mark.usefixtures("rotated")
def test_previous_port_secret_signs_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert LEAKED in islice(signing_secrets(load(PortConfig)), 3)


SERVERS = ("port", "github")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the sandbox's Port and GitHub on a developer's machine."""
    folders = [tmp_path_factory.mktemp(name) for name in SERVERS]
    with PortServer(folders[0]) as port, running(folders[1], Path("services-repo")) as github:
        yield {"port": port.url, "github": github.url}


def ask(url: str, method: str = "GET", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, headers=named, timeout=60, allow_redirects=False)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("path", ["/", "/v1/organization", "/api/v3/meta", "/_sandbox/health"])
def test_rebound_host_name_reads_nothing(sandbox: dict[str, str], server: str, path: str) -> None:
    url = sandbox[server]
    for host in ("attacker.example", f"attacker.example:{url.rpartition(':')[2]}"):
        answer = ask(url + path, Host=host, X_Sandbox_Token=TOKEN)

        assert answer.status_code == 421
        assert "Host" in answer.json()["message"]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("origin", ["http://attacker.example", "http://localhost:1", "null"])
def test_page_of_foreign_origin_sends_nothing(
    sandbox: dict[str, str], server: str, method: str, origin: str
) -> None:
    answer = ask(f"{sandbox[server]}/_sandbox/health", method, Origin=origin, X_Sandbox_Token=TOKEN)

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("server", SERVERS)
def test_image_on_foreign_page_sends_nothing(sandbox: dict[str, str], server: str) -> None:
    of_image = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}

    assert ask(sandbox[server], **of_image, Sec_Fetch_Dest="image").status_code == 403


@pytest.mark.parametrize("server", SERVERS)
def test_foreign_page_frames_no_page(sandbox: dict[str, str], server: str) -> None:
    framed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    assert ask(sandbox[server], **framed, Sec_Fetch_Dest="iframe").status_code == 403


def test_link_on_foreign_page_opens_a_page(sandbox: dict[str, str]) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    assert ask(sandbox["port"], **followed, Sec_Fetch_Dest="document").status_code == 200


@pytest.mark.parametrize(
    ("server", "path"),
    [("port", "/v1/organization"), ("github", "/api/v3/meta"), ("port", "/_sandbox/portal/people")],
)
def test_link_on_foreign_page_reaches_no_api(
    sandbox: dict[str, str], server: str, path: str
) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    answer = ask(sandbox[server] + path, **followed, Sec_Fetch_Dest="document")

    assert answer.status_code == 403


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("path", ["/_sandbox/requests", "//_sandbox/requests"])
def test_own_routes_need_the_token(sandbox: dict[str, str], server: str, path: str) -> None:
    for token in ("", "wrong", f"{TOKEN}x"):
        assert ask(sandbox[server] + path, X_Sandbox_Token=token).status_code == 401


def test_owner_uses_own_routes_with_the_token(sandbox: dict[str, str]) -> None:
    for url in sandbox.values():
        assert ask(f"{url}/_sandbox/requests", X_Sandbox_Token=TOKEN).status_code == 200
