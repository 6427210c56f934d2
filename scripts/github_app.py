"""Create Slipway's GitHub App from a manifest with its permissions.

A page on this machine sends the manifest to GitHub, where a person creates the App and installs it.
GitHub redirects the browser back with a one-time code, which the command exchanges for the App's
key. https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest

The manifest has no `hook_attributes`: with them GitHub requires an address even for a disabled
webhook, and Slipway needs none. https://github.com/handarbeit/fabrik/issues/1711
"""

import json
import queue
import re
import secrets
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import boto3
import requests
import typer
from botocore.exceptions import BotoCoreError, ClientError
from github import Auth, GithubException, GithubIntegration
from rich.console import Console
from rich.text import Text
from slipway.github.retry import reason

from scripts.checks.github import PERMISSIONS
from scripts.cli import start
from scripts.installing.stopped import Stopped

# GitHub documents that the whole flow must end within an hour.
CODE_SECONDS = 3600
TIMEOUT_SECONDS = 30
_POLL_SECONDS = 2
_AGAIN = "Start again: a code can be used once, within an hour."
Say = Callable[[str], None]


@dataclass(frozen=True)
class App:
    """A GitHub App and its key.

    Attributes:
        number: its id.
        owner: the account that it belongs to.
        url: its page on GitHub.
        private_key: PEM.
    """

    number: int
    owner: str
    url: str
    private_key: str

    def credentials(self, installation: int | None = None) -> dict[str, str]:
        """Return the value of the GitHub secret; incomplete until installation."""
        number = {"installation_id": str(installation)} if installation else {}
        return {"app_id": str(self.number), **number, "private_key": self.private_key}


@dataclass(frozen=True)
class Installed:
    """Where an App is installed.

    Attributes:
        numbers: installation of each repository.
        missing: the repositories without one.
    """

    numbers: dict[str, int]
    missing: list[str]


def app_name(organization: str) -> str:
    """Return a proposed name: App names are unique and have ≤ 34 characters."""
    return f"slipway-{organization}"[:34]


def web_address(api_url: str) -> str:
    """GitHub's address for people."""
    return api_url.removesuffix("/api/v3").replace("://api.", "://")


def manifest(name: str, url: str, redirect_url: str, *, team_reviewers: bool) -> dict[str, Any]:
    """Return the App's manifest, with only the permissions Slipway uses."""
    permissions = dict.fromkeys(PERMISSIONS, "write") | {"metadata": "read"}
    # https://github.com/github/docs/issues/35057
    members = {"members": "read"} if team_reviewers else {}
    return {
        "name": name,
        "url": url,
        "description": "Opens pull requests for Port's self-service actions.",
        "redirect_url": redirect_url,
        "public": False,
        "default_permissions": permissions | members,
    }


class Page:
    """The page on this machine, for one App and one code.

    Its address has a random part, so that other users of this machine cannot read the state.

    Args:
        github: GitHub's address for people.
        organization: will own the App.
        name: proposed for the App; a person may change it.
        team_reviewers: whether teams are asked for reviews.
    """

    def __init__(self, github: str, organization: str, name: str, *, team_reviewers: bool) -> None:
        self._state = secrets.token_urlsafe(32)
        self._start = f"/{secrets.token_urlsafe(16)}"
        self._codes: queue.Queue[str] = queue.Queue()
        self._taken = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._host = f"127.0.0.1:{self._server.server_port}"
        sent = manifest(
            name,
            f"{github}/{organization}",
            f"http://{self._host}/created",
            team_reviewers=team_reviewers,
        )
        target = f"{github}/organizations/{organization}/settings/apps/new"
        self._form = (
            f'<form method="post" action="{escape(target)}?{urlencode({"state": self._state})}">'
            f'<input type="hidden" name="manifest" value="{escape(json.dumps(sent))}">'
            f"<p>GitHub shows the permissions and asks for a name.</p>"
            f"<button>Create the App for {escape(organization)} on GitHub</button></form>"
        )

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{self._host}{self._start}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer browsers."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()

    def wait(self, seconds: float = CODE_SECONDS) -> str:
        """Wait for the code.

        Raises:
            Stopped: no code arrived in time.
        """
        try:
            return self._codes.get(timeout=seconds)
        except queue.Empty:
            raise Stopped("No App was created within an hour.", self.address, _AGAIN) from None

    def take(self, text: str) -> bool:
        """Read the pasted code, or the address at which the browser ended.

        Returns:
            Whether it was valid.
        """
        text = text.strip()
        if "code=" in text:
            return self._take_query(urlsplit(text).query)
        return self._take_code(text)

    def _take_query(self, query: str) -> bool:
        sent = parse_qs(query)
        if not secrets.compare_digest(sent.get("state", [""])[-1], self._state):
            return False
        return self._take_code(sent.get("code", [""])[-1])

    def _take_code(self, code: str) -> bool:
        if self._taken or not re.fullmatch(r"[0-9A-Za-z_-]{10,200}", code):
            return False
        self._taken = True
        self._codes.put(code)
        return True

    def answer(self, host: str, target: str) -> tuple[int, str]:
        """Return the status and the page for a request.

        Args:
            host: its `Host`, which no page of another origin can choose.
            target: path and query.
        """
        path, _, query = target.partition("?")
        if host != self._host:
            return 421, "This page has another address."
        if secrets.compare_digest(path, self._start):
            return 200, self._form
        if path == "/created" and self._take_query(query):
            return 200, "The App was created. Continue in the terminal."
        return 404, "This address is wrong, or its code belongs to another installation."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = page.answer(self.headers.get("Host", ""), self.path)
                body = (
                    '<!doctype html><meta charset="utf-8"><title>Slipway</title>'
                    f"<h1>Slipway's GitHub App</h1>{text}"
                ).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's name
                """Log nothing: the address has the code."""

        return Handler


def exchange(api_url: str, code: str, organization: str) -> App:
    """Exchange a code for the App.

    Raises:
        Stopped: GitHub refused, or the App belongs to another account.
    """
    try:
        answer = requests.post(
            f"{api_url}/app-manifests/{code}/conversions",
            headers={"Accept": "application/vnd.github+json"},
            timeout=TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        kind = type(error).__name__
        raise Stopped(f"GitHub does not answer ({kind}).", api_url, _AGAIN) from None
    if answer.status_code != 201:
        what = f"GitHub did not accept the code ({answer.status_code})."
        raise Stopped(what, api_url, _AGAIN)
    made = answer.json()
    owner = str(made["owner"]["login"])
    if owner.lower() != organization.lower():
        raise Stopped(
            f"The App belongs to {owner}, not to {organization}.",
            made["html_url"],
            f"Delete it, and create one for {organization}.",
        )
    return App(int(made["id"]), owner, str(made["html_url"]), str(made["pem"]))


def find_installations(api_url: str, app: App, repositories: Iterable[str]) -> Installed:
    """Ask on which repositories the App is installed.

    Raises:
        Stopped: GitHub refuses the App's key.
    """
    numbers: dict[str, int] = {}
    missing = []
    client = as_app(api_url, app)
    for repository in repositories:
        owner, _, name = repository.partition("/")
        try:
            numbers[repository] = client.get_repo_installation(owner, name).id
        except GithubException as error:
            if error.status != 404 or "Integration" in reason(error):
                raise Stopped(
                    f"GitHub refused the App's key ({error.status}: {reason(error)}).",
                    app.url,
                    "Create a new private key on the App's page, or remove the secret that has "
                    "this one, then run the command again.",
                ) from None
            missing.append(repository)
    return Installed(numbers, missing)


def missing_permissions(api_url: str, app: App, installation: int) -> list[str]:
    """Return the permissions that the installation lacks."""
    granted = as_app(api_url, app).get_access_token(installation).permissions
    return [name for name in PERMISSIONS if granted.get(name) != "write"]


def as_app(api_url: str, app: App) -> GithubIntegration:
    """GitHub as the App sees it."""
    auth = Auth.AppAuth(app.number, app.private_key)
    return GithubIntegration(
        auth=auth,
        base_url=api_url,
        timeout=TIMEOUT_SECONDS,
        retry=None,
        seconds_between_requests=None,
    )


def create(page: Page, api_url: str, organization: str, say: Say, *, browser: bool) -> App:
    """Have a person create the App.

    Raises:
        Stopped: no App was created.
    """
    with page.serving():
        say(f"Create the GitHub App: open {page.address}")
        if not (browser and webbrowser.open(page.address)):
            say(
                "The page is on this machine; from another one, forward its port with ssh -L. If "
                "the browser cannot return here, paste the code or the whole address it ended at:"
            )
        threading.Thread(target=_read_codes, args=(page, say), daemon=True).start()
        return exchange(api_url, page.wait(), organization)


def _read_codes(page: Page, say: Say) -> None:
    for line in sys.stdin:
        if page.take(line):
            return
        say("This is not the code, or it belongs to another page. Paste it again:")


def wait_for_installation(
    api_url: str, app: App, repositories: list[str], say: Say, *, seconds: float, browser: bool
) -> Installed:
    """Wait until a person has installed the App on a repository.

    Raises:
        Stopped: GitHub refused.
    """
    deadline = time.monotonic() + seconds
    asked = False
    while True:
        found = find_installations(api_url, app, repositories)
        if found.numbers or time.monotonic() > deadline:
            return found
        if not asked:
            asked = True
            address = f"{app.url}/installations/new"
            say(f"Install the App on {', '.join(repositories)}: open {address}")
            if browser:
                webbrowser.open(address)
        time.sleep(_POLL_SECONDS)


def check_installed(app: App, found: Installed) -> int:
    """Return the installation that has all repositories of its account.

    Raises:
        Stopped: the App is installed on too few repositories.
    """
    if found.missing:
        raise Stopped(
            f"The App is not installed on {', '.join(found.missing)}.",
            f"{app.url}/installations/new",
            "Add the repository to the installation there, then run the command again.",
        )
    return next(iter(found.numbers.values()))


def keep(credentials: dict[str, str], secret_id: str | None, file: Path | None) -> None:
    """Store the credentials where the operator asked.

    Raises:
        Stopped: they cannot be written there.
    """
    text = json.dumps(credentials)
    if secret_id:
        try:
            boto3.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=text)
        except (BotoCoreError, ClientError) as error:
            raise Stopped(
                f"The secret cannot be written: {error}.",
                secret_id,
                "Create it (aws secretsmanager create-secret), delete the App and start again.",
            ) from None
    elif file is not None:
        file.touch(mode=0o600)
        file.write_text(text)


def main(
    organization: Annotated[str, typer.Option(help="GitHub organization that owns the App.")],
    repository: Annotated[list[str], typer.Option(help="owner/name; repeatable.")],
    *,
    secret_id: Annotated[
        str | None, typer.Option(help="Write the credentials to this secret in Secrets Manager.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Write them to this new file; -: print them.")
    ] = None,
    name: Annotated[str, typer.Option(help="Proposed name of the App.")] = "",
    team_reviewers: Annotated[
        bool, typer.Option("--team-reviewers", help="Ask teams for reviews: adds Members: read.")
    ] = False,
    api_url: Annotated[str, typer.Option(help="GitHub's API.")] = "https://api.github.com",
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Create Slipway's GitHub App from a manifest with its permissions."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    printed = file == Path("-")
    if (secret_id is None) == (file is None):
        errors.print("github_app: Say where the key goes: --secret-id or --file.")
        raise typer.Exit(2)
    if file is not None and file.exists():
        errors.print(Text(f"github_app: {file} exists already. Name a new file."))
        raise typer.Exit(2)

    def say(text: str) -> None:
        errors.print(Text(text))

    proposed = name or app_name(organization)
    page = Page(web_address(api_url), organization, proposed, team_reviewers=team_reviewers)
    kept = None if printed else file
    try:
        app = create(page, api_url, organization, say, browser=browser)
        # GitHub shows the key once, so it is stored before the wait for the installation.
        keep(app.credentials(), secret_id, kept)
        found = wait_for_installation(
            api_url, app, repository, say, seconds=CODE_SECONDS, browser=browser
        )
        credentials = app.credentials(next(iter(found.numbers.values()), None))
        keep(credentials, secret_id, kept)
        if printed:
            print(json.dumps(credentials))
        check_installed(app, found)
    except Stopped as error:
        errors.print(Text(f"github_app: {error}", style="red"))
        raise typer.Exit(1) from None
    say(f"The App {app.url} is installed on {', '.join(repository)}.")


if __name__ == "__main__":
    start(main, "--organization acme --repository acme/services --secret-id slipway/github")
