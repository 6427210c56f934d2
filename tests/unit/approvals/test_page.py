from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.approvals.models import Approval, Status
from slipway.approvals.page import HEADERS, answer_page, request_page
from slipway.approvals.principals import approver_of
from slipway.errors import NotAnApprover

from tests.unit.approvals.conftest import make_approval

DIFF = "--- a/apps/shop/v.yaml\n+++ b/apps/shop/v.yaml\n-replicas: 2\n+replicas: 3"


class Reader(HTMLParser):
    """The page's elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if found.get("name"):
            self.names[f"{tag}:{found['name']}:{found.get('value') or ''}"] = found.get("type")

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(approval: Approval, preview: str = DIFF) -> Reader:
    return Reader(request_page(approval, preview, "devops@acme.example", "https://p.test/r").html)


def test_page_of_an_open_request_has_everything_to_decide_it() -> None:
    page = shown(make_approval())

    for wanted in (
        "shop (Production)",
        "dev@acme.example",
        "replicas 2 → 3",
        "2026-11-23 13:00 UTC",
        "-replicas: 2\n+replicas: 3",
    ):
        assert wanted in page.text
    assert "button:decision:APPROVE" in page.names
    assert "button:decision:DECLINE" in page.names
    assert f"input:change_hash:{'f' * 64}" in page.names


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PENDING])
def test_page_of_a_closed_request_has_no_form(status: Status) -> None:
    assert "form" not in shown(make_approval(status=status)).tags


@given(text=st.text())
def test_page_escapes_hostile_text(text: str) -> None:
    hostile = text + "<script>alert(1)</script><img src=x onerror=alert(1)>' \" </pre>"
    page = shown(make_approval(summary=hostile, service="shop", requested_by=hostile), hostile)
    assert not {"script", "img"} & set(page.tags)
    assert page.tags.count("pre") == 1
    answer = Reader(answer_page(409, "No", hostile).html)
    assert "<script>alert(1)</script>" in answer.text


def test_page_headers_forbid_scripts_referrers_and_caching() -> None:
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "script-src" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cache-Control"] == "no-store"


PRINCIPALS = {
    "approver": "devops@acme.example",
    "arn:aws:iam::777788889999:role/partner": "partner@acme.example",
}


@pytest.mark.parametrize(
    ("arn", "person"),
    [
        ("arn:aws:sts::123456789012:assumed-role/approver/whatever", "devops@acme.example"),
        (
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/me@acme.io",
            "me@acme.io",
        ),
        ("arn:aws-us-gov:sts::123456789012:assumed-role/approver/ci", "devops@acme.example"),
        (
            "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/me@acme.io",
            "me@acme.io",
        ),
        ("arn:aws:sts::777788889999:assumed-role/partner/ci", "partner@acme.example"),
    ],
)
def test_principal_resolves_to_its_person(arn: str, person: str) -> None:
    assert approver_of(arn, PRINCIPALS, ["444455556666"], "123456789012") == person


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:user/devops@acme.example",
        "arn:aws:sts::123456789012:assumed-role/other/devops@acme.example",
        "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/ci",
        "arn:aws:sts::123456789012:assumed-role/xAWSReservedSSO_/me@acme.io",
        "arn:aws:sts::123456789012:federated-user/me@acme.io",
    ],
)
def test_principal_is_refused_when_it_is_not_a_person(arn: str) -> None:
    with pytest.raises(NotAnApprover, match="does not identify a person"):
        approver_of(arn, PRINCIPALS, ["444455556666"], "123456789012")
