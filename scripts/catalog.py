"""Check a catalog, preview a run of an action, and create actions.

No command needs an account, an installation or the sandbox.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from slipway.catalog.check import check_catalog
from slipway.catalog.check.samples import sample_inputs
from slipway.catalog.documents import read_document
from slipway.catalog.files import CreateFile, schemas
from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog, Kind
from slipway.catalog.planning import FilePlan, NothingToDo, Plan, Situation, make_plan
from slipway.catalog.reading import read_folder
from slipway.catalog.request import Request, Target, Tree, find_target
from slipway.changes.proposal import preview as diff
from slipway.errors import SlipwayError

from scripts.catalog_rules import default_rules, mismatches, repair_mismatches, rules_table
from scripts.cli import CatalogFolder, start, table_console
from scripts.new_catalog_action import new_files

ROOT = Path(__file__).resolve().parent.parent
RUN_ID = "r_0000000000000000"
_NOT_LOOKED_AT = "{} not checked: give --tfvars FILE with '{}'."

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)
TfvarsFile = Annotated[
    Path | None,
    typer.Option("--tfvars", help="The installation's variables.", exists=True, dir_okay=False),
]


@dataclass(frozen=True)
class Variables:
    """Catalog settings in a variables file; None for those not set.

    Attributes:
        repositories: key → name of the repository.
        approvals: `approvals`, with the approval policy's rules and limits.
        settings: `catalog_settings`.
        remediation: `remediation`, with the environments of repairs.
    """

    repositories: Mapping[str, str] | None
    approvals: Mapping[str, Any]
    settings: Mapping[str, Any]
    remediation: Mapping[str, Any]

    @property
    def limits(self) -> Mapping[str, Any]:
        """Limits of the approval policy, by action."""
        found: Mapping[str, Any] = self.approvals.get("limits", {})
        return found


@app.command()
def check(catalog: CatalogFolder = ROOT / "catalog", tfvars: TfvarsFile = None) -> None:
    """Check a catalog and list its faults."""
    files = read_folder(catalog)
    variables = read_variables(tfvars)
    faults = check_catalog(
        files, variables.repositories, variables.limits, settings=variables.settings
    )
    for fault in faults:
        console.print(str(fault), style="red", markup=False)
    if faults:
        raise typer.Exit(1)
    loaded = load_catalog(files)
    actions = sum(len(kind.actions) for kind in loaded.kinds.values())
    console.print(f"The catalog has no fault: {len(loaded.kinds)} kinds, {actions} actions.")
    if variables.repositories is None:
        console.print(_NOT_LOOKED_AT.format("Repositories were", "github.repositories"))
    if tfvars is None:
        console.print(_NOT_LOOKED_AT.format("The approval policy was", "approvals"))
    _print_rules(loaded, variables.approvals)
    for said in repair_mismatches(loaded, variables.remediation) if tfvars else ():
        console.print(said, markup=False)


def _print_rules(catalog: Catalog, approvals: Mapping[str, Any]) -> None:
    """Show the approval policy, and where it does not match the catalog."""
    rules = approvals.get("rules")
    title = "Rules of the approval policy; the first match decides"
    if rules is None:
        rules, title = default_rules(catalog, approvals), f"Default {title[0].lower()}{title[1:]}"
    table_console().print(rules_table(title, rules, approvals), markup=False)
    for said in mismatches(catalog, rules):
        console.print(said, markup=False)


@app.command()
def preview(
    action: Annotated[str, typer.Argument(help="The action, for example create_service.")],
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs", help="Inputs of the form, as JSON or YAML.", exists=True, dir_okay=False
        ),
    ] = None,
    entity: Annotated[
        str, typer.Option("--entity", help="The entity. Default: one made from the examples.")
    ] = "",
    repository: Annotated[
        Path | None,
        typer.Option(
            "--repository",
            help="Checkout with the entity's files. Default: generated files.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    catalog: CatalogFolder = ROOT / "catalog",
    tfvars: TfvarsFile = None,
) -> None:
    """Show what a run of an action would change."""
    try:
        loaded = load_catalog(read_folder(catalog))
        typed = _read_inputs(inputs) if inputs else {}
        target, plan = _plan(loaded, action, typed, entity, repository, read_variables(tfvars))
    except SlipwayError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    _print_plan(target, plan)


def _plan(
    catalog: Catalog,
    action: str,
    typed: Mapping[str, Any],
    entity: str,
    repository: Path | None,
    variables: Variables,
) -> tuple[Target, Plan]:
    found = catalog.find(action)
    if found is None:
        raise SlipwayError(f"The catalog has no action '{action}'.")
    kind, _ = found
    examples = {name: part.example for name, part in kind.parts.items()}
    request = Request(
        run_id=RUN_ID,
        action=action,
        entity=entity or kind.identifier.fill(examples),
        inputs=typed,
        requester={"id": "preview", "email": "you@example.com", "name": "You"},
        requested_at="2000-01-01T00:00:00Z",
        run_url="https://app.port.io/organization/run?runId=" + RUN_ID,
    )
    target = find_target(catalog, request)
    if repository:
        tree = _checkout(repository, target)
    else:
        tree = Tree({}, {}) if target.action.creates else _made(kind, target, variables)
    limits = variables.limits.get(action, {})
    situation = Situation(tree=tree, limits=limits, settings=variables.settings)
    return target, make_plan(target, request, situation)


def _made(kind: Kind, target: Target, variables: Variables) -> Tree:
    """Generate files of an entity with the kind's create and sample inputs."""
    for action in kind.actions.values():
        if isinstance(action.spec, CreateFile):
            inputs = dict.fromkeys(action.form.inputs) | next(sample_inputs(kind, action))
            free = Target(
                kind=kind, action=action, identifier=target.identifier, parts=target.parts,
                inputs=inputs, unused=(),
            )  # fmt: skip
            request = Request(run_id=RUN_ID, action=action.identifier, inputs=inputs)
            situation = Situation(tree=Tree({}, {}), settings=variables.settings)
            plan = make_plan(free, request, situation)
            if isinstance(plan, FilePlan):
                texts = {path: text for path, text in plan.files.items() if text is not None}
                return Tree(dict.fromkeys(texts, "0" * 40), texts)
    raise SlipwayError(f"'{kind.name}' has no create action: give --repository with a checkout.")


def _checkout(folder: Path, target: Target) -> Tree:
    """Return the entity's files in a checkout."""
    files: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name in target.kind.folders(target.parts):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                data, place = path.read_bytes(), path.relative_to(folder).as_posix()
                blob = b"blob %d\0" % len(data) + data
                files[place] = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
                try:
                    texts[place] = data.decode()
                except UnicodeDecodeError:
                    continue  # Not text, such as an image: a plan does not read it.
    return Tree(files, texts)


def _read_inputs(path: Path) -> dict[str, Any]:
    syntax: Any = "json" if path.suffix == ".json" else "yaml"
    return read_document(path.read_text(encoding="utf-8"), syntax).value()


def _print_plan(target: Target, plan: Plan) -> None:
    if isinstance(plan, NothingToDo):
        console.print(plan.reason, markup=False)
        return
    facts = Table(show_header=False, box=None, pad_edge=False)
    rows = {
        "Title": plan.title,
        "Summary": plan.summary,
        "Entity": target.key,
        "Repository": target.repository,
        "Policy asks for": ", ".join(plan.environments),
        "Reviewed by": plan.team or "–",
        **plan.facts,
    }
    for name, value in rows.items():
        facts.add_row(name, value if isinstance(value, str) else json.dumps(value))
    console.print(facts, markup=False)
    if target.unused:
        console.print(f"\nNothing uses: {', '.join(target.unused)}.", style="yellow", markup=False)
    if isinstance(plan, FilePlan):
        console.print()
        console.print(Syntax(diff(plan.before, plan.files), "diff", background_color="default"))
        if plan.entity:
            console.print("\nEntity until the merge:")
            console.print_json(data=plan.entity)
    else:
        console.print(f"\nRuns {plan.file} with:")
        console.print_json(data=dict(plan.inputs))


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="The kind's folder; created if missing.")],
    action: Annotated[str, typer.Argument(help="The action, for example restart_service.")],
    operation: Annotated[
        str, typer.Option("--operation", help="create, update, delete or workflow.")
    ] = "update",
    catalog: CatalogFolder = ROOT / "catalog",
) -> None:
    """Create an action that passes the check, as a starting point."""
    files = read_folder(catalog)
    try:
        place = os.path.relpath(ROOT / "schemas", catalog)
        added = new_files(files, kind, action, operation, place)
    except SlipwayError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    for path, text in added.items():
        (catalog / path).parent.mkdir(parents=True, exist_ok=True)
        (catalog / path).write_text(text, encoding="utf-8")
        console.print(str(catalog / path))
    console.print("Next: edit these files, then run scripts/catalog check.")


@app.command("schemas")
def write_schemas() -> None:
    """Write the JSON Schemas for editors."""
    for name, schema in schemas().items():
        path = ROOT / "schemas" / name
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        console.print(str(path))


def read_variables(path: Path | None) -> Variables:
    """Read the catalog settings of a Terraform variables file."""
    if path is None:
        return Variables(None, {}, {}, {})
    # Imported when needed: it takes a fifth of a preview's time.
    import hcl2

    text = path.read_text(encoding="utf-8")
    values = json.loads(text) if path.suffix == ".json" else _plain(hcl2.loads(text))
    repositories = values.get("github", {}).get("repositories")
    return Variables(
        repositories=repositories and {key: one["name"] for key, one in repositories.items()},
        approvals=values.get("approvals", {}),
        settings=values.get("catalog_settings", {}),
        remediation=values.get("remediation", {}),
    )


def _plain(value: Any) -> Any:
    """Return a value without the quotes that the parser keeps."""
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
        return value[1:-1].replace('\\"', '"')
    return value


if __name__ == "__main__":
    start(app, "check")
