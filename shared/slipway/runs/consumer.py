"""Pass Kafka records to the function, and handle its errors.

Each function provides one callable, which carries out one run. This module does everything else for
all functions: reading the message, its signature, the claim, and the kinds of errors (see
`slipway.errors`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws
from slipway.config import MappingConfig, load
from slipway.errors import (
    ForeignMessage,
    PortError,
    RetryableError,
    RunEnded,
    RunInProgress,
    RunNotFound,
    RunNotInProgress,
    SignatureRejected,
    SkippedMessage,
    UserError,
)
from slipway.kafka import Batch, Event, KafkaRecord, Outcome, RecordOutcome, batch_of
from slipway.observability import Metric, count, logger, metrics, trace_id
from slipway.port.message import (
    EndedRun,
    RunMessage,
    action_named,
    identify,
    parse,
    run_ended,
)
from slipway.port.node_run import is_node_run
from slipway.port.secret_inputs import decrypt_inputs
from slipway.port.signature import verify
from slipway.runs.clients import port_client, signing_secrets
from slipway.runs.doorbell import DoorbellBatch, claimed_person, record_by_port
from slipway.runs.later import LaterBatch, LaterDelivery, resume_time
from slipway.runs.ledger import Ledger
from slipway.runs.queues import QueueBatch
from slipway.runs.run import ActiveRun, RunConfig, RunReporter, service_locks

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run

Act = Callable[[ActiveRun], None]
OnEnded = Callable[[EndedRun], None]
# Port announces a run before each of its servers knows it.
_SHOWN_WITHIN = timedelta(minutes=1)


class ConsumerConfig(RunConfig, MappingConfig):
    """Settings of a function that reads runs from Kafka."""


def consume(
    event: Event,
    context: LambdaContext,
    *,
    action: str,
    act: Act,
    on_ended: OnEnded | None = None,
) -> Any:
    """Carry out the runs of an event.

    Args:
        event: from the event source mapping (MSK, self-managed Kafka or SQS). `scripts/replay`
            sends the same with `"replay": true`. The `deliver_later` machine sends
            `{"schema_version": 1, "deliver": {"run_id": …}}`, and the sweep sends
            `{"schema_version": 1, "doorbell": {"run_id": …}}`.
        context: Lambda's context.
        action: identifier of the only Port action that this function handles.
        act: carries out one run; must be repeatable at any point.
        on_ended: called for runs that a user ended in Port; None: another function handles these.

    Returns:
        The batch's response.

    Raises:
        Exception: the batch must be delivered again.
    """
    config = load(ConsumerConfig)
    later = LaterDelivery(config, Ledger(config.runs_table))
    batch: Batch
    if "deliver" in event:
        batch = LaterBatch(str(event["deliver"]["run_id"]), later)
    elif "doorbell" in event:
        run_id, function = str(event["doorbell"]["run_id"]), context.function_name
        batch = DoorbellBatch(run_id, action, function, config.records_bucket)
    elif QueueBatch.fits(event):
        batch = QueueBatch(event, config.records_bucket)
    else:
        batch = batch_of(event, partial_response=config.partial_batch_response)
    consumer = _Consumer(config, context, action, act, on_ended, batch)
    return batch.response([consumer.outcome_of(record) for record in batch.records()])


def _measure_age(record: KafkaRecord) -> None:
    if record.timestamp_ms <= 0:  # A record without a time has no age.
        return
    # Not below 0: a broker's clock may be ahead of ours.
    age = max(0.0, datetime.now(UTC).timestamp() - record.timestamp_ms / 1000)
    metrics.add_metric(name=Metric.RECORD_AGE, unit="Seconds", value=age)


class _Consumer:
    """Works on records; made for one invocation."""

    def __init__(
        self,
        config: RunConfig,
        context: LambdaContext,
        action: str,
        act: Act,
        on_ended: OnEnded | None,
        batch: Batch,
    ) -> None:
        self._delivery = batch.delivery
        self._config = config
        self._context = context
        self._action = action
        self._act = act
        self._on_ended = on_ended
        self._ledger = Ledger(config.runs_table)
        self._later = LaterDelivery(config, self._ledger)

    @cached_property
    def _port(self) -> "PortClient":
        return port_client()

    def outcome_of(self, record: KafkaRecord) -> RecordOutcome:
        """Work on one record; its failure must not stop other records."""
        try:
            # A delayed or replayed record is old on purpose.
            if self._delivery == "first":
                _measure_age(record)
            outcome, why = self._work_on(record)
        except Exception as error:  # noqa: BLE001 - the batch's response has it delivered again
            return RecordOutcome.failed(record, error)
        return RecordOutcome(record, outcome, why)

    def _work_on(self, record: KafkaRecord) -> tuple[Outcome, str]:
        """Work on one record.

        Returns:
            The outcome, and why.

        Raises:
            Exception: a bug, or an outage of Slipway's tables: the event source must retry.
        """
        metrics.add_metric(name=Metric.RECORD_RECEIVED, unit="Count", value=1)
        try:
            return self._receive(record)
        except SignatureRejected as rejected:
            logger.warning("Message rejected", extra={"security": True, "why": str(rejected)})
            count(Metric.SIGNATURE_REJECTED, action=self._action)
            return "rejected", str(rejected)
        except SkippedMessage as skipped:
            logger.info("Message skipped", extra={"reason": skipped.reason, "why": str(skipped)})
            count(Metric.MESSAGE_SKIPPED, action=self._action, reason=skipped.reason)
            return "skipped", str(skipped)
        finally:
            logger.remove_keys(["run_id"])

    def _receive(self, record: KafkaRecord) -> tuple[Outcome, str]:
        value = record.value
        ended = run_ended(value, self._config.identifier_prefix) if self._on_ended else None
        workflows = self._config.workflows
        run_id = ended.run_id if ended else identify(value, workflows=workflows)
        logger.append_keys(run_id=run_id)
        if ended is None and (named := action_named(value)) not in (None, self._action):
            raise ForeignMessage(f"Run {run_id} belongs to action '{str(named)[:100]}'.")
        received_at = record.published_at
        if record.must_be_verified:
            verify(
                record.text,
                signing_secrets(self._config),
                received_at,
                required=self._config.port_signature == "required",
            )
        if ended and self._on_ended:
            self._on_ended(ended)
            return "done", ""
        waiting_since = received_at
        if self._delivery == "replay":
            # The internal error used up the retry budget of the first delivery.
            waiting_since = datetime.now(UTC)
            self._ledger.restart_retry_budget(run_id)
        try:
            try:
                self._claim(run_id=run_id, record=record)
            except RetryableError as error:
                if self._delivery == "replay" and isinstance(error, RunInProgress):
                    raise
                moment = resume_time(error, waiting_since, datetime.now(UTC))
                logger.warning("Delivering later", extra={"until": moment, "why": str(error)})
                self._later.postpone(run_id, record, moment, self._context.invoked_function_arn)
                self._report(run_id).waiting_until(moment, str(error))
                return "later", f"{error} Slipway retries at {moment:%H:%M:%S UTC}."
        except (SkippedMessage, RunInProgress):
            # Of two concurrent replays, only the one that works on the run reports it.
            raise
        except Exception as error:
            # Also a run that was postponed too often.
            logger.exception("An internal error interrupted the run")
            count(Metric.RUN_CRASHED, action=self._action)
            self._report(run_id).put_on_hold(trace_id(), f"{type(error).__name__}: {error}")
            raise
        return "done", ""

    def _report(self, run_id: str) -> RunReporter:
        """Return the reporter of a run, with Port's client, which is imported after the claim."""
        return RunReporter(run_id, self._action, self._port, self._ledger)

    def _claim(self, **keywords: Any) -> None:
        """Carry out the run unless another invocation does so, or just did.

        The record of Powertools only saves work: it lives for a day and is removed when the
        function raises. Repetitions are harmless because each step is get-or-create.
        """
        config = IdempotencyConfig(
            event_key_jmespath="@", expires_after_seconds=86_400, lambda_context=self._context
        )
        config.register_lambda_context(self._context)
        guarded = idempotent_function(
            lambda *, run_id, record: self._carry_out(run_id, record),
            data_keyword_argument="run_id",
            persistence_store=DynamoDBPersistenceLayer(
                self._config.idempotency_table, boto3_client=aws.dynamodb()
            ),
            config=config,
            key_prefix=self._action,
        )
        try:
            guarded(**keywords)
        except IdempotencyAlreadyInProgressError as error:
            seconds = self._context.get_remaining_time_in_millis() / 1000
            raise RunInProgress(
                "Another invocation is working on this run.",
                retry_at=datetime.now(UTC) + timedelta(seconds=seconds),
            ) from error

    def _find(self, run_id: str, published_at: datetime) -> "Run":
        """Return Port's record of the run.

        Raises:
            RetryableError: Port does not show the run yet, or not yet as in progress, and the
                message is new.
            RunNotFound: Port does not have the run.
            RunNotInProgress: the run waits for an approval of Port's own.
        """
        try:
            run = self._port.get_run(run_id)
            if run.status == "WAITING_FOR_APPROVAL":
                raise RunNotInProgress(f"Run {run_id} is {run.status} in Port.")
            return run
        except (RunNotFound, RunNotInProgress):
            if datetime.now(UTC) - published_at > _SHOWN_WITHIN:
                raise
            raise RetryableError(f"Port does not show run {run_id} as in progress yet.") from None

    def _find_node(self, run_id: str, report: RunReporter) -> "Run":
        """Return what is known of a node run, if Port accepts a log line.

        Raises:
            RunNotFound: Port does not have it.
        """
        from slipway.port.models import Run

        report.received()
        try:
            return self._port.get_run(run_id)
        except RunNotFound:
            return Run(id=run_id, status="IN_PROGRESS", action=self._action)

    def _carry_out(self, run_id: str, record: KafkaRecord) -> None:
        report = self._report(run_id)
        if is_node_run(run_id):
            run = self._find_node(run_id, report)
        else:
            with ThreadPoolExecutor(1) as beside:
                person = beside.submit(claimed_person, record, self._port)
                run = self._find(run_id, record.published_at)
        if run.ended:
            raise RunEnded(f"Run {run_id} has ended with {run.status}.")
        if run.action != self._action:
            # Port's own record of the run decides, not the message.
            raise ForeignMessage(f"In Port, run {run_id} belongs to action '{run.action}'.")
        if not run.status_is_known:
            raise PortError(200, "", f"Slipway does not know the run status '{run.status}'.")
        try:
            if not is_node_run(run_id):  # Port has no record of the request of such a run.
                record = record_by_port(record, run, person.result(), self._port)
            message = read_message(record, self._config)
            with self._ledger.at_work(message, self._config.catalog_version) as interruptions:
                if interruptions > 1:
                    report.interrupted(interruptions)
                self._act(
                    ActiveRun(
                        message=message,
                        record=record,
                        created_by=run.created_by,
                        config=self._config,
                        port=self._port,
                        ledger=self._ledger,
                        locks=service_locks(self._config, self._port),
                        report=report,
                        impersonated_by=run.impersonated_by,
                    )
                )
        except UserError as error:
            logger.info("The request was refused", extra={"why": str(error)})
            report.fail(str(error))


def read_message(record: KafkaRecord, config: RunConfig) -> RunMessage:
    """Read an accepted Kafka record, with its secret inputs decrypted.

    Raises:
        InvalidInput: the message, or an encrypted input, cannot be read.
    """
    message = parse(record.value)
    if not message.censored:
        return message
    inputs = decrypt_inputs(message.inputs, message.censored, signing_secrets(config))
    return message.model_copy(update={"inputs": inputs})
