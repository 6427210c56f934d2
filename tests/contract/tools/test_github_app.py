"""`scripts/github_app` creates an App from a manifest, with a person on the sandbox's GitHub."""

import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import typer
from github import Auth, GithubIntegration
from typer.testing import CliRunner

from scripts.checks.github import PERMISSIONS
from scripts.github_app import (
    App,
    Page,
    check_installed,
    create,
    exchange,
    find_installations,
    main,
    manifest,
    wait_for_installation,
)
from scripts.installing.stopped import Stopped
from tests import person
from tests.contract.github.conftest import ROOT, GitHubServer, running

SERVICES = "acme/services"


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    folder = tmp_path_factory.mktemp("github")
    (folder / "seed").mkdir()
    (folder / "seed" / "README.md").write_text("# services\n")
    with running(folder, folder / "seed") as server:
        yield server


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page("https://github.test", "acme", "slipway", team_reviewers=False)
    with page.serving():
        yield page


@pytest.fixture(autouse=True)
def without_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def page_for(github: GitHubServer, organization: str = "acme") -> Page:
    name = f"slipway {secrets.token_hex(4)}"
    return Page(github.url, organization, name, team_reviewers=True)


def made(github: GitHubServer) -> App:
    page = page_for(github)
    return create(page, github.api, "acme", clicking(person.create_app), browser=False)


def clicking(act: Callable[[str], object]) -> Callable[[str], None]:
    """Let a person act at each printed address."""

    def say(text: str) -> None:
        _, found, address = text.partition(": open ")
        if found:
            act(address)

    return say


def test_created_app_has_the_needed_permissions(github: GitHubServer) -> None:
    app = made(github)

    auth = Auth.AppAuth(app.number, app.private_key)
    known = GithubIntegration(auth=auth, base_url=github.api).get_app()
    assert known.permissions == {
        **dict.fromkeys(PERMISSIONS, "write"),
        "metadata": "read",
        "members": "read",
    }


@pytest.mark.parametrize("teams", [True, False])
def test_members_are_read_only_with_team_reviewers(*, teams: bool) -> None:
    asked = manifest("slipway", "https://a.test", "http://127.0.0.1:1/x", team_reviewers=teams)

    assert ("members" in asked["default_permissions"]) is teams


def test_browser_ends_at_a_page_with_the_next_step(github: GitHubServer) -> None:
    ended: list[requests.Response] = []
    say = clicking(lambda address: ended.append(person.create_app(address)))

    create(page_for(github), github.api, "acme", say, browser=False)

    assert "Continue in the terminal" in ended[0].text


def test_pasted_address_returns_the_app(
    github: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    stdin = os.fdopen(reading)
    monkeypatch.setattr(sys, "stdin", stdin)

    def paste(address: str) -> None:
        asked = person.send(person.open_form(address))
        form = person.read_form(asked.url, asked.text)
        created = requests.post(form.action, form.fields, allow_redirects=False, timeout=300)
        os.write(writing, f"{created.headers['Location']}\n".encode())

    app = create(page_for(github), github.api, "acme", clicking(paste), browser=False)

    os.close(writing)
    stdin.close()
    assert app.owner == "acme"


def test_code_with_another_state_is_refused(page: Page) -> None:
    host = urlsplit(page.address).netloc

    status, _ = page.answer(host, f"/created?code={'a' * 40}&state=guessed")

    assert status == 404


def test_page_accepts_one_code(page: Page) -> None:
    taken = [page.take("a" * 40), page.take("b" * 40)]

    assert taken == [True, False]
    assert page.wait() == "a" * 40


def test_page_is_not_found_at_another_address(page: Page) -> None:
    status, text = page.answer(urlsplit(page.address).netloc, "/")

    assert status == 404
    assert "state=" not in text


def test_page_is_not_shown_to_another_host(page: Page) -> None:
    status, _ = page.answer("rebound.test", urlsplit(page.address).path)

    assert status == 421


def test_missing_code_ends_with_an_error_message(page: Page) -> None:
    with pytest.raises(Stopped, match="No App was created within an hour.*Start again"):
        page.wait(0)


def test_unknown_code_is_refused(github: GitHubServer) -> None:
    with pytest.raises(Stopped, match=r"did not accept the code \(404\).*Start again"):
        exchange(github.api, "unknown-code", "acme")


def test_app_of_another_account_is_refused(github: GitHubServer) -> None:
    page = page_for(github)

    with pytest.raises(Stopped, match="belongs to acme, not to other"):
        create(page, github.api, "other", clicking(person.create_app), browser=False)


def test_app_on_too_few_repositories_is_refused(github: GitHubServer) -> None:
    app = made(github)
    second = github.client().get_organization("acme").create_repo(f"r{secrets.token_hex(4)}")
    wanted = [SERVICES, second.full_name]
    say = clicking(lambda address: person.install_app(address, SERVICES))

    found = wait_for_installation(github.api, app, wanted, say, seconds=300, browser=False)

    with pytest.raises(Stopped, match=f"not installed on {second.full_name}.*Add the repository"):
        check_installed(app, found)


def test_app_with_another_key_is_refused(github: GitHubServer) -> None:
    app, other = made(github), made(github)
    mixed = App(app.number, app.owner, app.url, other.private_key)

    with pytest.raises(Stopped, match=r"refused the App's key.*Create a new private key"):
        find_installations(github.api, mixed, [SERVICES])


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([], "Say where the key goes"),
        (["--secret-id", "slipway/github", "--file", "-"], "Say where the key goes"),
        (["--file", str(ROOT / "README.md")], "exists already. Name a new file"),
    ],
)
def test_command_requires_one_place_for_the_key(places: list[str], said: str) -> None:
    app = typer.Typer()
    app.command()(main)

    done = CliRunner().invoke(app, ["--organization", "a", "--repository", "a/b", *places])

    assert done.exit_code == 2
    assert said in done.stderr


def test_command_writes_the_key_to_a_private_file(github: GitHubServer, tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    options = ["--organization", "acme", "--repository", SERVICES, "--file", str(file)]
    options += ["--name", f"slipway-{secrets.token_hex(4)}"]
    options += ["--api-url", github.api, "--no-browser"]

    with subprocess.Popen(
        [sys.executable, "-m", "scripts.github_app", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        said = ""
        for line in command.stderr:
            said += line
            _, found, address = line.strip().partition(": open ")
            if found and "/installations/" in address:
                person.install_app(address, SERVICES)
            elif found:
                person.create_app(address)
        out = command.communicate()[0]

    kept = json.loads(file.read_text())
    assert command.returncode == 0, said
    assert kept.keys() == {"app_id", "installation_id", "private_key"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" not in said + out
