"""Fixtures of every test that drives a browser; the rest of them are pytest-playwright's own."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import BrowserContext, expect

from sandbox.browser.portal import ROOT, Portal

# The limit is only for pages that hang: other work on this machine can slow every page down.
LIMIT_MS = 120_000
expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The Chromium that `sandbox/scripts/chromium` finds, without what it does by itself."""
    script = ROOT / "sandbox" / "scripts" / "chromium"
    found = subprocess.run([script], check=True, stdout=subprocess.PIPE)
    return {
        **browser_type_launch_args,
        "executable_path": found.stdout.decode().strip(),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A window of 1280 pixels; nothing moves, and no place has a time of its own."""
    return {
        **browser_context_args,
        "viewport": {"width": 1280, "height": 800},
        "reduced_motion": "reduce",
        "locale": "en-GB",
        "timezone_id": "UTC",
    }


class Visit(Protocol):
    """Opens a new window for a person, or without a signed-in user (None)."""

    def __call__(self, person: str | None, path: str = "/") -> Portal: ...


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext], base_url: str) -> Iterator[Visit]:
    """Opens windows; no page in them may have written an error in the end."""
    windows: list[Portal] = []

    def open_window(person: str | None, path: str = "/") -> Portal:
        made = new_context()
        made.set_default_timeout(LIMIT_MS)
        window = Portal(made, base_url)
        windows.append(window)
        if person is not None:
            window.be(person)
        window.go(path)
        return window

    yield open_window
    problems = [problem for window in windows for problem in window.problems]
    assert not problems, "\n".join(problems)
