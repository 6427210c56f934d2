"""An entity's page, and the audit log."""

import pytest
from playwright.sync_api import expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS
from sandbox.browser.test_runs import create
from tests.port_server import PortServer

pytestmark = pytest.mark.usefixtures("server")
CHECKOUT = "/serviceEntity?identifier=checkout"


def test_entity_details_hide_empty_properties(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, CHECKOUT)
    details = portal.page.get_by_role("region", name="Details")
    expect(details.get_by_text("Production")).to_be_visible()
    expect(details.get_by_role("link", name="Grafana")).to_have_attribute(
        "href", "https://grafana.example/d/checkout"
    )
    expect(details.get_by_role("term").filter(has_text="Health Detail")).to_have_count(0)

    details.get_by_role("switch", name="Hide empty properties").uncheck()

    expect(details.get_by_role("term").filter(has_text="Health Detail")).to_have_count(1)


def test_entity_page_shows_a_change(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, CHECKOUT)
    details = portal.page.get_by_role("region", name="Details")
    expect(details.get_by_text("Healthy")).to_be_visible()

    server.client.update_entity("service", "checkout", {"health_status": "Degraded"})

    expect(details.get_by_text("Degraded")).to_be_visible()


def test_related_entities_are_listed_in_both_directions(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, CHECKOUT)

    portal.page.get_by_role("tab", name="Related entities").click()

    expect(portal.page.get_by_role("heading", name="Required by")).to_be_visible()
    portal.page.get_by_role("link", name="Hammer").click()
    expect(portal.page.get_by_role("heading", name="Hammer")).to_be_visible()
    portal.page.get_by_role("tab", name="Related entities").click()
    expect(portal.page.get_by_role("heading", name="Depends on")).to_be_visible()


def test_entity_page_lists_its_runs(visit: Visit, server: PortServer) -> None:
    run_id = server.execute("upscale_service", {"step": 1}, "login", DEVELOPER)
    portal = visit(DEVELOPER, "/serviceEntity?identifier=login")

    portal.page.get_by_role("tab", name="Runs").click()
    portal.page.get_by_role("link", name=run_id).click()

    assert portal.run_id() == run_id


def test_audit_event_shows_before_and_after(visit: Visit, server: PortServer) -> None:
    server.client.update_entity("service", "checkout", {"replicas": 9})
    portal = visit(ADMIN, CHECKOUT)

    portal.page.get_by_role("tab", name="Audit log").click()
    newest = portal.page.get_by_role("row").filter(has_text="UPDATE").first
    newest.get_by_role("button", name="What changed in checkout").click()

    difference = portal.page.get_by_role("group", name="Before and after")
    changed = difference.get_by_role("row").filter(has_text="replicas")
    expect(changed.get_by_role("deletion")).to_have_text("6")
    expect(changed.get_by_role("insertion")).to_have_text("9")
    expect(difference.get_by_role("row").filter(has_text="owner")).to_have_count(0)
    portal.page.get_by_role("switch", name="Also show unchanged lines").check()
    expect(difference.get_by_role("row").filter(has_text="owner")).to_have_count(1)


def test_audit_log_shows_a_member_only_their_own_events(visit: Visit, server: PortServer) -> None:
    server.client.update_entity("service", "checkout", {"replicas": 9})
    admin = visit(ADMIN, "/settings/AuditLog")
    rows = admin.page.get_by_role("row").filter(has_text="checkout")
    expect(rows.first).to_be_visible()
    admin.page.get_by_label("Search the audit log").fill("checkout update")
    expect(rows.first).to_contain_text("UPDATE")
    admin.page.get_by_role("tab", name="Blueprints").click()
    expect(admin.page.get_by_role("row").filter(has_text="approval_request")).to_be_visible()

    member = visit(DEVELOPER, "/settings/AuditLog")

    expect(member.page.get_by_text("Only administrators see all events.")).to_be_visible()
    expect(member.page.get_by_text("No events yet")).to_be_visible()


def test_members_cannot_unregister_and_read_why(visit: Visit) -> None:
    portal = visit(DEVELOPER, CHECKOUT)
    portal.page.get_by_role("button", name="Actions", exact=True).click()

    unregister = portal.page.get_by_role("menuitem", name="Unregister")

    expect(unregister).to_be_disabled()
    expect(unregister).to_contain_text("Only administrators can unregister entities.")


def test_entity_runs_show_the_create(visit: Visit, server: PortServer) -> None:
    run_id = create(server, "orders")
    portal = visit(DEVOPS, "/serviceEntity?identifier=orders&tab=runs")

    row = portal.page.get_by_role("row").filter(has_text=run_id)

    expect(row).to_contain_text("Create New Service")
    expect(row).to_contain_text("Dana Developer")


def test_entity_and_audit_log_name_the_person(visit: Visit, server: PortServer) -> None:
    create(server, "orders")
    portal = visit(ADMIN, "/serviceEntity?identifier=orders")

    for title in ("Created By", "Updated By"):
        expect(portal.field(title)).to_have_text("Dana Developer (API)")
    portal.go("/settings/AuditLog")
    portal.page.get_by_label("Search the audit log").fill("orders dana")
    row = portal.page.get_by_role("row").filter(has_text="orders")
    expect(row.filter(has_text="CREATE")).to_contain_text("Dana Developer (API)")


def test_audit_log_shows_action_and_person_when_narrow(visit: Visit, server: PortServer) -> None:
    create(server, "orders")
    portal = visit(ADMIN, "/settings/AuditLog")
    portal.page.set_viewport_size({"width": 390, "height": 700})
    portal.page.get_by_label("Search the audit log").fill("orders dana create")

    row = portal.page.get_by_role("row").filter(has_text="orders").first

    for text in ("CREATE", "Dana Developer (API)"):
        expect(row.get_by_text(text)).to_be_in_viewport(ratio=1)


def test_entity_names_an_api_client_when_no_run_is_known(visit: Visit) -> None:
    portal = visit(DEVELOPER, CHECKOUT)

    expect(portal.field("Created By")).to_have_text("API client")


def test_forbidden_action_is_disabled_with_the_reason(visit: Visit, server: PortServer) -> None:
    rules = {"execute": {"roles": ["Admin"]}}
    server.client.request("PATCH", "/v1/actions/drop/permissions", json=rules)
    admin, member = visit(ADMIN, "/tools"), visit(DEVELOPER, "/tools")

    mine = admin.menu_of("Hammer").get_by_role("menuitem", name="Drop Tool")
    theirs = member.menu_of("Hammer").get_by_role("menuitem", name="Drop Tool")

    expect(mine).to_be_enabled()
    expect(theirs).to_be_disabled()
    expect(theirs).to_contain_text('You may not execute the action "drop".')
    rules = {"execute": {"roles": ["Admin", "Member"]}}
    server.client.request("PATCH", "/v1/actions/drop/permissions", json=rules)


def test_degraded_service_links_to_its_issue(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/serviceEntity?identifier=payment-gateway")

    link = portal.page.get_by_role("link", name="Issue")

    search = "is%3Aopen+label%3Aremediation+payment-gateway"
    url = f"https://github.example/acme/services/issues?q={search}"
    expect(link).to_have_attribute("href", url)
    portal.go(CHECKOUT)
    expect(portal.field("Health").first).to_contain_text("Healthy")
    expect(portal.page.get_by_role("link", name="Issue")).to_have_count(0)
