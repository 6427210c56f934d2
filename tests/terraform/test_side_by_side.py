"""Several installations in one account: each name contains that of its installation."""

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.permissions import actions
from tests.terraform.conftest import Plan

# The names of terraform/references.
PREFIXES = {"hosted": "first", "msk": "second", "webhook": "third"}

# Type → the attribute that identifies its resources in an account and region.
NAMES = {
    "aws_api_gateway_rest_api": "name",
    "aws_appautoscaling_policy": "name",
    "aws_cloudwatch_dashboard": "dashboard_name",
    "aws_cloudwatch_event_rule": "name",
    "aws_cloudwatch_log_group": "name",
    "aws_cloudwatch_metric_alarm": "alarm_name",
    "aws_dynamodb_table": "name",
    "aws_iam_role": "name",
    "aws_kms_alias": "name",
    "aws_lambda_alias": "function_name",
    "aws_lambda_function": "function_name",
    "aws_lambda_layer_version": "layer_name",
    "aws_lambda_permission": "function_name",
    "aws_msk_cluster": "cluster_name",
    "aws_msk_configuration": "name",
    "aws_mskconnect_connector": "name",
    "aws_mskconnect_custom_plugin": "name",
    "aws_mskconnect_worker_configuration": "name",
    "aws_s3_bucket": "bucket",
    "aws_secretsmanager_secret": "name",
    "aws_security_group": "name",
    "aws_sfn_state_machine": "name",
    "aws_sns_topic": "name",
    "aws_sqs_queue": "name",
    "aws_wafv2_web_acl": "name",
    "aws_xray_group": "group_name",
}
# Types without a name, or with one inside a resource of the same installation.
NAMELESS = {
    "aws_api_gateway_deployment",
    "aws_api_gateway_integration",
    "aws_api_gateway_method",
    "aws_api_gateway_method_settings",
    "aws_api_gateway_resource",
    "aws_api_gateway_stage",
    "aws_appautoscaling_target",
    "aws_cloudwatch_event_target",
    "aws_default_security_group",
    "aws_eip",
    "aws_flow_log",
    "aws_iam_role_policy",
    "aws_internet_gateway",
    "aws_kms_key",
    "aws_lambda_event_source_mapping",
    "aws_lambda_invocation",
    "aws_nat_gateway",
    "aws_route",
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_object_lock_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_s3_object",
    "aws_secretsmanager_secret_version",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_endpoint",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_wafv2_web_acl_association",
    "aws_wafv2_web_acl_logging_configuration",
    "terraform_data",
}


def made(plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return type, address and attributes of the resources that a plan creates."""
    for change in plan["resource_changes"]:
        if change["mode"] == "managed":
            yield change["type"], change["address"], change["change"]["after"]


def test_plans_create_only_types_with_a_name_check(plans: dict[str, Plan]) -> None:
    types = {kind for plan in plans.values() for kind, *_ in made(plan)}

    # The types do not include account-wide settings.
    assert types - set(NAMES) - NAMELESS == set()


@pytest.mark.parametrize("run", PREFIXES)
def test_every_name_contains_the_installation_name(plans: dict[str, Plan], run: str) -> None:
    shared = [
        (address, after[NAMES[kind]])
        for kind, address, after in made(plans[run])
        if kind in NAMES and PREFIXES[run] not in after[NAMES[kind]]
    ]

    assert shared == []


@pytest.mark.parametrize("run", ["hosted", "msk"])
def test_consumer_groups_belong_to_one_installation(plans: dict[str, Plan], run: str) -> None:
    groups = [
        config["consumer_group_id"]
        for kind, _, after in made(plans[run])
        if kind == "aws_lambda_event_source_mapping"
        for kafka in ("self_managed_kafka", "amazon_managed_kafka")
        for config in after.get(f"{kafka}_event_source_config") or []
    ]

    assert len(groups) == 2 + len(actions())
    assert [group for group in groups if f".{PREFIXES[run]}-" not in group] == []


@pytest.mark.parametrize("run", PREFIXES)
def test_alarms_watch_one_installation(plans: dict[str, Plan], run: str) -> None:
    """A dimension separates AWS's metrics; a namespace separates those of functions."""
    alarms = {
        address: [*(after["dimensions"] or {}).values()]
        + [query["expression"] for query in after["metric_query"]]
        for kind, address, after in made(plans[run])
        if kind == "aws_cloudwatch_metric_alarm"
    }

    assert len(alarms) > 30
    assert {
        address: texts
        for address, texts in alarms.items()
        if not any(PREFIXES[run] in text or text.startswith("arn:") for text in texts)
    } == {}


@pytest.mark.parametrize("run", PREFIXES)
def test_functions_write_metrics_of_one_installation(plans: dict[str, Plan], run: str) -> None:
    namespaces = [
        environment["variables"]["POWERTOOLS_METRICS_NAMESPACE"]
        for kind, _, after in made(plans[run])
        if kind == "aws_lambda_function"
        for environment in after["environment"]
        if "variables" in environment  # otherwise a value in it is known only after the apply
    ]

    assert namespaces
    assert [namespace for namespace in namespaces if PREFIXES[run] not in namespace] == []
