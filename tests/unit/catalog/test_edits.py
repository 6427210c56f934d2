"""Edits of files by `set`, `append` and `remove`: what each changes and leaves."""

from typing import Any

import pytest
from slipway.catalog.edits import edit_files
from slipway.catalog.files import UpdateFile
from slipway.catalog.request import Target, Tree
from slipway.errors import InvalidInput, UserError

from tests.catalogs.samples import ACME, target_of

PATH = "services/billing/invoices/values-qa.yaml"
FILE = "services/{team}/{name}/values-{env}.yaml"


def target() -> Target:
    inputs = {"image": "x", "debug": True, "region": "eu-west-1"}
    return target_of(ACME, "configure_service", entity="pay.billing.invoices.qa", inputs=inputs)[0]


def edited(text: str, value: str = "x", **edits: Any) -> str:
    """Return a file after edits of one path each."""
    spec = UpdateFile.model_validate(
        {
            "operation": "update",
            **{key: [{"file": FILE, **edit}] for key, edit in edits.items()},
        }
    )
    made = edit_files(spec, target(), Tree({PATH: "0"}, {PATH: text}), {"inputs": {"v": value}})
    return made.files.get(PATH, text)


@pytest.mark.parametrize(
    ("text", "edits", "after"),
    [
        ("a: z # c\n", {"set": {"path": "a", "to": "{{ .inputs.v }}"}}, "a: x # c\n"),
        ("b: 1\n", {"set": {"path": "a.b", "to": 1, "add": True}}, "b: 1\na:\n  b: 1\n"),
        ("a: [x]\n", {"append": {"path": "a", "value": "x"}}, "a: [x]\n"),
        ("a: [1]\n", {"append": {"path": "a", "value": True}}, "a: [1, true]\n"),
        ("b: 1\n", {"append": {"path": "a", "value": "x"}}, "b: 1\na:\n  - x\n"),
        ("a: 1\nb: 2\n", {"remove": {"path": "a"}}, "b: 2\n"),
        ("b: 2\n", {"remove": {"path": "a"}}, "b: 2\n"),
        ("a: [x, z, x]\n", {"remove": {"path": "a", "value": "x"}}, "a: [z]\n"),
        ("a: [1]\n", {"remove": {"path": "a", "value": True}}, "a: [1]\n"),
    ],
)
def test_edit_changes_the_file(text: str, edits: dict[str, Any], after: str) -> None:
    assert edited(text, **edits) == after


@pytest.mark.parametrize(
    ("text", "edits", "problem"),
    [
        ("b: 1\n", {"set": {"path": "a", "to": 1}}, "has no 'a', looked for at line 1"),
        ("b: 1\n", {"set": {"path": "a", "to": "{{ .current }}", "add": True}}, "has no 'a'"),
        (
            "a: 1\n",
            {"set": {"path": "a", "to": "{{ .inputs.v }}"}},
            'which is not of the type of "x"',
        ),
        ("a: x\n", {"set": {"path": "a", "to": "{{ .current + 1 }}"}}, 'has "x" there'),
        (
            "a: 1.5\n",
            {"set": {"path": "a", "to": 2, "type": "whole number"}},
            "must be a whole number",
        ),
        ("a: x\n", {"append": {"path": "a", "value": 1}}, "must have a list as 'a'"),
        ("a: x\n", {"remove": {"path": "a", "value": 1}}, "must have a list as 'a'"),
        ("a: *b\n", {"set": {"path": "a", "to": 1}}, "uses alias '*b'"),
    ],
)
def test_edit_is_refused(text: str, edits: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        edited(text, **edits)

    assert problem in str(caught.value)
    assert PATH in str(caught.value)


@pytest.mark.parametrize("value", ["${x}", "%{ x }", "{{ .Values.x }}", "$(id)"])
@pytest.mark.parametrize(
    "edits",
    [
        {"set": {"path": "a", "to": "{{ .inputs.v }}", "add": True}},
        {"set": {"path": "a", "to": {"b": ["{{ .inputs.v }}"]}, "add": True}},
        {"append": {"path": "a", "value": "x {{ .inputs.v }}"}},
    ],
)
def test_edit_refuses_active_text(edits: dict[str, Any], value: str) -> None:
    with pytest.raises(InvalidInput, match="must not contain"):
        edited("b: 1\n", value, **edits)


def test_typed_text_is_encoded_for_terraform() -> None:
    to = "{{ .inputs.v | hcl_text }}"

    assert edited("a: x\n", "${x}", set={"path": "a", "to": to}) == 'a: "$${x}"\n'


def test_binary_file_is_refused() -> None:
    spec = UpdateFile.model_validate(
        {"operation": "update", "set": [{"file": FILE, "path": "a", "to": 1}]}
    )

    with pytest.raises(UserError, match="is not a file of UTF-8 text"):
        edit_files(spec, target(), Tree({PATH: "0"}, {}), {})
