"""Apps made from a manifest, as GitHub documents the flow, and installed by a person."""

import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from github import Auth, GithubException, GithubIntegration
from github.Repository import Repository

from sandbox.tests.github.harness import Live
from sandbox.tests.http import HTTP

BACK = "http://127.0.0.1:1/created"
MANIFEST: dict[str, Any] = {
    "url": "https://slipway.test",
    "redirect_url": BACK,
    "public": False,
    "default_permissions": {"contents": "write", "metadata": "read"},
}


def submit(live: Live, manifest: dict[str, Any], path: str = "", **fields: str) -> httpx.Response:
    return HTTP.post(
        f"{live.url}/organizations/acme/settings/apps{path}",
        params={"state": "abc"},
        data={"manifest": json.dumps(manifest), **fields},
    )


def create(live: Live) -> dict[str, list[str]]:
    answer = submit(live, MANIFEST, name=f"app {secrets.token_hex(4)}")
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{BACK}?")
    return parse_qs(urlsplit(answer.headers["location"]).query)


def convert(live: Live, code: str) -> httpx.Response:
    return HTTP.post(f"{live.api}/app-manifests/{code}/conversions")


def as_app(live: Live, made: dict[str, Any]) -> GithubIntegration:
    auth = Auth.AppAuth(made["id"], made["pem"])
    return GithubIntegration(auth=auth, base_url=live.api, retry=None)


def install(live: Live, made: dict[str, Any], *repositories: str) -> None:
    data = {"target": "selected", "repository": list(repositories)}
    answer = HTTP.post(f"{live.url}/apps/{made['slug']}/installations/new", data=data)
    assert answer.status_code == 303


def test_manifest_page_makes_no_app(live: Live) -> None:
    answer = submit(live, MANIFEST, "/new")

    assert answer.status_code == 200
    assert "contents: write" in answer.text
    assert "Create GitHub App" in answer.text


def test_created_app_leads_back_with_code_and_state(live: Live) -> None:
    back = create(live)

    assert back["state"] == ["abc"]
    assert len(back["code"]) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"url": None}, "url"),
        ({"redirect_url": "no address"}, "redirect_url"),
        ({"hook_attributes": {"active": False}}, '"url" wasn'),
        ({"default_events": ["push"]}, "Hook url"),
        ({"default_permissions": {"everything": "write"}}, "permission"),
        ({"default_permissions": {"contents": "all"}}, "permission"),
        ({"name": "a" * 35}, "name"),
    ],
)
def test_faulty_manifest_is_refused(live: Live, change: dict[str, Any], named: str) -> None:
    answer = submit(live, {**MANIFEST, **change}, "/new")

    assert answer.status_code == 422
    assert named in answer.json()["message"]


def test_code_counts_once(live: Live) -> None:
    (code,) = create(live)["code"]

    answers = [convert(live, code).status_code for _ in range(2)]

    assert answers == [201, 404]


def test_converted_app_signs_in_by_its_key(live: Live) -> None:
    (code,) = create(live)["code"]
    made = convert(live, code).json()

    app = as_app(live, made).get_app()

    assert (app.id, app.slug) == (made["id"], made["slug"])


def test_app_is_not_installed_until_a_person_does(live: Live) -> None:
    (code,) = create(live)["code"]
    made = convert(live, code).json()

    with pytest.raises(GithubException) as error:
        as_app(live, made).get_repo_installation("acme", "services")

    assert error.value.status == 404


def test_app_sees_only_the_chosen_repositories(live: Live, repo: Repository) -> None:
    (code,) = create(live)["code"]
    made = convert(live, code).json()
    install(live, made, repo.full_name)

    installed = as_app(live, made).get_repo_installation("acme", repo.name)

    token = as_app(live, made).get_access_token(installed.id).token
    seen = [
        live.call("GET", f"/repos/{name}", token).status_code
        for name in (repo.full_name, "acme/services")
    ]
    assert seen == [200, 404]


def test_form_of_another_site_reaches_the_manifest_page_only(live: Live) -> None:
    led = {
        "Origin": "http://127.0.0.1:1",
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    address = f"{live.url}/organizations/acme/settings/apps"
    data = {"manifest": json.dumps(MANIFEST), "name": "taken"}

    shown = HTTP.post(f"{address}/new", data=data, headers=led)
    made = HTTP.post(address, data=data, headers=led)

    assert (shown.status_code, made.status_code) == (200, 403)
