"""The Services page, and any other blueprint's."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS, Portal
from tests.port_server import PortServer

pytestmark = pytest.mark.usefixtures("server")


def download(portal: Portal, kind: str) -> str:
    portal.page.get_by_role("button", name="Export").click()
    with portal.page.expect_download() as found:
        portal.page.get_by_role("menuitem", name=kind).click()
    return Path(found.value.path()).read_text()


def cells(portal: Portal, name: str) -> list[str]:
    return portal.row(name).get_by_role("cell").all_inner_texts()


def results(portal: Portal) -> Locator:
    return portal.page.get_by_role("status").filter(has_text="result")


def test_service_table_has_its_columns_in_order(visit: Visit) -> None:
    portal = visit(DEVELOPER)

    expect(portal.page.get_by_role("heading", name="Services", exact=True)).to_be_visible()
    expect(portal.titles()).to_have_count(12)
    expect(results(portal)).to_have_text("12 results")
    titles = portal.page.get_by_role("columnheader")
    expect(titles.first).to_have_text("Title")
    assert titles.all_inner_texts()[1:4] == ["Owner", "Responsible Team", "Environment"]
    assert "Production" in cells(portal, "Checkout")
    link = portal.row("Checkout").get_by_role("link", name="Checkout", exact=True)
    expect(link).to_have_attribute("href", "/serviceEntity?identifier=checkout")


def test_grouping_by_three_properties_nests_and_counts(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    panel = portal.panel("Group by")
    for title in ("Owner", "Responsible Team", "Environment"):
        portal.choose(panel.get_by_role("combobox", name="Add a property"), title)
    portal.page.keyboard.press("Escape")

    expect(portal.titles()).to_have_count(0)
    expect(portal.group("Owner: admin@acme.example", 3)).to_be_visible()
    expect(portal.group("Owner: devops@acme.example", 3)).to_be_visible()
    owner = portal.group("Owner: developer@acme.example", 6)
    expect(owner).to_have_attribute("aria-expanded", "false")
    owner.click()
    portal.group("Responsible Team: payments", 5).click()
    expect(portal.group("Environment: Production", 3)).to_be_visible()
    expect(portal.group("Environment: Test", 1)).to_be_visible()
    portal.group("Environment: Production", 3).click()
    expect(portal.titles()).to_have_text(["Checkout", "Invoices", "Payment gateway"])
    owner.click()
    expect(portal.titles()).to_have_count(0)


def test_expand_all_shows_every_service(visit: Visit) -> None:
    portal = visit(DEVELOPER, '/services?group=["environment"]')

    portal.page.get_by_role("button", name="Expand all").click()

    expect(portal.titles()).to_have_count(12)
    portal.page.get_by_role("button", name="Collapse all").click()
    expect(portal.titles()).to_have_count(0)


def test_search_requires_every_word(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")

    portal.page.get_by_label("Search Services").fill("job core")

    expect(portal.titles()).to_have_text(["Backup"])
    expect(results(portal)).to_have_text("1 of 12 results")
    portal.page.get_by_role("button", name="Clear the search").click()
    expect(portal.titles()).to_have_count(12)
    portal.page.get_by_label("Search Services").fill("no such service")
    expect(portal.page.get_by_text("No entity matches")).to_be_visible()


def test_filter_shows_only_matching_services(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    panel = portal.panel("Filter")
    panel.get_by_role("button", name="Add a filter").click()

    portal.choose(panel.get_by_role("combobox", name="Property"), "Environment")
    values = panel.get_by_role("combobox", name="Values")
    for environment in ("Test", "Staging"):
        portal.choose(values, environment)
    portal.page.keyboard.press("Escape")

    expect(portal.titles()).to_have_count(5)
    expect(portal.page.get_by_role("button", name="Filter (1)")).to_be_visible()
    portal.page.get_by_role("button", name="Reset").click()
    expect(portal.titles()).to_have_count(12)


def test_second_sort_column_orders_equal_rows(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services?q=shop")
    header = portal.page.get_by_role("columnheader", name="Environment")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")

    title = portal.page.get_by_role("columnheader", name="Title")
    for _ in range(2):
        title.get_by_role("button").click(modifiers=["Shift"])

    expect(title).to_have_attribute("aria-sort", "descending")
    expect(portal.titles()).to_have_text(
        ["Checkout preview", "Search", "Refunds", "Payment gateway", "Invoices", "Checkout"]
    )


def test_hidden_column_is_shown_again(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    owner = portal.page.get_by_role("columnheader", name="Owner")
    expect(owner).to_be_visible()
    panel = portal.panel("Hide")
    panel.get_by_label("Find a property").fill("own")

    panel.get_by_role("checkbox", name="Owner", exact=True).uncheck()

    expect(owner).to_have_count(0)
    panel.get_by_role("checkbox", name="Owner", exact=True).check()
    expect(owner).to_be_visible()


def test_saved_view_survives_a_reload_and_is_private(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, '/services?group=["environment"]&q=shop')
    views = portal.panel("Views")
    views.get_by_label("Save this view as").fill("Shop by environment")
    expect(views.get_by_label("For all users")).to_have_count(0)
    views.get_by_role("button", name="Save view").click()
    chosen = portal.page.get_by_role("button", name="Shop by environment").first
    expect(chosen).to_be_visible()

    portal.go("/services")
    portal.panel("Views").get_by_role("button", name="Shop by environment").first.click()
    expect(portal.group("Environment: Production", 3)).to_be_visible()
    portal.page.reload()

    expect(portal.group("Environment: Production", 3)).to_be_visible()
    expect(portal.page.get_by_label("Search Services")).to_have_value("shop")
    other = visit(DEVOPS, "/services")
    expect(other.panel("Views")).to_contain_text("No saved views yet")


def test_shared_view_of_an_admin_is_visible_to_others(
    visit: Visit,
) -> None:
    portal = visit(ADMIN, '/services?sort=[{"id":"ttl","desc":true}]')
    views = portal.panel("Views")
    views.get_by_label("Save this view as").fill("By TTL")
    views.get_by_label("For all users").check()
    views.get_by_role("button", name="Save view").click()
    expect(views.get_by_text("By TTL · for all users")).to_be_visible()

    other = visit(DEVELOPER, "/services")
    found = other.panel("Views")
    found.get_by_role("button", name="By TTL").click()

    expect(other.titles().first).to_have_text("Checkout")
    expect(other.panel("By TTL").get_by_label("Delete the view By TTL")).to_have_count(0)
    views.get_by_label("Delete the view By TTL").click()
    expect(views).to_contain_text("No saved views yet")


def test_export_has_the_rows_and_columns_that_are_shown(visit: Visit) -> None:
    portal = visit(
        DEVELOPER, '/services?q=payments&sort=[{"id":"$title","desc":true}]&hide=["$updatedAt"]'
    )
    expect(portal.titles()).to_have_count(5)

    rows = list(csv.DictReader(download(portal, "CSV").splitlines()))
    found = json.loads(download(portal, "JSON"))

    titles = ["Refunds", "Payment gateway", "Invoices", "Checkout preview", "Checkout"]
    assert [row["Title"] for row in rows] == titles
    assert rows[0]["Environment"] == "Staging"
    assert "Last Update" not in rows[0]
    assert [each["$title"] for each in found] == titles
    assert found[4]["replicas"] == 6


def test_row_menu_has_two_groups(visit: Visit) -> None:
    portal = visit(ADMIN, "/services")

    menu = portal.menu_of("Checkout")

    expect(menu.get_by_role("menuitem")).to_have_text(
        [
            "View details",
            "Downscale Service",
            "Restart Service",
            "Upscale Service",
            "Delete Service",
            "Unregister",
        ]
    )
    expect(menu.get_by_text("Day-2 operations")).to_be_visible()
    menu.get_by_role("menuitem", name="View details").click()
    expect(portal.page).to_have_url(f"{portal.url}/serviceEntity?identifier=checkout")


def test_create_menu_has_the_create_actions(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")

    portal.page.get_by_role("button", name="Service", exact=True).click()

    items = portal.page.get_by_role("menuitem")
    expect(items).to_have_count(1)
    expect(items).to_contain_text("Create New Service")


def test_unregister_needs_the_name_and_removes_the_row(visit: Visit, server: PortServer) -> None:
    portal = visit(ADMIN, "/services")
    portal.menu_of("Backup").get_by_role("menuitem", name="Unregister").click()
    dialog = portal.dialog("Unregister Backup")
    confirm = dialog.get_by_role("button", name="Unregister")
    dialog.get_by_role("textbox").fill("back")
    expect(confirm).to_be_disabled()

    dialog.get_by_role("textbox").fill("backup")
    confirm.click()

    expect(portal.row("Backup")).to_have_count(0)
    expect(portal.titles()).to_have_count(11)
    assert server.client.get_entity("service", "backup") is None


def test_open_page_shows_changes_by_others(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, '/services?group=["health_status"]')
    expect(portal.group("Health: Healthy", 9)).to_be_visible()

    server.client.update_entity("service", "checkout", {"health_status": "Degraded"})
    server.client.create_entity("service", {"identifier": "new", "properties": {}})

    expect(portal.group("Health: Healthy", 8)).to_be_visible()
    expect(portal.group("Health: Degraded", 2)).to_be_visible()
    expect(results(portal)).to_have_text("13 results")


def test_page_shows_a_change_from_before_it_listens(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER)
    events = "**/portal/events*"
    portal.page.route(events, lambda _: None)
    portal.go("/services")
    expect(results(portal)).to_have_text("12 results")

    server.client.create_entity("service", {"identifier": "new", "properties": {}})
    portal.page.unroute(events)

    expect(results(portal)).to_have_text("13 results")


def test_empty_page_says_what_to_do(visit: Visit, server: PortServer) -> None:
    for blueprint in ("tool", "service"):  # a tool depends on its service
        server.client.request("DELETE", f"/v1/blueprints/{blueprint}/all-entities")

    portal = visit(DEVELOPER, "/services")

    expect(portal.page.get_by_text("There is no Service yet")).to_be_visible()
    expect(results(portal)).to_have_text("0 results")


def make_blueprint(server: PortServer, identifier: str, columns: int) -> None:
    properties = {f"p{n}": {"type": "string", "title": f"Property {n}"} for n in range(columns)}
    body = {
        "identifier": identifier,
        "title": identifier.capitalize(),
        "schema": {"properties": properties, "required": []},
    }
    server.client.request("POST", "/v1/blueprints", json=body)


@pytest.fixture(scope="module")
def parts(organisation: PortServer) -> None:
    """Ten thousand entities of the blueprint `part`."""
    make_blueprint(organisation, "part", 5)
    now = "2026-11-28T12:00:00.000Z"
    columns = ("blueprint", "identifier", "title", "team", "relations", "properties")
    authorship = ("created_at", "created_by", "updated_at", "updated_by", "datasource")

    def row(n: int) -> tuple[Any, ...]:
        properties = json.dumps({f"p{p}": f"value {n % (p + 2)}" for p in range(5)})
        part = ("part", f"part-{n:05}", f"Part {n:05}", "[]", "{}", properties)
        return (*part, now, "client", now, "client", "")

    statement = f"INSERT INTO entities ({', '.join(columns + authorship)}) VALUES (?{',?' * 10})"
    # Through the API, which takes twenty at a time, this would take minutes.
    with closing(sqlite3.connect(organisation.database)) as database, database:
        database.executemany(statement, map(row, range(10_000)))


@pytest.mark.usefixtures("parts")
def test_only_visible_rows_of_10000_are_in_the_document(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, "/parts")
    expect(results(portal)).to_have_text("10,000 results")
    expect(portal.row("Part 00000")).to_be_visible()
    assert portal.titles().count() < 60

    portal.page.get_by_role("table").press("End")

    expect(portal.row("Part 09999")).to_be_visible()
    assert portal.titles().count() < 60


@pytest.mark.usefixtures("parts")
def test_sort_search_and_group_cover_10000_entities(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, "/parts")
    expect(results(portal)).to_have_text("10,000 results")

    header = portal.page.get_by_role("columnheader", name="Title").get_by_role("button")
    header.click()
    header.click()
    expect(portal.titles().first).to_have_text("Part 09999")
    portal.page.get_by_label("Search Parts").fill("part-0 99")
    expect(results(portal)).to_have_text("280 of 10,000 results")
    portal.go('/parts?group=["p3","p4"]')
    portal.group("Property 3: value 0", 2000).click()
    expect(portal.group("Property 4: value 0", 334)).to_be_visible()


def test_only_visible_columns_of_300_are_in_the_document(visit: Visit, server: PortServer) -> None:
    make_blueprint(server, "wide", 300)
    body = {"identifier": "one", "properties": {f"p{n}": f"value {n}" for n in range(300)}}
    server.client.request("POST", "/v1/blueprints/wide/entities", json=body)
    portal = visit(DEVELOPER, "/wides")
    table = portal.page.get_by_role("table")
    expect(portal.row("one")).to_contain_text("value 1")
    expect(table).to_have_attribute("aria-colcount", "304")
    assert table.get_by_role("columnheader").count() < 30

    table.evaluate("table => table.scrollTo(table.scrollWidth, 0)")

    expect(portal.row("one")).to_contain_text("value 299")
    expect(portal.row("one").get_by_role("rowheader")).to_be_in_viewport()
    assert table.get_by_role("columnheader").count() < 30
    assert portal.sticks_out() <= 0
    server.client.request("DELETE", "/v1/blueprints/wide/all-entities?delete_blueprint=true")


def test_health_and_sync_are_visible_when_narrow(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    portal.page.set_viewport_size({"width": 390, "height": 700})

    row = portal.row("Payment gateway")

    expect(row.get_by_text("Degraded")).to_be_in_viewport(ratio=1)
    expect(row.get_by_text("Synced")).to_be_in_viewport(ratio=1)
    longest = portal.row("Portal").get_by_text("Progressing")
    assert longest.evaluate("chip => chip.scrollWidth <= chip.clientWidth")


def test_page_has_no_create_button_without_an_action(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/tools")

    expect(portal.row("Hammer")).to_be_visible()

    expect(portal.page.get_by_role("button", name="Tool", exact=True)).to_have_count(0)


def test_row_menu_has_no_empty_group(visit: Visit, server: PortServer) -> None:
    make_blueprint(server, "leaf", 1)
    server.client.request("POST", "/v1/blueprints/leaf/entities", json={"identifier": "one"})
    portal = visit(ADMIN, "/leafs")

    menu = portal.menu_of("one")

    expect(menu.get_by_role("menuitem")).to_have_text(["View details", "Unregister"])
    expect(menu.get_by_text("Day-2 operations")).to_have_count(0)
    server.client.request("DELETE", "/v1/blueprints/leaf/all-entities?delete_blueprint=true")
