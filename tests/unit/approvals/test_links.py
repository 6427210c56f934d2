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


def test_given_a_link_when_read_then_it_says_what_was_signed() -> None:
    assert read(TOKEN, [KEY], NOW) == LINK


def test_given_a_token_when_put_into_an_address_then_nothing_needs_escaping() -> None:
    assert all(c.isalnum() or c in "-_." for c in TOKEN)


def test_given_the_key_was_rotated_when_read_then_the_previous_one_counts() -> None:
    assert read(TOKEN, iter(["new" * 20, KEY]), NOW) == LINK


def test_given_another_key_when_read_then_rejected() -> None:
    with pytest.raises(LinkRejected, match="not valid"):
        read(TOKEN, ["other" * 10], NOW)


def test_given_an_old_link_when_read_then_told_that_it_expired() -> None:
    with pytest.raises(LinkRejected, match="has expired"):
        read(TOKEN, [KEY], LINK.expires_at)


@given(cut=st.integers(0, len(TOKEN) - 1))
def test_given_a_truncated_link_when_read_then_rejected(cut: int) -> None:
    with pytest.raises(LinkRejected):
        read(TOKEN[:cut], [KEY], NOW)


@given(position=st.integers(0, len(TOKEN) - 1), character=st.characters())
def test_given_one_character_changed_when_read_then_rejected(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(LinkRejected):
        read(changed, [KEY], NOW)


@given(token=st.text(max_size=3000))
def test_given_anything_when_read_then_rejected(token: str) -> None:
    with pytest.raises(LinkRejected):
        read(token, [KEY], NOW)
