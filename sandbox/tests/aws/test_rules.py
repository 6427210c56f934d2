"""Each rule of AWS that the sandbox enforces: what it refuses, and what is just allowed."""

import json
from typing import Any

import pytest

from sandbox.aws import resources
from sandbox.aws.rules import RULES, TAGS, Request, Rule, broken

LOGS = "logs.eu-west-1.amazonaws.com"
QUEUES = "arn:aws:sqs:eu-west-1:000000000000"
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:f"
GROUP = "arn:aws:logs:eu-west-1:000000000000:log-group:g"


def request(operation: str, parameters: dict[str, Any]) -> Request:
    return Request(operation, parameters, "000000000000", "eu-west-1")


def codes(operation: str, parameters: dict[str, Any]) -> list[str]:
    return [rule.code for rule, _ in broken(request(operation, parameters))]


def tags(count: int) -> list[dict[str, str]]:
    return [{"Key": f"k{number}", "Value": "v"} for number in range(count)]


def query(count: int) -> str:
    return "&".join(f"k{number}=v" for number in range(count))


def alarm(period: int, periods: int) -> dict[str, Any]:
    return {"AlarmName": "a", "Period": period, "EvaluationPeriods": periods}


def metric(**transformation: Any) -> dict[str, Any]:
    return {"metricTransformations": [transformation]}


def egress(description: str) -> dict[str, Any]:
    return {"IpPermissions": [{"IpRanges": [{"CidrIp": "::/0", "Description": description}]}]}


def key_policy(**statement: Any) -> dict[str, Any]:
    everything = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    return {"Statement": [{**everything, **statement}]}


def redrive(queue: str, target: str) -> dict[str, Any]:
    policy = {"deadLetterTargetArn": f"{QUEUES}:{target}", "maxReceiveCount": 3}
    return {"QueueName": queue, "Attributes": {"RedrivePolicy": json.dumps(policy)}}


def mapping(queue: str, **more: Any) -> dict[str, Any]:
    return {"EventSourceArn": f"{QUEUES}:{queue}", "FunctionName": f"{FUNCTION}:live", **more}


def bucket_tags(count: int) -> dict[str, Any]:
    return {"Tagging": {"TagSet": tags(count)}}


# Operation, what is refused, what is just allowed, AWS's code.
ROWS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "lambda:CreateFunction",
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
        {"Environment": {"Variables": {"AWS_ENDPOINT_URL": "x"}}},
        "InvalidParameterValueException",
    ),
    (
        "lambda:UpdateFunctionConfiguration",
        {"Timeout": 901},
        {"Timeout": 900},
        "InvalidParameterValueException",
    ),
    (
        "lambda:CreateFunction",
        {"MemorySize": 10_241},
        {"MemorySize": 10_240},
        "InvalidParameterValueException",
    ),
    (
        "lambda:CreateEventSourceMapping",
        {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}},
        {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 5}},
        "InvalidParameterValueException",
    ),
    (
        "lambda:CreateEventSourceMapping",
        {"EventSourceArn": f"{QUEUES}:q.fifo", "BatchSize": 11},
        {"EventSourceArn": f"{QUEUES}:q.fifo", "BatchSize": 10},
        "InvalidParameterValueException",
    ),
    (
        "lambda:CreateEventSourceMapping",
        {"EventSourceArn": f"{QUEUES}:q.fifo", "MaximumBatchingWindowInSeconds": 1},
        {"EventSourceArn": f"{QUEUES}:q", "MaximumBatchingWindowInSeconds": 1, "BatchSize": 11},
        "InvalidParameterValueException",
    ),
    ("s3:PutObject", {"Tagging": query(11)}, {"Tagging": query(10)}, "BadRequest"),
    ("s3:PutObjectTagging", bucket_tags(11), bucket_tags(10), "BadRequest"),
    ("s3:PutBucketTagging", bucket_tags(51), bucket_tags(50), "BadRequest"),
    (
        "s3:PutObject",
        {"Metadata": {"ab": "ü" * 1_024}},
        {"Metadata": {"ab": "ü" * 1_023}},
        "MetadataTooLarge",
    ),
    (
        "iam:CreateRole",
        {"AssumeRolePolicyDocument": "x" * 2_049},
        {"AssumeRolePolicyDocument": "x" * 2_048 + " \n"},
        "LimitExceeded",
    ),
    (
        "stepfunctions:StartExecution",
        {"input": "ü" * 131_073},
        {"input": "ü" * 131_072},
        "ValidationException",
    ),
    (
        "stepfunctions:SendTaskSuccess",
        {"output": "x" * 262_145},
        {"output": "x" * 262_144},
        "ValidationException",
    ),
    ("sns:Publish", {"Subject": "x" * 100}, {"Subject": "ü" * 99}, "InvalidParameter"),
    ("sns:Publish", {"Subject": "a\nb"}, {"Message": "a\nb"}, "InvalidParameter"),
    (
        "sns:Subscribe",
        {"Protocol": "email", "Endpoint": "platform"},
        {"Protocol": "email", "Endpoint": "platform@acme.example"},
        "InvalidParameter",
    ),
    (
        "sns:Subscribe",
        {
            "Protocol": "email",
            "Endpoint": "a@b.example",
            "Attributes": {"RawMessageDelivery": "true"},
        },
        {"Protocol": "sqs", "Endpoint": "q", "Attributes": {"RawMessageDelivery": "true"}},
        "InvalidParameter",
    ),
    (
        "sqs:CreateQueue",
        {"Attributes": {"MessageRetentionPeriod": "1209601"}},
        {"Attributes": {"MessageRetentionPeriod": "1209600"}},
        "InvalidAttributeValue",
    ),
    ("sqs:CreateQueue", redrive("q.fifo", "d"), redrive("q", "d"), "InvalidParameterValue"),
    (
        "sqs:SetQueueAttributes",
        redrive("q", "d.fifo"),
        redrive("q.fifo", "d.fifo"),
        "InvalidParameterValue",
    ),
    ("sqs:SendMessage", {"DelaySeconds": 901}, {"DelaySeconds": 900}, "InvalidParameterValue"),
    (
        "sqs:SendMessageBatch",
        {"Entries": [{"DelaySeconds": 901}]},
        {"Entries": [{}]},
        "InvalidParameterValue",
    ),
    ("cloudwatch:PutMetricAlarm", alarm(300, 289), alarm(300, 288), "ValidationError"),
    ("cloudwatch:PutMetricAlarm", alarm(86_400, 8), alarm(86_400, 7), "ValidationError"),
    (
        "logs:PutRetentionPolicy",
        {"retentionInDays": 2},
        {"retentionInDays": 3},
        "InvalidParameterException",
    ),
    (
        "logs:PutMetricFilter",
        metric(dimensions={"a": "$.a"}, defaultValue=0),
        metric(dimensions={"a": "$.a"}),
        "InvalidParameterException",
    ),
    (
        "logs:PutMetricFilter",
        metric(dimensions=dict.fromkeys("abcd", "$.a")),
        metric(defaultValue=0),
        "InvalidParameterException",
    ),
    (
        "events:PutRule",
        {"EventPattern": "x" * 2_049},
        {"EventPattern": "x" * 2_048},
        "LimitExceededException",
    ),
    (
        "ec2:CreateSecurityGroup",
        {"Description": "Slipway's"},
        {"Description": "Slipway [a-z] #1"},
        "InvalidParameterValue",
    ),
    (
        "ec2:AuthorizeSecurityGroupEgress",
        egress("x" * 256),
        egress("x" * 255),
        "InvalidParameterValue",
    ),
    (
        "kms:CreateKey",
        {"Tags": [{"TagKey": "aws:x", "TagValue": "v"}]},
        {"Tags": [{"TagKey": "x", "TagValue": "v"}]},
        "ValidationException",
    ),
    (
        "lambda:CreateFunction",
        {"Tags": {f"k{number}": "v" for number in range(51)}},
        {"Tags": {f"k{number}": "v" for number in range(50)}},
        "ValidationException",
    ),
    (
        "sns:CreateTopic",
        {"Tags": [{"Key": "k", "Value": "v" * 257}]},
        {"Tags": [{"Key": "k", "Value": "v" * 256}]},
        "ValidationException",
    ),
]


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has neither a queue nor a function."""
    monkeypatch.setattr(resources, "queue_visibility", lambda account, region, name: None)
    monkeypatch.setattr(resources, "function_settings", lambda account, region, name: None)


@pytest.mark.parametrize(("operation", "refused", "allowed", "code"), ROWS)
def test_rule_refuses_a_value_beyond_its_limit(
    operation: str, refused: dict[str, Any], allowed: dict[str, Any], code: str
) -> None:
    assert codes(operation, refused) == [code]
    assert codes(operation, allowed) == []


def test_inline_policies_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "inline_policies", lambda account, role: {"a": "x" * 10_000})

    def put(name: str, size: int) -> list[str]:
        document = {"RoleName": "r", "PolicyName": name, "PolicyDocument": "x" * size}
        return codes("iam:PutRolePolicy", document)

    assert put("b", 241) == ["LimitExceeded"]
    assert put("b", 240) == []
    # It takes the place of the former one.
    assert put("a", 10_240) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, ["InvalidParameterException"]),
        (key_policy(Principal={"AWS": "*"}), ["InvalidParameterException"]),
        (key_policy(Principal={"Service": LOGS}), []),
        (key_policy(Principal={"Service": LOGS}, Action="kms:Decrypt"),
         ["InvalidParameterException"]),
        (key_policy(Principal={"Service": LOGS},
                    Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": GROUP}}), []),
        (key_policy(Principal={"Service": LOGS},
                    Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": GROUP + "x"}}),
         ["InvalidParameterException"]),
    ],
)  # fmt: skip
def test_log_group_needs_a_key_that_lets_it_in(
    monkeypatch: pytest.MonkeyPatch, policy: Any, expected: list[str]
) -> None:
    monkeypatch.setattr(resources, "key_policy", lambda account, region, key: policy)

    assert codes("logs:CreateLogGroup", {"logGroupName": "g", "kmsKeyId": "k"}) == expected


def polled(monkeypatch: pytest.MonkeyPatch, visibility: int, *actions: str) -> list[str]:
    """What is said of a mapping from a queue to a function with a timeout of 60 seconds."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": f"{QUEUES}:q"}
    document = json.dumps({"Statement": [statement]})
    for name, value in {
        "queue_visibility": lambda account, region, name: visibility if name == "q" else None,
        "function_settings": lambda account, region, name: (60, "r") if name == "f" else None,
        "inline_policies": lambda account, role: {"queue": document} if role == "r" else {},
    }.items():
        monkeypatch.setattr(resources, name, value)
    asked = request("lambda:CreateEventSourceMapping", mapping("q"))
    return [message for _, message in broken(asked)]


POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def test_queue_is_invisible_as_long_as_its_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = polled(monkeypatch, 59, *POLLING)

    assert message.startswith("Queue visibility timeout: 59 seconds is less than Function timeout")
    assert polled(monkeypatch, 60, *POLLING) == []


@pytest.mark.parametrize("missing", POLLING)
def test_role_must_be_allowed_to_poll_its_queue(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (message,) = polled(monkeypatch, 60, *(action for action in POLLING if action != missing))

    assert message.endswith(f"permissions to call {missing.removeprefix('sqs:')} on SQS")


@pytest.mark.parametrize("rule", [*RULES, TAGS], ids=lambda rule: rule.refusal.__name__)
def test_rule_names_its_source(rule: Rule) -> None:
    assert rule.source.startswith("https://docs.aws.amazon.com/")


def test_rules_are_all_tried_here() -> None:
    tried = {operation for operation, *_ in ROWS}
    elsewhere = {"iam:PutRolePolicy", "logs:CreateLogGroup"}

    for rule in RULES:
        assert {*rule.operations} & (tried | elsewhere), json.dumps(rule.operations)
