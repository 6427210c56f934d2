"""*Example Action*: what a request wants done."""

import json
from typing import Any

import pytest
from slipway.actions import example_action
from slipway.changes.proposal import NothingToDo, Proposal
from slipway.errors import InvalidInput, UserError
from slipway.github.models import ServiceFolder
from tests.unit.changes.conftest import FOLDER, make_folder, make_request, make_situation

FILE = example_action.FILE
PATH = f"{FOLDER}/{FILE}"


def make_plan(folder: ServiceFolder | None = None, **inputs: Any) -> Proposal | NothingToDo:
    request = make_request(example_action.ACTION, inputs=inputs)
    return example_action.plan(request, make_situation(folder or make_folder()))


def make_proposal(folder: ServiceFolder | None = None, **inputs: Any) -> Proposal:
    made = make_plan(folder, **inputs)
    assert isinstance(made, Proposal)
    return made


def test_given_a_value_when_planned_then_the_file_has_it_and_nothing_else_changes() -> None:
    made = make_proposal(value='a "quoted" value')

    assert list(made.change.files) == [PATH]
    assert json.loads(made.change.files[PATH] or "") == {"value": 'a "quoted" value'}
    assert made.base == {PATH: None}
    assert made.environment == "Production"
    assert "+++ b/" + PATH in made.preview


def test_given_the_file_when_planned_then_its_change_starts_from_what_is_there() -> None:
    folder = make_folder({FILE: '{"value": "old"}\n'})

    made = make_proposal(folder, value="new")

    assert made.base == {PATH: folder.files[PATH]}
    assert '-{"value": "old"}' in made.preview


def test_given_the_same_value_when_planned_then_there_is_nothing_to_do() -> None:
    text = make_proposal(value="same").change.files[PATH]
    assert text is not None

    assert isinstance(make_plan(make_folder({FILE: text}), value="same"), NothingToDo)


@pytest.mark.parametrize("value", [None, 1, "", "  ", "two\nlines", "x" * 201])
def test_given_no_fitting_value_when_planned_then_its_field_is_named(value: object) -> None:
    with pytest.raises(InvalidInput, match="value"):
        make_plan(value=value)


def test_given_a_file_that_is_no_text_when_planned_then_it_stays_as_it_is() -> None:
    with pytest.raises(UserError, match="not a file of UTF-8 text"):
        make_plan(make_folder(not_text=(FILE,)), value="new")
