"""The page on personal data names every place, and its retention."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/data.md").read_text()
STORAGE = ROOT / "terraform/modules/storage"
RECORDS = (STORAGE / "records.tf").read_text()


def test_page_names_every_table() -> None:
    tables = re.findall(
        r'resource "aws_dynamodb_table" "(\w+)"', (STORAGE / "tables.tf").read_text()
    )

    assert len(tables) > 3
    assert [name for name in tables if f"| DynamoDB table `<p>-{name}` |" not in PAGE] == []


def test_page_names_every_expiry_of_records() -> None:
    days = {
        *re.findall(r"\bdays += (\d+)", RECORDS),
        *re.findall(r"noncurrent_days = (\d+)", RECORDS),
    }
    kept = set(re.findall(r"\| (\d+) (?:more )?days \|", PAGE))

    assert days
    assert days <= kept


@pytest.mark.parametrize("attribute", ["requested_by", "emails", "excluded", "votes"])
def test_attributes_that_the_page_searches_exist(attribute: str) -> None:
    models = (ROOT / "shared/slipway/approvals/models.py").read_text()

    assert re.search(rf"^    {attribute}: ", models, re.MULTILINE)
    assert attribute in PAGE
