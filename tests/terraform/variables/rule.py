"""A rule of the stack's variables, and how its values become variables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

type Values = Mapping[str, Any]

PLUGIN = {
    "bucket_arn": "arn:aws:s3:::acme-plugins",
    "key": "mm2.zip",
    "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
}
MSK = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1"


@dataclass(frozen=True)
class Rule:
    """Values that a rule accepts and refuses.

    Args:
        message: Words of the message that a refused value gets.
        variables: The variables of the stack that a value of the table stands for.
    """

    message: str
    variables: Callable[[Any], Values]
    accepted: Sequence[Any] = ()
    refused: Sequence[Any] = ()


def variable(name: str, /, **others: Any) -> Callable[[Any], Values]:
    """Represent the value of a variable, or of an attribute: `port.org_id`."""
    first, *path = name.split(".")

    def build(value: Any) -> Values:
        for key in reversed(path[1:]):
            value = {key: value}
        return {first: {**others, path[0]: value} if path else value}

    return build


def whole(low: int, high: int | None = None) -> dict[str, Sequence[Any]]:
    """Return the edges of a range of whole numbers; without `high` it has no upper limit."""
    upper = (high,) if high is not None else ()
    beyond = (high + 1,) if high is not None else ()
    return {"accepted": (low, *upper), "refused": (low - 1, *beyond, low + 0.5)}
