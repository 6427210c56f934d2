"""Takes the documentation's pictures of the portal: `make -C sandbox screenshots`.

Ids and times are always the same, so that a picture changes only when its page does.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect
from slipway.approvals.page import request_page

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS, ROOT, Portal
from sandbox.browser.services import SERVICES
from sandbox.browser.test_forms import COMMON
from tests.port_server import PortServer
from tests.unit.approvals.conftest import make_approval

IMAGES = ROOT / "sandbox" / "docs" / "images"
APPROVAL_PAGE = ROOT / "docs" / "images" / "approval-page.png"
NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
LARGEST = 200_000
# In the pictures the server has its usual address.
SHOWN_URL = "http://127.0.0.1:3100"
YAML = """\
# typed by hand, kept as typed
image:
  tag: 1.4.0
log:
  level: info   # not debug
queues:
  - name: orders
    prefetch: 20
  - name: refunds
    prefetch: 5
"""
CHANGE = """\
```diff
--- a/apps/checkout/common_values.yaml
+++ b/apps/checkout/common_values.yaml
@@ -1,4 +1,4 @@
 # by hand
-replicas: 6   # not more
+replicas: 8   # not more
 image:
   tag: 1.4.0
```
"""


class Filled:
    """The organisation of the pictures."""

    def __init__(self, server: PortServer, clock: Path) -> None:
        self._server = server
        self._clock = clock
        self.url = server.url

    def at(self, ago: timedelta) -> None:
        """Let what follows happen so long ago."""
        self._clock.write_text((NOW - ago).isoformat())

    def fill(self) -> str:
        """Bring about what the pictures show; returns the run that waits for an approval."""
        client = self._server.client
        for number, service in enumerate(SERVICES):
            self.at(timedelta(days=40 - 3 * number, hours=number))
            client.create_entity("service", service)
        self.at(timedelta(days=6))
        well = {"health_status": "Healthy", "health_detail": "GET /health: 200"}
        client.update_entity("service", "payment-gateway", well)
        self.at(timedelta(minutes=26))
        detail = "GET /health: 503, expected 2xx, 3 of 3 probes"
        ill = {"health_status": "Degraded", "health_detail": detail}
        client.update_entity("service", "payment-gateway", ill)
        self.at(timedelta(hours=3))
        ended = self._server.execute("upscale_service", {"step": 1}, "login", DEVOPS)
        client.update_run(ended, status="SUCCESS", summary="replicas 4 → 5, pull request #41")
        self.at(timedelta(minutes=4))
        run_id = self._server.execute("upscale_service", {"step": 2}, "checkout", DEVELOPER)
        self._log(run_id, "This change needs an approval (trace 1-6746e2d8-5b1c).")
        diff = CHANGE.removeprefix("```diff\n").removesuffix("```\n")
        self._log(run_id, f"This would change: replicas 6 → 8\n\n{diff}")
        self.at(timedelta(minutes=3))
        self._log(
            run_id,
            "Waiting until 28 Nov 14:26 UTC for the approval of devops@acme.example.",
            statusLabel="Waiting for approval until 28 Nov 14:26 UTC",
        )
        page = f"{SHOWN_URL}/approval_requestEntity?identifier={run_id}.1"
        client.request("PATCH", f"/v1/actions/runs/{run_id}", json={"link": [page]})
        client.create_entity("approval_request", self._request(run_id))
        return run_id

    def _log(self, run_id: str, message: str, **more: str) -> None:
        body = {"message": message, **more}
        self._server.client.request("POST", f"/v1/actions/runs/{run_id}/logs", json=body)

    def _request(self, run_id: str) -> dict[str, Any]:
        return {
            "identifier": f"{run_id}.1",
            "title": "Upscale checkout",
            "properties": {
                "status": "Pending",
                "summary": "replicas 6 → 8",
                "service": "checkout",
                "environment": "Production",
                "action": "Upscale Service",
                "requested_by": DEVELOPER,
                "approvers": [DEVOPS],
                "needed": 1,
                "expires_at": (NOW + timedelta(hours=24)).isoformat(),
                "change": CHANGE,
                "run_url": f"{SHOWN_URL}/organization/run?runId={run_id}",
                "service_url": f"{SHOWN_URL}/serviceEntity?identifier=checkout",
            },
        }


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("port")
    clock = folder / "clock"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADY_CLOCK", str(clock))
        clock.write_text((NOW - timedelta(days=60)).isoformat())
        with PortServer(folder, "sandbox.tests.portal.steady") as server:
            yield Filled(server, clock)


@pytest.fixture(scope="session")
def base_url(filled: Filled) -> str:
    return filled.url


@pytest.fixture(scope="session")
def waiting(filled: Filled) -> str:
    """The run that waits for an approval."""
    return filled.fill()


def services(portal: Portal, _: str) -> None:
    portal.go('/services?group=["owner","responsible_team","environment"]')
    portal.group("Owner: developer@acme.example", 6).click()
    portal.group("Responsible Team: payments", 5).click()
    portal.group("Environment: Production", 3).click()
    portal.group("Owner: devops@acme.example", 3).click()
    expect(portal.titles()).to_have_count(3)


def narrow(portal: Portal, _: str) -> None:
    portal.go("/services")
    expect(portal.titles().first).to_be_visible()


def form(portal: Portal, _: str) -> None:
    portal.go("/services")
    opened = portal.create()
    opened.get_by_role("textbox", name="Name", exact=True).fill("orders")
    portal.choose(opened.get_by_role("combobox", name="Team"), "payments")
    opened.get_by_label("Project").fill("shop")


def mistake(portal: Portal, _: str) -> None:
    portal.go("/services")
    portal.fill_first_steps(portal.create(), "orders")
    editor = portal.editor(COMMON)
    editor.get_by_role("textbox").fill(YAML.replace("  - name: refunds", " - name: refunds"))
    expect(editor.locator(".cm-lint-marker-error").first).to_be_visible()


def run(portal: Portal, run_id: str) -> None:
    portal.go(f"/organization/run?runId={run_id}")
    expect(portal.page.get_by_role("log")).to_contain_text("Waiting until")


def approvals(portal: Portal, _: str) -> None:
    portal.go("/approvals")
    expect(portal.page.get_by_role("button", name="Approve Upscale checkout")).to_be_enabled()


def entity(portal: Portal, _: str) -> None:
    portal.go("/serviceEntity?identifier=payment-gateway")
    expect(portal.page.get_by_text("Degraded")).to_be_visible()


def audit(portal: Portal, _: str) -> None:
    portal.go("/settings/AuditLog")
    portal.page.get_by_role("button", name="What changed in payment-gateway").first.click()
    expect(portal.page.get_by_role("group", name="Before and after")).to_be_visible()


def hub(portal: Portal, _: str) -> None:
    portal.go("/self-serve")
    expect(portal.page.get_by_role("listitem").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "opening", "person", "scheme", "width"),
    [
        ("services", services, DEVELOPER, "light", 1280),
        ("services-narrow", narrow, DEVELOPER, "light", 390),
        ("form", form, DEVELOPER, "light", 1280),
        ("form-mistake", mistake, DEVELOPER, "dark", 1280),
        ("run", run, DEVELOPER, "light", 1280),
        ("approvals", approvals, DEVOPS, "light", 1280),
        ("entity", entity, DEVELOPER, "dark", 1280),
        ("audit", audit, ADMIN, "dark", 1280),
        ("hub", hub, DEVELOPER, "light", 1280),
    ],
)
def test_picture(
    visit: Visit, waiting: str, name: str, opening: Callable[[Portal, str], None],
    person: str, scheme: Literal["light", "dark"], width: int,
) -> None:  # fmt: skip
    portal = visit(person)
    portal.page.set_viewport_size({"width": width, "height": 720})
    portal.page.emulate_media(color_scheme=scheme)
    if opening is not mistake:  # for which the editor waits, by its clock
        portal.page.clock.set_fixed_time(NOW)
    opening(portal, waiting)
    picture = IMAGES / f"portal-{name}.png"

    portal.page.mouse.move(0, 0)
    portal.page.screenshot(path=picture, animations="disabled", caret="hide")

    assert picture.stat().st_size < LARGEST


def test_picture_of_the_approval_page(page: Page) -> None:
    approval = make_approval(
        service="service/checkout",
        summary="replicas 6 → 8",
        requested_by=DEVELOPER,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=24),
    )
    diff = CHANGE.removeprefix("```diff\n").removesuffix("```\n")
    page.set_viewport_size({"width": 900, "height": 720})

    page.set_content(request_page(approval, diff, DEVOPS, f"{SHOWN_URL}/run").html)
    page.screenshot(path=APPROVAL_PAGE, animations="disabled", caret="hide")

    assert APPROVAL_PAGE.stat().st_size < LARGEST
