"""The approval request's entity, as far as it shows the change."""

from slipway.approvals.request import entity
from slipway.changes.proposal import LONGEST_PREVIEW, code_of, shortened

from tests.unit.approvals.conftest import make_approval


def shown(diff: str) -> dict[str, str]:
    approval = make_approval(code=code_of(diff))
    body = entity(approval, run_url="https://a", service_url="https://b", preview=diff)
    properties: dict[str, str] = body["properties"]
    return properties


def test_entity_has_one_diff_when_port_shows_all_of_it() -> None:
    assert "full_change" not in shown("+line")


def test_entity_has_the_code_at_the_end_of_the_full_diff_only() -> None:
    diff = "+line\n" * LONGEST_PREVIEW

    found = shown(diff)

    assert found["full_change"].splitlines()[-2] == f"Code of this change: {code_of(diff)}"
    assert shortened(diff) in found["change"]
    assert code_of(diff) not in found["change"]


def test_entity_names_the_link_when_the_full_diff_is_too_long() -> None:
    diff = "+é\n" * 200_000

    found = shown(diff)

    assert "Open the link in the e-mail" in found["full_change"]
    assert code_of(diff) not in found["full_change"]
