"""What a service's folder says about the service; people may have edited it by hand."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.catalog.documents import Document, read_document
from slipway.changes.text import BLUEPRINT
from slipway.errors import DocumentRefused, InvalidInput, UserError
from slipway.github.models import SERVICE_NAME, ServiceFolder, service_folder
from slipway.port.message import RunMessage

_REVIEWED = ("owner", "responsible_team", "project", "environment", "service_type")


@dataclass(frozen=True)
class PortData:
    """What `portData.json` says of the service.

    Attributes:
        environment: the service's environment. This one has been reviewed; the catalogue's may be
            edited by many.
        team: the team that is responsible; empty if none is named.
        run_id: the run that created the service; empty if none is named.
        reviewed: what people decided in the form, or corrected in the pull request, as properties
            of the entity.
    """

    environment: str
    team: str
    run_id: str
    reviewed: Mapping[str, str]


def service_of(message: RunMessage) -> str:
    """The name of the service that a run is about: the one it creates, or was executed on.

    Raises:
        InvalidInput: it is none.
    """
    creates = message.operation == "CREATE"
    name = message.inputs.get("service_name") if creates else message.entity
    if not isinstance(name, str) or not SERVICE_NAME.fullmatch(name):
        raise InvalidInput("service_name" if creates else "entity", "must be the name of a service")
    return name


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
    if path not in folder.texts:
        raise _unreliable(path, "must be there and be valid JSON")
    try:
        document = read_document(folder.texts[path], "json")
    except DocumentRefused as error:
        raise _unreliable(path, error.problem) from None
    for name, expected in (("identifier", folder.service), ("blueprint", BLUEPRINT)):
        if document.read(name) != expected:
            raise _unreliable(path, f"must have '{name}' {expected!r}")
    said = _texts(document, "environment", "responsible_team", "run_id", *_REVIEWED)
    environment = said.get("environment", "")
    if not _is_name(environment):
        raise _unreliable(path, "must name the service's 'environment'")
    reviewed = {name: said[name] for name in _REVIEWED if name in said}
    team, run_id = said.get("responsible_team", ""), said.get("run_id", "")
    return PortData(environment, team, run_id, reviewed)


def _texts(document: Document, *names: str) -> dict[str, str]:
    found = {name: document.read(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 100 and text.isprintable()


def _unreliable(path: str, expectation: str) -> UserError:
    return UserError(
        f"{path} {expectation}. Fix it on the base branch, then start this action again."
    )
