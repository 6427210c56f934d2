"""The story in the portal's pages: what people see and do in their browsers."""

import re

import pytest
from playwright.sync_api import Locator, expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import DEVELOPER, DEVOPS, Portal
from scripts.apply_sandbox import Mode, Stack
from tests.integration.conftest import SandboxClient
from tests.integration.test_create_service import pull_of, text_of
from tests.integration.test_health import RESTART, Patient
from tests.integration.world import World, service_name

pytestmark = [
    pytest.mark.integration,
    pytest.mark.story,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
# The time limit of a function, a workflow or a probe.
SOON = 600_000


def says(portal: Portal, text: str) -> None:
    """Wait until the details of the open run contain a text."""
    details = portal.page.get_by_role("region", name="Details")
    expect(details).to_contain_text(text, timeout=SOON)


def succeeds(portal: Portal) -> None:
    """Wait until the open run has succeeded."""
    expect(portal.field("Status").locator('[data-color="green"]')).to_be_visible(timeout=SOON)


def card(portal: Portal, run_id: str) -> Locator:
    """Find a run's request on the approvals page."""
    link = portal.page.locator(f'a[href$="{run_id}.1"]')
    return portal.page.get_by_role("article").filter(has=link)


def decide(portal: Portal, run_id: str, verdict: str, comment: str) -> None:
    card(portal, run_id).get_by_role("button", name=re.compile(f"^{verdict} ")).click()
    form = portal.dialog("Decide Approval")
    form.get_by_label("Comment").fill(comment)
    form.get_by_role("button", name="Execute").click()
    portal.run_id()


def test_created_service_appears_in_the_catalog_after_its_merge(
    visit: Visit, sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest
) -> None:
    name = service_name(request)
    portal = visit(DEVELOPER, f"/services?q={name}")
    expect(portal.page.get_by_role("status").filter(has_text="result")).to_contain_text("0 ")
    watching = portal.tab(f"/services?q={name}")
    portal.fill_first_steps(portal.create(), name)
    portal.edit("Common values", "log: info   # by hand\n")
    portal.dialog("Create New Service").get_by_role("button", name="Create").click()
    run_id = portal.run_id()

    says(portal, "Waiting for the merge")
    expect(portal.page.get_by_role("log")).to_contain_text("Pull request")
    pull = pull_of(sandbox, run_id)
    link = portal.page.get_by_role("region", name="Details").get_by_role(
        "link", name=f"Pull request #{pull.number}"
    )
    expect(link).to_be_visible()
    expect(watching.row(name)).to_contain_text("Pending")
    values = text_of(sandbox, f"apps/{name}/common_values.yaml", pull.head.ref)
    assert "log: info   # by hand" in values
    pull.merge(merge_method="squash")

    succeeds(portal)
    entity = portal.tab(f"/serviceEntity?identifier={name}")
    details = entity.page.get_by_role("region", name="Details")
    expect(details.get_by_role("link", name="Pull Request")).to_have_attribute(
        "href", pull.html_url
    )
    expect(details).to_contain_text("payments")
    expect(watching.row(name)).not_to_contain_text("Pending")


def test_change_is_approved_only_by_a_listed_approver(
    visit: Visit, sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest
) -> None:
    world = World(sandbox, stack, service_name(request))
    world.exists()
    requester = visit(DEVELOPER, f"/services?q={world.service}")
    form = requester.act(world.service, "Upscale Service")
    form.get_by_role("button", name="Execute").click()
    run_id = requester.run_id()
    says(requester, "Waiting for approval until")
    expect(requester.page.get_by_role("log")).to_contain_text("+replicas: 3")

    wrong = requester.tab("/approvals")
    expect(card(wrong, run_id)).to_contain_text("You requested this change")
    approve = card(wrong, run_id).get_by_role("button", name=re.compile("^Approve"))
    expect(approve).to_be_disabled()
    right = visit(DEVOPS, "/approvals")
    expect(card(right, run_id)).to_contain_text("+replicas: 3")
    decide(right, run_id, "Approve", "Go ahead.")

    says(right, "approved by devops@acme.example")
    succeeds(requester)
    right.go(f"/approval_requestEntity?identifier={run_id}.1")
    expect(right.page.get_by_role("main")).to_contain_text("Go ahead.")
    (pull,) = world.pulls(run_id)
    assert pull.merged


def test_open_page_updates_during_a_remediation(
    visit: Visit, sandbox: SandboxClient, stack: Stack, request: pytest.FixtureRequest
) -> None:
    patient = Patient(sandbox, stack, service_name(request))
    patient.runs()
    portal = visit(DEVELOPER, f"/services?q={patient.service}")
    row = portal.row(patient.service)
    expect(row).to_contain_text("Healthy")
    # A reload of the page would lose this value.
    portal.page.evaluate("window.since = 'the beginning'")

    with patient.by_policy(RESTART):
        patient.becomes_unhealthy("restart", symptom="timeout")
        expect(row).to_contain_text("Degraded", timeout=SOON)
        expect(row).to_contain_text("Healthy", timeout=SOON)
        patient.is_left_alone()

    assert patient.restarts() == 1
    assert portal.page.evaluate("window.since") == "the beginning"
