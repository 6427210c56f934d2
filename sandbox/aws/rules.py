"""List what AWS refuses although its service models allow it.

LocalStack and moto take most of it. A row names its source; `sandbox.aws.shapes` has what the
models themselves say. What a row refuses is answered in AWS's words, as far as they are published.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sandbox.aws import resources
from tests.tools.iam import lets_service_in, refusal
from tests.tools.iam.actions import Access

_AWS = "https://docs.aws.amazon.com"


@dataclass(frozen=True)
class Request:
    """What a client asks of AWS.

    Attributes:
        operation: service and operation, as `s3:PutObject`; the service as boto3 names it.
        parameters: as the service model names them.
    """

    operation: str
    parameters: Mapping[str, Any]
    account: str
    region: str


@dataclass(frozen=True)
class Rule:
    """One thing that AWS refuses.

    Attributes:
        operations: those that the rule is about, as in `Request`.
        refusal: why a request is refused, or None.
        code: AWS's error code.
        source: where AWS says so.
        status: of the HTTP answer.
    """

    operations: tuple[str, ...]
    refusal: Callable[[Request], str | None]
    code: str
    source: str
    status: int = 400


# Lambda

_FUNCTION = ("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration")
_MAPPING = ("lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping")
RESERVED_VARIABLES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}
TIMEOUT_SECONDS = 900
MEMORY_MB = 10_240
MAPPING_FILTERS = 5
FIFO_BATCH = 10
_POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def _function_size(request: Request) -> str | None:
    for name, limit in (("Timeout", TIMEOUT_SECONDS), ("MemorySize", MEMORY_MB)):
        if (request.parameters.get(name) or 0) > limit:
            return (
                f"Value at '{name}' failed to satisfy constraint: Member must have value less "
                f"than or equal to {limit}"
            )
    return None


def _reserved_variables(request: Request) -> str | None:
    own = (request.parameters.get("Environment") or {}).get("Variables") or {}
    reserved = sorted(RESERVED_VARIABLES & set(own))
    if not reserved:
        return None
    return (
        "Lambda was unable to configure your environment variables because they contain "
        f"reserved keys: {', '.join(reserved)}."
    )


def _mapping_filters(request: Request) -> str | None:
    filters = (request.parameters.get("FilterCriteria") or {}).get("Filters") or []
    if len(filters) <= MAPPING_FILTERS:
        return None
    return f"An event source mapping can have at most {MAPPING_FILTERS} filters."


def _fifo_mapping(request: Request) -> str | None:
    if not str(request.parameters.get("EventSourceArn")).endswith(".fifo"):
        return None
    if (request.parameters.get("BatchSize") or 0) > FIFO_BATCH:
        return f"Batch size of a FIFO queue must be at most {FIFO_BATCH}."
    if request.parameters.get("MaximumBatchingWindowInSeconds"):
        return "Batching window is not supported for FIFO queues."
    return None


def _queue_visibility(request: Request) -> str | None:
    queue, function = _queue_and_function(request)
    visibility = resources.queue_visibility(request.account, request.region, queue)
    settings = resources.function_settings(request.account, request.region, function)
    if visibility is None or settings is None or visibility >= settings[0]:
        return None
    # The text: https://github.com/hashicorp/terraform-provider-aws/issues/18099
    return (
        f"Queue visibility timeout: {visibility} seconds is less than Function timeout: "
        f"{settings[0]} seconds"
    )


def _queue_role(request: Request) -> str | None:
    """Lambda tries the role before it takes the mapping."""
    queue, function = _queue_and_function(request)
    settings = resources.function_settings(request.account, request.region, function)
    if not queue or settings is None:
        return None
    documents = resources.inline_policies(request.account, settings[1]).values()
    policies = [json.loads(document) for document in documents]
    arn = request.parameters["EventSourceArn"]
    for action in _POLLING:
        if refusal(Access(action, arn), policies):
            return (
                "The provided execution role does not have permissions to call "
                f"{action.removeprefix('sqs:')} on SQS"
            )
    return None


def _queue_and_function(request: Request) -> tuple[str, str]:
    """Return the names in a mapping; no queue for another source."""
    source = str(request.parameters.get("EventSourceArn") or "")
    queue = source.rpartition(":")[2] if source.split(":")[2:3] == ["sqs"] else ""
    name = str(request.parameters.get("FunctionName"))
    return queue, name.partition(":function:")[2].partition(":")[0] or name.partition(":")[0]


# S3

OBJECT_TAGS = 10
BUCKET_TAGS = 50
OBJECT_METADATA_BYTES = 2048


def _object_tags(request: Request) -> str | None:
    given = request.parameters.get("Tagging") or ""
    tags = parse_qsl(given, keep_blank_values=True) if isinstance(given, str) else given["TagSet"]
    return _more_than(len(tags), OBJECT_TAGS, "Object tags cannot be greater than 10")


def _bucket_tags(request: Request) -> str | None:
    tags = request.parameters["Tagging"]["TagSet"]
    return _more_than(len(tags), BUCKET_TAGS, "Bucket tag count cannot be greater than 50")


def _object_metadata(request: Request) -> str | None:
    metadata = request.parameters.get("Metadata") or {}
    size = sum(len(f"{name}{value}".encode()) for name, value in metadata.items())
    return _more_than(
        size,
        OBJECT_METADATA_BYTES,
        "Your metadata headers exceed the maximum allowed metadata size",
    )


# IAM

ROLE_POLICY_CHARACTERS = 10_240
TRUST_POLICY_CHARACTERS = 2_048


def _inline_policies(request: Request) -> str | None:
    role, name = request.parameters["RoleName"], request.parameters["PolicyName"]
    others = resources.inline_policies(request.account, role)
    documents = {**others, name: request.parameters["PolicyDocument"]}
    return _more_than(
        sum(map(_policy_size, documents.values())),
        ROLE_POLICY_CHARACTERS,
        f"Maximum policy size of {ROLE_POLICY_CHARACTERS} bytes exceeded for role {role}",
    )


def _trust_policy(request: Request) -> str | None:
    parameters = request.parameters
    document = parameters.get("AssumeRolePolicyDocument") or parameters.get("PolicyDocument") or ""
    return _more_than(
        _policy_size(document),
        TRUST_POLICY_CHARACTERS,
        f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS}",
    )


def _policy_size(document: str) -> int:
    """IAM does not count white space."""
    return len(re.sub(r"\s", "", document))


# Step Functions

STATE_BYTES = 262_144


def _state_bytes(request: Request) -> str | None:
    for name in ("input", "output"):
        value = request.parameters.get(name) or ""
        if len(value.encode()) > STATE_BYTES:
            return (
                f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {STATE_BYTES}"
            )
    return None


# SNS

SUBJECT_CHARACTERS = 99
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def _subject(request: Request) -> str | None:
    subject = request.parameters.get("Subject")
    if subject is None:
        return None
    if len(subject) > SUBJECT_CHARACTERS or not subject.isprintable():
        return "Invalid parameter: Subject"
    return None


def _email_endpoint(request: Request) -> str | None:
    if request.parameters.get("Protocol") not in {"email", "email-json"}:
        return None
    if not _ADDRESS.fullmatch(request.parameters.get("Endpoint") or ""):
        return "Invalid parameter: Email address"
    if (request.parameters.get("Attributes") or {}).get("RawMessageDelivery") == "true":
        return (
            "Invalid parameter: Attributes Reason: RawMessageDelivery: Delivery protocol [email] "
            "does not support raw message delivery."
        )
    return None


# SQS

QUEUE_LIMITS = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}


def _queue_attributes(request: Request) -> str | None:
    for name, value in (request.parameters.get("Attributes") or {}).items():
        low, high = QUEUE_LIMITS.get(name, (None, None))
        if low is not None and high is not None and not low <= int(value) <= high:
            return f"Invalid value for the parameter {name}."
    return None


def _dead_letters(request: Request) -> str | None:
    policy = (request.parameters.get("Attributes") or {}).get("RedrivePolicy")
    if not policy:
        return None
    name = request.parameters.get("QueueName") or request.parameters.get("QueueUrl") or ""
    target = json.loads(policy).get("deadLetterTargetArn") or ""
    if str(name).endswith(".fifo") == target.endswith(".fifo"):
        return None
    # The text: https://github.com/awslabs/aws-solutions-constructs/issues/342
    return (
        f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be "
        "same type of queue as the source."
    )


def _message_delay(request: Request) -> str | None:
    entries = request.parameters.get("Entries") or [request.parameters]
    low, high = QUEUE_LIMITS["DelaySeconds"]
    for entry in entries:
        if not low <= int(entry.get("DelaySeconds") or 0) <= high:
            return (
                f"Value {entry['DelaySeconds']} for parameter DelaySeconds is invalid. Reason: "
                f"DelaySeconds must be >= {low} and <= {high}."
            )
    return None


# CloudWatch and its logs

ALARM_SECONDS = 604_800
ALARM_SECONDS_OF_SHORT_PERIODS = 86_400
RETENTION_DAYS = {
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
}
METRIC_FILTER_DIMENSIONS = 3
_LOG_KEY_ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")


def _alarm_window(request: Request) -> str | None:
    metrics = request.parameters.get("Metrics") or []
    periods = [request.parameters.get("Period"), *(_metric_period(metric) for metric in metrics)]
    for period in (int(period) for period in periods if period):
        window = period * int(request.parameters["EvaluationPeriods"])
        longest = ALARM_SECONDS if period >= 3_600 else ALARM_SECONDS_OF_SHORT_PERIODS
        if window > longest:
            return (
                "Metrics cannot be checked across more than a week (EvaluationPeriods * Period "
                f"must be <= {ALARM_SECONDS}). With a Period of less than an hour, the limit is "
                f"a day (<= {ALARM_SECONDS_OF_SHORT_PERIODS})."
            )
    return None


def _metric_period(metric: Mapping[str, Any]) -> Any:
    return metric.get("Period") or (metric.get("MetricStat") or {}).get("Period")


def _retention(request: Request) -> str | None:
    days = request.parameters["retentionInDays"]
    return None if days in RETENTION_DAYS else f"Retention days {days} is invalid."


def _log_key(request: Request) -> str | None:
    """CloudWatch Logs tries the key before it takes it."""
    key, group = request.parameters.get("kmsKeyId"), request.parameters.get("logGroupName")
    if key is None or group is None:
        return None
    policy = resources.key_policy(request.account, request.region, key)
    service = f"logs.{request.region}.amazonaws.com"
    arn = f"arn:aws:logs:{request.region}:{request.account}:log-group:{group}"
    context = {
        "kms:EncryptionContext:aws:logs:arn": arn,
        "aws:SourceArn": arn,
        "aws:SourceAccount": request.account,
    }
    if policy and all(
        lets_service_in(policy, service, action, context) for action in _LOG_KEY_ACTIONS
    ):
        return None
    return f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"


def _metric_filter(request: Request) -> str | None:
    for transformation in request.parameters["metricTransformations"]:
        dimensions = transformation.get("dimensions") or {}
        if len(dimensions) > METRIC_FILTER_DIMENSIONS:
            return f"At most {METRIC_FILTER_DIMENSIONS} dimensions are allowed."
        if dimensions and transformation.get("defaultValue") is not None:
            return (
                "Invalid metric transformation: dimensions and default value are mutually "
                "exclusive properties."
            )
    return None


# EventBridge

PATTERN_CHARACTERS = 2_048


def _event_pattern(request: Request) -> str | None:
    return _more_than(
        len(request.parameters.get("EventPattern") or ""),
        PATTERN_CHARACTERS,
        f"Event pattern is longer than {PATTERN_CHARACTERS} characters.",
    )


# EC2

_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_RANGES = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")


def _security_group(request: Request) -> str | None:
    return _odd_description([request.parameters.get("Description") or ""])


def _security_group_rules(request: Request) -> str | None:
    return _odd_description(
        target.get("Description") or ""
        for permission in request.parameters.get("IpPermissions") or []
        for kind in _RANGES
        for target in permission.get(kind) or []
    )


def _odd_description(descriptions: Iterator[str] | list[str]) -> str | None:
    if all(_DESCRIPTION.fullmatch(text) for text in descriptions):
        return None
    return (
        "Invalid rule description. Valid descriptions are strings less than 256 characters from "
        "the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
    )


# Any service

RESOURCE_TAGS = 50
TAG_KEY_CHARACTERS = 128
TAG_VALUE_CHARACTERS = 256
_TAG_MEMBERS = ("Tags", "tags", "TagList", "tagList")


def _tags(request: Request) -> str | None:
    tags = [tag for name in _TAG_MEMBERS for tag in _tag_pairs(request.parameters.get(name))]
    if len(tags) > RESOURCE_TAGS:
        return f"A resource can have at most {RESOURCE_TAGS} tags."
    for key, value in tags:
        if not 1 <= len(key) <= TAG_KEY_CHARACTERS or len(value) > TAG_VALUE_CHARACTERS:
            return f"The tag {key!r} or its value is too long."
        if key.lower().startswith("aws:"):
            return f"The tag {key!r} begins with aws:, which is reserved."
    return None


def _tag_pairs(tags: Any) -> Iterator[tuple[str, str]]:
    """Services write tags as a map, or as a list of structures with names of their own."""
    if isinstance(tags, Mapping):
        yield from ((str(key), str(value)) for key, value in tags.items())
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, Mapping):
            members = {name.lower().removeprefix("tag"): value for name, value in tag.items()}
            yield str(members.get("key") or ""), str(members.get("value") or "")


def _more_than(found: int, limit: int, message: str) -> str | None:
    return message if found > limit else None


# The rows below are for one operation each; this one is for all.
TAGS = Rule((), _tags, "ValidationException", f"{_AWS}/tag-editor/latest/userguide/tagging.html")

RULES = (
    Rule(
        _FUNCTION,
        _reserved_variables,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/configuration-envvars.html",
    ),
    Rule(
        _FUNCTION,
        _function_size,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/gettingstarted-limits.html",
    ),
    Rule(
        _MAPPING,
        _mapping_filters,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/invocation-eventfiltering.html",
    ),
    Rule(
        ("lambda:CreateEventSourceMapping",),
        _fifo_mapping,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/services-sqs-parameters.html",
    ),
    Rule(
        ("lambda:CreateEventSourceMapping",),
        _queue_visibility,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/services-sqs-configure.html",
    ),
    Rule(
        ("lambda:CreateEventSourceMapping",),
        _queue_role,
        "InvalidParameterValueException",
        f"{_AWS}/lambda/latest/dg/services-sqs-configure.html",
    ),
    Rule(
        ("s3:PutObject", "s3:CopyObject", "s3:CreateMultipartUpload", "s3:PutObjectTagging"),
        _object_tags,
        "BadRequest",
        f"{_AWS}/AmazonS3/latest/userguide/object-tagging.html",
    ),
    Rule(
        ("s3:PutBucketTagging",),
        _bucket_tags,
        "BadRequest",
        f"{_AWS}/AmazonS3/latest/userguide/CostAllocTagging.html",
    ),
    Rule(
        ("s3:PutObject", "s3:CopyObject", "s3:CreateMultipartUpload"),
        _object_metadata,
        "MetadataTooLarge",
        f"{_AWS}/AmazonS3/latest/userguide/UsingMetadata.html",
    ),
    Rule(
        ("iam:PutRolePolicy",),
        _inline_policies,
        "LimitExceeded",
        f"{_AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
        status=409,
    ),
    Rule(
        ("iam:CreateRole", "iam:UpdateAssumeRolePolicy"),
        _trust_policy,
        "LimitExceeded",
        f"{_AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
        status=409,
    ),
    Rule(
        ("stepfunctions:StartExecution", "stepfunctions:SendTaskSuccess"),
        _state_bytes,
        "ValidationException",
        f"{_AWS}/step-functions/latest/apireference/API_StartExecution.html",
    ),
    Rule(
        ("sns:Publish",),
        _subject,
        "InvalidParameter",
        f"{_AWS}/sns/latest/api/API_Publish.html",
    ),
    Rule(
        ("sns:Subscribe",),
        _email_endpoint,
        "InvalidParameter",
        f"{_AWS}/sns/latest/api/API_Subscribe.html",
    ),
    Rule(
        ("sqs:CreateQueue", "sqs:SetQueueAttributes"),
        _queue_attributes,
        "InvalidAttributeValue",
        f"{_AWS}/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
    ),
    Rule(
        ("sqs:CreateQueue", "sqs:SetQueueAttributes"),
        _dead_letters,
        "InvalidParameterValue",
        f"{_AWS}/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
    ),
    Rule(
        ("sqs:SendMessage", "sqs:SendMessageBatch"),
        _message_delay,
        "InvalidParameterValue",
        f"{_AWS}/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
    ),
    Rule(
        ("cloudwatch:PutMetricAlarm",),
        _alarm_window,
        "ValidationError",
        f"{_AWS}/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
    ),
    Rule(
        ("logs:PutRetentionPolicy",),
        _retention,
        "InvalidParameterException",
        f"{_AWS}/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
    ),
    Rule(
        ("logs:CreateLogGroup", "logs:AssociateKmsKey"),
        _log_key,
        "InvalidParameterException",
        f"{_AWS}/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
    ),
    Rule(
        ("logs:PutMetricFilter",),
        _metric_filter,
        "InvalidParameterException",
        f"{_AWS}/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html",
    ),
    Rule(
        ("events:PutRule",),
        _event_pattern,
        "LimitExceededException",
        f"{_AWS}/eventbridge/latest/userguide/eb-quota.html",
    ),
    Rule(
        ("ec2:CreateSecurityGroup",),
        _security_group,
        "InvalidParameterValue",
        f"{_AWS}/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html",
    ),
    Rule(
        ("ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"),
        _security_group_rules,
        "InvalidParameterValue",
        f"{_AWS}/AWSEC2/latest/APIReference/API_IpRange.html",
    ),
)


def broken(request: Request) -> Iterator[tuple[Rule, str]]:
    """Yield the rules that a request breaks, each with what AWS answers."""
    for rule in (*RULES, TAGS):
        if not rule.operations or request.operation in rule.operations:
            message = rule.refusal(request)
            if message:
                yield rule, message
