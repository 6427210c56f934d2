"""Read the remediation policy: how unhealthy services may be repaired.

Terraform writes the document from its variables `remediation` and `health_probe`.
"""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slipway.errors import ConfigurationError
from slipway.health.assessment import Window

# One of the catalog, which the reviewed metadata names.
Environment = Annotated[str, Field(min_length=1)]
Kind = Literal["restart", "roll_back", "scale_up"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Strategy(_Model):
    """Attributes of every strategy.

    Attributes:
        attempts: maximum number of tries in one remediation.
        wait_seconds: from the repair to the first probe afterwards.
    """

    attempts: int = Field(1, ge=1, le=5)
    wait_seconds: int = Field(30, ge=5, le=3600)


class Restart(_Strategy):
    """Restart the service with a workflow of the services repository."""

    kind: Literal["restart"] = "restart"


class RollBack(_Strategy):
    """Revert the last merged change of the service with a pull request.

    Attributes:
        auto_merge: whether Slipway merges it, in `auto_merge_environments`; otherwise it waits for
            a person.
    """

    kind: Literal["roll_back"] = "roll_back"
    auto_merge: bool = False


class ScaleUp(_Strategy):
    """Request more replicas with a pull request.

    Attributes:
        step: number of additional replicas.
        max_replicas: maximum number of replicas.
    """

    kind: Literal["scale_up"] = "scale_up"
    step: int = Field(1, ge=1, le=10)
    max_replicas: int = Field(10, ge=1, le=1000)


Strategy = Annotated[Restart | RollBack | ScaleUp, Field(discriminator="kind")]
# A change of the services repository needs the service's lock, like a day-2 action.
NEEDS_LOCK: frozenset[Kind] = frozenset({"roll_back", "scale_up"})


class Policy(_Model):
    """The whole document.

    Attributes:
        schema_version: version of this format.
        mode: `repair`; or `verify`: an unhealthy service is reported, never repaired; or
            `off`: nothing is probed and nothing is written.
        strategies: tried in this order, each at most once in the list.
        environments: where services are repaired; in all others they are escalated.
        approval_environments: those of `environments` where repairs need approval.
        auto_merge_environments: where Slipway merges the pull requests of repairs itself, those of
            `roll_back` only with its `auto_merge`; elsewhere they wait for a person.
        max_per_hour: how many remediations in any hour may repair a service, or correct it to
            Healthy because it answers; then it cools down.
        max_repairs: how many repairs may begin in any ten minutes, over all services.
        quiet_seconds: pause after an escalation before people are notified of the same service
            again.
        verify: how a service that was reported as Degraded is probed.
        settle: how a starting service is probed, after a deployment or a repair, because it
            cannot answer at once.
    """

    schema_version: Literal[1]
    mode: Literal["repair", "verify", "off"] = "repair"
    strategies: tuple[Strategy, ...] = (Restart(), RollBack(), ScaleUp())
    environments: frozenset[Environment]
    approval_environments: frozenset[Environment] = frozenset()
    auto_merge_environments: frozenset[Environment]
    max_per_hour: int = Field(3, ge=1, le=20)
    max_repairs: int = Field(10, ge=1, le=100)
    quiet_seconds: int = Field(4 * 3600, ge=5, le=7 * 86_400)
    verify: Window = Window()
    settle: Window = Window(probes=12, healthy_after=2, unhealthy_after=12)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Policy":
        kinds = [strategy.kind for strategy in self.strategies]
        if len(set(kinds)) < len(kinds):
            raise ValueError("strategies: each may appear once; raise its attempts instead")
        if not self.approval_environments <= self.environments:
            raise ValueError("approval_environments must be some of environments")
        return self


def parse_policy(text: str | bytes) -> Policy:
    """Read the document.

    Raises:
        ConfigurationError: it is not a policy; the text names the first fault.
    """
    try:
        return Policy.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        fault = f"{'.'.join(map(str, first['loc'])) or 'the document'}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        fault = f"it is not JSON ({type(error).__name__})"
    raise ConfigurationError(
        f"The remediation policy is not valid ({fault}). "
        "Correct variable 'remediation' and apply the stack again."
    )
