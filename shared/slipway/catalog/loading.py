"""Load a catalog from its files, and report faults with file and line."""

import difflib
import json
import re
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from slipway.catalog.faults import Fault, Source, listed
from slipway.catalog.files import (
    FROM_FILE,
    VALUE,
    PartOfIdentifier,
    ResourceFile,
    action_file,
    resource_file,
    schemas,
)
from slipway.catalog.form import Form
from slipway.catalog.model import Action, Blueprint, Catalog, Kind
from slipway.catalog.patterns import SAFE, Part, Pattern
from slipway.errors import CatalogRefused, DocumentRefused

SKELETON = "files/"
# Port's operation for each of ours. https://docs.port.io/api-reference/create-an-action-automation
OPERATIONS = {"create": "CREATE", "update": "DAY-2", "workflow": "DAY-2", "delete": "DELETE"}
# Lambda allows 64 characters; `name_prefix` may have 24, and a hyphen follows.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_ACTION_NAME = re.compile(r"[a-z]+(?:_[a-z0-9]+)*")
LONGEST_ACTION = 39
# Names that Slipway uses itself: decisions, notifications, branches of repairs, adoptions.
RESERVED = frozenset(
    {"run_ended", "decide_approval", "repair_service", "roll_back", "scale_up", "adopt"}
)
_TAGS = (FROM_FILE, VALUE)


def load_catalog(files: Mapping[str, bytes]) -> Catalog:
    """Load a catalog.

    Args:
        files: path within the catalog → content.

    Raises:
        CatalogRefused: it has faults. `check_catalog` finds more faults than this.
    """
    catalog, faults = load(files)
    if faults:
        raise CatalogRefused(faults)
    return catalog


def load(files: Mapping[str, bytes]) -> tuple[Catalog, list[Fault]]:
    """Load as much of a catalog as possible, and find its faults."""
    loader = _Loader(files)
    catalog = loader.load()
    return catalog, sorted(set(loader.faults))


class _Loader:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.faults: list[Fault] = []
        self._texts: dict[str, str] = {}
        for path, data in files.items():
            if "/" not in path or path.startswith(".") or path.endswith("/.DS_Store"):
                continue  # A README, or files of editors and file managers.
            try:
                self._texts[path] = data.decode()
            except UnicodeDecodeError:
                self._fault(path, "The file is not UTF-8 text.", "Use text files only.")

    def load(self) -> Catalog:
        kinds: dict[str, Kind] = {}
        for name in sorted({path.partition("/")[0] for path in self._texts}):
            kind = self._kind(name)
            if kind:
                kinds[name] = kind
        if not kinds and not self.faults:
            cure = "Add a folder with resource.yaml and blueprint.json: see docs/catalog.md."
            self._fault(".", "The catalog has no kind.", cure)
        self._refuse_doubles(kinds)
        return Catalog(kinds)

    def _fault(self, path: str, problem: str, cure: str) -> None:
        self.faults.append(Fault(path, 1, problem, cure))

    def _source(self, path: str, cure: str) -> Source | None:
        """Return a file that can be read."""
        if path not in self._texts:
            self._fault(path, "The file is missing.", cure)
            return None
        source = Source(path, self._texts[path])
        try:
            _ = source.value
        except DocumentRefused as error:
            self.faults.append(source.refused(error))
            return None
        return source

    # -- kinds

    def _kind(self, name: str) -> Kind | None:
        source = self._source(
            f"{name}/resource.yaml", "Each folder of a catalog is a kind and must have this file."
        )
        blueprint = self._blueprint(name)
        spec = self._read(source, resource_file()) if source else None
        folders = sorted(
            {
                path.split("/")[1]
                for path in self._texts
                if path.startswith(f"{name}/") and path.count("/") > 1
            }
        )
        actions = {one: self._action(name, one, blueprint) for one in folders}
        for path in self._texts:
            if (
                path.startswith(f"{name}/")
                and path.count("/") == 1
                and path.split("/")[1]
                not in {
                    "resource.yaml",
                    "blueprint.json",
                    "README.md",
                }
            ):
                cure = "A kind has resource.yaml, blueprint.json and a folder for each action."
                self._fault(path, "Slipway does not know this file.", cure)
        if source is None or spec is None or blueprint is None:
            return None
        patterns = _Patterns(source, spec)
        self.faults += patterns.faults
        if patterns.faults:
            return None
        return Kind(
            name=name,
            blueprint=blueprint,
            spec=spec,
            identifier=patterns.identifier,
            repository=patterns.repository,
            files=patterns.files,
            metadata=patterns.metadata,
            parts=patterns.parts,
            actions={one: action for one, action in actions.items() if action},
            source=source,
        )

    def _blueprint(self, name: str) -> Blueprint | None:
        source = self._source(f"{name}/blueprint.json", "Export the blueprint from Port.")
        if source is None:
            return None
        body = source.value
        schema = body.get("schema")
        properties = schema.get("properties") if isinstance(schema, dict) else None
        relations = body.get("relations") or {}
        are_objects = _are_objects(properties) and _are_objects(relations)
        if not isinstance(body.get("identifier"), str) or properties is None or not are_objects:
            cure = "A blueprint has 'identifier' and 'schema.properties': export it from Port."
            self.faults.append(source.fault((), "This is not a blueprint of Port.", cure))
            return None
        return Blueprint(
            identifier=body["identifier"],
            title=str(body.get("title") or body["identifier"]),
            properties=properties,
            relations=relations,
        )

    # -- actions

    def _action(self, kind: str, name: str, blueprint: Blueprint | None) -> Action | None:
        folder = f"{kind}/{name}"
        definition = self._source(f"{folder}/action.json", "Export the action from Port.")
        source = self._source(
            f"{folder}/action.yaml",
            "Describe what a run of the action changes: see docs/catalog.md.",
        )
        spec = self._read(source, action_file()) if source else None
        is_reserved = any(name == word or name.endswith(f"_{word}") for word in RESERVED)
        if not _ACTION_NAME.fullmatch(name) or len(name) > LONGEST_ACTION or is_reserved:
            cure = f"Use lower-case words with _ between them, at most {LONGEST_ACTION} characters."
            if is_reserved:
                cure = "Slipway reserves this name. Choose another name."
            self._fault(f"{folder}/action.json", f"'{name}' cannot be an action's name.", cure)
        if definition is None or source is None or spec is None:
            return None
        body = definition.value
        trigger = body.get("trigger")
        trigger = trigger if isinstance(trigger, dict) else {}
        expected = (
            (("identifier",), body.get("identifier"), name),
            (("trigger", "operation"), trigger.get("operation"), OPERATIONS[spec.operation]),
            (
                ("trigger", "blueprintIdentifier"),
                trigger.get("blueprintIdentifier"),
                blueprint.identifier if blueprint else trigger.get("blueprintIdentifier"),
            ),
        )
        for keys, value, wanted in expected:
            if value != wanted:
                problem = f"'{'.'.join(keys)}' is {json.dumps(value)}."
                self.faults.append(definition.fault(keys, problem, f'It must be "{wanted}".'))
        inputs = trigger.get("userInputs")
        if not isinstance(inputs, dict) or not _are_objects(inputs.get("properties", {})):
            cure = "'trigger.userInputs.properties' has an object for each input."
            keys = ("trigger", "userInputs")
            self.faults.append(definition.fault(keys, "The form cannot be read.", cure))
            return None
        return Action(
            identifier=name,
            title=str(body.get("title") or name),
            form=Form.read(inputs),
            spec=spec,
            skeleton=self._skeleton(folder),
            source=source,
            definition=definition,
        )

    def _skeleton(self, folder: str) -> dict[str, str]:
        skeleton: dict[str, str] = {}
        for path, text in sorted(self._texts.items()):
            below = path.removeprefix(f"{folder}/")
            if below.startswith(SKELETON):
                skeleton[below.removeprefix(SKELETON)] = text
            elif below != path and below not in {"action.json", "action.yaml", "README.md"}:
                cure = "Put files of a skeleton below 'files/'."
                self._fault(path, "Slipway does not know this file.", cure)
        return skeleton

    def _refuse_doubles(self, kinds: Mapping[str, Kind]) -> None:
        seen: dict[str, str] = {}
        for kind in kinds.values():
            names = [f"blueprint {kind.blueprint.identifier}", *kind.actions]
            for name in names:
                if name in seen:
                    cure = "Each blueprint and each action may appear once in a catalog."
                    problem = f"'{name}' is also in '{seen[name]}'."
                    self.faults.append(kind.source.fault((), problem, cure))
                seen[name] = kind.name

    def _read[T](self, source: Source, shape: TypeAdapter[T]) -> T | None:
        try:
            # As JSON, so that a list may become a tuple but "5" never becomes a number.
            return shape.validate_json(json.dumps(source.value), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            self.faults += [_structure_fault(source, one) for one in details]
            return None


class _Patterns:
    """The patterns of a kind, and their faults."""

    def __init__(self, source: Source, spec: ResourceFile) -> None:
        self.faults: list[Fault] = []
        self._source = source
        self.identifier = self._parse(("identifier",), spec.identifier)
        self.repository = self._parse(("repository",), spec.repository)
        self.files = tuple(
            self._parse(("files", index), text) for index, text in enumerate(spec.files)
        )
        self.metadata = self._parse(("metadata",), spec.metadata)
        everything = (self.identifier, self.repository, *self.files, self.metadata)
        separators = [pair for pattern in everything for pair in pattern.separators()]
        self.parts = {
            name: Part(
                part.pattern,
                part.message,
                part.example,
                frozenset(between for owner, between in separators if owner == name),
            )
            for name, part in spec.parts.items()
        }
        if not self.faults:
            self._check(spec)

    def _parse(self, keys: tuple[object, ...], text: str) -> Pattern:
        try:
            return Pattern.parse(text)
        except ValueError as error:
            cure = "See 'Path patterns' in docs/catalog.md."
            self.faults.append(self._source.fault(keys, f"The pattern {error}.", cure))
            return Pattern(text, ())

    def _check(self, spec: ResourceFile) -> None:
        for name, part in spec.parts.items():
            self._check_part(name, part)
        one_path = "It must be one path for each entity, without '*'."
        for name in ("identifier", "repository", "metadata"):
            pattern: Pattern = getattr(self, name)
            if not pattern.is_one_path or (name != "metadata" and len(pattern.segments) != 1):
                self._add((name,), f"'{name}' is {pattern.text!r}.", one_path)
        if not self.metadata.text.endswith(".json"):
            self._add(
                ("metadata",), "The metadata file is not JSON.", "Use a path that ends in '.json'."
            )
        if self.repository.parts and f"{{{self.repository.parts[0]}}}" != self.repository.text:
            cure = "Write a key of the map of repositories, or one part in braces."
            self._add(("repository",), "'repository' mixes a part with other text.", cure)
        self._check_use(spec)

    def _check_part(self, name: str, part: PartOfIdentifier) -> None:
        try:
            re.compile(part.pattern)
        except re.error as error:
            cure = "Write a regular expression in Python's syntax."
            self._add(("parts", name, "pattern"), f"The pattern of '{name}' fails: {error}.", cure)
            return
        ready = self.parts[name]
        if not ready.accepts(part.example):
            cure = f"Give a value that matches the pattern and is {SAFE}."
            if ready.separators:
                cure = f"{cure[:-1]}, without {listed(sorted(ready.separators))}."
            self._add(
                ("parts", name, "example"), f"The example of '{name}' is not a valid value.", cure
            )
        for separator in ready.separators:
            if _may_contain(ready, separator):
                self._add(
                    ("parts", name, "pattern"),
                    f"A value of '{name}' may contain '{separator}', which separates it from "
                    "another part.",
                    "Change the pattern, or use a different separator.",
                )

    def _check_use(self, spec: ResourceFile) -> None:
        patterns: list[tuple[tuple[object, ...], Pattern]] = [
            *((("files", index), pattern) for index, pattern in enumerate(self.files)),
            (("metadata",), self.metadata),
        ]
        for keys, pattern in patterns:
            self._check_shared(keys, pattern)
        single = [(("identifier",), self.identifier), (("repository",), self.repository)]
        for keys, pattern in [*single, *patterns]:
            for name in pattern.parts:
                if name not in self.parts:
                    self._add(keys, f"'{{{name}}}' is not a part.", "Declare it under 'parts'.")
        for name in self.parts:
            if name not in self.identifier.parts and name not in spec.locate:
                cure = "Add it to 'identifier', or name a property that gives a hint in 'locate'."
                self._add(("parts", name), f"The identifier does not contain '{name}'.", cure)
        for name in spec.locate:
            if name not in self.parts or name in self.identifier.parts:
                cure = "Locate only parts that the identifier lacks."
                self._add(("locate", name), f"'{name}' cannot be located.", cure)

    def _check_shared(self, keys: tuple[object, ...], pattern: Pattern) -> None:
        for name in self.parts:
            if name not in pattern.parts and name not in self.repository.parts:
                problem = f"{pattern.text!r} does not contain the part '{name}'."
                cure = "Add the part; otherwise several entities would share a file."
                self._add(keys, problem, cure)

    def _add(self, keys: tuple[object, ...], problem: str, cure: str) -> None:
        self.faults.append(self._source.fault(keys, problem, cure))


def _are_objects(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _may_contain(part: Part, separator: str) -> bool:
    """Return whether a likely value with the separator matches.

    Such values are refused in any case.
    """
    example = part.example
    likely = [example[:1] + separator + example[-1:], f"a{separator}a", f"aa{separator}a1"]
    likely += [example[:at] + separator + example[at:] for at in range(1, len(example))]
    return any(re.fullmatch(part.pattern, value) for value in likely)


def _structure_fault(source: Source, error: ErrorDetails) -> Fault:
    """Describe a schema fault of a file in words."""
    keys = [key for key in error["loc"] if key not in _TAGS]
    if keys and keys[0] in OPERATIONS and source.path.endswith("action.yaml"):
        keys.pop(0)
    where = ".".join(map(str, keys))
    match error["type"]:
        case "extra_forbidden":
            cure = _key_cure(str(keys[-1]))
            return source.fault(keys, f"The key '{where}' is unknown.", cure)
        case "missing":
            return source.fault(keys, f"The key '{where}' is missing.", "Add it.")
        case "union_tag_not_found" | "union_tag_invalid":
            cure = f"It must be one of: {listed(OPERATIONS)}."
            return source.fault(["operation"], "'operation' is missing or unknown.", cure)
    return source.fault(keys, f"'{where}' is wrong: {error['msg']}.", "See docs/catalog.md.")


def _key_cure(name: str) -> str:
    """Return a fix for an unknown key: the nearest key of the format."""
    models = [
        model for schema in schemas().values() for model in (schema, *schema["$defs"].values())
    ]
    names = sorted({key for model in models for key in model.get("properties", {})})
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean '{near[0]}'?" if near else "See docs/catalog.md."
