"""Read the catalog's object in S3, once per process and version."""

from functools import lru_cache

from botocore.exceptions import ClientError

from slipway import aws
from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.reading import read_object
from slipway.config import CatalogConfig
from slipway.errors import ConfigurationError


def newest_catalog(config: CatalogConfig) -> Catalog:
    """Return the catalog that runs are planned with.

    Raises:
        ConfigurationError: it cannot be read, or has faults.
    """
    return catalog_of(config, config.catalog_version)


def catalog_of(config: CatalogConfig, version: str) -> Catalog:
    """Return a version of the catalog, for example the one of a run.

    Raises:
        ConfigurationError: it cannot be read, or has faults.
    """
    return _load(config.catalog_bucket, config.catalog_key, version)


def read_files(bucket: str, key: str, version: str) -> dict[str, bytes]:
    """Return the files of a catalog version: path → content.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        answer = aws.s3().get_object(Bucket=bucket, Key=key, VersionId=version)
        return read_object(answer["Body"].read())
    except (ClientError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"The catalog s3://{bucket}/{key} cannot be read in version {version} "
            f"({type(error).__name__}). Apply the stack again."
        ) from error


@lru_cache(maxsize=8)
def _load(bucket: str, key: str, version: str) -> Catalog:
    return load_catalog(read_files(bucket, key, version))
