"""`scripts/topics`: least privilege, and how it signs in."""

from unittest.mock import Mock

import aws_msk_iam_sasl_signer  # type: ignore[import-untyped]  # it has no types
import pytest
import typer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it re-exports them silently
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from scripts import topics


def test_access_list_allows_a_user_only_to_read() -> None:
    names = topics.topic_names("org_test", change_log=True)
    rules = topics.access_list("org_test", "lambda", names)

    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    assert {(rule.restype, rule.name, rule.resource_pattern_type) for rule in rules} == {
        (ResourceType.TOPIC, "org_test.runs", literal),
        (ResourceType.TOPIC, "org_test.change.log", literal),
        (ResourceType.GROUP, "org_test.", prefixed),
    }
    assert {rule.operation for rule in rules} == {AclOperation.READ, AclOperation.DESCRIBE}
    assert {(rule.principal, rule.permission_type) for rule in rules} == {
        ("User:lambda", AclPermissionType.ALLOW)
    }


def test_topics_have_the_clusters_replication_factor() -> None:
    admin = Mock()
    admin.create_topics.return_value = {}

    topics.make_topics(admin, ["org_test.runs"], 1, print)

    # The number is only in the brokers' configuration; the mirror topic requests the same.
    (wanted,) = admin.create_topics.call_args.args
    assert [topic.replication_factor for topic in wanted] == [-1]


def test_msk_token_is_for_the_region_of_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def token(region: str) -> tuple[str, int]:
        asked.append(region)
        return "token", 4_102_444_800_000

    monkeypatch.setattr(aws_msk_iam_sasl_signer.MSKAuthTokenProvider, "generate_auth_token", token)
    monkeypatch.setattr(topics, "TIMEOUT_SECONDS", 5)

    topics.connect("127.0.0.1:1", "eu-west-1", plaintext=False)

    assert asked == ["eu-west-1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cluster-arn", "slipway", "--org-id", "org"], "not the ARN of an MSK cluster"),
        (
            ["--cluster-arn", "a", "--org-id", "org", "--username", "me", "--plaintext"],
            "has no users",
        ),
    ],
)
def test_invalid_arguments_are_refused_with_a_message(arguments: list[str], message: str) -> None:
    app = typer.Typer()
    app.command()(topics.main)

    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 1
    assert message in result.output
