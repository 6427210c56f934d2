"""The pages that say where things are agree with the folders and imports."""

import re
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"
Arrows = set[tuple[str, str]]


def imports() -> dict[str, set[str]]:
    """Package → packages that it imports; single modules are `basics`."""
    graph = grimp.build_graph("slipway", cache_dir=None)
    packages = {name for name in graph.find_children("slipway") if graph.find_children(name)}
    names = {name: name.removeprefix("slipway.") for name in packages}
    found = defaultdict(set)
    for module in graph.modules - {"slipway"}:
        importer = names.get(".".join(module.split(".")[:2]), "basics")
        for imported in graph.find_modules_directly_imported_by(module):
            found[importer].add(names.get(".".join(imported.split(".")[:2]), "basics"))
    return {importer: imported - {importer} for importer, imported in found.items()}


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    below = graph.get(start, set())
    return below.union(*(reachable(graph, package) for package in below))


def test_picture_of_packages_has_the_arrows_of_the_code() -> None:
    graph = imports()
    direct = {(upper, lower) for upper, below in graph.items() for lower in below}
    implied = {(upper, lower) for upper, between in direct for lower in reachable(graph, between)}

    section = PAGE.read_text().partition("### Packages of the layer")[2].partition("\n## ")[0]
    drawn: Arrows = set(re.findall(r"^ +(\w+) --> (\w+)$", section, re.MULTILINE))

    assert drawn == direct - implied


def test_imports_of_packages_form_no_circle() -> None:
    graph = imports()

    assert [package for package in graph if package in reachable(graph, package)] == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_page_names_only_paths_that_exist(name: str) -> None:
    # `make demo` creates `.sandbox`, and `make down` removes most of it.
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".sandbox"}
    spans = re.findall(r"`([\w.*/<>-]+/[\w.*/<>-]*)`", (ROOT / name).read_text())
    paths = {span for span in spans if span.partition("/")[0] in folders}
    # A placeholder stands for any name.
    missing = {path for path in paths if not any(ROOT.glob(re.sub("<[^>]+>", "*", path)))}

    assert len(paths) > 15
    assert missing == set()
