"""What *Upscale Service* and *Downscale Service* want done: another number of replicas."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway.actions.number_edit import NumberInText, find_number
from slipway.actions.proposal import NothingToDo, Proposal, preview
from slipway.actions.service_folder import read_port_data, service_of
from slipway.actions.text import pull_request_body
from slipway.errors import InvalidInput, UserError
from slipway.github.models import Change, ServiceFolder, run_branch, service_folder
from slipway.port.message import RunMessage

UPSCALE = "upscale_service"
DOWNSCALE = "downscale_service"
FILES = frozenset({"common_values.json", "common_values.yaml", "portData.json"})


class ScaleLimits(BaseModel):
    """How far a service may be scaled, in replicas.

    Attributes:
        min: the fewest.
        max: the most.
        max_step: the most that one request may add or take.
        default_step: what a request without a number adds or takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = Field(1, ge=1)
    max: int = Field(20, ge=1)
    max_step: int = Field(5, ge=1)
    default_step: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _are_in_order(self) -> "ScaleLimits":
        if self.min > self.max or self.default_step > self.max_step:
            raise ValueError("min must not exceed max, nor default_step max_step")
        return self


def plan(
    message: RunMessage,
    folder: ServiceFolder,
    *,
    limits: ScaleLimits,
    run_url: str,
    reviewers: Mapping[str, list[str]],
) -> Proposal | NothingToDo:
    """Decide what the request wants done.

    A service that is beyond one limit already may be scaled towards it.

    Args:
        message: the request.
        folder: the service's folder with the texts of `FILES`.
        limits: the policy's.
        run_url: the run's page in Port.
        reviewers: each team's reviewers, written as in `Change.reviewers`.

    Raises:
        InvalidInput: the step is no number, or more than the policy allows at once.
        UserError: the result would be beyond the limits, or the files cannot be edited safely.
    """
    service = service_of(message)
    step = _read_step(message.inputs.get("step"), limits)
    data = read_port_data(folder)
    found = find_replicas(folder)
    up = message.action == UPSCALE
    target = found.value + step if up else found.value - step
    limit = limits.max if up else limits.min
    if found.value >= limit if up else found.value <= limit:
        most = "most" if up else "fewest"
        return NothingToDo(
            service=service,
            reason=f"Nothing to do: '{service}' has {_count(found.value)}, and {limit} is the "
            f"{most} that the policy allows.",
        )
    if target > limit if up else target < limit:
        raise UserError(
            f"'{service}' has {_count(found.value)}; a step of {step} would make it {target}, and "
            f"the policy allows {limits.min} to {limits.max}. "
            f"The largest step now is {abs(limit - found.value)}."
        )
    files: dict[str, str | None] = {found.path: found.replaced_by(target)}
    change = Change(
        service=service,
        branch=run_branch(message.action, message.run_id),
        title=f"Scale {service} from {found.value} to {_count(target)}",
        body=pull_request_body(
            message,
            service,
            {
                "Service": service,
                "Environment": data.environment,
                "Replicas now": found.value,
                "Replicas then": target,
            },
            wish="another number of replicas",
            run_url=run_url,
            consequence="Merging this pull request scales the service and ends the run with "
            "success. Closing it without a merge ends the run with failure; nothing changes.",
        ),
        files=files,
        committed_at=message.requested_at,
        base_commit=folder.commit,
        labels=("slipway", message.action),
        reviewers=tuple(reviewers.get(data.team, ())),
    )
    return Proposal(
        action=message.action,
        service=service,
        environment=data.environment,
        summary=f"replicas {found.value} → {target}",
        change=change,
        base={found.path: folder.files[found.path]},
        preview=preview({found.path: found.text}, files),
    )


def find_replicas(folder: ServiceFolder) -> NumberInText:
    """Where the folder says how many replicas there are.

    Raises:
        UserError: it does not say so in a way that can be changed safely.
    """
    base = service_folder(folder.service)
    names = [f"{base}/common_values.{extension}" for extension in ("json", "yaml")]
    there = [name for name in names if name in folder.files]
    if len(there) != 1:
        said = "both are there" if there else "neither is there"
        raise UserError(
            f"It is not certain how many replicas '{folder.service}' has: {' or '.join(names)} "
            f"must say so, and {said}. Mend it on the base branch, then start this action again."
        )
    path = there[0]
    text = folder.texts.get(path)
    if text is None:
        raise UserError(
            f"Slipway cannot change {path}: it is not a file of UTF-8 text, or too large. Mend it "
            "on the base branch, or change it by a pull request of your own."
        )
    return find_number(path, "replicas", text)


def _count(replicas: int) -> str:
    return f"{replicas} replica{'s' * (replicas != 1)}"


def _read_step(typed: Any, limits: ScaleLimits) -> int:
    if typed is None:
        return limits.default_step
    number = isinstance(typed, int | float) and not isinstance(typed, bool)
    # Checked first: neither NaN nor an infinity can be made whole.
    if not number or not 1 <= typed <= limits.max_step or typed != int(typed):
        raise InvalidInput("step", f"must be a whole number from 1 to {limits.max_step}")
    return int(typed)
