"""What Slipway itself does to a service's entity when the services repository has not reported.

Less than the services repository's workflow does: it alone knows the addresses of what is deployed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slipway.actions import create_service, delete_service, scale_service
from slipway.actions.service_folder import read_port_data
from slipway.actions.text import BLUEPRINT
from slipway.errors import PortError, UserError
from slipway.github.models import PullRequest
from slipway.port.models import Run

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient


def remove_pending(port: "PortClient", service: str, pull: PullRequest) -> bool:
    """Remove the entity of a service that was never made, because its pull request was closed.

    Only one that is pending and this pull request's; one that others relate to stays.

    Returns:
        Whether it is gone.
    """
    entity = port.get_entity(BLUEPRINT, service)
    known = entity.properties if entity else {}
    if known.get("health_status") != "Pending" or known.get("pr_url") != pull.url:
        return entity is None
    return _remove(port, service)


def follow_merge(
    run: Run,
    service: str,
    pull: PullRequest,
    port: "PortClient",
    repository: "ServicesRepository",
) -> tuple[bool, str]:
    """Bring a service's entity up to date after a merge, as far as the base branch tells.

    Args:
        run: the run whose pull request was merged.
        service: the service.
        pull: the pull request.
        port: where the entity is.
        repository: what is on the base branch.

    Returns:
        Whether the catalogue now says what the merge wanted, and what was done, as a sentence.
    """

    def write(**properties: Any) -> None:
        body = {"identifier": service, "properties": properties}
        port.upsert_entity(BLUEPRINT, body, run_id=run.id)

    entity = port.get_entity(BLUEPRINT, service)
    if entity is None and run.action != create_service.ACTION:
        return True, f"Port has no entity '{service}', so none was changed."
    match run.action:
        case create_service.ACTION if entity is None:
            return True, _created(run, service, pull, port, repository)
        case create_service.ACTION:
            if entity and entity.properties.get("health_status") == "Pending":
                write(health_status="Progressing")
            return True, "Its addresses and namespace are not filled in."
        case scale_service.UPSCALE | scale_service.DOWNSCALE:
            return True, _scaled(service, repository, write)
        case delete_service.ACTION:
            return _deleted(service, port, repository, write)
    return True, "The entity was left as it is."


def _created(
    run: Run,
    service: str,
    pull: PullRequest,
    port: "PortClient",
    repository: "ServicesRepository",
) -> str:
    """Make the entity that the function did not come to: it was killed after the pull request."""
    folder = repository.read_service(service, names=scale_service.FILES)
    if not folder.files:
        return "The service has been removed since, so no entity was made."
    try:
        data = read_port_data(folder)
    except UserError as error:
        return f"Port has no entity '{service}', and none was made. {error}"
    if data.run_id != run.id:
        return "The service has been replaced since, so its entity was left to that."
    properties: dict[str, Any] = {
        **data.reviewed,
        "health_status": "Progressing",
        "pr_url": pull.url,
    }
    left_out = ""
    try:
        properties["replicas"] = scale_service.find_replicas(folder).value
    except UserError as error:
        left_out = f" The number of replicas was left out. {error}"
    body = {"identifier": service, "title": service, "properties": properties}
    port.upsert_entity(BLUEPRINT, body, run_id=run.id)
    return f"Its entity was made; its addresses and namespace are not filled in.{left_out}"


def _scaled(service: str, repository: "ServicesRepository", write: Callable[..., None]) -> str:
    try:
        folder = repository.read_service(service, names=scale_service.FILES)
        replicas = scale_service.find_replicas(folder).value
    except UserError as error:
        return f"The number of replicas was left as it is. {error}"
    write(replicas=replicas)
    return f"The entity's replicas are {replicas}, as on the base branch."


def _deleted(
    service: str,
    port: "PortClient",
    repository: "ServicesRepository",
    write: Callable[..., None],
) -> tuple[bool, str]:
    if repository.read_service(service, names=frozenset()).files:
        return True, "The service's folder is on the base branch again, so its entity stays."
    if _remove(port, service):
        return True, "The service is out of the catalogue."
    write(health_status="Missing")
    names = ", ".join(port.dependents(BLUEPRINT, service))
    return False, f"The entity stays as Missing, because others depend on it: {names}."


def _remove(port: "PortClient", service: str) -> bool:
    try:
        port.delete_entity(BLUEPRINT, service)
    except PortError as error:
        if error.code != "has_dependents":
            raise
        return False
    return True
