"""Workflow files as typed values. What this runner cannot run is refused by its name.

https://docs.github.com/actions/reference/workflow-syntax-for-github-actions
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sandbox.github.runner.expressions import ExpressionError, pieces

EVENTS = frozenset({"pull_request", "pull_request_target", "push", "workflow_dispatch"})


class WorkflowError(Exception):
    """A workflow file is wrong or beyond this runner; the text names each place."""


def _scalar_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else "" if value is None else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_scalar_text)]
Names = Annotated[list[str], BeforeValidator(_listed)]


class _Model(BaseModel):
    # Unknown keys are refused: ignoring one would run something else than GitHub does.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Trigger(_Model):
    """What of an event starts the workflow; without `types` GitHub's default ones."""

    types: Names | None = None
    inputs: dict[str, Any] = {}


class Concurrency(_Model):
    """A group of which one member runs at a time."""

    group: str
    cancel_in_progress: Literal[False] = Field(default=False, alias="cancel-in-progress")


class Step(_Model):
    """A step, which is a script: this runner has no actions."""

    name: str | None = None
    condition: Text = Field("", alias="if")
    run: str
    env: dict[str, Text] = {}
    shell: Literal["", "bash"] = ""

    @property
    def title(self) -> str:
        """What the log calls the step."""
        return self.name or f"Run {self.run.strip().splitlines()[0]}"


Permissions = dict[str, Literal["read", "write", "none"]] | Literal["read-all", "write-all"]


class JobEnvironment(_Model):
    """The environment that a job runs in."""

    name: str
    url: str | None = None


class Job(_Model):
    """A job."""

    runs_on: str = Field(alias="runs-on", pattern=r"^ubuntu-[\w.]+$")
    steps: list[Step] = Field(min_length=1)
    name: str | None = None
    condition: Text = Field("", alias="if")
    permissions: Permissions | None = None
    timeout_minutes: float = Field(360, alias="timeout-minutes", gt=0)
    environment: JobEnvironment | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("environment"), str):
            data = {**data, "environment": {"name": data["environment"]}}
        return data


class Workflow(_Model):
    """A workflow file."""

    triggers: dict[str, Trigger] = Field(alias="on")
    jobs: dict[str, Job] = Field(min_length=1)
    name: str | None = None
    run_name: str | None = Field(None, alias="run-name")
    permissions: Permissions | None = None
    concurrency: Concurrency | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("concurrency"), str):
            data = {**data, "concurrency": {"group": data["concurrency"]}}
        on = data.get("on") if isinstance(data, dict) else None
        if isinstance(on, str):
            on = [on]
        if isinstance(on, list):
            on = dict.fromkeys(on)
        if isinstance(on, dict):
            if unknown := [str(name) for name in on if name not in EVENTS]:
                raise ValueError(f"this runner does not know the event '{unknown[0]}'")
            data = {**data, "on": {name: rules or {} for name, rules in on.items()}}
        return data


# Every event looks at every file of its commit, and most of them are the same as before.
@lru_cache(maxsize=64)
def parse(text: str) -> Workflow:
    """Read a workflow file.

    Raises:
        WorkflowError: the file is wrong, or uses what this runner does not have.
    """
    try:
        # YAML 1.2, so that `on` is a text.
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise WorkflowError(f"not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise WorkflowError("the file is not a mapping")
    try:
        workflow = Workflow.model_validate(data)
    except ValidationError as error:
        raise WorkflowError("; ".join(_place(fault) for fault in error.errors())) from None
    _check_expressions(data, "")
    return workflow


def _place(fault: Any) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"this runner does not know '{path}'"
    return f"'{path}': {fault['msg']}" if path else str(fault["msg"])


def _check_expressions(value: Any, path: str) -> None:
    """Parse every expression once, so that a file fails as a whole and before it runs."""
    if isinstance(value, str):
        try:
            pieces(value)
        except ExpressionError as error:
            raise WorkflowError(f"'{path}': {error}") from None
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_expressions(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_expressions(inner, f"{path}.{index}")
