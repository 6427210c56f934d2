"""Saved views."""

from typing import Any

from sandbox.tests.port.harness import Port

Json = dict[str, Any]
_URL = "/_sandbox/portal/views/service"


def _save(port: Port, title: str, status: int = 201, *, shared: bool = False, **state: Any) -> Json:
    body = {"title": title, "shared": shared, "state": state}
    answer = port.http.request("POST", _URL, headers=port.headers, json=body)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


def _titles(port: Port) -> list[str]:
    answer = port.http.request("GET", _URL, headers=port.headers)
    return [view["title"] for view in answer.json()["views"]]


def _delete(port: Port, view_id: str) -> int:
    return port.http.request("DELETE", f"{_URL}/{view_id}", headers=port.headers).status_code


def test_a_view_is_its_owners(port: Port) -> None:
    developer, devops = port.sign_in("developer@acme.example"), port.sign_in("devops@acme.example")
    view = _save(developer, "Mine", group=["owner"])["view"]

    assert view["state"] == {"group": ["owner"]}
    assert view["mine"] is True
    assert _titles(developer) == ["Mine"]
    assert _titles(devops) == []


def test_saving_under_the_same_title_replaces(port: Port) -> None:
    developer = port.sign_in("developer@acme.example")
    first = _save(developer, "Mine", q="a")["view"]["id"]
    second = _save(developer, "Mine", q="b")["view"]

    assert (second["id"], second["state"]) == (first, {"q": "b"})
    assert _titles(developer) == ["Mine"]


def test_only_administrators_save_for_everybody(port: Port) -> None:
    developer = port.sign_in("developer@acme.example")
    _save(developer, "All", 403, shared=True)
    _save(port.sign_in("admin@acme.example"), "All", shared=True)

    assert _titles(developer) == ["All"]


def test_a_view_is_removed_by_its_owner_or_an_administrator(port: Port) -> None:
    developer, devops = port.sign_in("developer@acme.example"), port.sign_in("devops@acme.example")
    admin = port.sign_in("admin@acme.example")
    one, two = _save(developer, "One")["view"]["id"], _save(developer, "Two")["view"]["id"]

    assert _delete(devops, one) == 403
    assert _delete(developer, one) == 200
    assert _delete(admin, two) == 200
    assert _delete(admin, two) == 404


def test_views_outlive_the_server(port: Port) -> None:
    _save(port, "Kept")
    answer = port.http.request("GET", _URL)

    assert answer.status_code == 401
    assert _titles(port) == ["Kept"]
