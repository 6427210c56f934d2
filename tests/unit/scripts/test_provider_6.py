"""The comparison of the module with the schema of the provider's version 6."""

from pathlib import Path

import pytest

from scripts.provider_6 import Schema, check

QUEUE = """
class QueueArgs:
    def __init__(__self__, *,
                 name: pulumi.Input[Optional[_builtins.str]] = None,
                 rules: pulumi.Input[Optional[Sequence[pulumi.Input['QueueRuleArgs']]]] = None):
        pass

class Queue(pulumi.CustomResource):
    @property
    @pulumi.getter
    def arn(self) -> pulumi.Output[_builtins.str]:
        pass
"""
INPUTS = """
class QueueRuleArgs:
    def __init__(__self__, *, days: pulumi.Input[_builtins.int]):
        pass
"""


@pytest.fixture
def schema(tmp_path: Path) -> Schema:
    folder = tmp_path / "pulumi_aws" / "sqs"
    folder.mkdir(parents=True)
    (folder / "queue.py").write_text(QUEUE)
    (folder / "_inputs.py").write_text(INPUTS)
    return Schema(folder.parent)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('resource "aws_sqs_queue" "a" {\n name = "a"\n rule {\n days = 1\n }\n}', []),
        ('resource "aws_sqs_queue" "a" {\n size = 1\n}', ["aws_sqs_queue.size"]),
        (
            'resource "aws_sqs_queue" "a" {\n rule {\n hours = 1\n }\n}',
            ["aws_sqs_queue.rule.hours"],
        ),
        ('resource "aws_sqs_topic" "a" {\n name = "a"\n}', ["aws_sqs_topic"]),
        ("locals {\n a = aws_sqs_queue.a.arn\n}", []),
        ("locals {\n a = aws_sqs_queue.a.url\n}", ["aws_sqs_queue → url"]),
    ],
)
def test_check_names_what_version_6_lacks(
    schema: Schema, tmp_path: Path, code: str, expected: list[str]
) -> None:
    (tmp_path / "main.tf").write_text(code)

    assert check(schema, tmp_path) == (1, expected)
