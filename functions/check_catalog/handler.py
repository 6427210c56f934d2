"""Check a new catalog before Terraform updates any other function."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field
from slipway.catalog.check import check_catalog
from slipway.catalog.loading import load_catalog
from slipway.changes.policy_document import parse_policy
from slipway.config import Config, load
from slipway.errors import CatalogRefused
from slipway.observability import logger
from slipway.runs.catalogs import read_files


class CheckConfig(Config):
    """Location of the catalog.

    The event has the version, so the environment does not change.
    """

    catalog_bucket: str = Field(alias="CATALOG_BUCKET", min_length=1)
    catalog_key: str = Field(alias="CATALOG_KEY", min_length=1)


SETTINGS = CheckConfig


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, list[str]]:
    """Check a version of the catalog with the policy; return the actions.

    Raises:
        CatalogRefused: the catalog is invalid; the message has file, line and fix of each error.
        ConfigurationError: the catalog or the policy cannot be read.
    """
    config = load(CheckConfig)
    files = read_files(config.catalog_bucket, config.catalog_key, str(event["catalog_version"]))
    policy = parse_policy(event["policy"])
    repositories = {key: place.name for key, place in policy.repositories.items()}
    faults = check_catalog(files, repositories, policy.limits, policy.settings)
    if faults:
        raise CatalogRefused(faults)
    kinds = load_catalog(files).kinds.values()
    return {"actions": sorted(action for kind in kinds for action in kind.actions)}
