"""Write docs/permissions.md from Terraform's plan: IAM per function.

`terraform test` makes the plan without an account. In its mocked provider, every resource that a
policy may name has its own ARN (terraform/permissions). The functions of all actions share one row
for each statement, because they have the same permissions: a new action does not change the page.
"""

import json
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "permissions.md"
MARKER = "<!-- What follows is written by scripts/permissions: change the code instead. -->"
# Represents every action in the table.
ACTION = "ACTION"
# Prefix of the ARNs in the mocked provider's account, which does not identify a resource.
_ACCOUNT = ":eu-west-1:111122223333:"
_SECONDS = 300


def main(
    check: Annotated[
        bool, typer.Option("--check", help="Only check that the page is current.")
    ] = False,
) -> None:
    """Write the table, or fail if it does not match the code."""
    page = PAGE.read_text(encoding="utf-8")
    written = f"{page.partition(MARKER)[0]}{MARKER}\n\n{table(plan(), actions())}"
    if not check:
        PAGE.write_text(written, encoding="utf-8")
        return
    if page != written:
        new = set(written.splitlines()) - set(page.splitlines())
        gone = set(page.splitlines()) - set(written.splitlines())
        for mark, lines in (("+", new), ("-", gone)):
            for line in sorted(lines):
                typer.echo(f"{mark} {line}", err=True)
        typer.echo(
            "permissions: docs/permissions.md does not match the functions' policies. If the "
            "change is intended, run scripts/permissions and have the difference reviewed.",
            err=True,
        )
        raise typer.Exit(1)


def plan(root: str = "terraform", tests: str = "permissions") -> dict[str, Any]:
    """Return Terraform's plan as JSON.

    Args:
        root: the folder of the root module.
        tests: the folder in it with the test that plans.

    Raises:
        typer.BadParameter: Terraform failed; the text has its output.
    """
    terraform: list[str | Path] = [ROOT / "scripts" / "terraform", f"-chdir={root}"]
    test = ["test", f"-test-directory={tests}", "-verbose", "-json"]
    init = ["init", "-backend=false", "-input=false", "-lockfile=readonly"]
    _run([*terraform, *init, f"-test-directory={tests}"])
    lines = [json.loads(line) for line in _run([*terraform, *test]).splitlines()]
    plans = [line["test_plan"] for line in lines if line["type"] == "test_plan"]
    if len(plans) != 1:
        raise typer.BadParameter("; ".join(str(line["@message"]) for line in lines))
    found: dict[str, Any] = plans[0]
    return found


def actions() -> list[str]:
    """Return the actions of the shipped catalog."""
    return sorted(path.parent.name for path in (ROOT / "catalog").glob("*/*/action.json"))


def table(planned: dict[str, Any], actions: Collection[str]) -> str:
    """Return the table in Markdown: a row for each statement of each function.

    Raises:
        typer.BadParameter: a function's policy is not in the plan, or names a
            resource without a mocked ARN in terraform/permissions. Or two actions differ.
    """
    policies = dict(sorted(_policies(planned)))
    functions = {
        _function(change)
        for change in planned["resource_changes"]
        if change["type"] == "aws_iam_role_policy" and _function(change)
    }
    if missing := functions - set(policies):
        raise typer.BadParameter(f"No policy in the plan of {', '.join(sorted(missing))}.")
    groups = _log_groups(planned)
    rows: dict[str, list[str]] = {}
    for function, statements in policies.items():
        name = ACTION if function in actions else function
        own = [" | ".join(_cells(statement, groups)) for statement in statements]
        own = [f"| {row} |".replace(f"slipway-{function}:", f"slipway-{name}:") for row in own]
        if rows.setdefault(name, own) != own:
            raise typer.BadParameter(f"{function} may not do the same as the other actions.")
    heading = ["| Function | Statement | May | On | If |", "| --- | --- | --- | --- | --- |"]
    lines = [f"| {name} {row}" for name, own in sorted(rows.items()) for row in own]
    if unnamed := [line for line in lines if "mock" in line]:
        raise typer.BadParameter(
            "A resource cannot be distinguished from others: add it to terraform/permissions. "
            f"{unnamed[0]}"
        )
    return "\n".join([*heading, *lines]) + "\n"


def _log_groups(planned: dict[str, Any]) -> dict[str, str]:
    """Return the ARN in AWS of each function's log group, by mocked ARN."""
    planned_groups = [
        change["change"]["after"]
        for change in planned["resource_changes"]
        if change["type"] == "aws_cloudwatch_log_group" and _function(change)
    ]
    groups = {
        group["arn"]: f"arn:aws:logs{_ACCOUNT}log-group:{group['name']}" for group in planned_groups
    }
    if len(groups) != len(planned_groups):
        raise typer.BadParameter("Two functions' log groups have one ARN in terraform/permissions.")
    return groups


def _policies(planned: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for change in planned["resource_changes"]:
        document = (change["type"], change["name"]) == ("aws_iam_policy_document", "this")
        if document and _function(change):
            yield _function(change), change["change"]["after"]["statement"]


def _function(change: dict[str, Any]) -> str:
    """Return the function that a resource belongs to; empty if none."""
    module = str(change.get("module_address", ""))
    if module.startswith("module.function["):
        return module.partition('["')[2].removesuffix('"]')
    return module.removeprefix("module.") if module == "module.check_catalog" else ""


def _cells(statement: dict[str, Any], groups: Mapping[str, str]) -> list[str]:
    resources = [
        f"{groups[arn]}:*" if (arn := resource.removesuffix(":*")) in groups else resource
        for resource in statement["resources"] or []
    ]
    shown = [
        f"`{resource.removeprefix('arn:aws:').replace(_ACCOUNT[:-1], '')}`"
        for resource in resources
    ]
    allowed = [f"`{action}`" for action in statement["actions"] or []]
    # The table must show every statement of a policy.
    odd = [
        key
        for key in ("not_actions", "not_resources", "not_principals", "principals")
        if statement[key]
    ]
    if odd or statement["effect"] not in {None, "Allow"} or not (shown and allowed):
        raise typer.BadParameter(
            f"Statement {statement['sid']} has a form that the table cannot show."
        )
    conditions = [
        f"{condition['test']} `{condition['variable']}` {', '.join(condition['values'])}"
        for condition in statement["condition"]
    ]
    return [
        statement["sid"],
        ", ".join(sorted(allowed)),
        ", ".join(sorted(shown)),
        "; ".join(sorted(conditions)),
    ]


def _run(command: list[str | Path]) -> str:
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if ended.returncode:
        raise typer.BadParameter(f"Terraform failed. {ended.stdout[-2000:]} {ended.stderr[-2000:]}")
    return ended.stdout


if __name__ == "__main__":
    start(main, "--check")
