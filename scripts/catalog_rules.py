"""Compare the approval policy with a catalog, for `scripts/catalog check`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from slipway.catalog.check.environments import environments_of
from slipway.catalog.loading import OPERATIONS
from slipway.catalog.model import Catalog

Rule = Mapping[str, Any]
# Terraform reads the default rules from the same file.
DEFAULTS = Path(__file__).resolve().parent.parent / "terraform" / "default_rules.json"
# Defaults of Terraform's variables `approvals` and `remediation`, for the shipped catalog.
WITHOUT_APPROVAL = ("Test", "Staging")
REPAIRED = {
    "environments": ("Test", "Staging"),
    "auto_merge_environments": ("Test", "Staging"),
}


def default_rules(catalog: Catalog, approvals: Mapping[str, Any]) -> list[Rule]:
    """Return the rules that Terraform uses if `approvals.rules` is null."""
    actions = {
        name: OPERATIONS[action.spec.operation]
        for kind in catalog.kinds.values()
        for name, action in sorted(kind.actions.items())
    }
    free = approvals.get("environments_without_approval", WITHOUT_APPROVAL)
    made = [
        {
            "actions": [
                name
                for operation in default["operations"]
                for name in sorted(actions)
                if actions[name] == operation
            ],
            "environments": ["*"] if default["environments"] == "all" else list(free),
            "approval": approvals.get("approvers", {}) if default["approval"] else None,
            "auto_merge": default["auto_merge"],
        }
        for default in json.loads(DEFAULTS.read_text(encoding="utf-8"))
    ]
    return [rule for rule in made if rule["actions"] and rule["environments"]]


def rules_table(title: str, rules: Sequence[Rule], approvals: Mapping[str, Any]) -> Table:
    """Show who must approve what, and who merges."""
    table = Table(title=title, title_justify="left")
    for column in ("Actions", "Environments", "Approval", "Merged by"):
        table.add_column(column, overflow="fold")
    for rule in rules:
        table.add_row(
            ", ".join(rule["actions"]),
            ", ".join(rule["environments"]),
            _approval(rule.get("approval"), approvals),
            "Slipway" if rule.get("auto_merge") else "people",
        )
    table.add_row("*", "*", _approval(approvals.get("approvers", {}), approvals), "people")
    return table


def _approval(approval: Mapping[str, Any] | None, approvals: Mapping[str, Any]) -> str:
    if approval is None:
        return "none"
    general = approvals.get("approvers", {})
    named = approval if approval.get("emails") or approval.get("teams") else general
    people = [*named.get("emails", ()), *(f"team {team}" for team in named.get("teams", ()))]
    if not people:
        return "refused: approvals.approvers names no approver"
    return f"{approval.get('count', 1)} of {', '.join(people)}"


def mismatches(catalog: Catalog, rules: Sequence[Rule]) -> Iterator[str]:
    """List actions without a rule, and rules that match nothing."""
    named = {name for rule in rules for name in rule.get("actions", ())}
    actions = {name for kind in catalog.kinds.values() for name in kind.actions}
    for name in sorted(actions - named if "*" not in named else ()):
        yield f"No rule matches '{name}': its runs need the general approvers in every environment."
    for name in sorted(named - actions - {"*"}):
        yield f"A rule is for '{name}', which is not an action of the catalog."
    known = [environments_of(kind) for kind in catalog.kinds.values()]
    if None in known:
        return  # The form takes any text as environment.
    all_known = list(dict.fromkeys(name for one in known for name in one or ()))
    wanted = {name for rule in rules for name in rule.get("environments", ())}
    for name in sorted(wanted - {*all_known, "*"}):
        yield (
            f"A rule is for the environment '{name}', which is not one of the catalog: "
            f"{', '.join(all_known)}."
        )


def repair_mismatches(catalog: Catalog, remediation: Mapping[str, Any]) -> Iterator[str]:
    """List environments of repairs that no kind with health has.

    Args:
        catalog: the catalog.
        remediation: Terraform's variable, or the policy that it becomes.
    """
    kinds = [kind for kind in catalog.kinds.values() if kind.spec.health]
    known = [environments_of(kind) for kind in kinds]
    if not kinds or None in known or remediation.get("mode") in {"verify", "off"}:
        return  # Nothing is repaired, or the form takes any text as environment.
    all_known = list(dict.fromkeys(name for one in known for name in one or ()))
    for variable, default in REPAIRED.items():
        for name in remediation.get(variable, default):
            if name not in all_known:
                yield (
                    f"remediation.{variable} has '{name}', which is not an environment of the "
                    f"catalog: {', '.join(all_known)}."
                )
