from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.approvals.links import Link, read, sign
from slipway.errors import LinkRejected

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINK = Link("r_0123456789abcdef.1", "devops@acme.example", NOW + timedelta(hours=1))
KEY = "k" * 40
TOKEN = sign(LINK, KEY)


def test_link_is_read_as_it_was_signed() -> None:
    assert read(TOKEN, [KEY], NOW) == LINK


def test_link_token_needs_no_escaping_in_a_url() -> None:
    assert all(c.isalnum() or c in "-_." for c in TOKEN)


def test_link_is_read_with_the_previous_key_after_a_rotation() -> None:
    assert read(TOKEN, iter(["new" * 20, KEY]), NOW) == LINK


def test_link_is_rejected_when_signed_with_another_key() -> None:
    with pytest.raises(LinkRejected, match="not valid"):
        read(TOKEN, ["other" * 10], NOW)


def test_expired_link_is_rejected_as_too_old() -> None:
    with pytest.raises(LinkRejected, match="has expired"):
        read(TOKEN, [KEY], LINK.expires_at)


@given(cut=st.integers(0, len(TOKEN) - 1))
def test_truncated_link_is_rejected(cut: int) -> None:
    with pytest.raises(LinkRejected):
        read(TOKEN[:cut], [KEY], NOW)


@given(position=st.integers(0, len(TOKEN) - 1), character=st.characters())
def test_link_is_rejected_when_one_character_is_changed(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(LinkRejected):
        read(changed, [KEY], NOW)


@given(token=st.text(max_size=3000))
def test_arbitrary_token_is_rejected(token: str) -> None:
    with pytest.raises(LinkRejected):
        read(token, [KEY], NOW)
