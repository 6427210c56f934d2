"""The clients that all functions share, each made when it is first needed."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from slipway.config import (
    ClientConfig,
    GitHubConfig,
    GitHubCredentials,
    PortConfig,
    PortCredentials,
    load,
    read_previous_secret,
    read_secret,
)
from slipway.github.models import Place
from slipway.observability import register_secret

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient


@cache
def port_client(patience: float = 20.0) -> "PortClient":
    """One client for the life of the process: it keeps Port's access token.

    Args:
        patience: seconds that one call may take with all its repetitions.
    """
    # requests and tenacity come with it: a message that is not ours does without them.
    from slipway.port.client import PortClient
    from slipway.runs.node_runs import NodeRuns

    config = load(ClientConfig)
    return PortClient(
        config.port_base_url,
        lambda fresh: port_credentials(config, fresh=fresh),
        patience=patience,
        node_runs=NodeRuns(config.runs_table),
    )


def services_repository(
    config: GitHubConfig, place: Place, *, patience: float = 20.0
) -> "ServicesRepository":
    """A client for one piece of work.

    Args:
        config: where GitHub is.
        place: which repository.
        patience: for how many seconds from now it may wait for GitHub; by default as for a message.
    """
    # PyGithub takes as long to import as boto3: only what gets this far should wait for it.
    from slipway.github.repository import ServicesRepository

    return ServicesRepository(
        config,
        place,
        lambda fresh: read_secret(GitHubCredentials, config.github_secret_id, fresh=fresh),
        patience=patience,
    )


def port_credentials(config: PortConfig, *, fresh: bool = False) -> PortCredentials:
    """Port's client id and secret."""
    credentials = read_secret(PortCredentials, config.port_secret_id, fresh=fresh)
    register_secret(credentials.client_secret.get_secret_value())
    return credentials


def signing_secrets(config: PortConfig) -> Iterator[str]:
    """The client secret; then a freshly read one; then the one before a recent rotation.

    Read only as far as needed: a signature that fits the cached secret costs no call.
    """
    yield port_credentials(config).client_secret.get_secret_value()
    yield port_credentials(config, fresh=True).client_secret.get_secret_value()
    if previous := read_previous_secret(PortCredentials, config.port_secret_id):
        register_secret(previous.client_secret.get_secret_value())
        yield previous.client_secret.get_secret_value()
