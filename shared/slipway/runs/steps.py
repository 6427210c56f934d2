"""Run the steps of a state machine, one per invocation."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from slipway.errors import SlipwayError

Event = Mapping[str, Any]
Answer = dict[str, Any]
_Step = Callable[..., Answer | None]


def step[S: _Step](*names: str) -> Callable[[S], S]:
    """Mark a method of `Steps` as a step, by its names in the definition."""

    def mark(method: S) -> S:
        method.__dict__["steps"] = names
        return method

    return mark


class Steps:
    """A state machine's steps: the methods that are marked with `step`.

    A step takes the machine's payload and returns the machine's next state, or None if the machine
    waits for a task token.
    """

    _steps: ClassVar[Mapping[str, _Step]] = {}

    def __init_subclass__(cls) -> None:
        cls._steps = {
            name: method
            for method in vars(cls).values()
            for name in getattr(method, "__dict__", {}).get("steps", ())
        }

    @classmethod
    def has(cls, name: str) -> bool:
        """Return whether the machine has a step of this name."""
        return name in cls._steps

    def run(self, event: Event, *subject: Any) -> Answer | None:
        """Run the step that the payload names.

        Args:
            event: the machine's payload.
            subject: the step's first argument, before the payload.

        Raises:
            SlipwayError: the step is unknown.
            RetryableError: the machine retries the step.
        """
        name = str(event["step"])
        if not self.has(name):
            raise SlipwayError(f"{type(self).__name__} does not have the step '{name[:40]}'.")
        return self._steps[name](self, *subject, event)
