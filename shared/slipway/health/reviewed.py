"""What a service's reviewed files on the base branch say of it, for a repair.

More people may edit the catalogue than the base branch, so nothing that a repair depends on comes
from the catalogue.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from slipway.changes.scale_service import FILES, find_replicas
from slipway.changes.service_folder import read_port_data
from slipway.errors import GitHubError, UserError
from slipway.github.models import SERVICE_NAME
from slipway.health.state import Reviewed

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository


def read_reviewed(service: str, repository: Callable[[], "ServicesRepository"]) -> Reviewed:
    """Read environment and replicas of a service; what cannot be read is said.

    Raises:
        GitHubUnavailable: GitHub is throttling, failing or silent.
    """
    if not SERVICE_NAME.fullmatch(service):
        return Reviewed(fault="Its identifier names no service of the services repository.")
    try:
        folder = repository().read_service(service, names=FILES)
        environment = read_port_data(folder).environment
    except (GitHubError, UserError) as error:
        return Reviewed(fault=str(error))
    try:
        return Reviewed(environment=environment, replicas=find_replicas(folder).value)
    except UserError as error:
        return Reviewed(environment=environment, replicas_fault=str(error))
