"""The engine's Python code contains no name from an example catalog."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from slipway.catalog import model
from slipway.catalog.expressions import HIDDEN, ROOTS
from slipway.catalog.files import schemas
from slipway.catalog.form import DRY_RUN

from tests.catalogs.samples import ACME, ROOT, SHIPPED, catalog

ENGINE = (ROOT / "shared", ROOT / "functions")
# Words of the engine itself: of its output, its files and Port's objects.
OWN = {
    *model.OWN_PROPERTIES,
    *model.HEALTH_PROPERTIES,
    *model.HEALTH_OPTIONAL,
    *model.OWN_METADATA,
    DRY_RUN,
    model.PENDING,
    *ROOTS,
    # Keys of a requester and of Port's team, user and entity.
    "id", "email", "name",
    # Words of locks, GitHub addresses, errors, steps, and Slipway's own tables and outputs.
    "owner", "main", "port", "reason", "step", "service", "services",
    # Filters of jq, which are removed.
    *HIDDEN,
}  # fmt: skip


def keys_of(node: object) -> Iterator[str]:
    """Return the keys of one of our schemas."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for inner in node.values():
            yield from keys_of(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from keys_of(inner)


def words() -> set[str]:
    """Return the names in both catalogs: actions, blueprints, properties, parts, inputs, paths."""
    found: set[str] = set()
    for folder in (SHIPPED, ACME):
        for kind in catalog(folder).kinds.values():
            found |= {kind.blueprint.identifier, *kind.actions, *kind.parts}
            found |= {*kind.blueprint.properties, *kind.blueprint.relations}
            found |= {*kind.spec.properties, *kind.spec.after_merge, *kind.spec.settings}
            found |= {
                word
                for pattern in kind.patterns
                for word in re.split(r"[/{}*-]|[.][a-z]+$|[.]", pattern.text)
            }
            for action in kind.actions.values():
                found |= set(action.form.inputs) | set(action.spec.limits)
                found |= set(getattr(action.spec, "metadata", {}))
    return {word for word in found if word} - OWN - set(keys_of(schemas()))


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Return the string literals of a module that are not docstrings."""
    tree = ast.parse(path.read_text())
    described = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in described:
                yield node.lineno, text


def test_engine_contains_no_example_name() -> None:
    wanted = words()
    found = {
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for folder in ENGINE
        for path in folder.rglob("*.py")
        for line, text in literals(path)
        if text in wanted
    }

    assert found == set()


def test_example_names_are_known() -> None:
    # This shows that the test above can fail.
    assert {"bucket", "replicas", "apps", "unit", "create_service", "tier"} <= words()
