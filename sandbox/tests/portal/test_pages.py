"""The portal's files and addresses."""

from pathlib import Path

import httpx
import pytest

from sandbox.port.routes import pages
from sandbox.tests.port.harness import Port

_BROWSER = {"accept": "text/html,application/xhtml+xml"}


def _get(port: Port, path: str) -> httpx.Response:
    return port.http.request("GET", path, headers=_BROWSER)


@pytest.mark.parametrize(
    "path", ["/", "/services", "/organization/run?runId=r_1", "/serviceEntity?identifier=a%2Fb"]
)
def test_each_page_address_gets_the_page(port: Port, dist: Path, path: str) -> None:
    answer = _get(port, path)

    assert answer.status_code == 200
    assert "the portal" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_files_are_served_and_those_with_a_hash_are_kept(port: Port, dist: Path) -> None:
    assert _get(port, "/icon.svg").headers["cache-control"] == "no-cache"
    asset = _get(port, "/assets/main-1.js")
    assert asset.text == "1"
    assert "immutable" in asset.headers["cache-control"]


def test_a_file_of_an_older_build_is_not_found(port: Port, dist: Path) -> None:
    assert _get(port, "/assets/main-0.js").status_code == 404


@pytest.mark.parametrize("path", ["/v1/nothing", "/_sandbox/nothing", "/_sandbox/portal/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_api_address_gets_no_page(port: Port, dist: Path, path: str, method: str) -> None:
    answer = port.http.request(method, path, headers=_BROWSER)

    assert answer.status_code == 404
    assert answer.json()["error"] == "Not Found"


@pytest.mark.parametrize(
    "path", ["/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"]
)
def test_nothing_outside_of_the_folder_is_served(port: Port, dist: Path, path: str) -> None:
    assert "secret" not in _get(port, path).text


def test_page_says_what_is_missing_without_a_build(
    port: Port, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "DIST", tmp_path / "<none>")
    answer = _get(port, "/services")

    assert answer.status_code == 503
    assert "Node.js" in answer.text
    assert "make setup" in answer.text
    assert "<none>" not in answer.text


def test_root_describes_the_server_to_a_program(port: Port, dist: Path) -> None:
    assert port.http.request("GET", "/").json()["organization"] == "org_sandbox"
