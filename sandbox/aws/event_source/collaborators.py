"""The AWS calls that an event source makes, as what the poller needs of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class CallFailed(Exception):
    """An AWS call was refused or did not arrive; the text says which and why."""


@dataclass(frozen=True)
class Invocation:
    """The answer to a synchronous invocation.

    Attributes:
        payload: what the function returned, or its error, as JSON.
        function_error: AWS's X-Amz-Function-Error, None when the function returned.
    """

    payload: bytes
    request_id: str
    status_code: int = 200
    executed_version: str = "$LATEST"
    function_error: str | None = None


class Aws(Protocol):
    """Each method raises `CallFailed`; all are called from several threads."""

    def invoke(self, event: bytes) -> Invocation:
        """Invoke the mapped function and wait for its answer."""

    def read_secret(self, arn: str) -> str:
        """Return the current value of a secret."""

    def bootstrap_brokers(self, cluster_arn: str) -> Mapping[str, str]:
        """Return the brokers of an MSK cluster: the members of GetBootstrapBrokers's answer."""

    def scram_secrets(self, cluster_arn: str) -> list[str]:
        """Return the secrets whose users an MSK cluster knows."""

    def check_bucket(self, bucket: str) -> None:
        """Find out whether a bucket can be used."""

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""

    def send_message(self, queue_arn: str, body: str) -> None:
        """Send a message to an SQS queue."""

    def publish(self, topic_arn: str, body: str) -> None:
        """Publish a message to an SNS topic."""
