"""What *Delete Service* wants done: the service's folder removed."""

from slipway.changes.edit import edit
from slipway.changes.proposal import Proposal
from slipway.changes.service_folder import service_of
from slipway.changes.situation import Situation
from slipway.errors import InvalidInput, UserError
from slipway.port.message import RunMessage

ACTION = "delete_service"
_NAMED = 10


def plan(message: RunMessage, situation: Situation) -> Proposal:
    """Decide what the request wants done.

    Args:
        message: the request.
        situation: the service's folder with all its texts, and its dependents.

    Raises:
        InvalidInput: the typed name is not the service's.
        UserError: others depend on the service, or it is not in the repository.
    """
    service = service_of(message)
    if message.inputs.get("service_name") != service:
        raise InvalidInput(
            "service_name",
            f"must have the service's name, '{service}', typed out",
            "Type the service's name to confirm",
        )
    if dependents := situation.dependents:
        more = f" and {len(dependents) - _NAMED} more" if len(dependents) > _NAMED else ""
        raise UserError(
            f"Service '{service}' cannot be deleted while others depend on it: "
            f"{', '.join(dependents[:_NAMED])}{more}. Change or remove these first."
        )
    files = situation.folder.files
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    return edit(
        message,
        situation,
        dict.fromkeys(files),
        title=f"Delete service {service}",
        summary=f"service deleted, {count}",
        wish="a service to be deleted",
        facts={"Removes": count},
        consequence="Merging this pull request deletes the service and takes it out of the "
        "catalogue. Closing it without a merge ends the run with failure; the service stays.",
    )
