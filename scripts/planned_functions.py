"""Print an example's functions with trigger, role and alarms.

`terraform test` makes the plan without an account, with a mocked provider.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from scripts.cli import start, table_console
from scripts.permissions import plan

COLUMNS = ("Function", "Trigger", "Role", "Alarms")
_FUNCTION = re.compile(r'module\.(?:function|kafka_trigger)\["(\w+)"\]|module\.(check_catalog)\b')
_SERVICES = {"apigateway.amazonaws.com": "API Gateway", "events.amazonaws.com": "EventBridge"}


def main(example: Annotated[str, typer.Argument(help="A folder of examples/.")]) -> None:
    """Show the functions that an apply of an example creates."""
    table = Table(title=f"Functions of examples/{example}", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows(plan(f"examples/{example}", "tests")):
        table.add_row(*row)
    table_console().print(table, markup=False)


def rows(planned: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return a row for each function of a plan, in the order of `COLUMNS`."""
    functions = {key: made["function_name"] for key, made in _made(planned, "aws_lambda_function")}
    roles = {key: made["name"] for key, made in _made(planned, "aws_iam_role")}
    alarms = defaultdict[str, list[str]](list)
    for _, alarm in _made(planned, "aws_cloudwatch_metric_alarm"):
        name = (alarm["dimensions"] or {}).get("FunctionName", "")
        alarms[name].append(alarm["alarm_name"].removeprefix(f"{name}-"))
    triggers = defaultdict[str, set[str]](set)
    for function, trigger in _triggers(planned):
        triggers[function].add(trigger)
    return [
        (
            name,
            "; ".join(sorted(triggers[key])) or _invoker(key),
            roles[key],
            ", ".join(sorted(alarms[name])),
        )
        for key, name in sorted(functions.items(), key=lambda item: item[1])
    ]


def _invoker(function: str) -> str:
    return "the apply" if function == "check_catalog" else "Step Functions"


def _triggers(planned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for function, permission in _made(planned, "aws_lambda_permission"):
        yield function, _SERVICES[permission["principal"]]
    for function, mapping in _made(planned, "aws_lambda_event_source_mapping"):
        filters = [
            json.loads(one["pattern"])["value"]
            for criteria in mapping["filter_criteria"]
            for one in criteria["filter"]
        ]
        wanted = [name for one in filters for name in one.get("action", ())]
        yield function, f"Kafka: {', '.join(wanted) or 'changes of entities'}"


def _made(planned: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each resource of a type with its function and attributes."""
    for change in planned["resource_changes"]:
        if change["type"] == kind:
            found = _FUNCTION.search(change["address"])
            yield (found[1] or found[2]) if found else "", change["change"]["after"]


if __name__ == "__main__":
    start(main, "port-hosted")
