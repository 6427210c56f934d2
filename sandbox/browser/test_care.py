"""What holds on every page: who cannot see or point can use it, and data stay data."""

from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS, REFUSED, Portal
from sandbox.browser.test_forms import COMMON, inputs
from tests.port_server import PortServer

pytestmark = pytest.mark.usefixtures("server")
WIDTHS = (1280, 390)
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (1280, "light"),
    (1280, "dark"),
    (390, "dark"),
]
HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>{{7*7}}${7*7}'
DIFF = "```diff\n-replicas: 2\n+replicas: 4\n```\n"


@pytest.fixture
def run_id(server: PortServer) -> str:
    """A run with a log and a changed entity."""
    run_id = server.execute("upscale_service", {"step": 2}, "checkout", DEVELOPER)
    body = {"message": "Opened a pull request", "statusLabel": "Waiting for the merge"}
    server.client.request("POST", f"/v1/actions/runs/{run_id}/logs", json=body)
    server.client.request(
        "PATCH",
        "/v1/blueprints/service/entities/checkout",
        params={"run_id": run_id},
        json={"properties": {"replicas": 8}},
    )
    request = {
        "identifier": f"{run_id}.1",
        "title": "Upscale checkout",
        "properties": {
            "status": "Pending",
            "summary": "replicas 6 → 8",
            "service": "checkout",
            "change": DIFF,
            "approvers": [DEVOPS],
        },
    }
    server.client.create_entity("approval_request", request)
    return run_id


def groups(portal: Portal, _: str) -> None:
    portal.go('/services?group=["owner","environment"]')
    portal.page.get_by_role("button", name="Expand all").click()
    expect(portal.titles().first).to_be_visible()


def filters(portal: Portal, _: str) -> None:
    portal.go('/services?filter=[{"column":"environment","operator":"is","values":["Test"]}]')
    portal.panel("Filter")


def row_menu(portal: Portal, _: str) -> None:
    portal.go("/services")
    portal.menu_of("Checkout")


def form(portal: Portal, _: str) -> None:
    portal.go("/services")
    portal.create().get_by_role("button", name="Next").click()
    expect(portal.page.get_by_text("is required").first).to_be_visible()


def editor(portal: Portal, _: str) -> None:
    portal.go("/services")
    portal.fill_first_steps(portal.create(), "orders")
    opened = portal.editor(COMMON)
    opened.get_by_role("textbox").fill("log:\n  level: info  # hand\n bad: [1\n")
    expect(opened.locator(".cm-lint-marker-error").first).to_be_visible()


def run(portal: Portal, run_id: str) -> None:
    portal.go(f"/organization/run?runId={run_id}")
    expect(portal.page.get_by_text("Opened a pull request")).to_be_visible()


def payload(portal: Portal, run_id: str) -> None:
    portal.go(f"/organization/run?runId={run_id}")
    portal.page.get_by_role("tab", name="Payload").click()
    expect(portal.page.get_by_role("textbox", name="Payload")).to_be_visible()


def entity(portal: Portal, run_id: str) -> None:
    portal.go(f"/approval_requestEntity?identifier={run_id}.1")
    expect(portal.page.get_by_text("+replicas: 4")).to_be_visible()


def audit(portal: Portal, _: str) -> None:
    portal.go("/settings/AuditLog")
    portal.page.get_by_label("Search the audit log").fill("checkout update")
    portal.page.get_by_role("button", name="What changed in checkout").first.click()
    expect(portal.page.get_by_role("group", name="Before and after")).to_be_visible()


def approvals(portal: Portal, run_id: str) -> None:
    portal.go("/approvals")
    expect(portal.page.get_by_text(f"To be decided by {DEVOPS}.")).to_be_visible()


def hub(portal: Portal, _: str) -> None:
    portal.go("/self-serve")
    expect(portal.page.get_by_role("listitem").first).to_be_visible()


def runs(portal: Portal, _: str) -> None:
    portal.go("/organization/runs?of=all")
    expect(portal.page.get_by_role("table")).to_be_visible()


def latest_runs(portal: Portal, _: str) -> None:
    portal.go("/")
    portal.page.get_by_role("button", name="My latest runs").click()
    expect(portal.page.get_by_role("dialog")).to_be_visible()


def sign_in(portal: Portal, _: str) -> None:
    portal.page.context.clear_cookies()
    portal.go("/")
    expect(portal.page.get_by_role("button", name="Ada Admin")).to_be_visible()


def nowhere(portal: Portal, _: str) -> None:
    portal.go("/serviceEntity?identifier=missing")
    expect(portal.page.get_by_role("heading", name="This could not be loaded")).to_be_visible()
    portal.allow(REFUSED)


@pytest.mark.parametrize(
    "opening",
    [
        groups, filters, row_menu, form, editor, run, payload, entity, audit, approvals, hub, runs,
        latest_runs, sign_in, nowhere,
    ],
)  # fmt: skip
def test_every_page_passes_axe_in_each_theme_and_width(
    visit: Visit, run_id: str, opening: Any
) -> None:
    portal = visit(ADMIN, "/nothings")
    opening(portal, run_id)

    for width, light in LOOKS:
        portal.page.set_viewport_size({"width": width, "height": 800})
        portal.page.emulate_media(color_scheme=light)
        assert portal.faults() == [], f"{light}, {width} px"
        assert portal.sticks_out() <= 0, f"{width} px"


def press_until(page: Page, key: str, name: str, role: Any = "button") -> None:
    """Press a key, as often as needed for the focus to come to something."""
    wanted = page.get_by_role(role, name=name)
    for _ in range(40):
        page.keyboard.press(key)
        if wanted.and_(page.locator(":focus")).count():
            return
    raise AssertionError(f"{key} does not lead to {name}")


def test_service_can_be_created_with_the_keyboard_alone(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    page, keys = portal.page, portal.page.keyboard
    expect(portal.titles()).to_have_count(12)
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    keys.press("Enter")
    press_until(page, "Tab", "Service")
    keys.press("Enter")
    expect(page.get_by_role("menuitem", name="Create New Service")).to_be_visible()
    press_until(page, "ArrowDown", "Create New Service", "menuitem")
    keys.press("Enter")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_visible()
    press_until(page, "Tab", "Name", "textbox")
    keys.type("by-keyboard")
    press_until(page, "Tab", "Team", "combobox")
    keys.type("devo")
    expect(page.get_by_role("option")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("Enter")
    press_until(page, "Tab", "Project", "textbox")
    keys.type("core")
    keys.press("Enter")
    expect(page.get_by_label("Image tag")).to_be_visible()
    press_until(page, "Tab", "Image tag", "textbox")
    keys.type("2.0.1")
    keys.press("Enter")
    expect(page.get_by_role("button", name=f"Edit {COMMON}")).to_be_visible()
    press_until(page, "Tab", f"Edit {COMMON}")
    keys.press("Enter")
    press_until(page, "Tab", COMMON, "textbox")
    keys.type("log: debug")
    press_until(page, "Tab", "Apply")
    keys.press("Enter")
    # The focus is back where it was before the editor opened.
    expect(page.get_by_role("button", name=f"Edit {COMMON}")).to_be_focused()
    press_until(page, "Tab", "Create")
    keys.press("Enter")

    found = inputs(server, portal.run_id())
    assert (found["service_name"], found["team"]) == ("by-keyboard", "devops")
    assert found["common_values_yaml"] == "log: debug"


def test_escape_returns_the_focus_to_the_menu_button(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    portal.menu_of("Checkout")

    portal.page.keyboard.press("Escape")

    expect(portal.page.get_by_role("menu")).to_have_count(0)
    expect(portal.row("Checkout").get_by_role("button")).to_be_focused()


def test_hostile_text_is_shown_as_text_on_every_page(visit: Visit, server: PortServer) -> None:
    body = {
        "identifier": "hostile",
        "title": HOSTILE,
        "properties": {"owner": HOSTILE, "grafana_url": "javascript:window.hit=1"},
    }
    server.client.upsert_entity("service", body)
    request = {"status": "Pending", "summary": HOSTILE, "change": HOSTILE}
    body = {"identifier": "hostile", "title": HOSTILE, "properties": request}
    server.client.create_entity("approval_request", body)
    run_id = server.execute("upscale_service", {}, "hostile", DEVELOPER)
    body = {"message": HOSTILE, "statusLabel": HOSTILE[:90]}
    server.client.request("POST", f"/v1/actions/runs/{run_id}/logs", json=body)
    portal = visit(ADMIN)

    for path in (
        "/services",
        '/services?group=["owner"]',
        "/serviceEntity?identifier=hostile",
        f"/organization/run?runId={run_id}",
        "/organization/runs?of=all",
        "/approvals",
        "/approval_requestEntity?identifier=hostile",
        "/settings/AuditLog",
    ):
        portal.go(path)
        if path.endswith("AuditLog"):
            portal.page.get_by_role("button", name="What changed in hostile").last.click()
        expect(portal.page.get_by_text("<script>window.hit=1").first).to_be_visible()
        assert portal.page.evaluate("window.hit") is None, path
        assert portal.page.locator('img[src="x"], a[href^="javascript"]').count() == 0, path
        assert portal.page.get_by_text("49", exact=True).count() == 0, path


def test_long_values_keep_the_page_layout(visit: Visit, server: PortServer) -> None:
    long = "x" * 5000
    properties = {"owner": long, "health_detail": "word " * 1000}
    body = {"identifier": "long", "title": f"Long {long}", "properties": properties}
    server.client.upsert_entity("service", body)
    run_id = server.execute("upscale_service", {}, "long", DEVELOPER)
    body = {"message": long}
    server.client.request("POST", f"/v1/actions/runs/{run_id}/logs", json=body)
    portal = visit(ADMIN)

    for path in (
        "/services",
        "/serviceEntity?identifier=long",
        f"/organization/run?runId={run_id}",
        "/organization/runs?of=all",
        '/services?group=["owner"]',
    ):
        portal.go(path)
        expect(portal.page.get_by_text("xxx").first).to_be_visible()
        for width in WIDTHS:
            portal.page.set_viewport_size({"width": width, "height": 800})
            assert portal.sticks_out() <= 0, f"{path} {width} px"
    expect(portal.page.get_by_role("row").nth(1)).to_have_css("height", "38px")


def test_form_shows_the_message_of_a_server_refusal(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.act("Refunds", "Upscale Service")
    expect(form.get_by_label("Step")).to_be_visible()
    server.client.delete_entity("service", "refunds")

    form.get_by_role("button", name="Execute").click()

    expect(form.get_by_role("alert")).to_contain_text("refunds")
    portal.allow(REFUSED)
