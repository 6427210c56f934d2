"""The event source's AWS calls, made to the LocalStack of this process.

All calls except the invocation use the function's role, as Lambda's do. So the role's policy must
allow them.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.utils.aws.client_types import ServicePrincipal

from sandbox.aws.event_source.collaborators import CallFailed, Invocation

# A function runs for 15 minutes at most.
_INVOKE_SECONDS = 15 * 60 + 5
# The poller repeats what failed, and knows better when.
_ONCE = {"total_max_attempts": 1}


class LocalStackAws:
    """The calls for one mapping.

    Args:
        function_arn: the function, version or alias that is invoked.
        role_arn: the function's role.
    """

    def __init__(self, function_arn: str, role_arn: str) -> None:
        self._function_arn = function_arn
        self._role_arn = role_arn
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def invoke(self, event: bytes) -> Invocation:
        """Invoke the mapped function and wait for its answer."""
        answer = self._call(
            "lambda", "invoke", FunctionName=self._function_arn, Payload=event,
            InvocationType="RequestResponse",
        )  # fmt: skip
        return Invocation(
            payload=answer["Payload"].read(),
            request_id=answer["ResponseMetadata"]["RequestId"],
            status_code=answer["StatusCode"],
            executed_version=answer.get("ExecutedVersion") or "$LATEST",
            function_error=answer.get("FunctionError"),
        )

    def read_secret(self, arn: str) -> str:
        """Return the current value of a secret."""
        answer = self._call("secretsmanager", "get_secret_value", SecretId=arn)
        if "SecretString" not in answer:
            raise CallFailed("its value is binary")
        return str(answer["SecretString"])

    def bootstrap_brokers(self, cluster_arn: str) -> Mapping[str, str]:
        """Return the brokers of an MSK cluster that is active."""
        cluster = self._call("kafka", "describe_cluster_v2", ClusterArn=cluster_arn)
        state = cluster["ClusterInfo"].get("State")
        if state != "ACTIVE":
            raise CallFailed(f"it is {state}")
        answer = self._call("kafka", "get_bootstrap_brokers", ClusterArn=cluster_arn)
        return {name: value for name, value in answer.items() if isinstance(value, str)}

    def scram_secrets(self, cluster_arn: str) -> list[str]:
        """Return the secrets whose users an MSK cluster knows."""
        answer = self._call("kafka", "list_scram_secrets", ClusterArn=cluster_arn)
        return [str(arn) for arn in answer["SecretArnList"]]

    def check_bucket(self, bucket: str) -> None:
        """Find out whether a bucket can be used; needs `s3:ListBucket`."""
        self._call("s3", "head_bucket", Bucket=bucket)

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""
        self._call("s3", "put_object", Bucket=bucket, Key=key, Body=body)

    def send_message(self, queue_arn: str, body: str) -> None:
        """Send a message to an SQS queue."""
        account, name = queue_arn.split(":")[4:6]
        # LocalStack finds a queue by the path of its URL; AWS needs no permission to look one up.
        url = f"http://sqs/{account}/{name}"
        self._call("sqs", "send_message", QueueUrl=url, MessageBody=body)

    def publish(self, topic_arn: str, body: str) -> None:
        """Publish a message to an SNS topic."""
        self._call("sns", "publish", TopicArn=topic_arn, Message=body)

    def _call(self, service: str, operation: str, **parameters: object) -> Any:  # a parsed answer
        try:
            method: Callable[..., Any] = getattr(self._client(service), operation)
            return method(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise CallFailed(str(error)) from error

    def _client(self, service: str) -> Any:  # botocore makes its clients' classes at run time
        with self._lock:
            if service not in self._clients:
                invokes = service == "lambda"
                self._clients[service] = get_internal_client(
                    arn=self._function_arn,
                    service=service,
                    role_arn=None if invokes else self._role_arn,
                    service_principal=None if invokes else ServicePrincipal.lambda_,
                    source_arn=None if invokes else self._function_arn,
                    client_config=Config(
                        retries=_ONCE,
                        read_timeout=_INVOKE_SECONDS if invokes else 10,
                        tcp_keepalive=True,
                    ),
                )
            return self._clients[service]
