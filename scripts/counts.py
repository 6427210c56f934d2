"""Write the table of resource counts per example in docs/install.md.

`terraform test` makes the plans without an account, with a mocked provider.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli import start
from scripts.permissions import plan

PAGE = Path(__file__).resolve().parent.parent / "docs" / "install.md"
BEGIN = "<!-- counts: begin. scripts/counts writes this table from the plans. -->"
END = "<!-- counts: end -->"
EXAMPLES = ("port-hosted", "msk")
# The types that a row counts.
ROWS = {
    "Lambda functions, each with alias `live`, role and log group": ("aws_lambda_function",),
    "event source mappings": ("aws_lambda_event_source_mapping",),
    "state machines": ("aws_sfn_state_machine",),
    "REST APIs": ("aws_api_gateway_rest_api",),
    "SNS topics": ("aws_sns_topic",),
    "DynamoDB tables": ("aws_dynamodb_table",),
    "S3 buckets": ("aws_s3_bucket",),
    "SQS queues": ("aws_sqs_queue",),
    "KMS keys": ("aws_kms_key",),
    "secrets": ("aws_secretsmanager_secret",),
    "alarms": ("aws_cloudwatch_metric_alarm",),
    "dashboards": ("aws_cloudwatch_dashboard",),
    "IAM roles": ("aws_iam_role",),
    "MSK clusters": ("aws_msk_cluster", "aws_msk_serverless_cluster"),
    "MSK Connect connectors": ("aws_mskconnect_connector",),
    "VPCs": ("aws_vpc",),
    "subnets": ("aws_subnet",),
    "NAT gateways, each with a public address": ("aws_nat_gateway",),
    "interface and gateway endpoints": ("aws_vpc_endpoint",),
}


def main(
    check: Annotated[
        bool, typer.Option("--check", help="Only check that the table is current.")
    ] = False,
) -> None:
    """Write the table, or fail if it does not match the plans."""
    page = PAGE.read_text(encoding="utf-8")
    planned = {name: plan(f"examples/{name}", "tests") for name in EXAMPLES}
    written = replaced(page, table(planned))
    if not check:
        PAGE.write_text(written, encoding="utf-8")
    elif page != written:
        typer.echo(
            "counts: docs/install.md does not match the plans. Run scripts/counts.", err=True
        )
        raise typer.Exit(1)


def table(planned: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the Markdown table: resource kinds as rows, plans as columns."""
    counts = {
        name: Counter(
            change["type"] for change in one["resource_changes"] if change["mode"] == "managed"
        )
        for name, one in planned.items()
    }
    rows = [["", *(f"`{name}`" for name in counts)], ["---"] * (len(counts) + 1)]
    for label, types in ROWS.items():
        numbers = [sum(count[kind] for kind in types) for count in counts.values()]
        rows.append([label, *(str(number or "") for number in numbers)])
    rows.append(["resources in total", *(str(count.total()) for count in counts.values())])
    return "".join("| " + " | ".join(row).strip() + " |\n" for row in rows).replace("|  |", "| |")


def replaced(page: str, table: str) -> str:
    """Return the page with a new table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


if __name__ == "__main__":
    start(main, "--check")
