"""Takes records to the function that carries them out, and turns errors into what follows.

A function gives one callable, which works on one run. Everything around it is here and the same for
all of them: reading the message, its signature, the claim, and the three kinds of failure (see
`slipway.errors`).
"""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypedDict

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
    RecordsFailed,
    RetryableError,
    RunEnded,
    RunInProgress,
    RunNotFound,
    RunNotInProgress,
    SignatureRejected,
    SkippedMessage,
    UserError,
)
from slipway.observability import Metric, count, logger, mask, metrics, trace_id
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
from slipway.runs.doorbell import as_port_has_it, ring
from slipway.runs.later import LaterDelivery, resume_time
from slipway.runs.ledger import Ledger
from slipway.runs.queues import QueueBatch
from slipway.runs.records import put_record
from slipway.runs.run import ActiveRun, RunConfig, RunReporter, service_locks

if TYPE_CHECKING:
    from slipway.port.client import PortClient
    from slipway.port.models import Run

Act = Callable[[ActiveRun], None]
OnEnded = Callable[[EndedRun], None]
Event = dict[str, Any]
Outcome = Literal["done", "later", "skipped", "rejected", "failed"]
# Port says that a run is there before each of its servers needs to know it.
_SHOWN_WITHIN = timedelta(minutes=1)
# What an event has beside its records when an operator sends it once more.
REPLAY = "replay"
_NAMED = 3  # failed records in the text of the error


class RecordOutcome(TypedDict):
    """What came of a record.

    Attributes:
        record: its place, as `org.runs-0@12`.
        why: empty if it is done.
    """

    record: str
    outcome: Outcome
    why: str


class ConsumerConfig(RunConfig, MappingConfig):
    """What Terraform tells a function that reads runs from Kafka."""


def consume(
    event: Event,
    context: LambdaContext,
    *,
    action: str,
    act: Act,
    on_ended: OnEnded | None = None,
) -> Any:
    """Work on the runs of an event.

    Args:
        event: from the event source mapping (MSK, self-managed Kafka or SQS), and with
            `"replay": true` once more from `scripts/replay`; or
            `{"schema_version": 1, "deliver": {"run_id": …}}` from the `deliver_later` machine; or
            `{"schema_version": 1, "doorbell": {"run_id": …}}` from the sweep.
        context: Lambda's context.
        action: identifier of the only Port action that this function carries out.
        act: carries one run out; must be repeatable at any point.
        on_ended: told of runs that somebody ended in Port; None: such notices are not ours.

    Returns:
        See `answer`.

    Raises:
        RecordsFailed: see `answer`.
    """
    replay = bool(event.get(REPLAY))
    config = load(ConsumerConfig)
    consumer = _Consumer(config, context, action, act, on_ended, replay=replay)
    if "deliver" in event:
        run_id = str(event["deliver"]["run_id"])
        consumer.work_on(consumer.later.load(run_id))
        return {"delivered": run_id}
    if "doorbell" in event:
        return consumer.answer_doorbell(str(event["doorbell"]["run_id"]))
    if QueueBatch.fits(event):
        batch = QueueBatch(event, config.records_bucket)
        found = [(record, consumer.outcome_of(record)) for record in batch.records()]
        return batch.response([record for record, each in found if each["outcome"] == "failed"])
    outcomes = [
        consumer.outcome_of(record) for records in event["records"].values() for record in records
    ]
    return answer(event, outcomes, config)


def answer(
    event: Event, outcomes: Sequence[RecordOutcome], config: MappingConfig
) -> dict[str, Any]:
    """Answer an event source mapping, or the operator who replays an event.

    An on-demand mapping takes any answer for success, so only an error has it retry the batch.
    Records that are done are then repeated, which is harmless. A provisioned one reads which
    records failed.
    https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html

    Args:
        event: the records, and `"replay": true` for an operator.
        outcomes: what came of the records; those that are done may be left out.
        config: how the mapping is set.

    Returns:
        A partial batch response; for an operator with `replayed`: the outcomes.

    Raises:
        RecordsFailed: the mapping must retry the whole batch.
    """
    failed = [each for each in outcomes if each["outcome"] == "failed"]
    response = {"batchItemFailures": [{"itemIdentifier": _identify(each)} for each in failed]}
    if event.get(REPLAY):
        return {**response, "replayed": outcomes}
    if not failed:
        return response
    logger.error("Records failed", extra={"failed": failed})
    received = sum(map(len, event["records"].values()))
    if config.partial_batch_response and len(failed) < received:
        return response
    named = "; ".join(f"{each['record']}: {each['why']}" for each in failed[:_NAMED])
    raise RecordsFailed(f"{len(failed)} of {received} records failed. {named}")


def _identify(outcome: RecordOutcome) -> dict[str, Any]:
    partition, _, offset = outcome["record"].rpartition("@")
    return {"partition": partition, "offset": int(offset)}


def _measure_age(timestamp_ms: int) -> None:
    if timestamp_ms <= 0:  # A record without a time has no age.
        return
    # Not below 0: a broker's clock may be ahead of ours.
    age = max(0.0, datetime.now(UTC).timestamp() - timestamp_ms / 1000)
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
        *,
        replay: bool,
    ) -> None:
        self._replay = replay
        self._config = config
        self._context = context
        self._action = action
        self._act = act
        self._on_ended = on_ended
        self._ledger = Ledger(config.runs_table)
        self.later = LaterDelivery(config, self._ledger)

    @cached_property
    def _port(self) -> "PortClient":
        return port_client()

    def outcome_of(self, record: dict[str, Any]) -> RecordOutcome:
        """Work on one Kafka record; whatever fails with it must not stop its neighbours."""
        place = f"{record['topic']}-{record['partition']}@{record['offset']}"
        try:
            if not self._replay:  # What is replayed, or was delivered later, was meant to be old.
                _measure_age(record["timestamp"])
            outcome, why = self.work_on(record)
        except Exception as error:  # noqa: BLE001 - `answer` has the mapping retry it
            outcome, why = "failed", mask(f"{type(error).__name__}: {error}")
        return {"record": place, "outcome": outcome, "why": why}

    def answer_doorbell(self, run_id: str) -> RecordOutcome:
        """Work on a run whose message never came.

        Lambda keeps no record of an invocation that fails, so the record joins the failed ones.
        """
        record = {**ring(run_id, self._action), "function_name": self._context.function_name}
        outcome = self.outcome_of(record)
        if outcome["outcome"] == "failed":
            put_record(self._config.records_bucket, f"held/{run_id}.json", record, replace=True)
        return outcome

    def work_on(self, record: dict[str, Any]) -> tuple[Outcome, str]:
        """Work on one Kafka record (the dictionary that Lambda gives, its value in base64).

        Returns:
            What came of it, and why.

        Raises:
            Exception: a bug, or an outage of our own tables: the event source must repeat this.
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

    def _receive(self, record: dict[str, Any]) -> tuple[Outcome, str]:
        text, value = decode(record.get("value"))
        ended = run_ended(value) if self._on_ended else None
        workflows = self._config.workflows
        run_id = ended.run_id if ended else identify(value, workflows=workflows)
        logger.append_keys(run_id=run_id)
        if ended is None and (named := action_named(value)) not in (None, self._action):
            raise ForeignMessage(f"Run {run_id} is of action '{str(named)[:100]}'.")
        received_at = _time_of(record)
        if "source" not in record:  # What came by a queue was verified before it was put there.
            verify(
                text,
                signing_secrets(self._config),
                received_at,
                required=self._config.port_signature == "required",
            )
        if ended and self._on_ended:
            self._on_ended(ended)
            return "done", ""
        waiting_since = received_at
        if self._replay:
            # Its patience begins anew: it was used up while nobody could have helped.
            waiting_since = datetime.now(UTC)
            self._ledger.forgive(run_id)
        report = RunReporter(run_id, self._action, self._port, self._ledger)
        try:
            try:
                self._claim(run_id=run_id, record=record, report=report)
            except RetryableError as error:
                if self._replay and isinstance(error, RunInProgress):
                    raise
                moment = resume_time(error, waiting_since, datetime.now(UTC))
                logger.warning("Delivering later", extra={"until": moment, "why": str(error)})
                self.later.postpone(run_id, record, moment, self._context.invoked_function_arn)
                report.waiting_until(moment, str(error))
                return "later", f"{error} It goes on at {moment:%H:%M:%S UTC}."
        except (SkippedMessage, RunInProgress):
            # A replay beside another one: that one tells of the run, and this one must not.
            raise
        except Exception as error:
            # Also a run that was postponed too often: neither is anybody's request to blame.
            logger.exception("The run failed for a reason that is nobody's request")
            count(Metric.RUN_CRASHED, action=self._action)
            report.held(trace_id(), f"{type(error).__name__}: {error}")
            raise
        return "done", ""

    def _claim(self, **keywords: Any) -> None:
        """Carry the run out unless another invocation does so right now, or has just done so.

        The record of Powertools only saves work: it lives for a day and goes when the function
        raises. What makes a repetition harmless is that each step is get-or-create.
        """
        config = IdempotencyConfig(
            event_key_jmespath="@", expires_after_seconds=86_400, lambda_context=self._context
        )
        config.register_lambda_context(self._context)
        guarded = idempotent_function(
            lambda *, run_id, record, report: self._carry_out(run_id, record, report),
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
        """What Port says of the run.

        Raises:
            RetryableError: it does not show the run, or that the run goes on, and the message is
                so new that it may not do so yet.
            RunNotFound: it does not know the run.
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
        """What is known of a workflow node's run. That Port takes a log line shows that it exists.

        Raises:
            RunNotFound: Port does not know it.
        """
        from slipway.port.models import Run

        report.received()
        try:
            return self._port.get_run(run_id)
        except RunNotFound:
            return Run(id=run_id, status="IN_PROGRESS", action=self._action)

    def _carry_out(self, run_id: str, record: dict[str, Any], report: RunReporter) -> None:
        if is_node_run(run_id):
            run = self._find_node(run_id, report)
        else:
            run = self._find(run_id, _time_of(record))
        if run.ended:
            raise RunEnded(f"Run {run_id} has ended with {run.status}.")
        if run.action != self._action:
            # Port's own record of the run decides, not what a message claims.
            raise ForeignMessage(f"Port knows run {run_id} as one of action '{run.action}'.")
        if not run.status_is_known:
            raise PortError(200, "", f"Slipway does not know status '{run.status}' of a run.")
        try:
            if not is_node_run(run_id):  # Port has no record of what such a run asks for.
                _, value = decode(record["value"])
                record = as_port_has_it(record, value, run, self._port)
            message = read_message(record, self._config)
            with self._ledger.at_work(message) as interruptions:
                if not is_node_run(run_id):  # There it is the very first line.
                    report.received()
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


def read_message(record: dict[str, Any], config: RunConfig) -> RunMessage:
    """Read a Kafka record that was accepted before, with its secret inputs decrypted.

    Raises:
        InvalidInput: the message, or an encrypted input, cannot be read.
    """
    _, value = decode(record["value"])
    message = parse(value)
    if not message.censored:
        return message
    inputs = decrypt_inputs(message.inputs, message.censored, signing_secrets(config))
    return message.model_copy(update={"inputs": inputs})


def _time_of(record: dict[str, Any]) -> datetime:
    """The record's timestamp, which is the producer's to choose."""
    try:
        return datetime.fromtimestamp(record["timestamp"] / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise ForeignMessage("The record's timestamp is no time.") from None


def decode(encoded: str | None) -> tuple[str, Any]:
    """Decode a record's value to its text and what that says as JSON.

    Raises:
        ForeignMessage: no value (a tombstone), not UTF-8, not JSON, or too deeply nested.
    """
    try:
        text = base64.b64decode(encoded or "", validate=True).decode()
        return text, json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForeignMessage(f"The record is not JSON ({type(error).__name__}).") from None
