"""Entities of the shipped catalog for tests."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.reading import read_folder
from slipway.catalog.request import Request, Resource, Target, find_resource, find_target
from slipway.changes.proposal import files_of
from slipway.github.folder import Choose
from slipway.github.models import EntityFiles, Place

ROOT = Path(__file__).resolve().parents[1]
PLACE = Place(name="acme/services")
VALUES = "# by hand\nreplicas: 2   # not more\nimage: {tag: '1.0'}\n"


@cache
def shipped() -> Catalog:
    """Load the shipped catalog."""
    return load_catalog(read_folder(ROOT / "catalog"))


def service(name: str) -> Resource:
    """Make a service."""
    return find_resource(shipped(), f"service/{name}")


def service_files(name: str) -> EntityFiles:
    """Return the files that belong to a service."""
    return files_of(service(name))


def target(action: str, entity: str | None, **inputs: Any) -> Target:
    """Return the target of an action's run."""
    return find_target(
        shipped(), Request(run_id="r_1", action=action, entity=entity, inputs=inputs)
    )


def named(*names: str) -> Choose:
    """Select the texts of files with these names."""
    return lambda paths: [path for path in paths if path.rpartition("/")[2] in names]


def created_service(
    name: str, environment: str, **properties: Any
) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Return the files and the body of the entity that a merged create leaves."""
    described = {
        "owner": "developer@acme.example",
        "responsible_team": "payments",
        "project": "shop",
        "environment": environment,
        "service_type": "backend",
    }
    data = {
        "identifier": name,
        "title": name,
        **described,
        "health_status": "Pending",
        "sync_status": "OutOfSync",
        "blueprint": "service",
        "run_id": "r_0000000000000000",
    }
    files: dict[str, str | None] = {
        f"apps/{name}/portData.json": json.dumps(data, indent=2),
        f"apps/{name}/common_values.yaml": VALUES,
    }
    shown = {**described, "replicas": 2, **properties}
    return files, {"identifier": name, "title": name, "properties": shown}
