"""Each function's environment matches its settings model."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from slipway.config import Config

from scripts import settings

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(file.parent.name for file in ROOT.glob("functions/*/handler.py"))


def test_terraform_knows_the_variables_of_every_function() -> None:
    written = settings.written(settings.settings())

    assert settings.FILE.read_text() == written, "run scripts/settings"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_settings_have_every_model_that_the_function_loads(function: str) -> None:
    handler = importlib.import_module(f"functions.{function}.handler")

    loaded = [model for place in reached(handler) for model in loads(*place)]

    named, needed = set(handler.SETTINGS.model_fields), {n for m in loaded for n in m.model_fields}
    assert needed
    assert needed - named == set()


type Place = tuple[ModuleType, ast.stmt]


def reached(handler: ModuleType) -> Iterator[Place]:
    """Return the statements of Slipway's modules that a handler reaches, by the names it uses."""
    waiting = [(handler, statement) for statement in tree(handler).body]
    seen = set[tuple[str, int]]()
    while waiting:
        module, statement = waiting.pop()
        if (module.__name__, statement.lineno) in seen:
            continue
        seen.add((module.__name__, statement.lineno))
        if isinstance(statement, ast.ImportFrom):
            continue  # an import is followed where its name is used
        yield module, statement
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                waiting += definitions(module, node.id)


@cache
def definitions(module: ModuleType, name: str) -> list[Place]:
    """Return the statements that define a name of a module, followed through imports."""
    if name not in imports(module):
        return [(module, statement) for statement in defined(module).get(name, [])]
    source = importlib.import_module(imports(module)[name])
    found = getattr(source, name, None)
    if isinstance(found, ModuleType):
        return [(found, statement) for statement in tree(found).body]
    return definitions(source, name)


@cache
def imports(module: ModuleType) -> dict[str, str]:
    """Return name → module of a module's imports from Slipway, at any level."""
    return {
        one.name: str(node.module)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom)
        and str(node.module).partition(".")[0] in {"slipway", "functions"}
        for one in node.names
    }


@cache
def defined(module: ModuleType) -> dict[str, list[ast.stmt]]:
    """Return name → the statements of a module that define it."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in tree(module).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.TypeAlias):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name):
                    found.setdefault(node.id, []).append(statement)
    return found


@cache
def tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text())


def loads(module: ModuleType, statement: ast.stmt) -> list[type[Config]]:
    """Return the models that a statement reads from the environment."""
    return [
        getattr(module, call.args[0].id)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "load"
        and call.args
        and isinstance(call.args[0], ast.Name)
        and hasattr(module, call.args[0].id)
    ]
