"""The stack is applied, does not drift, and is destroyed completely. Runs last, by its name."""

from collections.abc import Iterator

import pytest

from scripts.apply_sandbox import Mode, Stack, StackError
from tests.integration.conftest import SandboxClient

# The mode that creates most resources: also a cluster and a network.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.MSK], indirect=True),
]
PREFIX = "slipway-msk"


def listed(sandbox: SandboxClient) -> Iterator[str]:
    """Return the names of the account's resources, each with its service."""
    aws = sandbox.aws
    yield from (f"lambda {f['FunctionName']}" for f in _pages(aws("lambda"), "list_functions"))
    layers = aws("lambda").list_layer_versions(LayerName=PREFIX)["LayerVersions"]
    yield from (f"layer {version['LayerVersionArn']}" for version in layers)
    yield from (f"table {name}" for name in _pages(aws("dynamodb"), "list_tables"))
    yield from (f"bucket {b['Name']}" for b in aws("s3").list_buckets()["Buckets"])
    yield from (f"role {r['RoleName']}" for r in _pages(aws("iam"), "list_roles"))
    yield from (f"queue {url}" for url in aws("sqs").list_queues().get("QueueUrls", []))
    yield from (f"secret {s['Name']}" for s in _pages(aws("secretsmanager"), "list_secrets"))
    yield from (f"key {a['AliasName']}" for a in _pages(aws("kms"), "list_aliases"))
    yield from (f"log {g['logGroupName']}" for g in _pages(aws("logs"), "describe_log_groups"))
    yield from (f"machine {m['name']}" for m in _pages(aws("stepfunctions"), "list_state_machines"))
    yield from (f"topic {t['TopicArn']}" for t in _pages(aws("sns"), "list_topics"))
    yield from (f"rule {r['Name']}" for r in _pages(aws("events"), "list_rules"))
    yield from (f"api {a['name']}" for a in _pages(aws("apigateway"), "get_rest_apis"))
    alarms = _pages(aws("cloudwatch"), "describe_alarms")
    yield from (f"alarm {alarm['AlarmName']}" for alarm in alarms)
    yield from (
        f"dashboard {d['DashboardName']}" for d in _pages(aws("cloudwatch"), "list_dashboards")
    )
    yield from (f"cluster {c['ClusterName']}" for c in _pages(aws("kafka"), "list_clusters_v2"))
    yield from (
        f"vpc {tag['Value']}"
        for vpc in _pages(aws("ec2"), "describe_vpcs")
        for tag in vpc.get("Tags", [])
    )


def _pages(client, operation: str) -> Iterator:  # type: ignore[no-untyped-def,type-arg]  # any service
    if not client.can_paginate(operation):
        answer = getattr(client, operation)()
        yield from next(value for value in answer.values() if isinstance(value, list))
        return
    paginator = client.get_paginator(operation)
    key = paginator.result_keys[0].expression
    for page in paginator.paginate():
        yield from page.get(key, [])


def own(sandbox: SandboxClient) -> set[str]:
    """Return the services that have resources of this installation."""
    return {name.partition(" ")[0] for name in listed(sandbox) if PREFIX in name}


def versions(sandbox: SandboxClient, bucket: str) -> dict[str, object]:
    """Return what an apply changes of each function, and of the policy."""
    pages = sandbox.aws("lambda").get_paginator("list_functions").paginate()
    found = {
        function["FunctionName"]: (function["RevisionId"], function.get("Environment"))
        for page in pages
        for function in page["Functions"]
        if function["FunctionName"].startswith(PREFIX)
    }
    policy = sandbox.aws("s3").head_object(Bucket=bucket, Key="policy/policy.json")
    return {**found, "policy": policy["VersionId"]}


def test_faulty_catalog_fails_the_apply_and_changes_no_function(
    sandbox: SandboxClient, stack: Stack
) -> None:
    bucket = f"{PREFIX}-records-{'0' * 12}-eu-west-1"
    before = versions(sandbox, bucket)
    resource = stack.catalog_copy / "service" / "resource.yaml"
    resource.write_text(resource.read_text().replace("{{ .metadata.owner }}", "{{ .metadata. | }}"))

    with pytest.raises(StackError, match=r"CatalogRefused"):
        stack.apply()

    assert f"{PREFIX}-create_service" in before
    assert versions(sandbox, bucket) == before


def test_destroyed_stack_leaves_nothing(sandbox: SandboxClient, stack: Stack) -> None:
    before = own(sandbox)

    stack.destroy()

    assert {"lambda", "table", "bucket", "role", "secret", "key", "cluster", "vpc"} <= before
    assert own(sandbox) == set()
