"""Check a catalog: names, types, paths, expressions.

Faults that names cannot show are found by a trial: each create with sample inputs, then each other
action on the files that it created.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from slipway.catalog.check.actions import check_action
from slipway.catalog.check.kinds import (
    check_environment,
    check_kind,
    check_overlap,
    check_repository,
)
from slipway.catalog.check.samples import play
from slipway.catalog.faults import Fault
from slipway.catalog.loading import load
from slipway.catalog.model import Catalog

__all__ = ["check_catalog"]


def check_catalog(
    files: Mapping[str, bytes],
    repositories: Mapping[str, str] | None = None,
    limits: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Fault]:
    """Find the faults of a catalog.

    Args:
        files: path within the catalog → content.
        repositories: the installation's map, key → repository; None: not checked.
        limits: the approval policy's limits, by action.
        settings: the installation's `catalog_settings`.
    """
    if repositories is not None:
        # GitHub ignores letter case in repository names.
        repositories = {key: name.casefold() for key, name in repositories.items()}
    catalog, faults = load(files)
    if not faults:
        faults = list(_named(catalog, repositories, limits or {}, settings or {}))
    if not faults:
        # After faults of the first kind, these checks would only repeat them.
        for kind in catalog.kinds.values():
            faults += check_environment(kind)
            faults += play(kind, limits or {}, settings or {})
    return sorted(set(faults))


def _named(
    catalog: Catalog,
    repositories: Mapping[str, str] | None,
    limits: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> Iterator[Fault]:
    kinds = list(catalog.kinds.values())
    for kind in kinds:
        yield from check_kind(kind, settings)
        if repositories is not None:
            yield from check_repository(kind, repositories)
        for action in kind.actions.values():
            yield from check_action(kind, action, limits.get(action.identifier, {}))
    for one, other in combinations(kinds, 2):
        yield from check_overlap(one, other, repositories)
