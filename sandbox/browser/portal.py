"""What a person sees of the portal, and does in it."""

import re
from copy import copy
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, WebError, expect

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "sandbox" / "portal" / "node_modules" / "axe-core" / "axe.min.js"
DEVELOPER, DEVOPS, ADMIN = "developer@acme.example", "devops@acme.example", "admin@acme.example"
# The browser's own words for an answer that is an error, and for none at all.
REFUSED = r"Failed to load resource"


class Portal:
    """The pages in one browser window.

    Attributes:
        page: the window's open tab.
        url: of the server.
        problems: what the pages wrote to the console as errors, or did not catch.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.problems: list[str] = []
        self._context = context
        context.on("console", self._note_message)
        context.on("weberror", self._note_error)
        self.page = context.new_page()

    def be(self, person: str) -> None:
        """Sign in, as the sign-in page does."""
        requests = self._context.request
        credentials = {"clientId": person, "clientSecret": "sandbox"}
        answer = requests.post(f"{self.url}/v1/auth/access_token", data=credentials)
        token = answer.json()["accessToken"]
        headers = {"authorization": f"Bearer {token}"}
        kept = requests.put(f"{self.url}/_sandbox/portal/session", headers=headers)
        assert kept.ok, kept.text()

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def tab(self, path: str) -> "Portal":
        """Another tab of the same window."""
        other = copy(self)
        other.page = self._context.new_page()
        other.go(path)
        return other

    def allow(self, pattern: str) -> None:
        """Take out of the problems what the test has brought about itself."""
        self.problems[:] = [each for each in self.problems if not re.search(pattern, each)]

    # -- a catalogue's page

    def row(self, name: str) -> Locator:
        """An entity's row of the catalogue, by its title."""
        title = self.page.get_by_role("rowheader", name=name, exact=True)
        return self.page.get_by_role("row").filter(has=title)

    def group(self, name: str, count: int) -> Locator:
        """A group's toggle, by its property and value, and the number that it shows."""
        return self.page.get_by_role("button", name=f"{name} {count:,}", exact=True)

    def titles(self) -> Locator:
        """The titles of the rows in sight, in their order."""
        return self.page.get_by_role("table").get_by_role("rowheader")

    def panel(self, button: str) -> Locator:
        """Open one of the toolbar's panels."""
        self.page.get_by_role("button", name=re.compile(f"^{button}( \\(\\d+\\))?$")).click()
        return self.page.get_by_role("dialog")

    def choose(self, box: Locator, option: str) -> None:
        """Choose from a list that opens."""
        box.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def menu_of(self, name: str) -> Locator:
        """Open the menu of a row."""
        self.row(name).get_by_role("button", name=f"Actions of {name}").click()
        menu = self.page.get_by_role("menu")
        expect(menu.get_by_text("Deletion")).to_be_visible()
        return menu

    # -- the form of an action

    def create(self) -> Locator:
        """Open the form that creates a service."""
        self.page.get_by_role("button", name="Service", exact=True).click()
        self.page.get_by_role("menuitem", name="Create New Service").click()
        return self.dialog("Create New Service")

    def act(self, name: str, action: str) -> Locator:
        """Open the form of an action for a row's entity."""
        self.menu_of(name).get_by_role("menuitem", name=action).click()
        return self.dialog(action)

    def fill_first_steps(self, form: Locator, name: str) -> None:
        """Type what *Create New Service* asks for, up to its last step."""
        form.get_by_role("textbox", name="Name", exact=True).fill(name)
        self.choose(form.get_by_role("combobox", name="Team"), "payments")
        form.get_by_label("Project").fill("shop")
        form.get_by_role("button", name="Next").click()
        form.get_by_label("Image tag").fill("1.4.0")
        form.get_by_role("button", name="Next").click()

    def dialog(self, title: str) -> Locator:
        return self.page.get_by_role("dialog", name=title)

    def editor(self, field: str) -> Locator:
        """Open the editor of a field."""
        self.page.get_by_role("button", name=f"Edit {field}").click()
        return self.dialog(field)

    def edit(self, field: str, text: str) -> None:
        """Open a field's editor, and apply a text."""
        editor = self.editor(field)
        editor.get_by_role("textbox").fill(text)
        editor.get_by_role("button", name="Apply").click()

    def run_id(self) -> str:
        """The run whose page is open, once it is."""
        expect(self.page).to_have_url(re.compile(r"/organization/run\?runId=r_\w+$"))
        return self.page.url.rpartition("=")[2]

    def field(self, name: str) -> Locator:
        """A value of the details of the open run."""
        term = self.page.get_by_role("term").filter(has_text=name)
        return term.locator("xpath=following-sibling::dd")

    # -- what is true of every page

    def faults(self) -> list[str]:
        """What axe finds wrong with the page as it is."""
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]} {node['any'][:1]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def sticks_out(self) -> int:
        """By how many pixels the page is wider than the window."""
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(wide))

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} ({message.location['url']})")

    def _note_error(self, error: WebError) -> None:
        self.problems.append(str(error.error))
