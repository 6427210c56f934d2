"""What a plan goes by, beside the request: the service as it is, and what the policy allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway.changes.service_folder import PortData
from slipway.github.models import ServiceFolder


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


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known when a change of a service that is there is planned.

    Attributes:
        folder: the service's folder on the base branch, with the texts that the action reads.
        data: what its `portData.json` says.
        run_url: the run's page in Port.
        reviewers: each team's reviewers, written as in `Change.reviewers`.
        limits: how far the policy lets a service be scaled.
        dependents: the entities that relate to the service, if the action asks for them.
    """

    folder: ServiceFolder
    data: PortData
    run_url: str
    reviewers: Mapping[str, list[str]]
    limits: ScaleLimits
    dependents: Sequence[str] = ()
