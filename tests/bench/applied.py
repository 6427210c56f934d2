"""Apply the stack to a new sandbox."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.apply_sandbox import Stack
from tests.integration.conftest import run_sandbox


@dataclass(frozen=True)
class Applied:
    """Seconds of two applies.

    Attributes:
        first: of the first apply, with confirmed subscriptions and a prepared repository.
        again: of one without changes.
        resources: how many resources the stack has.
    """

    first: float
    again: float
    resources: int


def apply_twice(folder: Path) -> Applied:
    """Start a sandbox in a folder, and apply the stack to it twice."""
    with run_sandbox(folder) as started:
        stack = Stack(started, say=logging.getLogger(__name__).debug)
        stack.init()
        first, again = _seconds(stack.apply), _seconds(stack.apply)
        (state,) = started.glob("terraform-*/**/terraform.tfstate")
        found = json.loads(state.read_text())["resources"]
    managed = [each for each in found if each["mode"] == "managed"]
    return Applied(first, again, sum(len(each["instances"]) for each in managed))


def _seconds(call: Callable[[], None]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started
