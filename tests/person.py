"""Act as a person with a browser: read pages, fill in forms and follow links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests


@dataclass
class Form(HTMLParser):
    """The only form of a page."""

    page: str
    action: str = ""
    fields: dict[str, str | list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = urljoin(self.page, given.get("action", ""))
        elif tag == "input" and given.get("type", "text") in {"hidden", "text"}:
            self.fields[given["name"]] = given["value"]


def read_form(address: str, html: str) -> Form:
    form = Form(address)
    form.feed(html)
    return form


def send(form: Form, **fields: str | list[str]) -> requests.Response:
    return requests.post(form.action, data=form.fields | fields, timeout=300)


def open_form(address: str) -> Form:
    shown = requests.get(address, timeout=300)
    shown.raise_for_status()
    return read_form(address, shown.text)


def create_app(address: str, **fields: str | list[str]) -> requests.Response:
    """Go from Slipway's page to GitHub and create the App; return the last page."""
    asked = send(open_form(address))
    asked.raise_for_status()
    return send(read_form(asked.url, asked.text), **fields)


def install_app(address: str, *repositories: str) -> None:
    """Install an App on some repositories."""
    form = open_form(address)
    send(form, target="selected", repository=list(repositories)).raise_for_status()
