"""What a service's folder says about the service; people may have edited it by hand."""

import json
from dataclasses import dataclass

from slipway.errors import InvalidInput, UserError
from slipway.github.models import SERVICE_NAME, ServiceFolder, service_folder
from slipway.port.message import RunMessage


@dataclass(frozen=True)
class PortData:
    """What `portData.json` says, as far as day-2 actions need it.

    Attributes:
        environment: the service's environment. This one has been reviewed; the catalogue's may be
            edited by many.
        team: the team that is responsible; empty if none is named.
    """

    environment: str
    team: str


def service_of(message: RunMessage) -> str:
    """The name of the service that a day-2 action was executed on.

    Raises:
        InvalidInput: it is none.
    """
    if message.entity is None or not SERVICE_NAME.fullmatch(message.entity):
        raise InvalidInput("entity", "must be the name of a service")
    return message.entity


def read_port_data(folder: ServiceFolder) -> PortData:
    """Read `portData.json`.

    Raises:
        UserError: the service is not in the repository, or its file cannot be relied on.
    """
    if not folder.files:
        raise UserError(
            f"Service '{folder.service}' is not in the services repository: it was deleted, or its "
            "pull request is not merged yet. If only its entity is left, unregister it in Port."
        )
    path = f"{service_folder(folder.service)}/portData.json"
    try:
        data = json.loads(folder.texts[path])
        if data["identifier"] != folder.service:
            raise ValueError("identifier")
        environment = data["environment"]
        if not isinstance(environment, str) or not environment:
            raise ValueError("environment")
    except (KeyError, TypeError, ValueError, RecursionError):
        raise UserError(
            f"{path} cannot be relied on: it must be JSON whose 'identifier' is "
            f"'{folder.service}' and which names the 'environment'. Mend it on the base branch, "
            "then start this action again."
        ) from None
    team = data.get("responsible_team")
    return PortData(environment, team if isinstance(team, str) else "")
