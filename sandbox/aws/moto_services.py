"""Serve with moto what LocalStack leaves out or builds on Java."""

import json
import threading
from contextlib import AbstractContextManager, nullcontext

from localstack.aws.api import RequestContext, ServiceRequest, ServiceResponse
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider
from moto.dynamodb.responses import DynamoHandler


def moto_service(name: str, lock: AbstractContextManager[object] | None = None) -> Service:
    """Return a LocalStack service each of whose operations is moto's.

    Args:
        name: The service, as boto3 names it.
        lock: Held during each operation, if given.
    """
    model = load_service(name)

    def forward(context: RequestContext, _request: ServiceRequest) -> ServiceResponse:
        with lock or nullcontext():
            return call_moto(context)

    return Service(name, skeleton=Skeleton(model, dict.fromkeys(model.operation_names, forward)))


def _list_tags(handler: DynamoHandler) -> str:
    """Answer all tags of a table at once, as DynamoDB does; moto answers ten.

    https://github.com/aws/aws-sdk/issues/583
    """
    tags = handler.dynamodb_backend.list_tags_of_resource(handler.body["ResourceArn"])
    return json.dumps({"Tags": tags})


@aws_provider(api="dynamodb", name="moto")  # type: ignore[untyped-decorator]  # LocalStack's
def dynamodb_service() -> Service:
    """DynamoDB in memory, one operation at a time.

    moto reads, checks a condition and writes without a lock; LocalStack serves requests in
    threads. Without this lock two conditional writes could both find their condition true.
    """
    DynamoHandler.list_tags_of_resource = _list_tags
    return moto_service("dynamodb", threading.Lock())


@aws_provider(api="xray", name="default")  # type: ignore[untyped-decorator]  # LocalStack's
def xray_service() -> Service:
    """X-Ray: keeps the segments that it is sent."""
    return moto_service("xray")
