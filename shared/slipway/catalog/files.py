"""Define the format of `resource.yaml` and `action.yaml`.

The JSON Schemas for editors are generated from it.
"""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    TypeAdapter,
)

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
DocumentPath = Annotated[str, Field(min_length=1)]
# In an error's place, a tag appears beside real keys, which never look like this.
FROM_FILE, VALUE = "(file)", "(value)"


class _Model(BaseModel):
    # Built when a catalog is read: a message that is skipped needs none.
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True
    )


class PartOfIdentifier(_Model):
    """A part of the identifier."""

    pattern: str
    """Regular expression that a value matches as a whole."""
    message: str
    """What a value must be, in words: "1 to 63 lower-case letters"."""
    example: str
    """A value, for checks and previews."""


class FromFile(_Model):
    """A value in a YAML or JSON file."""

    file: str | tuple[str, ...]
    """Pattern of the file, or several; the first that exists is used."""
    path: DocumentPath
    """Dotted path in the file; quote a key with a dot: `a."b.c"`."""


def _tag(value: object) -> str:
    return FROM_FILE if isinstance(value, dict | FromFile) else VALUE


_Value = str | int | float | bool | list[JsonValue] | None
Property = Annotated[
    Annotated[FromFile, Tag(FROM_FILE)] | Annotated[_Value, Tag(VALUE)], Discriminator(_tag)
]


class Health(_Model):
    """How the health of an entity is checked and repaired."""

    url: str
    """Expression over `.properties` that gives the address to probe."""
    allowed: str | tuple[str, ...]
    """Addresses that may be probed: scheme, host (`*` is one label), port and start of the path."""
    restart: str | None = None
    """The workflow action that restarts an entity."""
    scale: str | None = None
    """The update action that adds capacity."""


class ResourceFile(_Model):
    """A kind: where its entities are in Git, and what Port shows of them."""

    identifier: str
    """Pattern of the entity's identifier, for example `{team}.{name}`."""
    parts: dict[Identifier, PartOfIdentifier] = Field(min_length=1)
    """The parts of identifier and paths."""
    repository: str
    """Key of the map of repositories, or one part in braces whose values are such keys."""
    files: tuple[str, ...] = Field(min_length=1)
    """Patterns of the files that actions of this kind may touch."""
    metadata: str
    """Path of the JSON file that every entity has."""
    environment: str
    """Expression over `.parts` and `.metadata`: the environment that the policy uses."""
    team: str | None = None
    """Expression over `.parts` and `.metadata`: the Port team that reviews pull requests."""
    locate: dict[Identifier, str] = {}
    """Part that the identifier lacks → property of the entity that gives a hint."""
    settings: dict[str, JsonValue] = {}
    """Default values of `.settings`; the variable `catalog_settings` replaces them."""
    title: str = "{{ .identifier }}"
    """The entity's title."""
    properties: dict[str, Property] = {}
    """Properties of the entity, written with each change."""
    after_merge: dict[str, Property] = {}
    """Properties that are written only after the merge: addresses."""
    initial: dict[str, JsonValue] = {}
    """Properties that a create sets and other systems update later."""
    relations: dict[str, JsonValue] = {}
    """Relations of the entity: an identifier, or a list of them."""
    health: Health | None = None


class Rule(_Model):
    """A condition, and the sentence that people read when it holds."""

    condition: Any = Field(alias="if")
    """Expression that gives true or false."""
    message: str
    """A full sentence; it may have expressions."""


class _ActionFile(_Model):
    title: str | None = None
    """Title of the pull request."""
    summary: str | None = None
    """What changes, in one line."""
    limits: dict[str, JsonValue] = {}
    """Default values of `.limits`; the approval policy replaces them."""
    refuse: tuple[Rule, ...] = ()
    """Conditions that refuse a request, and the sentence that its run ends with."""


class TypedDocument(_Model):
    """A YAML or JSON document that people type into the form."""

    input: str
    """The input: an object (JSON), or a text of YAML."""
    file: str
    """Path of the file. The input is kept byte for byte."""
    when: Any = True
    """Expression that says whether this document is used."""
    missing: dict[DocumentPath, JsonValue] = {}
    """Path → value that is added if missing, and must be equal if present."""
    keep_empty: bool = False
    """Whether an empty document also creates a file."""


class CreateFile(_ActionFile):
    """An action that creates an entity and its files."""

    operation: Literal["create"]
    parts: dict[Identifier, str] = Field(min_length=1)
    """Value of each part of the identifier, from the form."""
    metadata: dict[str, JsonValue] = {}
    """Values of the metadata file besides `identifier`, `blueprint` and `run_id`."""
    documents: tuple[TypedDocument, ...] = ()
    """Documents that are typed in the form."""
    verbatim: tuple[str, ...] = ()
    """Files of the skeleton without expressions, copied byte for byte."""


class _Edit(FromFile):
    pass


class Set(_Edit):
    """Set a value."""

    to: JsonValue
    """The value; an expression may use `.current`."""
    type: Literal["text", "number", "whole number", "boolean", "list", "object"] | None = None
    """Type of the value before and after. Default: its current type."""
    add: bool = False
    """Whether a missing path is added. Otherwise the request is refused."""


class Append(_Edit):
    """Add an item to a list, unless the list has it."""

    value: JsonValue
    """The item."""


class Remove(_Edit):
    """Remove a key, or items of a list."""

    value: JsonValue = None
    """The item to remove from the list. Default: the key is removed."""


class UpdateFile(_ActionFile):
    """An action that edits files of an entity; other bytes stay unchanged."""

    operation: Literal["update"]
    set: tuple[Set, ...] = ()
    append: tuple[Append, ...] = ()
    remove: tuple[Remove, ...] = ()
    nothing_to_do: tuple[Rule, ...] = ()
    """Conditions with nothing to do; the run succeeds with the sentence."""

    @property
    def edits(self) -> "tuple[tuple[tuple[str, int], Set | Append | Remove], ...]":
        """All edits in order, each with its place in the file."""
        groups: tuple[tuple[str, tuple[Set | Append | Remove, ...]], ...] = (
            ("set", self.set),
            ("append", self.append),
            ("remove", self.remove),
        )
        return tuple(
            ((name, index), edit) for name, edits in groups for index, edit in enumerate(edits)
        )


class DeleteFile(_ActionFile):
    """An action that removes the files of an entity."""

    operation: Literal["delete"]
    confirm: str
    """The input into which the identifier is typed."""


class WorkflowFile(_ActionFile):
    """An action that runs a workflow of the repository."""

    operation: Literal["workflow"]
    file: str = Field(pattern=r"^\.github/workflows/[A-Za-z0-9._-]+\.ya?ml$")
    """The workflow's file on the base branch."""
    done: str | None = None
    """Result of the run when the workflow succeeds: "Restarted shop in Production"."""
    inputs: dict[str, JsonValue] = {}
    """Inputs of the workflow."""


ActionFile = Annotated[
    CreateFile | UpdateFile | DeleteFile | WorkflowFile, Discriminator("operation")
]


@cache
def resource_file() -> TypeAdapter[ResourceFile]:
    """What `resource.yaml` may say."""
    return TypeAdapter(ResourceFile)


@cache
def action_file() -> TypeAdapter[CreateFile | UpdateFile | DeleteFile | WorkflowFile]:
    """What `action.yaml` may say."""
    return TypeAdapter(ActionFile)


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of both files, by file name."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        "resource.schema.json": dialect | resource_file().json_schema(),
        "action.schema.json": dialect | action_file().json_schema(),
    }
