"""The JSON Schemas for editors and the loader accept the same files."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from slipway.catalog.files import action_file, resource_file, schemas

from tests.catalogs.samples import ACME, ROOT, SHIPPED

FILES = sorted([*SHIPPED.rglob("*.yaml"), *ACME.rglob("*.yaml")])
SPECS = [path for path in FILES if path.name in {"resource.yaml", "action.yaml"}]


def read(path: Any) -> Any:
    return yaml.safe_load(path.read_text())


def is_loaded(name: str, value: Any) -> bool:
    adapter: Any = action_file() if name == "action.yaml" else resource_file()
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


def is_valid(name: str, value: Any) -> bool:
    schema = schemas()[f"{name.removesuffix('.yaml')}.schema.json"]
    return Draft202012Validator(schema).is_valid(value)


def mutations(value: Any) -> list[Any]:
    """Return the value with each key removed, renamed or given another type."""
    found: list[Any] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            rest = {name: one for name, one in value.items() if name != key}
            found += [rest, {**rest, f"{key}x": inner}]
            others: list[Any] = [None, 5, True, "x", [], {}, ["x"], [5]]
            found += [{**value, key: other} for other in others]
            found += [{**value, key: changed} for changed in mutations(inner)]
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += [[*value[:index], one, *value[index + 1 :]] for one in mutations(inner)]
    return found


@pytest.mark.parametrize("name", schemas())
def test_schema_equals_the_loaders(name: str) -> None:
    # `scripts/catalog schemas` writes it.
    assert json.loads((ROOT / "schemas" / name).read_text()) == schemas()[name]


@pytest.mark.parametrize("name", schemas())
def test_schema_is_valid(name: str) -> None:
    Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("path", SPECS, ids=str)
def test_schema_accepts_the_repository_catalogs(path: Any) -> None:
    assert is_valid(path.name, read(path))


@pytest.mark.parametrize("path", SPECS, ids=str)
def test_schema_and_loader_agree_on_each_mutation(path: Any) -> None:
    value = read(path)
    changed = [one for one in mutations(value) if isinstance(one, dict)]
    validator = Draft202012Validator(schemas()[f"{path.stem}.schema.json"])

    disagreed = [one for one in changed if validator.is_valid(one) is not is_loaded(path.name, one)]

    assert len(changed) >= 20
    assert disagreed == []


@pytest.mark.parametrize("path", SPECS, ids=str)
def test_file_names_its_schema(path: Any) -> None:
    modeline, _, _ = path.read_text().partition("\n")
    _, _, place = modeline.partition("$schema=")

    assert (path.parent / place).resolve() == ROOT / "schemas" / f"{path.stem}.schema.json"
