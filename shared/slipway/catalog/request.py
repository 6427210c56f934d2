"""What a run asks for, on which entity, and what is there: all that a plan is made from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.catalog.expressions import Expression, evaluate, parse_template, templates
from slipway.catalog.files import CreateFile, DeleteFile, FromFile, ResourceFile, UpdateFile
from slipway.catalog.form import DRY_RUN
from slipway.catalog.model import Action, Catalog, Kind
from slipway.catalog.patterns import Pattern
from slipway.catalog.skeleton import skeleton_texts
from slipway.errors import InvalidInput, UserError


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run of an action.

    Attributes:
        run_id: Port's id of the run.
        action: the action's identifier.
        entity: identifier of the entity; None when the action creates one.
        inputs: what was typed, by input.
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
class Target:
    """The entity that a run is about.

    Attributes:
        kind: its kind.
        action: the action.
        identifier: its identifier.
        parts: the identifier's parts.
        inputs: the form's values, checked; None for what was left out.
        unused: titles of the inputs that were filled in but that nothing in the catalog uses.
    """

    kind: Kind = field(repr=False)
    action: Action = field(repr=False)
    identifier: str
    parts: Mapping[str, str]
    inputs: Mapping[str, Any]
    unused: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names the entity in locks, ledger and approvals: its blueprint and identifier."""
        return f"{self.kind.blueprint.identifier}/{self.identifier}"

    @property
    def repository(self) -> str:
        """Key of the repository that holds its files."""
        return self.kind.repository_of(self.parts)

    def reads(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths whose texts a plan of the action needs."""
        owned = self.kind.owned(paths, self.parts)
        if isinstance(self.action.spec, DeleteFile):
            return owned
        edits = self.action.spec.edits if isinstance(self.action.spec, UpdateFile) else ()
        named = {
            *read_files(self.kind),
            *(text for _, edit in edits for text in files_of(edit)),
        }
        wanted = {Pattern.parse(text).fill(self.parts) for text in named}
        return [path for path in owned if path in wanted]


def files_of(source: FromFile) -> tuple[str, ...]:
    """The patterns of a source, in the order in which they are looked for."""
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
    """Find what a request is about, and hold what was typed against the form.

    Args:
        catalog: the catalog.
        request: the request.
        hints: the entity's properties as Port has them, for kinds with `locate`.

    Raises:
        UserError: there is no such action, or the request breaks a rule of the form.
    """
    found = catalog.find(request.action)
    if found is None:
        raise UserError(
            f"The catalog has no action '{request.action}' any more. Ask the platform team what "
            "took its place."
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
    """What expressions see of the request itself."""
    run = {"id": request.run_id, "url": request.run_url, "requested_at": request.requested_at}
    who = {key: request.requester.get(key, "") for key in ("id", "email", "name")}
    return {"requester": who, "run": run}


# -- where what was typed goes


def used_inputs(action: Action) -> set[str | None]:
    """The inputs that something in the catalog uses; None stands for all of them."""
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
    """All expressions of an action and its skeleton."""
    spec = action.spec
    # `files.schemas` names each rule's condition `if`, as the file does.
    for template in templates(spec.model_dump(by_alias=True)):
        yield from template.expressions
    verbatim = spec.verbatim if isinstance(spec, CreateFile) else ()
    for path, text in action.skeleton.items():
        if path not in verbatim:
            for _, piece in skeleton_texts(path, text):
                yield from parse_template(piece).expressions


def input_title(action: Action, source: Any) -> str | None:
    """The title of the first input that an expression or a value with expressions takes."""
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
    """The title of the input that a part or a metadata value comes from."""
    if not isinstance(action.spec, CreateFile):
        return None
    if root == "parts" and name in action.spec.parts:
        return input_title(action, action.spec.parts[name])
    if root == "metadata" and name in action.spec.metadata:
        return input_title(action, action.spec.metadata[name])
    return None


def limits_of(action: Action, limits: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of an action: those of the policy before the defaults."""
    return {**action.spec.limits, **limits}


def settings_of(spec: ResourceFile, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a kind: those of the installation before the defaults."""
    return {**spec.settings, **settings}
