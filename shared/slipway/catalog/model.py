"""Model a loaded catalog: kinds and their actions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.catalog.faults import Source
from slipway.catalog.files import CreateFile, DeleteFile, ResourceFile, UpdateFile, WorkflowFile
from slipway.catalog.form import Form
from slipway.catalog.patterns import Part, Parts, Pattern
from slipway.errors import UserError

# Properties that the engine writes for any catalog, with their types. A blueprint with `health`
# must have those of the second table.
OWN_PROPERTIES: Mapping[str, str] = {"pr_url": "string", "health_status": "string"}
HEALTH_PROPERTIES: Mapping[str, str] = {
    "health_status": "string",
    "health_detail": "string",
    "health_check_id": "string",
    "last_health_check": "string",
}
# Properties that health reads or writes only if the blueprint has them, with their types.
HEALTH_OPTIONAL: Mapping[str, str] = {
    "health_url": "string",
    "health_expected_status": "number",
    "health_json_path": "string",
    "health_json_value": "string",
    "sync_status": "string",
}
# Keys that the engine writes into each metadata file, and checks when it reads the file.
OWN_METADATA = ("identifier", "blueprint", "run_id")
PENDING = "Pending"


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Entities as Port's blueprint defines them.

    Attributes:
        identifier: Port's identifier of the blueprint.
        title: for people.
        properties: property → its schema.
        relations: relation → its definition in Port.
    """

    identifier: str
    title: str
    properties: Mapping[str, Mapping[str, Any]]
    relations: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action on entities of a kind.

    Attributes:
        identifier: Port's identifier of the action, which is the folder's name.
        title: for people.
        form: the form.
        spec: the change that a run makes.
        skeleton: path pattern → text, of the files that a create adds.
        source: `action.yaml`.
        definition: `action.json`.
    """

    identifier: str
    title: str
    form: Form
    spec: CreateFile | UpdateFile | DeleteFile | WorkflowFile
    skeleton: Mapping[str, str] = field(repr=False)
    source: Source = field(repr=False)
    definition: Source = field(repr=False)

    @property
    def creates(self) -> bool:
        """Whether it creates an entity."""
        return self.spec.operation == "create"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of entities: one blueprint of Port.

    Attributes:
        name: the folder's name.
        blueprint: the blueprint.
        spec: `resource.yaml` as it is written.
        identifier: pattern of identifiers.
        repository: pattern of keys of the map of repositories.
        files: patterns of the files that actions may touch.
        metadata: pattern of the metadata file.
        parts: the parts of identifier and paths.
        actions: the actions by identifier.
        source: `resource.yaml`.
    """

    name: str
    blueprint: Blueprint
    spec: ResourceFile = field(repr=False)
    identifier: Pattern
    repository: Pattern
    files: tuple[Pattern, ...]
    metadata: Pattern
    parts: Mapping[str, Part]
    actions: Mapping[str, Action]
    source: Source = field(repr=False)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """All patterns of files that belong to an entity."""
        return (*self.files, self.metadata)

    def owns(self, path: str, parts: Parts) -> bool:
        """Return whether a path belongs to an entity."""
        return any(pattern.covers(path, parts) for pattern in self.patterns)

    def owned(self, paths: Iterable[str], parts: Parts) -> list[str]:
        """Return the paths that belong to an entity."""
        return sorted(path for path in paths if self.owns(path, parts))

    def parts_at(self, path: str) -> dict[str, str] | None:
        """Return the parts of the entity that owns a path; None without one.

        A part that only `repository` uses is not in a path: it follows from the repository.
        """
        found = (pattern.read(path, self.parts) for pattern in self.patterns)
        return next((parts for parts in found if parts is not None), None)

    def folders(self, parts: Parts) -> list[str]:
        """Return the outermost folders that have all files of an entity."""
        found = {pattern.folder(parts) for pattern in self.patterns}
        return sorted(
            one for one in found if not any(_lies_in(one, other) for other in found - {one})
        )

    def whole_folders(self, parts: Parts) -> frozenset[str]:
        """Return the folders whose whole content belongs to an entity."""
        whole = (pattern for pattern in self.patterns if pattern.owns_folder)
        return frozenset(pattern.folder(parts) for pattern in whole)

    def parts_of(self, identifier: str, hints: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Read the parts of an identifier.

        Args:
            identifier: an entity's identifier.
            hints: properties of the entity as Port has them, for parts that the identifier lacks.
                They are trusted only if the metadata file that they lead to names the entity.

        Raises:
            UserError: the identifier does not belong to this kind.
        """
        parts = self.identifier.read(identifier, self.parts)
        if parts is None:
            rules = "; ".join(
                f"{name}: {self.parts[name].message}" for name in self.identifier.parts
            )
            raise UserError(
                f"{identifier[:100]!r} does not identify a {self.blueprint.title}: it must be "
                f"{self.identifier.text} ({rules})."
            )
        for name, hint in self.spec.locate.items():
            value = (hints or {}).get(hint)
            if not self.parts[name].accepts(value):
                raise UserError(
                    f"Property '{hint}' of '{identifier}' in Port does not give the place of its "
                    f"files. It must be: {self.parts[name].message}."
                )
            parts[name] = str(value)
        return parts

    def repository_of(self, parts: Parts) -> str:
        """Return the key of the repository that has an entity's files."""
        return self.repository.fill(parts)


def _lies_in(one: str, other: str) -> bool:
    return other == "" or one.startswith(f"{other}/")


@dataclass(frozen=True)
class Catalog:
    """A catalog.

    Attributes:
        kinds: the kinds by name.
    """

    kinds: Mapping[str, Kind]

    def find(self, action: str) -> tuple[Kind, Action] | None:
        """Return an action and its kind; None if the catalog has no such action."""
        for kind in self.kinds.values():
            if action in kind.actions:
                return kind, kind.actions[action]
        return None

    def kind_of(self, blueprint: str) -> Kind | None:
        """Return the kind of a blueprint; None if the catalog has none."""
        found = (kind for kind in self.kinds.values() if kind.blueprint.identifier == blueprint)
        return next(found, None)
