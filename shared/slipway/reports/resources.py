"""Find a run's entity, with the newest catalog or the run's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.catalog.keys import split_key
from slipway.catalog.model import Catalog
from slipway.catalog.request import Resource, find_resource
from slipway.config import CatalogConfig
from slipway.errors import ActionGone, ConfigurationError
from slipway.observability import logger
from slipway.runs.catalogs import catalog_of, newest_catalog

if TYPE_CHECKING:
    from slipway.port.client import PortClient


@dataclass(frozen=True)
class Known:
    """The entity of a run.

    Attributes:
        resource: the entity.
        operation: of the run's action; empty if no catalog has the action any more.
    """

    resource: Resource
    operation: str


def find_known(
    config: CatalogConfig, port: "PortClient", row: Mapping[str, Any], action: str
) -> Known:
    """Find the entity of a run.

    Args:
        config: where the catalog is.
        port: gives the hints of kinds that need them.
        row: the run's row of the ledger.
        action: the action's name in the catalog.

    Raises:
        ActionGone: neither catalog has the kind.
        UserError: the identifier does not belong to the kind.
    """
    gone: ActionGone | None = None
    for catalog in _catalogs(config, row):
        try:
            resource = find_entity(catalog, port, str(row["service"]))
        except ActionGone as error:
            gone = gone or error
            continue
        return Known(resource, _operation(config, row, action))
    raise gone or ActionGone("The catalog does not exist.")


def find_entity(catalog: Catalog, port: "PortClient", key: str) -> Resource:
    """Find an entity by its key, with Port's hints for kinds that need them.

    Raises:
        ActionGone: the catalog does not have the kind.
        UserError: the identifier does not belong to the kind.
    """
    blueprint, identifier = split_key(key)
    kind = catalog.kind_of(blueprint)
    entity = port.get_entity(blueprint, identifier) if kind and kind.spec.locate else None
    return find_resource(catalog, key, entity.properties if entity else None)


def _operation(config: CatalogConfig, row: Mapping[str, Any], action: str) -> str:
    for catalog in _catalogs(config, row):
        if found := catalog.find(action):
            return found[1].spec.operation
    return ""


def _catalogs(config: CatalogConfig, row: Mapping[str, Any]) -> Iterator[Catalog]:
    yield newest_catalog(config)
    noted = row.get("catalog")
    if noted and noted != config.catalog_version:
        try:
            yield catalog_of(config, str(noted))
        except ConfigurationError as error:
            # Old versions expire only after every run that could name them.
            logger.warning("The catalog of a run cannot be read", extra={"why": str(error)})
