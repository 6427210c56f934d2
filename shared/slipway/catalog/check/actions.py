"""Check an action: its form, its edits or files, and its skeleton."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway.catalog.check.expressions import REQUEST, Keys, Place, check_place, places_of_action
from slipway.catalog.check.kinds import check_from_file, check_path
from slipway.catalog.faults import Fault, Source, known, listed
from slipway.catalog.files import CreateFile, DeleteFile, TypedDocument, UpdateFile
from slipway.catalog.form import DRY_RUN
from slipway.catalog.model import OWN_METADATA, Action, Kind
from slipway.catalog.skeleton import encoders_of, skeleton_texts, syntax_of
from slipway.errors import DocumentRefused


def check_action(kind: Kind, action: Action, limits: Mapping[str, Any]) -> Iterator[Fault]:
    """Find the faults of an action.

    Args:
        kind: its kind.
        action: the action.
        limits: the approval policy's limits for it.
    """
    for place in places_of_action(action):
        yield from check_place(kind, place)
    yield from _check_form(action)
    match action.spec:
        case CreateFile() as spec:
            yield from _check_create(kind, action, spec)
        case UpdateFile() as spec:
            yield from _check_update(kind, action, spec)
        case DeleteFile(confirm=name):
            yield from _check_input(action, ("confirm",), name)
    if action.skeleton and not action.creates:
        cure = "Remove the folder 'files'."
        yield action.source.fault(("operation",), "Only a create has a skeleton.", cure)
    for name in limits:
        if name not in action.spec.limits:
            problem = f"The policy has the limit '{name}', but the action does not."
            yield action.source.fault(("limits",), problem, known(list(action.spec.limits), name))


def _check_form(action: Action) -> Iterator[Fault]:
    inputs = ("trigger", "userInputs")
    asked = action.form.inputs.get(DRY_RUN)
    if asked is None or asked.type != "boolean":
        cure = f"Add the input '{DRY_RUN}' of type boolean, so that people can preview the action."
        yield action.definition.fault(
            (*inputs, "properties", DRY_RUN), f"The form has no '{DRY_RUN}'.", cure
        )
    for name in sorted(action.form.required - set(action.form.inputs)):
        cure = known(list(action.form.inputs), name)
        problem = f"'{name}' is required but not an input."
        yield action.definition.fault((*inputs, "required"), problem, cure)


def _check_input(action: Action, keys: Keys, name: str) -> Iterator[Fault]:
    if name not in action.form.inputs:
        problem = f"The form has no input '{name}'."
        yield action.source.fault(keys, problem, known(list(action.form.inputs), name))
    elif name in action.form.encrypted:
        problem = f"The input '{name}' is encrypted and must not reach a file."
        yield action.source.fault(keys, problem, "Use an input that is not encrypted.")


def _check_create(kind: Kind, action: Action, spec: CreateFile) -> Iterator[Fault]:
    source = action.source
    for name in kind.parts.keys() - spec.parts.keys():
        problem = f"The part '{name}' is missing."
        yield source.fault(("parts",), problem, "Name the input that it comes from.")
    for name in spec.parts.keys() - kind.parts.keys():
        cure = known(list(kind.parts), name)
        yield source.fault(("parts", name), f"'{name}' is not a part.", cure)
    for name in OWN_METADATA:
        if name in spec.metadata:
            problem = f"Slipway itself writes '{name}' into the metadata."
            yield source.fault(("metadata", name), problem, "Leave it out.")
    for index, document in enumerate(spec.documents):
        yield from _check_document(kind, action, index, document)
    for name in spec.verbatim:
        if name not in action.skeleton:
            cure = known(list(action.skeleton), name)
            yield source.fault(("verbatim",), f"The skeleton has no file '{name}'.", cure)
    for name, text in action.skeleton.items():
        yield from _check_skeleton(kind, action, name, text)
        if name not in spec.verbatim:
            yield from _check_texts(kind, action, name, text)


def _check_document(
    kind: Kind, action: Action, index: int, document: TypedDocument
) -> Iterator[Fault]:
    keys = ("documents", index)
    yield from _check_input(action, (*keys, "input"), document.input)
    yield from check_path(kind, action.source, (*keys, "file"), document.file)
    typed = action.form.inputs.get(document.input)
    syntax = syntax_of(document.file)
    if syntax is None or (typed and typed.type == "object" and syntax != "json"):
        cure = "An object goes into a .json file, a text into a .json, .yaml or .yml file."
        yield action.source.fault((*keys, "file"), "The file has the wrong extension.", cure)
    if document.file in action.skeleton:
        cure = "Leave one of them out."
        yield action.source.fault((*keys, "file"), "The skeleton also has this file.", cure)


def _check_skeleton(kind: Kind, action: Action, name: str, text: str) -> Iterator[Fault]:
    source = _skeleton_source(action, name, text)
    for fault in check_path(kind, source, (), name):
        yield Fault(source.path, 1, fault.problem, fault.cure)
    if name == kind.metadata.text:
        cure = "Remove it; 'metadata' of action.yaml says its content."
        yield Fault(source.path, 1, "Slipway itself writes the metadata file.", cure)


def _check_texts(kind: Kind, action: Action, name: str, text: str) -> Iterator[Fault]:
    source = _skeleton_source(action, name, text)
    try:
        pieces = skeleton_texts(name, text)
        value = source.value if syntax_of(name) else {}
    except DocumentRefused as error:
        yield source.refused(error)
        return
    for keys in _keys_with_expressions(value):
        cure = "Use expressions in values only; an input must not become a key."
        yield source.fault(keys, f"The key {keys[-1][:40]!r} has an expression.", cure)
    for keys, piece in pieces:
        place = _Piece(source, keys, piece, REQUEST | {"metadata"}, action)
        faults = list(check_place(kind, place))
        yield from faults
        for expression in () if faults else place.expressions:
            encoder = expression.encoder
            if encoder and encoder not in encoders_of(name):
                cure = f"Use one of: {listed(sorted(encoders_of(name)))}."
                yield place.fault(f"'{encoder}' does not make a text safe in {name}.", cure)


class _Piece(Place):
    """A text of a skeleton, which need not be YAML."""

    def fault(self, problem: str, cure: str) -> Fault:
        if syntax_of(self.source.path):
            return super().fault(problem, cure)
        quoted = [line for line in problem.split("'") if line.startswith((".", "{{", "@"))]
        lines = self.source.text.split("\n")
        found = (n for n, line in enumerate(lines, 1) if quoted and quoted[0] in line)
        return Fault(self.source.path, next(found, 1), problem, cure)


def _skeleton_source(action: Action, name: str, text: str) -> Source:
    return Source(f"{action.source.path.rpartition('/')[0]}/files/{name}", text)


def _keys_with_expressions(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            place = (*keys, str(key))
            if "{{" in str(key):
                yield place
            yield from _keys_with_expressions(inner, place)


def _check_update(kind: Kind, action: Action, spec: UpdateFile) -> Iterator[Fault]:
    source = action.source
    if not spec.edits:
        cure = "Add 'set', 'append' or 'remove'."
        yield source.fault(("operation",), "The action changes nothing.", cure)
    for keys, edit in spec.edits:
        yield from check_from_file(kind, source, keys, edit)
        files = (edit.file,) if isinstance(edit.file, str) else edit.file
        for text in files:
            if syntax_of(text) is None:
                cure = "Only .json, .yaml and .yml files can be edited."
                yield source.fault((*keys, "file"), f"{text!r} cannot be edited.", cure)
        if kind.metadata.text in files and edit.path in OWN_METADATA:
            problem = f"Slipway itself writes '{edit.path}' into the metadata."
            yield source.fault((*keys, "path"), problem, "Edit something else.")
