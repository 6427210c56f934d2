"""What *Upscale Service* and *Downscale Service* want done: another number of replicas."""

from typing import Any

from slipway.actions.edit import edit
from slipway.actions.number_edit import NumberInText, find_number
from slipway.actions.proposal import NothingToDo, Proposal
from slipway.actions.service_folder import service_of
from slipway.actions.situation import ScaleLimits, Situation
from slipway.errors import InvalidInput, UserError
from slipway.github.models import ServiceFolder, service_folder
from slipway.port.message import RunMessage

UPSCALE = "upscale_service"
DOWNSCALE = "downscale_service"
FILES = frozenset({"common_values.json", "common_values.yaml", "portData.json"})


def plan(message: RunMessage, situation: Situation) -> Proposal | NothingToDo:
    """Decide what the request wants done.

    A service that is beyond one limit already may be scaled towards it.

    Args:
        message: the request.
        situation: the service's folder with the texts of `FILES`, and the policy's limits.

    Raises:
        InvalidInput: the step is no number, or more than the policy allows at once.
        UserError: the result would be beyond the limits, or the files cannot be edited safely.
    """
    service, limits = service_of(message), situation.limits
    step = _read_step(message.inputs.get("step"), limits)
    found = find_replicas(situation.folder)
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
    return edit(
        message,
        situation,
        {found.path: found.replaced_by(target)},
        title=f"Scale {service} from {found.value} to {_count(target)}",
        summary=f"replicas {found.value} → {target}",
        wish="another number of replicas",
        facts={"Replicas now": found.value, "Replicas then": target},
        consequence="Merging this pull request scales the service and ends the run with "
        "success. Closing it without a merge ends the run with failure; nothing changes.",
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
