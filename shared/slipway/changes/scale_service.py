"""What *Upscale Service* and *Downscale Service* want done: another number of replicas."""

from dataclasses import dataclass
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.changes.edit import edit
from slipway.changes.proposal import NothingToDo, Proposal
from slipway.changes.service_folder import service_of
from slipway.changes.situation import ScaleLimits, Situation
from slipway.errors import DocumentRefused, InvalidInput, UserError
from slipway.github.models import ServiceFolder, service_folder
from slipway.port.message import RunMessage

UPSCALE = "upscale_service"
DOWNSCALE = "downscale_service"
FILES = frozenset({"common_values.json", "common_values.yaml", "portData.json"})
_MOST_REPLICAS = 999_999_999


@dataclass(frozen=True)
class Replicas:
    """How many replicas a service's values say.

    Attributes:
        path: the file that says it.
        document: the file's content.
        value: the number.
    """

    path: str
    document: Document
    value: int

    def replaced_by(self, number: int) -> str:
        """The file's text with another number, and every other byte as it is.

        Raises:
            UserError: more than this number would change.
        """
        try:
            return self.document.set("replicas", number).text
        except DocumentRefused as error:
            raise _cannot(self.path, error) from None


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


def find_replicas(folder: ServiceFolder) -> Replicas:
    """Find how many replicas the folder says there are.

    Raises:
        UserError: it does not say so in a way that every reader understands; the text names the
            file, the line and the reason.
    """
    base = service_folder(folder.service)
    names = [f"{base}/common_values.{extension}" for extension in ("json", "yaml")]
    there = [name for name in names if name in folder.files]
    if len(there) != 1:
        said = "both are there" if there else "neither is there"
        raise UserError(
            f"It is not certain how many replicas '{folder.service}' has: {' or '.join(names)} "
            f"must say so, and {said}. Fix it on the base branch, then start this action again."
        )
    path = there[0]
    text = folder.texts.get(path)
    if text is None:
        raise UserError(
            f"Slipway cannot change {path}: it is not a file of UTF-8 text, or too large. Fix it "
            "on the base branch, or change it by a pull request of your own."
        )
    try:
        document = read_document(text, "json" if path.endswith(".json") else "yaml")
        return Replicas(path, document, _whole_number(document))
    except DocumentRefused as error:
        raise _cannot(path, error) from None


def _whole_number(document: Document) -> int:
    value = document.read("replicas")
    if value is None:
        raise DocumentRefused("has no 'replicas' at its top level")
    if type(value) is not int or not 0 <= value <= _MOST_REPLICAS:
        raise document.refuse("replicas", "must have a plain whole number as 'replicas'")
    return value


def _cannot(path: str, error: DocumentRefused) -> UserError:
    return UserError(
        f"Slipway cannot change 'replicas' in {path}: it {error.problem}. Fix that on the base "
        "branch, then start this action again; or change it by a pull request of your own."
    )


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
