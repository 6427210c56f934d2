"""Entities read from reviewed files: types are kept, and a misfit becomes a note."""

import json
from typing import Any

import pytest
from slipway.catalog.entities import ReviewedEntity, misfit, read_entity
from slipway.catalog.loading import load_catalog
from slipway.catalog.request import Tree

BLUEPRINT = {
    "identifier": "thing",
    "schema": {
        "properties": {
            "text": {"type": "string"},
            "number": {"type": "number"},
            "flag": {"type": "boolean"},
            "list": {"type": "array", "items": {"type": "string"}},
            "object": {"type": "object"},
            "choice": {"type": "string", "enum": ["a", "b"]},
            "sum": {"type": "number"},
        }
    },
    "relations": {"one": {"many": False}, "several": {"many": True}},
}
NAMES = ("text", "number", "flag", "list", "object", "choice")
SOURCES = "".join(
    f'  {name}: {{ file: ["t/{{name}}.yaml", "t/{{name}}.yml"], path: {name} }}\n' for name in NAMES
)
RESOURCE = (
    'identifier: "{name}"\n'
    'parts: { name: { pattern: "[a-z]+", message: "a word", example: a } }\n'
    'repository: main\nfiles: ["t/{name}.yaml", "t/{name}.yml"]\nmetadata: "t/{name}.json"\n'
    'environment: "x"\n'
    f'properties:\n{SOURCES}  sum: "{{{{ .properties.number + (.metadata.add // 1) }}}}"\n'
    'relations: { one: "{{ .metadata.one }}", several: "{{ .metadata.several }}" }\n'
)
KIND = load_catalog(
    {"k/resource.yaml": RESOURCE.encode(), "k/blueprint.json": json.dumps(BLUEPRINT).encode()}
).kinds["k"]
GOOD = "text: x\nnumber: 1.5\nflag: true\nlist: [y z]\nobject: {a: 1}\nchoice: a\n"


def read(text: str | None = GOOD, name: str = "yaml", **metadata: Any) -> ReviewedEntity:
    said = {"identifier": "a", "blueprint": "thing", **metadata}
    texts = {"t/a.json": json.dumps(said)}
    if text is not None:
        texts[f"t/a.{name}"] = text
    return read_entity(KIND, "a", {"name": "a"}, Tree(dict.fromkeys(texts, "0"), texts), {})


def test_types_of_properties_are_kept() -> None:
    said = read(one="e1", several=["e1", "e2"])

    assert said.notes == {}
    assert said.entity == {
        "identifier": "a",
        "title": "a",
        "properties": {
            "text": "x",
            "number": 1.5,
            "flag": True,
            "list": ["y z"],
            "object": {"a": 1},
            "choice": "a",
            "sum": 2.5,
        },
        "relations": {"one": "e1", "several": ["e1", "e2"]},
    }


def test_second_file_is_used_when_the_first_is_missing() -> None:
    assert read(name="yml").entity["properties"]["text"] == "x"


def test_missing_path_is_null() -> None:
    properties = read("number: 1\n").entity["properties"]

    assert (properties["text"], properties["flag"]) == (None, None)


def test_whole_number_becomes_text_for_a_text_property() -> None:
    assert read(f"text: 12\n{GOOD.partition(chr(10))[2]}").entity["properties"]["text"] == "12"


@pytest.mark.parametrize(
    ("old", "new", "name", "note"),
    [
        ("text: x", "text: 1.1", "text", "1.1 is not of type string"),
        ("number: 1.5", "number: true", "number", "true is not of type number"),
        ("number: 1.5", "number: '2'", "number", '"2" is not of type number'),
        ("flag: true", "flag: yes", "flag", "readers of YAML take for"),
        ("list: [y z]", "list: [1]", "list", "[1] is not of type string"),
        ("choice: a", "choice: c", "choice", '"c" is not one of a, b'),
        ("object: {a: 1}", "object: [", "text", "t/a.yaml is not valid YAML"),
    ],
)
def test_mismatched_property_is_left_unchanged_with_a_note(
    old: str, new: str, name: str, note: str
) -> None:
    said = read(GOOD.replace(old, new))

    assert name not in said.entity["properties"]
    assert said.notes[name].startswith(f"'{name}' was not changed: ")
    assert note in said.notes[name]


def test_missing_file_becomes_a_note() -> None:
    assert "t/a.yaml or t/a.yml does not exist" in read(None).notes["text"]


@pytest.mark.parametrize(("one", "several"), [(["e"], "e"), (5, [5])])
def test_mismatched_relation_is_left_unchanged_with_a_note(one: Any, several: Any) -> None:
    said = read(one=one, several=several)

    assert said.entity["relations"] == {}
    assert said.notes.keys() == {"one", "several"}


def test_failing_expression_is_empty_with_a_note() -> None:
    said = read(add="x")

    assert said.entity["properties"]["sum"] is None
    assert "number (1.5) and string" in said.notes["sum"]


def test_null_fits_each_property() -> None:
    assert misfit(None, {"type": "string", "enum": ["a"]}) is None
