"""Share clients among functions, each created when first needed."""

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
def port_client(retry_budget: float = 20.0) -> "PortClient":
    """Return one client for the life of the process, with Port's token.

    Args:
        retry_budget: seconds that one call may take with all retries.
    """
    # requests and tenacity are imported with it: foreign messages do not need them.
    from slipway.port.client import PortClient
    from slipway.runs.node_runs import NodeRuns

    config = load(ClientConfig)
    return PortClient(
        config.port_base_url,
        lambda fresh: port_credentials(config, fresh=fresh),
        retry_budget=retry_budget,
        node_runs=NodeRuns(config.runs_table),
    )


def services_repository(
    config: GitHubConfig, place: Place, *, retry_budget: float = 20.0
) -> "ServicesRepository":
    """Return a GitHub client for one piece of work.

    Args:
        config: address of GitHub.
        place: the repository.
        retry_budget: seconds from now that it may wait for GitHub; by default as for a message.
    """
    # PyGithub takes as long to import as boto3, so it is imported only when needed.
    from slipway.github.repository import ServicesRepository

    return ServicesRepository(
        config,
        place,
        lambda fresh: read_secret(GitHubCredentials, config.github_secret_id, fresh=fresh),
        retry_budget=retry_budget,
    )


def port_credentials(config: PortConfig, *, fresh: bool = False) -> PortCredentials:
    """Return Port's client id and secret."""
    credentials = read_secret(PortCredentials, config.port_secret_id, fresh=fresh)
    register_secret(credentials.client_secret.get_secret_value())
    return credentials


def signing_secrets(config: PortConfig) -> Iterator[str]:
    """Yield client secrets: cached, freshly read, before a recent rotation.

    Read only as far as needed: a signature that matches the cached secret costs no call.
    """
    yield port_credentials(config).client_secret.get_secret_value()
    yield port_credentials(config, fresh=True).client_secret.get_secret_value()
    if previous := read_previous_secret(PortCredentials, config.port_secret_id):
        register_secret(previous.client_secret.get_secret_value())
        yield previous.client_secret.get_secret_value()
