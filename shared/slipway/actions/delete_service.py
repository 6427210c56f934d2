"""What *Delete Service* wants done: the service's folder removed."""

from collections.abc import Mapping, Sequence

from slipway.actions.proposal import Proposal, preview
from slipway.actions.service_folder import read_port_data, service_of
from slipway.actions.text import pull_request_body
from slipway.errors import InvalidInput, UserError
from slipway.github.models import Change, ServiceFolder, run_branch
from slipway.port.message import RunMessage

ACTION = "delete_service"
_NAMED = 10


def plan(
    message: RunMessage,
    folder: ServiceFolder,
    *,
    dependents: Sequence[str],
    run_url: str,
    reviewers: Mapping[str, list[str]],
) -> Proposal:
    """Decide what the request wants done.

    Args:
        message: the request.
        folder: the service's folder with all its texts.
        dependents: the entities that relate to the service.
        run_url: the run's page in Port.
        reviewers: each team's reviewers, written as in `Change.reviewers`.

    Raises:
        InvalidInput: the typed name is not the service's.
        UserError: others depend on the service, or it is not in the repository.
    """
    service = service_of(message)
    if message.inputs.get("service_name") != service:
        raise InvalidInput("service_name", f"must be the service's name, '{service}', typed out")
    if dependents:
        more = f" and {len(dependents) - _NAMED} more" if len(dependents) > _NAMED else ""
        raise UserError(
            f"Service '{service}' cannot be deleted while others depend on it: "
            f"{', '.join(dependents[:_NAMED])}{more}. Change or remove these first."
        )
    data = read_port_data(folder)
    files: dict[str, str | None] = dict.fromkeys(folder.files)
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    change = Change(
        service=service,
        branch=run_branch(ACTION, message.run_id),
        title=f"Delete service {service}",
        body=pull_request_body(
            message,
            service,
            {"Service": service, "Environment": data.environment, "Removes": count},
            wish="a service to be deleted",
            run_url=run_url,
            consequence="Merging this pull request deletes the service and takes it out of the "
            "catalogue. Closing it without a merge ends the run with failure; the service stays.",
        ),
        files=files,
        committed_at=message.requested_at,
        base_commit=folder.commit,
        labels=("slipway", ACTION),
        reviewers=tuple(reviewers.get(data.team, ())),
    )
    return Proposal(
        action=ACTION,
        service=service,
        environment=data.environment,
        summary=f"service deleted, {count}",
        change=change,
        base=folder.files,
        preview=preview({path: folder.texts.get(path) for path in files}, files),
    )
