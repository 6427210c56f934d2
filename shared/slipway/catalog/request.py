"""Find the entity and inputs of a run's request, for a plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, override

from slipway.catalog.expressions import Expression, evaluate, parse_template, templates
from slipway.catalog.files import CreateFile, DeleteFile, FromFile, ResourceFile, UpdateFile
from slipway.catalog.form import DRY_RUN
from slipway.catalog.keys import key_of, split_key
from slipway.catalog.model import Action, Catalog, Kind
from slipway.catalog.patterns import Pattern
from slipway.catalog.skeleton import skeleton_texts
from slipway.errors import ActionGone, InvalidInput


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run of an action.

    Attributes:
        run_id: Port's id of the run.
        action: the action's identifier.
        entity: identifier of the entity; None when the action creates one.
        inputs: values of the form, by input.
        censored: names of the inputs that are encrypted.
        requester: `id`, `email` and `name` of the requester; empty texts where unknown.
        requested_at: when, as ISO 8601.
        run_url: the run's page in Port.
    """

    run_id: str
    action: str
    entity: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    censored: tuple[str, ...] = ()
    requester: Mapping[str, str] = field(default_factory=dict)
    requested_at: str = ""
    run_url: str = ""


@dataclass(frozen=True)
class Tree:
    """Files of the base branch at one commit.

    Attributes:
        files: path → blob SHA, at least of all files in `Kind.folders`.
        texts: path → text, of those of `Target.reads` that are UTF-8.
    """

    files: Mapping[str, str]
    texts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """An entity and where its files are.

    Attributes:
        kind: its kind.
        identifier: its identifier.
        parts: the identifier's parts.
    """

    kind: Kind = field(repr=False)
    identifier: str
    parts: Mapping[str, str]

    @property
    def blueprint(self) -> str:
        """Port's identifier of its blueprint."""
        return self.kind.blueprint.identifier

    @property
    def name(self) -> str:
        """Its name for people, for example `Service 'my-service'`."""
        return f"{self.kind.blueprint.title} '{self.identifier}'"

    @property
    def key(self) -> str:
        """Key for locks, ledger and approvals: blueprint and identifier."""
        return key_of(self.blueprint, self.identifier)

    @property
    def repository(self) -> str:
        """Key of the repository that has its files."""
        return self.kind.repository_of(self.parts)

    def owns(self, path: str) -> bool:
        """Return whether a path belongs to the entity."""
        return self.kind.owns(path, self.parts)

    def reads(self, paths: Iterable[str]) -> list[str]:
        """Return the paths whose texts are needed to read the entity."""
        return self._named(paths, read_files(self.kind))

    def _named(self, paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
        wanted = {Pattern.parse(text).fill(self.parts) for text in patterns}
        return [path for path in self.kind.owned(paths, self.parts) if path in wanted]


@dataclass(frozen=True, kw_only=True)
class Target(Resource):
    """The entity that a run is about.

    Attributes:
        action: the action.
        inputs: the form's values, checked; None for what was left out.
        unused: titles of filled-in inputs that the catalog does not use.
    """

    action: Action = field(repr=False)
    inputs: Mapping[str, Any]
    unused: tuple[str, ...]

    @override
    def reads(self, paths: Iterable[str]) -> list[str]:
        """Return the paths whose texts a plan of the action needs."""
        if isinstance(self.action.spec, DeleteFile):
            return self.kind.owned(paths, self.parts)
        edits = self.action.spec.edits if isinstance(self.action.spec, UpdateFile) else ()
        edited = {text for _, edit in edits for text in files_of(edit)}
        return self._named(paths, read_files(self.kind) | edited)


def find_resource(catalog: Catalog, key: str, hints: Mapping[str, Any] | None = None) -> Resource:
    """Find an entity by its key.

    Args:
        catalog: the catalog.
        key: as `Resource.key`.
        hints: the entity's properties as Port has them, for kinds with `locate`.

    Raises:
        ActionGone: the catalog has no such kind.
        UserError: the identifier does not belong to the kind.
    """
    blueprint, identifier = split_key(key)
    kind = catalog.kind_of(blueprint)
    if kind is None:
        raise ActionGone(
            f"The catalog no longer has a kind for blueprint '{blueprint}', so Slipway does not "
            "know its files. Ask the platform team for its replacement."
        )
    return Resource(kind=kind, identifier=identifier, parts=kind.parts_of(identifier, hints))


def resource_of(catalog: Catalog, paths: Iterable[str], keys: Iterable[str]) -> Resource | None:
    """Return the one entity that owns all paths of a repository; None otherwise.

    Args:
        catalog: the catalog.
        paths: paths in the repository.
        keys: the repository's keys in the map of repositories.
    """
    known = tuple(keys)
    found: dict[str, Resource] = {}
    for path in paths:
        owners = {owner.key: owner for owner in _owners_of(catalog, path, known)}
        if len(owners) != 1:
            return None
        found |= owners
    return next(iter(found.values())) if len(found) == 1 else None


def _owners_of(catalog: Catalog, path: str, keys: Iterable[str]) -> Iterator[Resource]:
    for kind in catalog.kinds.values():
        in_path = kind.parts_at(path)
        for key in keys if in_path is not None else ():
            in_key = kind.repository.read(key, kind.parts)
            # A part may be in the path, in the repository's key, or in both.
            parts = {**(in_key or {}), **(in_path or {})}
            if in_key is None or any(parts[name] != value for name, value in in_key.items()):
                continue
            if set(kind.identifier.parts) <= parts.keys():
                identifier = kind.identifier.fill(parts)
                yield Resource(kind=kind, identifier=identifier, parts=parts)


def files_of(source: FromFile) -> tuple[str, ...]:
    """Return the patterns of a source, in the order of the search."""
    return (source.file,) if isinstance(source.file, str) else source.file


def read_files(kind: Kind) -> set[str]:
    """Patterns of the files that an entity's properties come from."""
    spec = kind.spec
    sources = (*spec.properties.values(), *spec.after_merge.values())
    named = (text for one in sources if isinstance(one, FromFile) for text in files_of(one))
    return {spec.metadata, *named}


def find_target(
    catalog: Catalog, request: Request, hints: Mapping[str, Any] | None = None
) -> Target:
    """Find the entity of a request, and validate the inputs.

    Args:
        catalog: the catalog.
        request: the request.
        hints: the entity's properties as Port has them, for kinds with `locate`.

    Raises:
        UserError: the action does not exist, or the request breaks a rule of the form.
    """
    found = catalog.find(request.action)
    if found is None:
        raise ActionGone(
            f"The catalog no longer has the action '{request.action}'. Ask the platform team for "
            "its replacement."
        )
    kind, action = found
    inputs = action.form.check(request.inputs, request.censored)
    used = used_inputs(action)
    for name in request.censored:
        if name in used or None in used:
            raise InvalidInput(
                action.form.title(name),
                "is a secret input of the form, but its value would go where many people can read "
                "it. Ask the platform team to change the form, and type a reference to a secret "
                "there, never a secret",
            )
    if isinstance(action.spec, CreateFile):
        parts = _typed_parts(kind, action, action.spec, request, inputs)
        identifier = kind.identifier.fill(parts)
    else:
        identifier = request.entity or ""
        parts = kind.parts_of(identifier, hints)
    filled = (name for name, value in request.inputs.items() if value not in (None, "", {}, []))
    unused = (name for name in filled if name not in used and None not in used)
    titles = tuple(action.form.title(name) for name in unused if name != DRY_RUN)
    return Target(
        kind=kind,
        action=action,
        identifier=identifier,
        parts=parts,
        inputs=inputs,
        unused=titles,
    )


def _typed_parts(
    kind: Kind, action: Action, spec: CreateFile, request: Request, inputs: Mapping[str, Any]
) -> dict[str, str]:
    context = {"inputs": inputs, **asked(request), "limits": spec.limits}
    parts = {}
    for name, part in kind.parts.items():
        value = evaluate(spec.parts[name], context)
        if not part.accepts(value):
            title = input_title(action, spec.parts[name]) or name
            raise InvalidInput(title, f"must be {part.message}")
        parts[name] = value
    return parts


def asked(request: Request) -> dict[str, Any]:
    """Return the context that the request itself gives to expressions."""
    run = {"id": request.run_id, "url": request.run_url, "requested_at": request.requested_at}
    who = {key: request.requester.get(key, "") for key in ("id", "email", "name")}
    return {"requester": who, "run": run}


# -- where what was typed goes


def used_inputs(action: Action) -> set[str | None]:
    """Return the inputs that the catalog uses; None means all of them."""
    used: set[str | None] = {
        name
        for expression in expressions_of(action)
        for root, name in expression.references
        if root == "inputs"
    }
    if isinstance(action.spec, CreateFile):
        used |= {document.input for document in action.spec.documents}
    if isinstance(action.spec, DeleteFile):
        used.add(action.spec.confirm)
    return used


def expressions_of(action: Action) -> Iterator[Expression]:
    """Yield all expressions of an action and its skeleton."""
    spec = action.spec
    # `files.schemas` calls each rule's condition `if`, as the file does.
    for template in templates(spec.model_dump(by_alias=True)):
        yield from template.expressions
    verbatim = spec.verbatim if isinstance(spec, CreateFile) else ()
    for path, text in action.skeleton.items():
        if path not in verbatim:
            for _, piece in skeleton_texts(path, text):
                yield from parse_template(piece).expressions


def input_title(action: Action, source: Any) -> str | None:
    """Return the title of the first input that an expression reads."""
    expressions = (
        (source,)
        if isinstance(source, Expression)
        else (one for template in templates(source) for one in template.expressions)
    )
    for expression in expressions:
        for root, name in sorted(expression.references, key=str):
            if root == "inputs" and name:
                return action.form.title(name)
            title = _title_behind(action, root, name)
            if title:
                return title
    return None


def _title_behind(action: Action, root: str, name: str | None) -> str | None:
    """Return the title of the input behind a part or metadata value."""
    if not isinstance(action.spec, CreateFile):
        return None
    if root == "parts" and name in action.spec.parts:
        return input_title(action, action.spec.parts[name])
    if root == "metadata" and name in action.spec.metadata:
        return input_title(action, action.spec.metadata[name])
    return None


def limits_of(action: Action, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of an action; the policy overrides the defaults."""
    return {**action.spec.limits, **limits}


def settings_of(spec: ResourceFile, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a kind; the installation overrides defaults."""
    return {**spec.settings, **settings}
