"""Determine the IAM actions and resources of a recorded AWS call.

From each service's list in the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Call = Mapping[str, Any]


class UnknownCallError(LookupError):
    """A call whose service or operation is not listed here; the message names it."""


@dataclass(frozen=True)
class Access:
    """An action on a resource that IAM decides about.

    Attributes:
        action: IAM's name of it, such as `s3:GetObject`.
        resource: An ARN, or `*` for an action that has no resource.
        context: The condition keys that the call contains, with their values.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def accesses(call: Call) -> list[Access]:
    """Return every action that IAM decides about for `call`.

    Raises:
        UnknownCallError: The service or the operation is not listed here.
    """
    service = call["service"]
    if service not in _SERVICES:
        raise UnknownCallError(f"service {service} ({call['operation']}) is not supported")
    context = {
        "aws:RequestedRegion": call["region"],
        "aws:PrincipalArn": call["role"],
        "aws:PrincipalAccount": call["role"].split(":")[4],
    }
    if function := call.get("function"):
        # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
        context["lambda:SourceFunctionArn"] = _arn(call, "lambda", f"function:{function}")
    result = []
    for action, resource, own in [*_SERVICES[service](call), *_key_use(call)]:
        account = resource.split(":")[4] if resource.count(":") >= 5 else ""
        resource_context = {"aws:ResourceAccount": account} if account else {}
        result.append(Access(action, resource, context | resource_context | own))
    return result


Found = Iterator[tuple[str, str, dict[str, str]]]


def _unknown(call: Call) -> UnknownCallError:
    return UnknownCallError(f"{call['service']} {call['operation']} is not supported")


def _arn(call: Call, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{call['region']}:{call['account']}:{resource}"


def _named(call: Call, service: str, kind: str, name: str) -> str:
    """Return the ARN of a resource that requests identify by name or by ARN."""
    return name if name.startswith("arn:") else _arn(call, service, kind + name)


# DynamoDB

_TRANSACTION = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
}


def _dynamodb(call: Call) -> Found:
    parameters, operation = call["parameters"], call["operation"]

    def table(name: str) -> str:
        return _named(call, "dynamodb", "table/", name)

    if operation in {"TransactWriteItems", "TransactGetItems"}:
        for item in parameters["TransactItems"]:
            for kind, request in item.items():
                yield f"dynamodb:{_TRANSACTION[kind]}", table(request["TableName"]), {}
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for name in parameters["RequestItems"]:
            yield f"dynamodb:{operation}", table(name), {}
    elif "TableName" in parameters:
        index = parameters.get("IndexName")
        resource = table(parameters["TableName"]) + (f"/index/{index}" if index else "")
        yield f"dynamodb:{operation}", resource, {}
    else:
        raise _unknown(call)


# S3

# Operations whose action has another name; the others are listed by theirs.
_S3_OBJECT = {
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "PutObject": "PutObject",
    "DeleteObject": "DeleteObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
}
# Further actions that a request needs, by its parameters. Neither a bucket's default retention nor
# a condition (`IfNoneMatch`) needs a further action.
_S3_BY_PARAMETER = {
    "Tagging": "PutObjectTagging",
    "ObjectLockMode": "PutObjectRetention",
    "ObjectLockLegalHoldStatus": "PutObjectLegalHold",
    "BypassGovernanceRetention": "BypassGovernanceRetention",
}
_S3_BUCKET = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "GetBucketLocation": "GetBucketLocation",
}


def _s3(call: Call) -> Found:
    parameters, operation = call["parameters"], call["operation"]
    bucket = f"arn:aws:s3:::{parameters.get('Bucket')}"
    if operation in _S3_BUCKET:
        prefix = {"s3:prefix": parameters.get("Prefix") or ""}
        yield f"s3:{_S3_BUCKET[operation]}", bucket, prefix
    elif operation in _S3_OBJECT:
        action = _S3_OBJECT[operation]
        if parameters.get("VersionId") and action in {"GetObject", "DeleteObject"}:
            action += "Version"
        resource = f"{bucket}/{parameters['Key']}"
        yield f"s3:{action}", resource, {}
        for parameter, more in _S3_BY_PARAMETER.items():
            if parameters.get(parameter):
                yield f"s3:{more}", resource, {}
    elif operation == "DeleteObjects":
        for item in parameters["Delete"]["Objects"]:
            action = "DeleteObjectVersion" if item.get("VersionId") else "DeleteObject"
            yield f"s3:{action}", f"{bucket}/{item['Key']}", {}
            if parameters.get("BypassGovernanceRetention"):
                yield "s3:BypassGovernanceRetention", f"{bucket}/{item['Key']}", {}
    elif operation == "CopyObject":
        source = str(parameters["CopySource"]).lstrip("/").split("?")[0]
        yield "s3:GetObject", f"arn:aws:s3:::{source}", {}
        yield "s3:PutObject", f"{bucket}/{parameters['Key']}", {}
    else:
        raise _unknown(call)


# Secrets Manager


def _secretsmanager(call: Call) -> Found:
    parameters, operation = call["parameters"], call["operation"]
    if operation == "GetRandomPassword":
        yield "secretsmanager:GetRandomPassword", "*", {}
        return
    if operation not in {"GetSecretValue", "DescribeSecret", "PutSecretValue", "UpdateSecret"}:
        raise _unknown(call)
    # A request names a secret; its ARN, with six characters that AWS adds, is in the answer.
    name = call.get("resource") or parameters["SecretId"]
    context = {}
    if operation == "GetSecretValue":
        context["secretsmanager:VersionStage"] = parameters.get("VersionStage") or "AWSCURRENT"
    yield (
        f"secretsmanager:{operation}",
        _named(call, "secretsmanager", "secret:", name),
        context,
    )


# Services whose resource is one parameter

# Operation → parameter with the resource's ARN; "*" for an action without a resource.
_BY_PARAMETER: dict[str, dict[str, str]] = {
    "states": {
        "StartExecution": "stateMachineArn",
        "ListExecutions": "stateMachineArn",
        "DescribeStateMachine": "stateMachineArn",
        "DescribeExecution": "executionArn",
        "StopExecution": "executionArn",
        "GetExecutionHistory": "executionArn",
    },
    "sns": {"Publish": "TopicArn", "PublishBatch": "TopicArn", "GetTopicAttributes": "TopicArn"},
    "kafka": {
        "DescribeCluster": "ClusterArn",
        "DescribeClusterV2": "ClusterArn",
        "GetBootstrapBrokers": "*",
        "ListScramSecrets": "ClusterArn",
    },
    "xray": {
        "PutTraceSegments": "*",
        "PutTelemetryRecords": "*",
        "GetSamplingRules": "*",
        "GetSamplingTargets": "*",
        "GetSamplingStatisticSummaries": "*",
    },
}


def _states(call: Call) -> Found:
    """Return the action of a request with a task token, which names no resource.

    By the Service Authorization Reference, a policy needs `*`. In fact IAM checks the state machine
    of the token, and a policy may name it: `https://github.com/aws/aws-cdk/pull/8486`.
    A caller that sends an unknown token needs `*`.
    """
    if call["operation"] in {"SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"}:
        yield f"states:{call['operation']}", call.get("resource") or "*", {}
    else:
        yield from _by_parameter("states")(call)


def _by_parameter(prefix: str) -> Callable[[Call], Found]:
    def found(call: Call) -> Found:
        member = _BY_PARAMETER[prefix].get(call["operation"])
        if member is None:
            raise _unknown(call)
        resource = "*" if member == "*" else call["parameters"][member]
        yield f"{prefix}:{call['operation']}", resource, {}

    return found


# KMS, directly and through other services

# Actions that the use of a customer's key through a service needs, by operation.
_KEY_ACTIONS = {
    "GetObject": ("Decrypt",),
    "PutObject": ("GenerateDataKey",),
    "CopyObject": ("GenerateDataKey",),
    "CreateMultipartUpload": ("GenerateDataKey",),
    "UploadPart": ("Decrypt",),
    "GetSecretValue": ("Decrypt",),
    "PutSecretValue": ("Decrypt", "GenerateDataKey"),
    "Publish": ("Decrypt", "GenerateDataKey"),
    "PublishBatch": ("Decrypt", "GenerateDataKey"),
}


def _key_use(call: Call) -> Found:
    key = call.get("kms_key")
    via = {"kms:ViaService": f"{call['service']}.{call['region']}.amazonaws.com"}
    for action in _KEY_ACTIONS.get(call["operation"], ()) if key else ():
        yield f"kms:{action}", str(key), via


_KMS = {"Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey", "Sign", "Verify"}


def _kms(call: Call) -> Found:
    operation, key = call["operation"], call["parameters"].get("KeyId")
    if operation not in _KMS or key is None:
        # Decrypt without a KeyId names its key only inside the ciphertext.
        raise _unknown(call)
    kind = "" if key.startswith("alias/") else "key/"
    yield f"kms:{operation}", _named(call, "kms", kind, key), {}


# The others


def _logs(call: Call) -> Found:
    parameters, operation = call["parameters"], call["operation"]
    group = f"log-group:{parameters.get('logGroupName')}"
    if operation in {"CreateLogStream", "PutLogEvents"}:
        stream = f"{group}:log-stream:{parameters['logStreamName']}"
        yield f"logs:{operation}", _arn(call, "logs", stream), {}
    elif operation in {"CreateLogGroup", "DescribeLogStreams"}:
        yield f"logs:{operation}", _arn(call, "logs", group), {}
    else:
        raise _unknown(call)


def _lambda(call: Call) -> Found:
    parameters, operation = call["parameters"], call["operation"]
    if operation == "GetEventSourceMapping":
        mapping = f"event-source-mapping:{parameters['UUID']}"
        yield f"lambda:{operation}", _arn(call, "lambda", mapping), {}
        return
    actions = {
        "Invoke": "InvokeFunction",
        "GetFunction": "GetFunction",
        "GetFunctionConfiguration": "GetFunctionConfiguration",
    }
    if operation not in actions:
        raise _unknown(call)
    resource = _named(call, "lambda", "function:", parameters["FunctionName"])
    if qualifier := parameters.get("Qualifier"):
        resource += f":{qualifier}"
    yield f"lambda:{actions[operation]}", resource, {}


def _sqs(call: Call) -> Found:
    operation = call["operation"].removesuffix("Batch")
    if operation == "GetQueueUrl":
        name = call["parameters"]["QueueName"]
    elif operation in {
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
    }:
        name = call["parameters"]["QueueUrl"].rsplit("/", 1)[-1]
    else:
        raise _unknown(call)
    yield f"sqs:{operation}", _arn(call, "sqs", name), {}


def _events(call: Call) -> Found:
    if call["operation"] != "PutEvents":
        raise _unknown(call)
    for entry in call["parameters"]["Entries"]:
        bus = entry.get("EventBusName") or "default"
        yield "events:PutEvents", _named(call, "events", "event-bus/", bus), {}


def _cloudwatch(call: Call) -> Found:
    if call["operation"] != "PutMetricData":
        raise _unknown(call)
    namespace = {"cloudwatch:namespace": call["parameters"]["Namespace"]}
    yield "cloudwatch:PutMetricData", "*", namespace


def _sts(call: Call) -> Found:
    if call["operation"] == "AssumeRole":
        yield "sts:AssumeRole", call["parameters"]["RoleArn"], {}
    elif call["operation"] != "GetCallerIdentity":  # which needs no permission
        raise _unknown(call)


_SERVICES: dict[str, Callable[[Call], Found]] = {
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "events": _events,
    "kafka": _by_parameter("kafka"),
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "sns": _by_parameter("sns"),
    "sqs": _sqs,
    "stepfunctions": _states,
    "sts": _sts,
    "xray": _by_parameter("xray"),
}
