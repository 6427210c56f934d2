"""A run's page, and what else shows runs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS
from tests.port_server import PortServer

pytestmark = pytest.mark.usefixtures("server")


def change(server: PortServer, run_id: str, **values: Any) -> None:
    server.client.request("PATCH", f"/v1/actions/runs/{run_id}", json=values)


def log(server: PortServer, run_id: str, message: str, **more: str) -> None:
    body = {"message": message, **more}
    server.client.request("POST", f"/v1/actions/runs/{run_id}/logs", json=body)


def create(server: PortServer, name: str) -> str:
    """A run of *Create New Service* as a person, and its entity, made in the run's name."""
    inputs = {
        "service_name": name, "owner": DEVELOPER, "team": "payments", "project": "shop",
        "environment": "Test", "service_type": "backend", "replicas": 1, "image_tag": "1.0",
        "values_format": "YAML",
    }  # fmt: skip
    run_id = server.execute("create_service", inputs, None, DEVELOPER)
    body = {"identifier": name, "title": name, "properties": {"environment": "Test"}}
    server.client.create_entity("service", body, run_id=run_id)
    return run_id


def page_of(run_id: str) -> str:
    return f"/organization/run?runId={run_id}"


@pytest.fixture
def run_id(server: PortServer) -> str:
    """A run of *Upscale Service* for `checkout`."""
    return server.execute("upscale_service", {"step": 2}, "checkout", DEVELOPER)


def test_run_page_follows_an_open_run(visit: Visit, server: PortServer, run_id: str) -> None:
    portal = visit(DEVELOPER, page_of(run_id))
    expect(portal.field("Status")).to_have_text("In progress")
    expect(portal.field("Requested by")).to_contain_text("Dana Developer")
    expect(portal.field("Entity")).to_have_text("Checkout")
    lines = portal.page.get_by_role("log")
    expect(lines).to_contain_text("The log is empty")

    log(server, run_id, "Received", statusLabel="Waiting for the merge")
    log(server, run_id, "Opened a pull request")
    change(server, run_id, link=["https://github.example/pull/7", "javascript:alert(1)"])

    expect(lines).to_contain_text("Opened a pull request")
    expect(portal.field("Status")).to_have_text("Waiting for the merge")
    links = portal.field("Job links")
    expect(links.get_by_role("link")).to_have_count(1)
    expect(links.get_by_role("link", name="Pull request #7")).to_be_visible()
    expect(links).to_contain_text("javascript:alert(1)")
    log(server, run_id, "Merged", terminationStatus="SUCCESS", statusLabel="Done")
    expect(lines).to_contain_text("Merged")
    expect(portal.field("Status")).to_have_text("Done")
    expect(portal.field("End")).not_to_have_text("–")
    portal.page.get_by_label("Search the log").fill("pull")
    expect(lines).not_to_contain_text("Merged")


def test_run_tabs_show_inputs_payload_and_changes(
    visit: Visit, server: PortServer, run_id: str
) -> None:
    server.client.request(
        "PATCH",
        "/v1/blueprints/service/entities/checkout",
        params={"run_id": run_id},
        json={"properties": {"replicas": 8}},
    )
    portal = visit(ADMIN, page_of(run_id))

    portal.page.get_by_role("tab", name="Affected entities").click()
    portal.page.get_by_role("button", name="What changed in checkout").click()

    difference = portal.page.get_by_role("group", name="Before and after")
    expect(difference.get_by_role("row").filter(has_text="replicas")).to_contain_text("68")
    portal.page.get_by_role("tab", name="Form inputs").click()
    inputs = portal.page.get_by_role("textbox", name="Form inputs")
    expect(inputs).to_contain_text('"step": 2')
    portal.page.get_by_role("tab", name="Payload").click()
    payload = portal.page.get_by_role("textbox", name="Payload")
    expect(payload).to_contain_text("upscale_service")


def test_port_approval_is_decided_only_by_the_approver(visit: Visit, server: PortServer) -> None:
    requester = visit(DEVELOPER, "/tools")
    requester.act("Hammer", "Restart Tool").get_by_role("button", name="Execute").click()
    run_id = requester.run_id()
    expect(requester.field("Status")).to_have_text("Waiting for approval")
    expect(requester.page.get_by_text("To be decided by Ada Admin")).to_be_visible()
    expect(requester.page.get_by_role("button", name="Approve")).to_have_count(0)
    approver = visit(ADMIN, "/approvals")
    waiting = approver.page.get_by_role("row").filter(has_text=run_id)
    waiting.get_by_role("link", name=run_id).click()

    approver.page.get_by_role("button", name="Approve").click()
    dialog = approver.dialog("Approve this run")
    dialog.get_by_label("Comment").fill("Go ahead.")
    dialog.get_by_role("button", name="Approve").click()

    expect(approver.field("Status")).to_have_text("In progress")
    expect(requester.field("Status")).to_have_text("In progress")
    expect(requester.field("Approved by")).to_have_text("Ada Admin: “Go ahead.”")


def test_requester_sees_why_a_port_approval_was_declined(visit: Visit, server: PortServer) -> None:
    run_id = server.execute("restart", {}, "hammer", DEVELOPER)
    requester = visit(DEVELOPER, page_of(run_id))
    approver = visit(ADMIN, page_of(run_id))

    approver.page.get_by_role("button", name="Decline").click()
    dialog = approver.dialog("Decline this run")
    dialog.get_by_label("Comment").fill("Not today.")
    dialog.get_by_role("button", name="Decline").click()

    expect(requester.field("Status")).to_have_text("Declined")
    expect(requester.field("Declined by")).to_contain_text("“Not today.”")


def test_rerun_form_has_the_inputs_of_the_run(
    visit: Visit, server: PortServer, run_id: str
) -> None:
    portal = visit(DEVELOPER, page_of(run_id))
    portal.page.get_by_role("button", name="More about this run").click()
    portal.page.get_by_role("menuitem", name="Re-run action").click()
    form = portal.dialog("Upscale Service")
    expect(form.get_by_label("Step")).to_have_value("2")

    form.get_by_role("button", name="Execute").click()

    expect(portal.page).not_to_have_url(re.compile(run_id))
    assert portal.run_id() != run_id


def test_cancelled_run_ends_as_a_failure(visit: Visit, server: PortServer, run_id: str) -> None:
    portal = visit(ADMIN, page_of(run_id))
    portal.page.get_by_role("button", name="More about this run").click()

    portal.page.get_by_role("menuitem", name="Cancel").click()

    expect(portal.field("Status")).to_have_text("Failure")
    expect(portal.field("Summary")).to_have_text("Cancelled")


def test_latest_runs_button_counts_runs_in_progress(visit: Visit, server: PortServer) -> None:
    one, _ = (server.execute("rotate", {}, "hammer", DEVOPS) for _ in range(2))
    portal = visit(DEVOPS, "/services")
    button = portal.page.get_by_role("button", name=re.compile("My latest runs"))
    expect(button).to_have_accessible_name("My latest runs, 2 in progress")

    change(server, one, status="SUCCESS")

    expect(button).to_have_accessible_name("My latest runs, 1 in progress")
    button.click()
    portal.page.get_by_role("link", name="My run history").click()
    rows = portal.page.get_by_role("table").get_by_role("row").filter(has_text="Rotate Secret")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="Success")).to_have_count(1)


def test_own_runs_do_not_list_runs_of_others(visit: Visit, server: PortServer, run_id: str) -> None:
    portal = visit(ADMIN, "/organization/runs")
    expect(portal.page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(portal.page.get_by_role("link", name=run_id)).to_have_count(0)

    portal.page.get_by_text("All runs").click()

    expect(portal.page.get_by_role("link", name=run_id)).to_be_visible()
    expect(portal.page).to_have_url(f"{portal.url}/organization/runs?of=all")


def test_run_duration_counts_while_it_goes_on(
    visit: Visit, server: PortServer, run_id: str
) -> None:
    portal = visit(DEVELOPER)
    portal.page.clock.install()
    portal.go(page_of(run_id))
    expect(portal.field("Duration")).to_have_text(re.compile(r"\d+ s"))
    portal.page.clock.pause_at(datetime.now(UTC) + timedelta(hours=2))
    duration = portal.field("Duration").inner_text()

    portal.page.clock.run_for(3000)

    expect(portal.field("Duration")).not_to_have_text(duration)
    expect(portal.field("Duration")).to_contain_text("2 h")


def test_create_run_shows_its_entity(visit: Visit, server: PortServer) -> None:
    run_id = create(server, "orders")
    portal = visit(DEVELOPER, page_of(run_id))
    link = portal.field("Entity").get_by_role("link", name="orders")
    expect(link).to_have_attribute("href", "/serviceEntity?identifier=orders")

    portal.go("/organization/runs")

    row = portal.page.get_by_role("row").filter(has_text=run_id)
    expect(row.get_by_role("link", name="orders", exact=True)).to_be_visible()


def test_run_of_another_person_cannot_be_cancelled(
    visit: Visit, server: PortServer, run_id: str
) -> None:
    portal = visit(DEVOPS, page_of(run_id))
    portal.page.get_by_role("button", name="More about this run").click()

    cancel = portal.page.get_by_role("menuitem", name="Cancel")

    expect(cancel).to_be_disabled()
    expect(cancel).to_contain_text("Only the requester or an administrator can end a run.")


def test_run_cannot_be_repeated_when_its_entity_is_gone(
    visit: Visit, server: PortServer, run_id: str
) -> None:
    server.client.request("DELETE", "/v1/blueprints/tool/all-entities")
    server.client.delete_entity("service", "checkout")
    portal = visit(DEVELOPER, page_of(run_id))
    portal.page.get_by_role("button", name="More about this run").click()

    again = portal.page.get_by_role("menuitem", name="Re-run action")

    expect(again).to_be_disabled()
    expect(again).to_contain_text("The entity no longer exists.")


def test_run_status_is_visible_when_narrow(visit: Visit, server: PortServer, run_id: str) -> None:
    change(server, run_id, statusLabel="Waiting for approval until 28 Nov 14:26 UTC")
    portal = visit(DEVELOPER, "/organization/runs")
    portal.page.set_viewport_size({"width": 390, "height": 700})

    row = portal.page.get_by_role("row").filter(has_text=run_id)

    expect(row.get_by_text("Waiting for approval until")).to_be_in_viewport(ratio=1)


def test_approvers_have_a_badge_for_what_waits(visit: Visit, server: PortServer) -> None:
    run_id = server.execute("restart", {}, "hammer", DEVELOPER)
    requester, approver = visit(DEVELOPER), visit(ADMIN)
    expect(approver.page.get_by_role("link", name="Approvals 1 to decide")).to_be_visible()
    expect(requester.page.get_by_role("link", name="Approvals", exact=True)).to_be_visible()
    approver.page.set_viewport_size({"width": 390, "height": 700})
    menu = approver.page.get_by_role("button", name="Open the menu, 1 to decide")
    expect(menu).to_be_visible()

    change(server, run_id, status="FAILURE")

    expect(approver.page.get_by_role("button", name="Open the menu", exact=True)).to_be_visible()
