"""Catalogs for tests, and small changes of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.planning import FilePlan, Plan, Situation, make_plan
from slipway.catalog.reading import read_folder
from slipway.catalog.request import Request, Target, Tree, find_target
from slipway.errors import CatalogRefused

ROOT = Path(__file__).resolve().parents[2]
SHIPPED, ACME = ROOT / "catalog", ROOT / "tests/catalogs/acme"
RUN_ID = "r_0123456789abcdef"
EMPTY = Tree({}, {})


@cache
def catalog(folder: Path) -> Catalog:
    """Load a catalog once."""
    return load_catalog(read_folder(folder))


def changed(folder: Path, path: str, old: str, new: str) -> dict[str, bytes]:
    """Replace a text in one file of a catalog; the text must exist."""
    files = read_folder(folder)
    text = files[path].decode()
    assert old in text, f"{old!r} is not in {path}"
    return {**files, path: text.replace(old, new, 1).encode()}


def faults_of(files: Mapping[str, bytes]) -> list[str]:
    """Return the faults that loading finds, as text."""
    try:
        load_catalog(files)
    except CatalogRefused as error:
        return [str(fault) for fault in error.faults]
    return []


def target_of(folder: Path, action: str, **request: Any) -> tuple[Target, Request]:
    """Return the target of a request."""
    hints = request.pop("hints", None)
    asked = Request(
        run_id=RUN_ID,
        action=action,
        requester={"id": "auth0|1", "email": "dev@acme.example", "name": "Dee Veloper"},
        requested_at="2026-11-23T10:00:00Z",
        **request,
    )
    return find_target(catalog(folder), asked, hints), asked


def plan_of(folder: Path, action: str, tree: Tree = EMPTY, **more: Any) -> Plan:
    """Plan a request."""
    situation = {key: more.pop(key) for key in ("limits", "settings", "dependents") if key in more}
    target, asked = target_of(folder, action, **more)
    return make_plan(target, asked, Situation(tree=tree, **situation))


def files_of(folder: Path, action: str, tree: Tree = EMPTY, **more: Any) -> FilePlan:
    """Return the files of a plan that must be a pull request."""
    plan = plan_of(folder, action, tree, **more)
    assert isinstance(plan, FilePlan)
    return plan


def tree_of(*plans: FilePlan, **texts: str) -> Tree:
    """Return the base branch after these plans are merged, and with these files."""
    found = {path: text for plan in plans for path, text in plan.files.items() if text is not None}
    found |= texts
    return Tree({path: f"{index:040x}" for index, path in enumerate(found)}, found)
