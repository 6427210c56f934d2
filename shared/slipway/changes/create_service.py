"""What *Create New Service* wants done: a folder in the services repository, and an entity."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from slipway.changes.proposal import Proposal, preview
from slipway.changes.text import BLUEPRINT, pull_request_body
from slipway.changes.values import Values, read_values
from slipway.errors import InvalidInput
from slipway.github.models import SERVICE_NAME, Change, run_branch, service_folder
from slipway.port.message import RunMessage

ACTION = "create_service"
# Properties that the merge workflow, the cluster and the health checker write from then on.
VOLATILE = frozenset({"health_status", "sync_status"})
_VALUES = {
    "common_values": "Events Pipeline Common Values",
    "consumers_values": "Consumers Common Values",
    "custom_values": "Service Custom Values",
}

Word = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Inputs(BaseModel):
    """The form of *Create New Service*, apart from the three values documents."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    service_name: str = Field(pattern=f"^{SERVICE_NAME.pattern}$")
    owner: Word
    team: Word
    project: Word
    environment: Literal["Test", "Staging", "Production"]
    service_type: Word
    replicas: int = Field(ge=1, le=100)
    # https://pkg.go.dev/github.com/distribution/reference#pkg-overview
    image_tag: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    values_format: Literal["JSON", "YAML"] | None = None

    @field_validator("replicas", mode="before")
    @classmethod
    def _is_a_count(cls, value: object) -> object:
        if isinstance(value, bool | str):
            raise ValueError("not a number")  # pydantic would take "2" and true for numbers
        return value


_EXPECTATIONS = {
    "service_name": "must have 1 to 63 lower-case letters (a-z), digits or '-', "
    "and neither start nor end with '-'",
    "environment": "must be one of Test, Staging, Production",
    "replicas": "must be a whole number from 1 to 100",
    "image_tag": "must be a container image tag: up to 128 letters, digits, '_', '.' or '-', "
    "not starting with '.' or '-'",
    "values_format": "must be JSON or YAML",
}


def plan(message: RunMessage, *, run_url: str, reviewers: Mapping[str, list[str]]) -> Proposal:
    """Decide what the request wants done.

    Args:
        message: the request.
        run_url: the run's page in Port.
        reviewers: each team's reviewers, written as in `Change.reviewers`.

    Raises:
        InvalidInput: an input is missing or breaks a rule.
    """
    _refuse_secrets(message)
    inputs = _read_inputs(message.inputs)
    documents = _read_documents(message.inputs, inputs)
    name = inputs.service_name
    folder = service_folder(name)
    port_data = {
        "identifier": name,
        "title": name,
        "owner": inputs.owner,
        "responsible_team": inputs.team,
        "project": inputs.project,
        "environment": inputs.environment,
        "service_type": inputs.service_type,
        "health_status": "Pending",
        "sync_status": "OutOfSync",
        "blueprint": BLUEPRINT,
        "run_id": message.run_id,
    }
    files: dict[str, str | None] = {
        f"{folder}/{field}.{values.document.syntax}": values.document.text
        for field, values in documents.items()
    }
    files[f"{folder}/portData.json"] = json.dumps(port_data, indent=2, ensure_ascii=False) + "\n"
    change = Change(
        service=name,
        branch=run_branch(ACTION, message.run_id),
        title=f"Scaffold new service {name}",
        body=_body(message, inputs, sorted(files), run_url),
        files=files,
        labels=("slipway", ACTION),
        reviewers=tuple(reviewers.get(inputs.team, ())),
        creates_service=True,
    )
    not_properties = {"identifier", "title", "blueprint", "run_id"}
    entity = {
        "identifier": name,
        "title": name,
        "properties": {
            **{k: v for k, v in port_data.items() if k not in not_properties},
            "replicas": inputs.replicas,
            "image_tag": inputs.image_tag,
        },
        "relations": {},
    }
    return Proposal(
        action=ACTION,
        service=name,
        environment=inputs.environment,
        summary=f"new service with {inputs.replicas} replica{'s' * (inputs.replicas != 1)}",
        change=change,
        base=dict.fromkeys(files),
        preview=preview({}, files),
        entity=entity,
    )


def with_pull_request(entity: dict[str, Any], url: str) -> dict[str, Any]:
    """The entity's body, once its pull request has an address."""
    return {**entity, "properties": {**entity["properties"], "pr_url": url}}


def _refuse_secrets(message: RunMessage) -> None:
    """Refuse inputs that the form encrypts: in the repository everybody would read them."""
    written = {*Inputs.model_fields, *_VALUES, *(f"{field}_yaml" for field in _VALUES)}
    for field in message.censored:
        if field in written:
            raise InvalidInput(
                field,
                "is a secret input of the form, but would stand in the services repository for "
                "everybody to read. Ask the platform team to have it not encrypted, and type a "
                "reference to a secret there, never a secret",
            )


def _read_inputs(typed: dict[str, Any]) -> Inputs:
    try:
        return Inputs.model_validate(typed)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        if first["type"] == "missing":
            raise InvalidInput(field, "is missing") from None
        expectation = _EXPECTATIONS.get(field, "must be a text of 1 to 100 characters")
        raise InvalidInput(field, expectation) from None


def _read_documents(typed: dict[str, Any], inputs: Inputs) -> dict[str, Values]:
    documents = {field: _read_document(typed, field, inputs.values_format) for field in _VALUES}
    common = documents["common_values"]
    for path, value in {"image.tag": inputs.image_tag, "replicas": inputs.replicas}.items():
        found = common.read(path)
        if found is not None and not _same(found, value):
            raise InvalidInput(
                f"common_values.{path}",
                f"must be the same as in the form ({value}), or be left out",
            )
        common = common.with_missing(path, value)
    return {**documents, "common_values": common}


def _read_document(typed: dict[str, Any], field: str, chosen: str | None) -> Values:
    """Read a document from whichever of its two inputs was shown to the person.

    Port submits hidden inputs too, so the chosen format decides; without one, what is filled in.
    """
    given = {f: typed[f] for f in (field, f"{field}_yaml") if typed.get(f) not in (None, "", {})}
    if len(given) > 1:
        if chosen is None:
            raise InvalidInput(field, "is filled in twice, as JSON and as YAML: only one may be")
        name = field if chosen == "JSON" else f"{field}_yaml"
        return read_values(name, given[name])
    for name, value in given.items():
        return read_values(name, value)
    return read_values(field, "\n" if chosen == "YAML" else {})


def _same(typed: object, value: object) -> bool:
    try:
        return str(typed) == str(value)
    except ValueError:  # Python writes no number of 4,301 digits, but reads them in hexadecimal.
        return False


def _body(message: RunMessage, inputs: Inputs, files: list[str], run_url: str) -> str:
    facts = {
        "Service name": inputs.service_name,
        "Owner": inputs.owner,
        "Team": inputs.team,
        "Project": inputs.project,
        "Environment": inputs.environment,
        "Service type": inputs.service_type,
        "Replicas": inputs.replicas,
        "Image tag": inputs.image_tag,
    }
    listing = "\n".join(f"- `{path}`" for path in files)
    return pull_request_body(
        message,
        inputs.service_name,
        facts,
        wish="a new service",
        run_url=run_url,
        consequence=f"The values that were typed are in these files:\n\n{listing}\n\n"
        "Merging this pull request deploys the service and ends the run with success. "
        "Closing it without a merge ends the run with failure and removes the pending service "
        "from the catalogue.",
    )
