"""Who owns a lock: told by the owner's name alone."""

import pytest
from slipway.runs.owners import is_execution


@pytest.mark.parametrize("owner", ["r_WWud3O92P3abjz0i", "run_1", "", "0" * 32, f"{'0' * 32}-0"])
def test_given_a_run_or_no_name_of_ours_when_looked_at_then_it_is_no_execution(owner: str) -> None:
    assert not is_execution(owner)
