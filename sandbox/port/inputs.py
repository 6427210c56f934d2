"""Handle an action's form: definition, dynamic parts, input checks.

https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-ui-for-action/
"""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from sandbox.port.blueprints import describe
from sandbox.port.errors import invalid
from sandbox.port.jq_program import JqError, evaluate
from sandbox.port.properties import (
    COLORS,
    TYPES,
    Closed,
    Json,
    check_pattern,
    check_schema,
    faults,
)

CODE = "user_inputs_schema_invalid"
_DYNAMIC = ("enum", "default", "pattern", "minItems", "maxItems")


class JqQuery(Closed):
    """A value that jq computes from `.form`, `.entity` and `.user`."""

    jq_query: str


class _InputDefinition(Closed):
    type: TYPES
    format: (
        Literal[
            "date-time", "url", "email", "ipv4", "ipv6", "yaml", "entity", "user", "team", "proto",
            "markdown", "multi-line", "labeled-url",
        ]
        | None
    ) = None  # fmt: skip
    blueprint: str | None = None
    dataset: Any = None
    sort: Any = None
    depends_on: list[str] = Field([])
    visible: bool | JqQuery = True
    disabled: bool | JqQuery = False
    icon: str | None = None
    title: str | None = None
    description: str | None = None
    default: Any = None
    enum: list[Any] | JqQuery | None = None
    enum_colors: dict[str, COLORS] | None = None
    pattern: str | JqQuery | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    items: Json | None = None
    min_items: int | JqQuery | None = None
    max_items: int | JqQuery | None = None
    unique_items: bool | None = None
    encryption: Literal["aes256-gcm"] | None = None
    properties: Json | None = None
    required: list[str] | None = None
    additional_properties: Any = None
    pattern_properties: Json | None = None

    @field_validator("pattern")
    @classmethod
    def _is_expression(cls, pattern: str | JqQuery | None) -> str | JqQuery | None:
        if isinstance(pattern, str):
            check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _belongs_together(self) -> "_InputDefinition":
        if self.format == "entity" and not self.blueprint:
            raise ValueError('an input of format "entity" needs a "blueprint"')
        if self.encryption and self.type not in ("string", "object"):
            raise ValueError("only string and object inputs can be encrypted")
        return self


class _Title(Closed):
    title: Annotated[str, Field(min_length=1, max_length=140)]
    description: str | None = Field(None, max_length=1000)
    visible: bool | JqQuery = True


class _Step(Closed):
    title: str
    order: list[str]
    visible: bool | JqQuery = True


class UserInputs(Closed):
    """`userInputs` of an action."""

    properties: dict[str, _InputDefinition]
    required: list[str] | JqQuery = Field([])
    titles: dict[str, _Title] = Field({})
    order: list[str] | None = None
    steps: list[_Step] | None = None

    @model_validator(mode="after")
    def _names_are_known(self) -> "UserInputs":
        if self.order is not None and self.steps is not None:
            raise ValueError('use either "order" or "steps", not both')
        known = self.properties.keys()
        lists = {
            "order": self.order or [],
            "required": self.required if isinstance(self.required, list) else [],
            "steps": [name for step in self.steps or [] for name in step.order],
            **{f"{name}.dependsOn": i.depends_on for name, i in self.properties.items()},
        }
        for where, names in lists.items():
            # A form's order may name its titles as well.
            titles = self.titles.keys() if where in ("order", "steps") else ()
            if unknown := set(names) - known - set(titles):
                raise ValueError(f"{where} names unknown inputs: {', '.join(sorted(unknown))}")
        return self


def check_definition(user_inputs: Any) -> None:
    """Check `userInputs`.

    Raises:
        PortApiError: 422 `user_inputs_schema_invalid`.
    """
    try:
        UserInputs.model_validate(user_inputs)
        for definition in user_inputs["properties"].values():
            check_schema(_static(definition))
    except ValidationError as error:
        raise invalid(describe(error), CODE) from None
    except ValueError as error:
        raise invalid(str(error), CODE) from None


def fill_in(user_inputs: Json, typed: Json, context: Json) -> Json:
    """Check the values of a form, and add defaults for missing ones.

    An input that is not visible is accepted, but never required.

    Args:
        user_inputs: the action's `userInputs`.
        typed: the values; null counts as missing.
        context: `entity` and `user` for jq queries.

    Raises:
        PortApiError: 422 `user_inputs_schema_invalid`, with a sentence for each fault.
    """
    form = {name: value for name, value in typed.items() if value is not None}
    definitions = user_inputs["properties"]
    for name, definition in definitions.items():
        default = _resolve(definition.get("default"), {**context, "form": form})
        if name not in form and default is not None:
            form[name] = default
    scope = {**context, "form": form}
    resolved = {name: _resolved(definition, scope) for name, definition in definitions.items()}
    required = _resolve(user_inputs.get("required", []), scope) or []
    if not isinstance(required, list):
        raise invalid("The jqQuery of required must give an array", CODE)
    shown = [
        name
        for name in required
        if _resolve(definitions.get(name, {}).get("visible", True), scope) is not False
    ]
    if wrong := faults(resolved, shown, form):
        raise invalid("; ".join(wrong), CODE)
    return form


def encrypted(user_inputs: Json) -> list[str]:
    """Return the inputs whose values are secret."""
    return [name for name, prop in user_inputs["properties"].items() if prop.get("encryption")]


def entity_inputs(user_inputs: Json) -> dict[str, str]:
    """Return input → blueprint, for inputs that choose entities."""
    return {
        name: part["blueprint"]
        for name, definition in user_inputs["properties"].items()
        for part in (definition, definition.get("items") or {})
        if part.get("format") == "entity"
    }


def _static(definition: Json) -> Json:
    return {key: value for key, value in definition.items() if not _is_query(value)}


def _resolved(definition: Json, scope: Json) -> Json:
    """Return the definition with its jq queries evaluated; null results set no limit."""
    dynamic = {key: _resolve(definition[key], scope) for key in _DYNAMIC if key in definition}
    static = {key: value for key, value in definition.items() if key not in dynamic}
    return {**static, **{key: value for key, value in dynamic.items() if value is not None}}


def _is_query(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"jqQuery"}


def _resolve(value: Any, scope: Json) -> Any:
    if not _is_query(value):
        return value
    try:
        return evaluate(value["jqQuery"], scope)
    except JqError as error:
        raise invalid(str(error), CODE) from None
