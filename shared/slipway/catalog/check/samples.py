"""Try the actions of a kind with sample inputs to find further faults."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from slipway.catalog.check.expressions import places_of_action
from slipway.catalog.entities import read_entity
from slipway.catalog.expressions import references_of
from slipway.catalog.faults import Fault
from slipway.catalog.files import CreateFile, DeleteFile, UpdateFile
from slipway.catalog.form import Input
from slipway.catalog.model import Action, Kind
from slipway.catalog.planning import FilePlan, Situation, make_plan, tell
from slipway.catalog.request import Request, Target, Tree, files_of
from slipway.errors import EntityRefused, ExpressionRefused, UserError

_BY_FORMAT = {
    "user": "sample@example.com",
    "email": "sample@example.com",
    "url": "https://sample.example.com",
    "date-time": "2000-01-01T00:00:00Z",
    "yaml": "",
}
_BY_TYPE: Mapping[str, Any] = {"number": 1, "boolean": True, "object": {}}


def play(
    kind: Kind, limits: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[Fault]:
    """Run each create, then each other action on the created files."""
    player = _Player(kind, limits, settings)
    trees: list[Tree] = []
    for action in kind.actions.values():
        for inputs in sample_inputs(kind, action) if action.creates else ():
            plan = player.play(action, inputs, Tree({}, {}))
            if plan:
                texts = {path: text for path, text in plan.files.items() if text is not None}
                trees.append(Tree(dict.fromkeys(texts, "0" * 40), texts))
    for tree in trees:
        player.read(tree)
    for action in kind.actions.values():
        for inputs in sample_inputs(kind, action) if trees and not action.creates else ():
            player.play(action, inputs, trees[0])
    return player.faults


class _Player:
    def __init__(
        self, kind: Kind, limits: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]
    ) -> None:
        self.faults: list[Fault] = []
        self._kind = kind
        self._limits = limits
        self._settings = settings
        self._parts = {name: part.example for name, part in kind.parts.items()}
        self._identifier = kind.identifier.fill(self._parts)

    def play(self, action: Action, inputs: Mapping[str, Any], tree: Tree) -> FilePlan | None:
        """Plan with sample inputs: errors are faults, refusals by rules are not."""
        spec, typed = action.spec, dict(inputs)
        if isinstance(spec, DeleteFile):
            typed[spec.confirm] = self._identifier
        rules = spec.refuse
        without: dict[str, Any] = {"refuse": ()}
        if isinstance(spec, UpdateFile):
            rules, without = (*rules, *spec.nothing_to_do), {"refuse": (), "nothing_to_do": ()}
        target = Target(
            kind=self._kind,
            action=replace(action, spec=spec.model_copy(update=without)),
            identifier=self._identifier,
            parts=self._parts,
            inputs={**dict.fromkeys(action.form.inputs), **typed},
            unused=(),
        )
        request = Request(
            run_id="r_0000000000000000",
            action=action.identifier,
            entity=self._identifier,
            inputs=typed,
            requester={"id": "sample", "email": "sample@example.com", "name": "Sample"},
            requested_at="2000-01-01T00:00:00Z",
        )
        limits = self._limits.get(action.identifier, {})
        situation = Situation(tree=tree, limits=limits, settings=self._settings)
        try:
            tell(rules, target, request, situation)
            plan = make_plan(target, request, situation)
        except ExpressionRefused as error:
            self.faults.append(_expression_fault(action, error))
        except EntityRefused as error:
            self._note(error.notes)
        except UserError as error:
            if not _edits_typed_document(self._kind, action):
                cure = "Correct the action, or the files of the create."
                problem = f"With sample inputs: {error}"
                self.faults.append(action.source.fault(("operation",), problem, cure))
        else:
            return plan if isinstance(plan, FilePlan) else None
        return None

    def read(self, tree: Tree) -> None:
        """Read the entity, whose properties must have the blueprint's types."""
        kind = self._kind
        try:
            reviewed = read_entity(kind, self._identifier, self._parts, tree, self._settings)
        except UserError as error:
            cure = "Correct the create's metadata."
            self.faults.append(kind.source.fault(("metadata",), str(error), cure))
        else:
            self._note(reviewed.notes)

    def _note(self, notes: Mapping[str, str]) -> None:
        spec, source = self._kind.spec, self._kind.source
        for name, note in notes.items():
            groups = ("properties", "after_merge", "relations")
            group = next((key for key in groups if name in getattr(spec, key)), "title")
            cure = "Its source and the blueprint must have the same type."
            self.faults.append(source.fault((group, name), note, cure))


def sample_inputs(kind: Kind, action: Action) -> Iterator[dict[str, Any]]:
    """Yield inputs: all filled in, each other choice, only required ones."""
    fixed = _part_examples(kind, action)
    inputs = {n: one for n, one in action.form.inputs.items() if n not in action.form.encrypted}
    full = {name: _sample(one) for name, one in inputs.items()} | fixed
    yield full
    for name, one in inputs.items():
        choices = one.schema.get("enum")
        for choice in choices[1:] if isinstance(choices, list) and name not in fixed else ():
            yield {**full, name: choice}
    yield {name: value for name, value in full.items() if name in action.form.required | set(fixed)}


def _part_examples(kind: Kind, action: Action) -> dict[str, Any]:
    """Examples of the parts, for the inputs that the parts come from."""
    found: dict[str, Any] = {}
    if isinstance(action.spec, CreateFile):
        for part, value in action.spec.parts.items():
            inputs = references_of(value, "inputs")
            if len(inputs) == 1:
                found[inputs.pop()] = kind.parts[part].example
    return found


def _sample(one: Input) -> Any:
    return _value(one.schema)


def _value(schema: Mapping[str, Any]) -> Any:
    choices, default = schema.get("enum"), schema.get("default")
    if isinstance(choices, list) and choices:
        return choices[0]
    if default is not None and not isinstance(default, dict):
        return default
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        return [_value(items if isinstance(items, dict) else {})]
    if kind == "number" and isinstance(schema.get("minimum"), int | float):
        return schema["minimum"]
    return _BY_TYPE.get(str(kind), _BY_FORMAT.get(str(schema.get("format")), "sample"))


def _expression_fault(action: Action, error: ExpressionRefused) -> Fault:
    """Return the fault of an expression, at the place that has it."""
    cure = "Expressions must pass with all inputs filled in, and with only those required."
    for place in places_of_action(action):
        for expression in place.expressions:
            if f"{{{{ {expression.source} }}}}" in str(error):
                return place.fault(str(error), cure)
    return action.source.fault(("operation",), str(error), cure)


def _edits_typed_document(kind: Kind, action: Action) -> bool:
    """Return whether an update edits a document that people type.

    Samples cannot have its content.
    """
    specs = [one.spec for one in kind.actions.values()]
    creates = [spec for spec in specs if isinstance(spec, CreateFile)]
    typed = {document.file for spec in creates for document in spec.documents}
    edits = action.spec.edits if isinstance(action.spec, UpdateFile) else ()
    return any(text in typed for _, edit in edits for text in files_of(edit))
