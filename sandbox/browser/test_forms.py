"""The forms of actions: what is typed, what is wrong with it, and what is sent."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, REFUSED
from tests.port_server import PortServer

DISCARD = "Discard what you typed?"
COMMON = "Common values"
pytestmark = pytest.mark.usefixtures("server")


def runs_of(server: PortServer, action: str) -> list[dict[str, Any]]:
    answer = server.client.request("GET", "/v1/actions/runs", params={"version": "v2"})
    return [run for run in answer["runs"] if run["action"]["identifier"] == action]


def inputs(server: PortServer, run_id: str) -> dict[str, Any]:
    """What a run was executed with."""
    answer = server.client.request("GET", f"/v1/actions/runs/{run_id}", params={"version": "v2"})
    properties: dict[str, Any] = answer["run"]["properties"]
    return properties


def test_run_has_the_inputs_of_the_form(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    expect(form.get_by_role("combobox", name="Owner")).to_have_value(
        "Dana Developer (developer@acme.example)"
    )
    portal.choose(form.get_by_role("combobox", name="Environment"), "Production")
    portal.fill_first_steps(form, "orders")
    typed = "# by hand\nlog:\n  level: info   # not debug\n"
    portal.edit(COMMON, typed)
    expect(form.get_by_label(f"{COMMON}: value")).to_contain_text("# not debug")

    form.get_by_role("button", name="Create").click()

    assert inputs(server, portal.run_id()) == {
        "service_name": "orders",
        "owner": DEVELOPER,
        "team": "payments",
        "project": "shop",
        "environment": "Production",
        "service_type": "backend",
        "replicas": 1,
        "image_tag": "1.4.0",
        "values_format": "YAML",
        "common_values_yaml": typed,
        "dry_run": False,
    }
    expect(portal.page.get_by_role("heading", name="Create New Service", level=1)).to_be_visible()


def test_form_names_each_missing_or_invalid_input(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    form.get_by_role("textbox", name="Name", exact=True).fill("No Capitals")
    before = len(runs_of(server, "create_service"))

    form.get_by_role("button", name="Next").click()

    name = form.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_have_accessible_description(re.compile("^Name: “No Capitals” is not allowed"))
    expect(name).to_be_focused()
    for empty in (form.get_by_label("Project"), form.get_by_role("combobox", name="Team")):
        expect(empty).to_have_accessible_description(re.compile(r"^(Project|Team) is required\."))
    expect(form.get_by_role("button", name="Next")).to_be_visible()
    assert len(runs_of(server, "create_service")) == before


def test_invalid_yaml_names_the_line_and_cannot_be_applied(
    visit: Visit, server: PortServer
) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    portal.fill_first_steps(form, "orders")
    before = len(runs_of(server, "create_service"))
    editor = portal.editor(COMMON)

    editor.get_by_role("textbox").fill("log:\n  level: info\n bad: [1\n")

    expect(editor.get_by_role("status")).to_contain_text("Line 3")
    expect(editor.get_by_role("button", name="Apply")).to_be_disabled()
    expect(editor.locator(".cm-lint-marker-error").first).to_be_visible()
    editor.get_by_role("textbox").fill("log:\n  level: info\n")
    expect(editor.get_by_role("status")).to_have_text("Valid")
    portal.page.keyboard.press("Escape")
    portal.dialog(DISCARD).get_by_role("button", name="Discard").click()
    expect(editor).to_have_count(0)
    expect(form.get_by_label(f"{COMMON}: value")).to_have_text("Nothing yet")
    assert len(runs_of(server, "create_service")) == before


def test_values_format_switches_the_input_and_the_editor(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    portal.fill_first_steps(form, "orders")
    editor = portal.editor(COMMON)
    editor.get_by_role("textbox").fill("queues:\n  - orders\n")
    editor.get_by_text("JSON", exact=True).click()
    expect(editor.get_by_role("textbox")).to_contain_text('"orders"')
    editor.get_by_role("button", name="Apply").click()
    expect(form.get_by_label(f"{COMMON}: value")).to_have_text("queues:\n  - orders\n")

    portal.choose(form.get_by_role("combobox", name="Values format"), "JSON")

    expect(form.get_by_label(f"{COMMON}: value")).to_have_text("Nothing yet")
    portal.edit(COMMON, '{"queues": ["orders"]}')
    form.get_by_role("button", name="Create").click()
    found = inputs(server, portal.run_id())
    assert found["common_values"] == {"queues": ["orders"]}


def test_json_mode_changes_the_form_and_reports_faults(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    form.get_by_role("textbox", name="Name", exact=True).fill("orders")
    form.get_by_role("switch", name="JSON mode").check()
    text = form.get_by_role("textbox", name="Inputs as JSON")
    expect(text).to_contain_text('"service_name": "orders"')
    create = form.get_by_role("button", name="Create")
    text.fill('{"service_name": ')
    expect(create).to_be_disabled()
    expect(form.get_by_role("switch", name="JSON mode")).to_be_disabled()

    text.fill('{"service_name": "Bad Name", "project": "shop"}')
    create.click()
    refusal = form.get_by_role("alert")
    expect(refusal).to_contain_text("Name: “Bad Name” is not allowed.")
    expect(refusal).to_contain_text("Team is required.")
    portal.allow(REFUSED)
    text.fill(json.dumps({"service_name": "billing", "project": "shop"}))
    form.get_by_role("switch", name="JSON mode").uncheck()

    expect(form.get_by_role("textbox", name="Name", exact=True)).to_have_value("billing")
    expect(form.get_by_label("Project")).to_have_value("shop")


def test_secret_input_is_masked_and_encrypted(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/tools")
    form = portal.act("Hammer", "Rotate Secret")
    expect(form.get_by_label("Token")).to_have_attribute("type", "password")
    form.get_by_label("Token").fill("hunter2-hunter2")
    form.get_by_role("button", name="Execute").click()

    sent = inputs(server, portal.run_id())["token"]

    assert "hunter2" not in sent
    portal.page.get_by_role("tab", name="Form inputs").click()
    expect(portal.page.get_by_role("textbox", name="Form inputs")).to_contain_text(sent)
    expect(portal.page.get_by_text("hunter2")).to_have_count(0)


def test_dependent_inputs_open_when_the_others_are_filled(
    visit: Visit,
) -> None:
    portal = visit(DEVELOPER, "/tools")
    form = portal.act("Hammer", "Rotate Secret")
    expect(form.get_by_label("Reason")).to_be_disabled()
    expect(form.get_by_label("Until")).to_have_count(0)

    form.get_by_label("Token").fill("x")
    form.get_by_role("checkbox", name="Urgent").check()

    expect(form.get_by_label("Reason")).to_be_enabled()
    expect(form.get_by_label("Until")).to_be_visible()
    form.get_by_label("Token").fill("")
    expect(form.get_by_label("Reason")).to_be_disabled()


def test_entity_input_sends_the_identifier(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/tools")
    form = portal.act("Hammer", "Rotate Secret")
    picker = form.get_by_role("combobox", name="For service")
    picker.fill("gatew")
    portal.page.get_by_role("option", name="Payment gateway").click()

    form.get_by_role("button", name="Execute").click()

    assert inputs(server, portal.run_id())["for"] == "payment-gateway"


def test_delete_form_accepts_only_the_name_of_the_service(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.act("Checkout", "Delete Service")
    name = form.get_by_label("Type the service's name to confirm")
    name.fill("checkout-preview")
    form.get_by_role("button", name="Delete").click()
    expect(name).to_have_accessible_description(re.compile("“checkout-preview” is not allowed"))

    name.fill("checkout")
    form.get_by_role("button", name="Delete").click()

    assert inputs(server, portal.run_id())["service_name"] == "checkout"


def test_action_without_inputs_asks_for_confirmation(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/tools")
    restart = portal.act("Hammer", "Restart Tool")
    expect(restart).to_contain_text("are you sure? It is for Hammer, and needs an approval.")
    restart.get_by_role("button", name="Cancel").click()
    expect(restart).to_have_count(0)
    drop = portal.act("Hammer", "Drop Tool")
    confirm = drop.get_by_role("button", name="Delete")
    drop.get_by_label("Type hammer to confirm").fill("hammers")
    expect(confirm).to_be_disabled()

    drop.get_by_label("Type hammer to confirm").fill("hammer")
    confirm.click()

    assert inputs(server, portal.run_id()) == {}


def test_two_tabs_with_one_form_start_two_runs(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    first = portal.act("Checkout", "Upscale Service")
    other = portal.tab("/services")
    second = other.act("Checkout", "Upscale Service")

    first.get_by_role("button", name="Execute").click()
    second.get_by_role("button", name="Execute").click()

    runs = {portal.run_id(), other.run_id()}
    assert len(runs) == 2
    portal.page.get_by_role("button", name="My latest runs").click()
    popover = portal.page.get_by_role("dialog", name="My latest runs")
    for run_id in runs:
        expect(popover.locator(f'a[href$="{run_id}"]')).to_be_visible()


def test_self_service_hub_asks_for_the_entity_first(visit: Visit, server: PortServer) -> None:
    portal = visit(ADMIN, "/self-serve")
    portal.page.get_by_label("Search the actions").fill("upscale")
    expect(portal.page.get_by_role("listitem")).to_have_count(1)
    portal.page.get_by_role("button", name="Execute: Upscale Service").click()
    form = portal.dialog("Upscale Service")
    portal.choose(form.get_by_role("combobox", name="Entity"), "Login")
    form.get_by_role("button", name="Next").click()

    form.get_by_label("Step").fill("3")
    form.get_by_role("button", name="Execute").click()

    assert inputs(server, portal.run_id())["step"] == 3


def test_form_asks_before_escape_discards_it(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    form.get_by_role("textbox", name="Name", exact=True).fill("orders")

    portal.page.keyboard.press("Escape")
    portal.dialog(DISCARD).get_by_role("button", name="Keep editing").click()

    expect(form.get_by_role("textbox", name="Name", exact=True)).to_have_value("orders")
    portal.page.keyboard.press("Escape")
    portal.dialog(DISCARD).get_by_role("button", name="Discard").click()
    expect(form).to_have_count(0)


def test_form_keeps_editing_when_escape_is_pressed_twice(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    form.get_by_role("textbox", name="Name", exact=True).fill("orders")

    portal.page.keyboard.press("Escape")
    expect(portal.dialog(DISCARD)).to_be_visible()
    portal.page.keyboard.press("Escape")

    expect(portal.dialog(DISCARD)).to_have_count(0)
    expect(form.get_by_role("textbox", name="Name", exact=True)).to_have_value("orders")
    expect(form.get_by_role("textbox", name="Name", exact=True)).to_be_focused()


def test_form_closes_at_once_when_nothing_was_typed(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    expect(form.get_by_role("textbox", name="Name", exact=True)).to_be_visible()

    portal.page.keyboard.press("Escape")

    expect(form).to_have_count(0)
    expect(portal.dialog(DISCARD)).to_have_count(0)


def test_field_is_checked_when_it_is_left(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    name = form.get_by_role("textbox", name="Name", exact=True)
    name.fill("No Capitals")

    form.get_by_label("Project").focus()

    expect(name).to_have_accessible_description(
        re.compile(r"^Name: “No Capitals” is not allowed\. Lower-case letters, digits")
    )
    expect(form.get_by_text("^[a-z0-9]")).to_have_count(0)
    # What was not left yet is not complained about.
    expect(form.get_by_label("Project")).not_to_have_accessible_description(re.compile("required"))
    name.fill("orders")
    form.get_by_label("Project").focus()
    expect(name).not_to_have_accessible_description(re.compile("not allowed"))


def test_server_fault_is_a_sentence_with_the_title(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVELOPER, "/services")
    form = portal.create()
    form.get_by_role("switch", name="JSON mode").check()
    editor = form.get_by_role("textbox", name="Inputs as JSON")
    editor.fill('{"service_name": "No Capitals", "owner": "x@acme.example", "team": "payments"}')

    form.get_by_role("button", name="Create").click()

    alert = form.get_by_role("alert")
    expect(alert).to_contain_text("Name: “No Capitals” is not allowed.")
    expect(alert).to_contain_text("Image tag is required.")
    expect(alert).not_to_contain_text("^[a-z0-9]")
    portal.allow(REFUSED)


def test_dialog_buttons_stay_in_sight_when_narrow(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/services")
    portal.page.set_viewport_size({"width": 390, "height": 600})
    form = portal.create()
    button = form.get_by_role("button", name="Next")

    expect(button).to_be_in_viewport(ratio=1)
    form.get_by_role("combobox", name="Type").scroll_into_view_if_needed()
    expect(button).to_be_in_viewport(ratio=1)
