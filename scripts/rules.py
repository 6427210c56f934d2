"""Holds the approval policy against a catalog: names that only one of the two knows. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.catalog.check.samples import sample_inputs
from slipway.catalog.entities import environment_of
from slipway.catalog.expressions import evaluate
from slipway.catalog.files import CreateFile
from slipway.catalog.model import Action, Catalog, Kind
from slipway.catalog.request import Request, asked

_ALL = "*"


def environments_of(catalog: Catalog) -> set[str]:
    """The environments that the creates of a catalog can lead to, by the choices of their forms.

    Empty if one of them is not a choice: any text may be an environment then.
    """
    found: set[str] = set()
    for kind in catalog.kinds.values():
        for action in kind.actions.values():
            if isinstance(action.spec, CreateFile):
                environments = _environments(kind, action, action.spec)
                if environments is None:
                    return set()
                found |= environments
    return found


def _environments(kind: Kind, action: Action, spec: CreateFile) -> set[str] | None:
    full = dict.fromkeys(action.form.inputs) | next(sample_inputs(kind, action))
    found = {_environment(kind, action, spec, full)}
    for name, one in action.form.inputs.items():
        choices = one.schema.get("enum")
        for choice in choices if isinstance(choices, list) else ["another"]:
            environment = _environment(kind, action, spec, {**full, name: choice})
            if not isinstance(choices, list) and environment not in found:
                return None
            found.add(environment)
    return found


def _environment(kind: Kind, action: Action, spec: CreateFile, inputs: Mapping[str, Any]) -> str:
    request = Request(run_id="r_0000000000000000", action=action.identifier, inputs=inputs)
    context = {"inputs": inputs, **asked(request), "limits": spec.limits}
    parts = evaluate(spec.parts, context)
    context |= {"parts": parts, "identifier": kind.identifier.fill(parts)}
    metadata = evaluate(spec.metadata, context | {"settings": kind.spec.settings})
    return environment_of(kind, parts, metadata)


def misfits(
    catalog: Catalog, rules: Iterable[Mapping[str, Any]], limits: Iterable[str]
) -> list[str]:
    """What the policy names and the catalog does not have, or the other way round, as sentences.

    Args:
        catalog: the catalog.
        rules: the policy's rules, with `actions` and `environments`.
        limits: the actions that have limits.
    """
    rules = list(rules)
    actions = {name for kind in catalog.kinds.values() for name in kind.actions}
    named = {name for rule in rules for name in rule.get("actions", ())}
    places = {name for rule in rules for name in rule.get("environments", ())}
    known = environments_of(catalog)
    return [
        *(
            f"No rule is for '{name}': its runs need the general approvers everywhere."
            for name in sorted(actions - named if _ALL not in named else ())
        ),
        *(
            f"A rule is for '{name}', which is not an action of the catalog."
            for name in sorted(named - actions - {_ALL})
        ),
        *(
            f"A rule is for the environment '{name}', which no action of the catalog creates."
            for name in sorted(places - known - {_ALL} if known else ())
        ),
        *(
            f"Limits are for '{name}', which is not an action of the catalog."
            for name in sorted(set(limits) - actions)
        ),
    ]
