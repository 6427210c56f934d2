"""Who one is, what the address says, and a server that goes away."""

import pytest
import requests
from playwright.sync_api import expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, REFUSED
from sandbox.testing import OWN_ROUTES
from tests.port_server import PortServer

pytestmark = pytest.mark.usefixtures("server")
# What the browser itself writes of a connection that breaks.
BROKEN = r"net::ERR_|Failed to load resource"


def expire(server: PortServer) -> None:
    url = f"{server.url}/_sandbox/expire-tokens"
    requests.post(url, headers=OWN_ROUTES, timeout=5).raise_for_status()


def test_signed_out_page_asks_for_a_user_and_then_opens(
    visit: Visit,
) -> None:
    portal = visit(None, "/serviceEntity?identifier=checkout")
    expect(portal.page.get_by_role("heading", name="Choose a user")).to_be_visible()

    portal.page.get_by_role("button", name="Dana Developer").click()

    expect(portal.page.get_by_role("heading", name="Checkout")).to_be_visible()
    portal.page.reload()
    expect(portal.page.get_by_role("heading", name="Checkout")).to_be_visible()
    account = portal.page.get_by_role("button", name="Account menu")
    expect(account).to_contain_text("Dana Developer")


def test_sign_in_page_shows_whole_roles_when_narrow(visit: Visit) -> None:
    portal = visit(None)
    portal.page.set_viewport_size({"width": 390, "height": 800})

    user = portal.page.get_by_role("button", name="Devin Ops")

    expect(user).to_contain_text("Approver")
    # An inline element has no width of its own.
    cut = """button => [...button.querySelectorAll('*')].some(
        part => part.clientWidth > 0 && part.scrollWidth > part.clientWidth)"""
    assert not user.evaluate(cut)


def test_other_tabs_follow_a_change_of_user(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/settings/AuditLog")
    other = portal.tab("/settings/AuditLog")
    expect(other.page.get_by_text("Only administrators see all events.")).to_be_visible()
    portal.page.get_by_role("button", name="Account menu").click()
    portal.page.get_by_role("menuitem", name="Switch user").click()

    portal.page.get_by_role("button", name="Ada Admin").click()

    for tab in (portal, other):
        account = tab.page.get_by_role("button", name="Account menu")
        expect(account).to_contain_text("Ada Admin")
        expect(tab.page.get_by_text("Only administrators see all events.")).to_have_count(0)


def test_signing_out_asks_for_a_user(visit: Visit) -> None:
    portal = visit(DEVELOPER)
    portal.page.get_by_role("button", name="Account menu").click()

    portal.page.get_by_role("menuitem", name="Sign out").click()

    expect(portal.page.get_by_role("heading", name="Choose a user")).to_be_visible()
    portal.page.reload()
    expect(portal.page.get_by_role("heading", name="Choose a user")).to_be_visible()


def test_expired_session_keeps_the_form_inputs(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.act("Checkout", "Upscale Service")
    expect(form.get_by_label("Step")).to_be_visible()
    expire(server)

    form.get_by_label("Step").fill("3")

    ended = portal.dialog("Your session has ended")
    expect(ended).to_contain_text("sign in again to continue")
    ended.get_by_role("button", name="Dana Developer").click()
    expect(ended).to_have_count(0)
    expect(form.get_by_label("Step")).to_have_value("3")
    form.get_by_role("button", name="Execute").click()
    portal.run_id()
    portal.allow(REFUSED)


def test_page_asks_for_a_user_when_the_session_has_expired(
    visit: Visit, server: PortServer
) -> None:
    portal = visit(DEVELOPER, "/services")
    expire(server)

    portal.page.reload()

    expect(portal.page.get_by_role("heading", name="Choose a user")).to_be_visible()


def test_open_page_reconnects_after_a_server_restart(visit: Visit, server: PortServer) -> None:
    portal = visit(ADMIN, '/services?group=["health_status"]')
    expect(portal.group("Health: Healthy", 9)).to_be_visible()

    server.stop()
    lost = portal.page.get_by_text("Connection lost, trying again…")
    expect(lost).to_be_visible()
    expect(portal.group("Health: Healthy", 9)).to_be_visible()
    server.start()

    expect(lost).to_have_count(0)
    server.client.update_entity("service", "checkout", {"health_status": "Degraded"})
    expect(portal.group("Health: Healthy", 8)).to_be_visible()
    portal.allow(BROKEN)


def test_page_reports_a_missing_server_and_recovers(visit: Visit, server: PortServer) -> None:
    portal = visit(ADMIN, "/services")
    expect(portal.titles()).to_have_count(12)
    server.stop()
    try:
        portal.page.get_by_role("link", name="Audit log").click()
        failed = portal.page.get_by_role("alert")
        expect(failed).to_contain_text("The server does not answer.")
        expect(failed.get_by_role("button", name="Try again")).to_be_enabled()
    finally:
        server.start()

    expect(portal.page.get_by_role("table")).to_be_visible()
    portal.allow(BROKEN)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/nothings", "Page “nothings” not found"),
        ("/a/b/c", "Page not found"),
        ("/serviceEntity?identifier=missing", "not found"),
        ("/organization/run", "The address does not name a run"),
        ("/organization/run?runId=r_0000000000000000", "not found"),
        ("/services?group=[[1]]&sort=7&filter=[{}]&hide={}", "12 results"),
    ],
)
def test_unknown_address_shows_a_message(visit: Visit, path: str, sentence: str) -> None:
    portal = visit(ADMIN, path)

    expect(portal.page.get_by_role("main")).to_contain_text(sentence)
    expect(portal.page.get_by_role("navigation", name="Pages")).to_be_visible()
    portal.allow(REFUSED)
