"""The result of a check, and the installation that it checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.reading import read_folder

from scripts.port_definitions import CATALOG


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes:
        name: what was checked.
        ok: None if the check could not run.
        detail: what was found.
        cure: how to fix a fault.
    """

    name: str
    ok: bool | None
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class Installation:
    """The installation that is checked.

    Attributes:
        settings: environment variables, for example `PORT_BASE_URL`.
        name_prefix: Terraform's `name_prefix`.
        catalog_folder: the folder of its catalog.
    """

    settings: Mapping[str, str]
    name_prefix: str = "slipway"
    catalog_folder: Path = CATALOG

    @cached_property
    def catalog(self) -> Catalog:
        """Load the catalog.

        Raises:
            CatalogRefused: it has faults.
        """
        return load_catalog(read_folder(self.catalog_folder))


# Some checks have a row for each checked item.
Check = Callable[[Installation], Result | list[Result]]
