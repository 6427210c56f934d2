"""The Kafka event source as a plug-in of LocalStack, found by entry point (plux)."""

import functools
import os
import threading
from typing import Any

from localstack.http import Request, Response
from localstack.runtime.hooks import on_infra_start
from localstack.services.edge import ROUTER
from localstack.services.lambda_ import hooks
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import PollerHolder
from localstack.services.lambda_.event_source_mapping.pollers import poller as localstack_poller
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider_utils import get_function_version_from_arn

from sandbox.aws.event_source.credentials import Credentials
from sandbox.aws.event_source.localstack_aws import LocalStackAws
from sandbox.aws.event_source.mapping import Mapping
from sandbox.aws.event_source.poller import Poller
from sandbox.aws.event_source.status import Status

STATUS_PATH = "/_sandbox/event-source-mappings"

_statuses: dict[str, Status] = {}
_running: dict[str, Poller] = {}
_lock = threading.Lock()


@hooks.create_event_source_poller()  # type: ignore[untyped-decorator]  # LocalStack is untyped
def create_kafka_poller(
    holder: PollerHolder, source_service: str, configuration: dict[str, Any]
) -> None:
    """Serve the mappings whose source is a Kafka cluster.

    Args:
        holder: where LocalStack wants the poller's factory.
        source_service: from the source's ARN; empty for a self-managed cluster.
        configuration: the mapping, as LocalStack keeps it.
    """
    if source_service == "kafka" or configuration.get("SelfManagedEventSource"):
        holder.create_poller_fn = lambda processor, **_others: KafkaPoller(configuration, processor)


class KafkaPoller(localstack_poller.Poller):  # type: ignore[misc]  # LocalStack is untyped
    """Poll for LocalStack's worker of a mapping, about once a second.

    A `Poller` with its own threads does the work. An update of a mapping creates a new worker at
    once. Its poller waits until the previous poller has ended, so that the two never process the
    same records.
    """

    def __init__(self, configuration: dict[str, Any], processor: object) -> None:
        # LocalStack's processor shapes events as other sources have them: it stays unused.
        super().__init__(processor=processor)
        mapping = Mapping.of(configuration)
        version = get_function_version_from_arn(mapping.function_arn)
        self._uuid = mapping.uuid
        self._store = lambda_stores[version.id.account][version.id.region]
        self._poller = Poller(
            mapping,
            LocalStackAws(mapping.function_arn, version.config.role),
            status=_statuses.setdefault(mapping.uuid, Status()),
            report=functools.partial(self._update, "LastProcessingResult"),
            expected=expected_credentials(),
            fallback_brokers=os.environ.get("SANDBOX_KAFKA_BOOTSTRAP", ""),
        )

    def event_source(self) -> str:
        """Return the name of the source, in LocalStack's terms."""
        return "aws:kafka"

    def poll_events(self) -> None:
        """Start the poller once no other poller of this mapping runs."""
        with _lock:
            former = _running.get(self._uuid)
            if former is not self._poller:
                if former and not former.join(timeout=0):
                    former.stop()
                    return
                _running[self._uuid] = self._poller
                self._poller.start()
        # A former worker that ends later than this one began leaves its own last state behind.
        stored = self._store.event_source_mappings.get(self._uuid, {})
        if stored.get("State") in {EsmState.DISABLING, EsmState.DISABLED}:
            self._update("State", EsmState.ENABLED)

    def close(self) -> None:
        """End the poller, without waiting for a running invocation."""
        self._poller.stop()

    def _update(self, name: str, value: str) -> None:
        # The mapping may have been deleted since then, and an update replaces the stored one.
        if stored := self._store.event_source_mappings.get(self._uuid):
            stored[name] = value


def expected_credentials() -> Credentials | None:
    """Return the cluster's user from the sandbox's Port.

    None outside a whole sandbox.
    """
    username = os.environ.get("SANDBOX_KAFKA_USERNAME")
    password = os.environ.get("SANDBOX_KAFKA_PASSWORD")
    return Credentials(username, password) if username and password else None


@on_infra_start()  # type: ignore[untyped-decorator]  # LocalStack is untyped
def add_status_route() -> None:
    """Serve the counters of all Kafka mappings that exist."""
    ROUTER.add(STATUS_PATH, _answer_status, methods=["GET"])


def _answer_status(_request: Request) -> Response:
    mappings = [
        {
            "UUID": uuid,
            "FunctionArn": stored["FunctionArn"],
            "Topics": stored["Topics"],
            "LastProcessingResult": stored.get("LastProcessingResult"),
            "Counters": _statuses[uuid].counts(),
        }
        for _account, regions in lambda_stores.items()
        for _region, store in regions.items()
        for uuid, stored in list(store.event_source_mappings.items())
        if uuid in _statuses
    ]
    return Response.for_json({"EventSourceMappings": mappings})
