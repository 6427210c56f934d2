"""Change LocalStack's services on first use: early imports are slow."""

import importlib
import logging
from collections.abc import Callable
from typing import Any

from localstack.services.plugins import ServicePluginManager
from localstack.utils.patch import patch

LOG = logging.getLogger(__name__)

# Service, as LocalStack names it → modules whose `install` changes it.
CHANGES = {
    "apigateway": ("sandbox.aws.api_authorization", "sandbox.aws.api_stage"),
    "cloudwatch": ("sandbox.aws.alarms",),
    "ec2": ("sandbox.aws.security_groups",),
    "s3": ("sandbox.aws.missing_objects",),
    "sns": ("sandbox.aws.email_subscriptions",),
    "stepfunctions": ("sandbox.aws.task_tokens", "sandbox.aws.executions"),
}


def _load(original: Callable[..., Any], manager: ServicePluginManager, name: str) -> Any:
    """LocalStack calls this once per service, before its operations are looked up."""
    for module in CHANGES.get(name, ()):
        importlib.import_module(module).install()
        LOG.debug("service %s is changed by %s", name, module)
    return original(manager, name)


def install() -> None:
    """Have every service of `CHANGES` changed before it serves anything."""
    patch(ServicePluginManager._load_service_plugin)(_load)
