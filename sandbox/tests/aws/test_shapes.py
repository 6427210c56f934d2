"""Parameters are held against the service's own model, beyond what botocore checks itself."""

from typing import Any

import pytest
from botocore.model import ServiceModel, StringShape

from sandbox.aws import shapes
from sandbox.aws.shapes import faults

MODEL = ServiceModel(
    {
        "metadata": {"endpointPrefix": "x"},
        "operations": {},
        "shapes": {
            "Input": {
                "type": "structure",
                "required": ["Name"],
                "members": {
                    "Name": {"shape": "Name"},
                    "Kind": {"shape": "Kind"},
                    "Count": {"shape": "Count"},
                    "Names": {"shape": "Names"},
                    "Values": {"shape": "Values"},
                    "Choice": {"shape": "Choice"},
                    "Secret": {"shape": "Secret"},
                    "Body": {"shape": "Body"},
                    "Odd": {"shape": "Odd"},
                    "On": {"shape": "On"},
                },
            },
            "Name": {"type": "string", "min": 1, "max": 4, "pattern": "[\\p{L}-]+"},
            "Kind": {"type": "string", "enum": ["A", "B"]},
            "Count": {"type": "integer", "min": 1, "max": 3},
            "Names": {"type": "list", "member": {"shape": "Name"}, "max": 2},
            "Values": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Count"}},
            "Choice": {
                "type": "structure",
                "union": True,
                "members": {"One": {"shape": "Name"}, "Other": {"shape": "Name"}},
            },
            "Secret": {"type": "string", "pattern": "[a-z]+", "sensitive": True},
            "Body": {"type": "blob"},
            "Odd": {"type": "string", "pattern": "[\\uD800\\uDC00-\\uDBFF\\uDFFF]*"},
            "On": {"type": "boolean"},
        },
    },
    "x",
)
SHAPE = MODEL.shape_for("Input")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Name": "üß-"},
        {"Kind": "B", "Count": 3, "Names": ["a", "b"], "Values": {"a": 1}, "On": True},
        {"Choice": {"One": "a"}, "Body": b"x", "Odd": "x", "Kind": None},
    ],
)
def test_value_as_its_shape_has_it_has_no_faults(more: dict[str, Any]) -> None:
    assert list(faults({"Name": "n", **more}, SHAPE)) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "Name is missing"),
        ({"Name": ""}, "Name has a length of 0, not from 1 to 4"),
        ({"Name": "abcde"}, "Name has a length of 5, not from 1 to 4"),
        ({"Name": "a b"}, "Name is 'a b', which does not match [\\p{L}-]+"),
        ({"Name": 1}, "Name is a int, not a string"),
        ({"Name": "n", "Kind": "C"}, "Kind is 'C', none of A, B"),
        ({"Name": "n", "Count": 4}, "Count is 4, not from 1 to 3"),
        ({"Name": "n", "Count": True}, "Count is a bool, not a integer"),
        ({"Name": "n", "On": "true"}, "On is a str, not a boolean"),
        ({"Name": "n", "Names": ["a", "b", "c"]}, "Names has a length of 3, not from -inf to 2"),
        ({"Name": "n", "Names": ["a", "abcde"]}, "Names[1] has a length of 5, not from 1 to 4"),
        ({"Name": "n", "Values": {"abcde": 1}},
         "Values (key) has a length of 5, not from 1 to 4"),
        ({"Name": "n", "Values": {"a": 9}}, "Values.a is 9, not from 1 to 3"),
        ({"Name": "n", "Choice": {"One": "a", "Other": "b"}},
         "Choice needs exactly one of One, Other"),
        ({"Name": "n", "More": 1}, "More is not known"),
        ({"Name": "n", "Secret": "HUSH"}, "Secret is hidden, which does not match [a-z]+"),
    ],
)  # fmt: skip
def test_value_beyond_its_shape_is_a_fault(value: dict[str, Any], expected: str) -> None:
    assert next(faults(value, SHAPE)) == expected


def test_value_is_taken_when_its_pattern_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "PATTERN_SECONDS", 0.01)
    slow = StringShape("Slow", {"type": "string", "pattern": "(a|aa)+b"})

    assert list(faults("a" * 100, slow, "it")) == []
