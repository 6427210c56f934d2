"""Plan what a run changes: files, their summary, and the entity. Pure.

The same request for the same files always gives the same plan, because an approval binds it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway.catalog.edits import Edits, edit_files
from slipway.catalog.entities import environment_of, read_entity, read_metadata, team_of
from slipway.catalog.expressions import Expression, evaluate, parse_template, templates
from slipway.catalog.faults import shown
from slipway.catalog.files import CreateFile, DeleteFile, Rule, UpdateFile, WorkflowFile
from slipway.catalog.form import DRY_RUN
from slipway.catalog.model import OWN_PROPERTIES, PENDING
from slipway.catalog.patterns import Pattern
from slipway.catalog.request import (
    Request,
    Target,
    Tree,
    asked,
    input_title,
    limits_of,
    settings_of,
    used_inputs,
)
from slipway.catalog.skeleton import fill_in
from slipway.catalog.typed import read_typed
from slipway.errors import EntityRefused, UserError

_NAMED = 10
_VERBS = {"create": "Create", "update": "Change", "delete": "Delete", "workflow": "Run"}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Inputs of a plan besides the request.

    Attributes:
        tree: the entity's files on the base branch.
        limits: the approval policy's object for the action.
        settings: the installation's `catalog_settings`.
        dependents: identifiers of the entities that relate to this one, for a delete.
    """

    tree: Tree
    limits: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    dependents: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class NothingToDo:
    """The entity already has the requested state.

    Attributes:
        reason: why nothing has to be done, as a sentence.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """The common parts of every plan.

    Attributes:
        target: the entity.
        environments: the environments for the policy; the strictest one applies.
        team: the Port team that reviews; empty if there is none.
        title: title of the pull request.
        summary: what changes, in one line.
        facts: table for people, with trusted names and untrusted values.
    """

    target: Target
    environments: tuple[str, ...]
    team: str
    title: str
    summary: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FilePlan(_Planned):
    """A planned pull request.

    Attributes:
        files: path → new text, or None where the file is removed.
        before: touched path → current text; missing where the file is new, None where the text is
            unknown.
        base: touched path → blob SHA, None where the file is new.
        entity: body of the entity that a create adds to Port.
        consequence: the effect of merging and of closing the pull request.
    """

    files: Mapping[str, str | None]
    before: Mapping[str, str | None]
    base: Mapping[str, str | None]
    entity: Mapping[str, Any] | None = None
    consequence: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkflowPlan(_Planned):
    """A planned run of a workflow.

    Attributes:
        file: the workflow's file on the base branch.
        done: the run's result in the requester's words; empty if the catalog has none.
        inputs: its inputs.
    """

    file: str
    done: str
    inputs: Mapping[str, str]


type Plan = FilePlan | WorkflowPlan | NothingToDo


def make_plan(target: Target, request: Request, situation: Situation) -> Plan:
    """Plan what a run changes.

    Raises:
        UserError: the request is wrong, or not possible in the current state.
    """
    planner = _Planner(target, request, situation)
    match target.action.spec:
        case CreateFile() as spec:
            return planner.create(spec)
        case UpdateFile() as spec:
            return planner.update(spec)
        case DeleteFile() as spec:
            return planner.delete(spec)
        case WorkflowFile() as spec:
            return planner.workflow(spec)


def tell(
    rules: Sequence[Rule], target: Target, request: Request, situation: Situation
) -> list[str | None]:
    """Evaluate conditions: the sentence of each that holds, else None.

    Raises:
        UserError: as `make_plan`.
    """
    planner = _Planner(target, request, situation)
    match target.action.spec:
        case CreateFile() as spec:
            planner.describe_new(spec)
        case UpdateFile() as spec:
            planner.describe()
            planner.describe_edits(spec)
        case _:
            planner.describe()
    return [planner.sentence(rule) for rule in rules]


class _Planner:
    def __init__(self, target: Target, request: Request, situation: Situation) -> None:
        self._target = target
        self._kind = target.kind
        self._action = target.action
        self._request = request
        self._situation = situation
        self._tree = situation.tree
        self._context: dict[str, Any] = {
            "inputs": target.inputs,
            "identifier": target.identifier,
            "parts": target.parts,
            "limits": limits_of(target.action, situation.limits),
            "settings": settings_of(target.kind.spec, situation.settings),
            **asked(request),
        }

    # -- operations

    def create(self, spec: CreateFile) -> FilePlan:
        metadata = self.describe_new(spec)
        self._refuse(spec.refuse)
        files: dict[str, str] = {}
        for document in spec.documents:
            path = self._path(document.file)
            text = read_typed(document, path, self._target, self._context)
            if text is not None:
                files[path] = text
        for name, skeleton in self._action.skeleton.items():
            path = self._path(name)
            verbatim = name in spec.verbatim
            files[path] = skeleton if verbatim else self._filled(path, skeleton)
        place = self._kind.metadata.fill(self._target.parts)
        files[place] = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
        tree = Tree(dict.fromkeys(files, ""), files)
        entity = self._entity(tree)
        count = _count(len(files), "file")
        what = f"{self._kind.blueprint.title} {self._target.identifier}"
        return self._file_plan(
            files,
            metadata,
            (self._environment(metadata),),
            default=f"new {self._kind.blueprint.title.lower()} with {count}",
            entity=entity,
            consequence=f"Merging this pull request adds {what} and ends the run with success. "
            "Closing it without a merge ends the run with failure and removes the pending entity "
            "from Port.",
        )

    def update(self, spec: UpdateFile) -> FilePlan | NothingToDo:
        metadata = self.describe()
        # Conditions without files come first: they concern the inputs.
        early = [rule for rule in spec.refuse if not _is_about_file(rule)]
        self._refuse(early)
        edits = self.describe_edits(spec)
        for rule in spec.nothing_to_do:
            if reason := self.sentence(rule):
                return NothingToDo(reason=reason)
        self._refuse([rule for rule in spec.refuse if rule not in early])
        if not edits.files:
            what = f"{self._kind.blueprint.title} '{self._target.identifier}'"
            return NothingToDo(reason=f"Nothing to do: {what} already has the requested values.")
        after = Tree(self._tree.files, {**self._tree.texts, **edits.files})
        changed = read_metadata(self._kind, self._target.identifier, self._target.parts, after)
        environments = (self._environment(metadata), self._environment(changed))
        return self._file_plan(
            edits.files,
            changed,
            tuple(dict.fromkeys(environments)),
            default="; ".join(f"{name} {value}" for name, value in edits.changes.items()),
            facts=edits.changes,
            consequence="Merging this pull request makes the change and ends the run with success. "
            "Closing it without a merge ends the run with failure; nothing changes.",
        )

    def delete(self, spec: DeleteFile) -> FilePlan:
        metadata = self.describe()
        what, identifier = self._kind.blueprint.title, self._target.identifier
        if self._request.inputs.get(spec.confirm) != identifier:
            title = self._action.form.title(spec.confirm)
            raise UserError(
                f"Input '{title}' must be '{identifier}'. Type the identifier to confirm."
            )
        self._refuse(spec.refuse)
        if dependents := self._situation.dependents:
            more = f" and {len(dependents) - _NAMED} more" if len(dependents) > _NAMED else ""
            raise UserError(
                f"{what} '{identifier}' cannot be deleted while others depend on it: "
                f"{', '.join(dependents[:_NAMED])}{more}. Change or remove these first."
            )
        owned = self._kind.owned(self._tree.files, self._target.parts)
        count = _count(len(owned), "file")
        return self._file_plan(
            dict.fromkeys(owned),
            metadata,
            (self._environment(metadata),),
            default=f"{what.lower()} deleted, {count}",
            facts={"Removes": count},
            consequence=f"Merging this pull request deletes {what} {identifier} and removes its "
            "entity from Port. Closing it without a merge ends the run with failure; nothing "
            "changes.",
        )

    def workflow(self, spec: WorkflowFile) -> WorkflowPlan:
        metadata = self.describe()
        self._refuse(spec.refuse)
        inputs = {
            name: value if isinstance(value, str) else shown(value)
            for name, value in evaluate(spec.inputs, self._context).items()
            if value is not None
        }
        words = self._words(metadata, default=f"workflow {spec.file.rpartition('/')[2]}")
        return WorkflowPlan(
            target=self._target,
            environments=(self._environment(metadata),),
            file=spec.file,
            done=self._text(spec.done) if spec.done else "",
            inputs=inputs,
            **words,
        )

    # -- parts of a plan

    def _file_plan(
        self,
        files: Mapping[str, str | None],
        metadata: Mapping[str, Any],
        environments: tuple[str, ...],
        *,
        default: str,
        consequence: str,
        facts: Mapping[str, Any] | None = None,
        entity: Mapping[str, Any] | None = None,
    ) -> FilePlan:
        for path in files:
            if not self._kind.owns(path, self._target.parts):
                raise ValueError(f"{path!r} is not a file of {self._target.key}")
        there = self._tree.files
        return FilePlan(
            target=self._target,
            environments=environments,
            files=files,
            before={path: self._tree.texts.get(path) for path in files if path in there},
            base={path: there.get(path) for path in files},
            entity=entity,
            consequence=consequence,
            **self._words(metadata, default=default, facts=facts or {}),
        )

    def _words(
        self, metadata: Mapping[str, Any], *, default: str, facts: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        spec, kind = self._action.spec, self._kind
        title = f"{_VERBS[spec.operation]} {kind.blueprint.title.lower()} {self._target.identifier}"
        return {
            "team": team_of(kind, self._target.parts, metadata),
            "title": self._text(spec.title) if spec.title else title,
            "summary": self._text(spec.summary) if spec.summary else default,
            "facts": {
                kind.blueprint.title: self._target.identifier,
                "Environment": self._environment(metadata),
                **self._typed_facts(),
                **(facts or {}),
            },
        }

    def _typed_facts(self) -> dict[str, Any]:
        """Return the used inputs by title; documents are separate files."""
        spec, used = self._action.spec, used_inputs(self._action)
        aside: set[str] = {DRY_RUN}
        if isinstance(spec, CreateFile):
            aside |= {document.input for document in spec.documents}
        if isinstance(spec, DeleteFile):
            aside.add(spec.confirm)
        return {
            self._action.form.title(name): value
            for name, value in self._target.inputs.items()
            if value is not None and name not in aside and (name in used or None in used)
        }

    # -- what expressions see

    def describe_new(self, spec: CreateFile) -> dict[str, Any]:
        """Add the metadata of a new entity and return it."""
        metadata = {
            "identifier": self._target.identifier,
            **evaluate(spec.metadata, self._context),
            "blueprint": self._kind.blueprint.identifier,
            "run_id": self._request.run_id,
        }
        self._context["metadata"] = metadata
        return metadata

    def describe_edits(self, spec: UpdateFile) -> Edits:
        """Add the values before and after the first edit; return all edits."""
        edits = edit_files(spec, self._target, self._tree, self._context)
        self._context |= {"current": edits.current, "new": edits.new}
        return edits

    def describe(self) -> dict[str, Any]:
        """Add an existing entity's metadata and properties; return the metadata."""
        target = self._target
        metadata = read_metadata(self._kind, target.identifier, target.parts, self._tree)
        reviewed = read_entity(
            self._kind, target.identifier, target.parts, self._tree, self._situation.settings
        )
        self._context |= {"metadata": metadata, "properties": reviewed.entity["properties"]}
        return metadata

    def _entity(self, tree: Tree) -> dict[str, Any]:
        reviewed = read_entity(
            self._kind,
            self._target.identifier,
            self._target.parts,
            tree,
            self._situation.settings,
            merged=False,
        )
        if reviewed.notes:
            raise EntityRefused(reviewed.notes)
        properties = {**reviewed.entity["properties"], **reviewed.initial}
        if "health_status" in OWN_PROPERTIES.keys() & self._kind.blueprint.properties.keys():
            properties["health_status"] = PENDING
        return {**reviewed.entity, "properties": properties}

    def _environment(self, metadata: Mapping[str, Any]) -> str:
        return environment_of(self._kind, self._target.parts, metadata)

    def _path(self, text: str) -> str:
        return Pattern.parse(text).fill(self._target.parts)

    def _filled(self, path: str, skeleton: str) -> str:
        return fill_in(path, skeleton, self._context, self._title_of)

    def _title_of(self, expression: Expression) -> str | None:
        return input_title(self._action, expression)

    def _text(self, text: str) -> str:
        """Return a text in one line that untrusted input cannot break."""
        value = parse_template(text).evaluate(self._context)
        line = value if isinstance(value, str) else shown(value)
        return " ".join(line.split())

    def _refuse(self, rules: Sequence[Rule]) -> None:
        for rule in rules:
            if sentence := self.sentence(rule):
                raise UserError(sentence)

    def sentence(self, rule: Rule) -> str | None:
        """Return the sentence of a condition that holds; None if it does not."""
        value = evaluate(rule.condition, self._context)
        if not isinstance(value, bool):
            raise UserError(
                f"The catalog's condition {rule.condition!r} gives {shown(value)}, but must give "
                "true or false. Ask the platform team to correct it."
            )
        return self._text(rule.message) if value else None


def _is_about_file(rule: Rule) -> bool:
    references = (
        root
        for template in templates(rule.condition)
        for expression in template.expressions
        for root, _ in expression.references
    )
    return not {"current", "new"}.isdisjoint(references)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
