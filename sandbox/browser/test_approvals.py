"""The page of approvals: who decides, and who reads why not."""

import pytest
from playwright.sync_api import Locator, expect

from sandbox.browser.fixtures import Visit
from sandbox.browser.portal import ADMIN, DEVELOPER, DEVOPS, Portal
from tests.port_server import PortServer

TITLE = "Upscale checkout"


@pytest.fixture(autouse=True)
def request_id(server: PortServer) -> str:
    """A request of the developer that the operator decides."""
    properties = {
        "status": "Pending",
        "summary": "replicas 6 → 8",
        "service": "checkout",
        "requested_by": DEVELOPER,
        "approvers": [DEVOPS],
    }
    body = {"identifier": "r_1.1", "title": TITLE, "properties": properties}
    server.client.create_entity("approval_request", body)
    return "r_1.1"


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (DEVELOPER, "You requested this change, so another person must decide."),
        (ADMIN, f"To be decided by {DEVOPS}."),
    ],
)
def test_request_cannot_be_decided_by_the_wrong_person(
    visit: Visit, person: str, reason: str
) -> None:
    portal = visit(person, "/approvals")

    expect(portal.page.get_by_role("article")).to_contain_text(reason)

    for verdict in ("Approve", "Decline"):
        button = portal.page.get_by_role("button", name=f"{verdict} {TITLE}")
        expect(button).to_be_disabled()


def test_requester_reads_the_reason_in_the_row_menu(visit: Visit) -> None:
    portal = visit(DEVELOPER, "/approval_requestEntity?identifier=r_1.1")
    portal.page.get_by_role("button", name="Actions", exact=True).click()

    decide = portal.page.get_by_role("menuitem", name="Decide Approval")

    expect(decide).to_be_disabled()
    expect(decide).to_contain_text("You requested this change")


def test_badge_goes_when_the_request_is_decided(visit: Visit, server: PortServer) -> None:
    portal = visit(DEVOPS)
    expect(badge(portal)).to_be_visible()

    properties = {"status": "Approved", "decided_by": DEVOPS}
    server.client.update_entity("approval_request", "r_1.1", properties)

    expect(badge(portal)).to_have_count(0)


def badge(portal: Portal) -> Locator:
    return portal.page.get_by_role("link", name="Approvals 1 to decide")
