"""Process one partition of a mapping: batches one at a time, in order."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.aws.event_source.batching import batch_length
from sandbox.aws.event_source.collaborators import Aws, CallFailed, Invocation
from sandbox.aws.event_source.failures import Condition, Failure, send
from sandbox.aws.event_source.mapping import Mapping
from sandbox.aws.event_source.progress import Progress
from sandbox.aws.event_source.records import Record, Source, encode
from sandbox.aws.event_source.responses import Verdict, judge
from sandbox.aws.event_source.retries import Work, after, backoff, expire
from sandbox.aws.event_source.status import Count, Status
from sandbox.clock import Clock

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Intervals, in seconds; AWS publishes none of its own.

    Attributes:
        first_retry: the wait after a first failure; doubled with each further one.
        longest_retry: the longest wait between two tries.
        metadata: between two looks at the topic's partitions.
        problem: between two tries to read a source that has a problem.
    """

    first_retry: float = 0.1
    longest_retry: float = 2.0
    metadata: float = 5.0
    problem: float = 1.0


@dataclass(frozen=True)
class Context:
    """What all partitions of a mapping share.

    Attributes:
        stop: set when nothing new may be begun.
        report: told each new LastProcessingResult.
        clock: what windows, ages of records and pauses before retries are measured by.
    """

    mapping: Mapping
    source: Source
    aws: Aws
    status: Status
    timing: Timing
    stop: threading.Event
    report: Callable[[str], None]
    clock: Clock


class Partition:
    """Runs a thread of its own from `start` until the context's `stop` is set.

    If an invocation is in progress when `stop` is set, the thread waits for its result. The next
    poller reads the remaining records again.

    Args:
        context: what the partitions share.
        number: the partition's.
        position: the first offset that will be offered.
    """

    def __init__(self, context: Context, number: int, position: int) -> None:
        self.number = number
        self.error: Exception | None = None
        self._context = context
        self._clock = context.clock
        self._limits = context.mapping.limits
        self._overhead = context.source.overhead(context.mapping.topic, number)
        self._progress = Progress(position)
        self._waiting: deque[tuple[Record, float]] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, name=f"kafka-{context.mapping.uuid}-{number}", daemon=True
        )

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def offer(self, record: Record, *, wanted: bool) -> None:
        """Hand over the next record of the partition; `wanted` if it passed the filter."""
        with self._changed:
            self._progress.read(record.offset, finished=not wanted)
            if wanted:
                self._waiting.append((record, self._clock.monotonic()))
                self._waiting_bytes += record.size
                # Between a window's begin and a full batch there is nothing to wake up for.
                if (
                    len(self._waiting) in {1, self._limits.records}
                    or self._waiting_bytes + self._overhead > self._limits.payload
                ):
                    self._changed.notify()

    @property
    def position(self) -> int:
        """The offset that may be committed."""
        with self._changed:
            return self._progress.position

    @property
    def full(self) -> bool:
        """Whether two more batches are waiting, so that reading on can pause."""
        with self._changed:
            return (
                len(self._waiting) >= 2 * self._limits.records
                or self._waiting_bytes >= 2 * self._limits.payload
            )

    def join(self) -> None:
        """Wait for the thread's end, after `stop` was set."""
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._work_through(batch)
        except Exception as error:  # noqa: BLE001  # the poller raises it again in its own thread
            self.error = error

    def _next_batch(self) -> tuple[Record, ...]:
        """Wait for a batch; empty when there is nothing more to begin."""
        with self._changed:
            while not self._context.stop.is_set():
                sizes = (record.size for record, _ in self._waiting)
                count, complete = batch_length(sizes, self._overhead, self._limits)
                left = 0.0
                if count and not complete:
                    left = self._waiting[0][1] + self._limits.window
                    left -= self._clock.monotonic()
                if count and left <= 0:
                    batch = tuple(self._waiting.popleft()[0] for _ in range(count))
                    self._waiting_bytes -= sum(record.size for record in batch)
                    return batch
                self._clock.wait(self._changed, left or None)
        return ()

    def _work_through(self, batch: tuple[Record, ...]) -> None:
        """Invoke until every record is finished, or until `stop`."""
        queue = deque([Work(batch)])
        failures = 0
        while queue and not self._context.stop.is_set():
            policy, now = self._context.mapping.policy, self._clock.time()
            work, expired = expire(queue.popleft(), policy, now)
            if expired:
                self._give_up(Failure(expired, Condition.TOO_OLD, work.invocations))
            if not work.records:
                continue
            following = self._attempt(work)
            if following is None:
                failures = 0
                continue
            queue.extendleft(reversed(following))
            failures += 1
            if queue:
                self._wait(failures)

    def _attempt(self, work: Work) -> tuple[Work, ...] | None:
        """Invoke once; what has to be invoked after a failure, None after a success."""
        mapping = self._context.mapping
        event = encode(self._context.source.event(work.records))
        if len(event) > self._limits.payload:
            self._give_up(Failure(work.records, Condition.TOO_LARGE))
            return None
        answer = self._invoke(event)
        if answer is None:
            # The function was not reached: neither a retry nor a reason to split.
            return (work,)
        invoked = Work(work.records, work.invocations + 1)
        verdict = judge(answer, work.records, item_failures=mapping.item_failures)
        self._note(verdict)
        plan = after(invoked, verdict, mapping.policy)
        self._finish(plan.done)
        if plan.exhausted:
            condition = Condition.RETRIES_EXHAUSTED
            self._give_up(Failure(plan.exhausted, condition, invoked.invocations, answer))
        return plan.retry if verdict.failed else None

    def _invoke(self, event: bytes) -> Invocation | None:
        try:
            answer = self._context.aws.invoke(event)
        except CallFailed as error:
            LOG.warning("%s could not be invoked: %s", self._context.mapping.function_arn, error)
            self._context.report(f"PROBLEM: The function could not be invoked: {error}")
            return None
        self._context.status.add(Count.INVOCATIONS)
        return answer

    def _note(self, verdict: Verdict) -> None:
        if verdict.failed:
            self._context.status.add(Count.FAILED_INVOCATIONS)
            self._context.report("PROBLEM: Function call failed")
        else:
            self._context.report("OK")

    def _give_up(self, failure: Failure) -> None:
        """Be done with records, and send them to the destination, however long that takes.

        Told to stop, leaves them unfinished.
        """
        mapping = self._context.mapping
        records = failure.records
        where = f"{mapping.topic}-{self.number}@{records[0].offset}"
        LOG.warning(
            "mapping %s gives up %d records from %s on: %s",
            mapping.uuid,
            len(records),
            where,
            failure.condition,
        )
        failures = 0
        while mapping.destination and not self._send(mapping.destination, failure):
            failures += 1
            self._wait(failures)
            if self._context.stop.is_set():
                return
        counted = Count.SENT_TO_DESTINATION if mapping.destination else Count.DISCARDED
        self._context.status.add(counted, len(records))
        self._finish(record.offset for record in records)

    def _send(self, destination: str, failure: Failure) -> bool:
        context = self._context
        mapping = context.mapping
        try:
            send(
                context.aws,
                destination,
                failure,
                mapping.uuid,
                mapping.function_arn,
                context.source,
            )
        except CallFailed as error:
            LOG.warning("%s did not take failed records: %s", destination, error)
            context.report(f"PROBLEM: The on-failure destination failed: {error}")
            return False
        return True

    def _finish(self, offsets: Iterable[int]) -> None:
        with self._changed:
            self._progress.finish(offsets)

    def _wait(self, failures: int) -> None:
        timing, stop = self._context.timing, self._context.stop
        pause = backoff(failures, timing.first_retry, timing.longest_retry)
        ends = self._clock.monotonic() + pause
        while not stop.is_set() and (left := ends - self._clock.monotonic()) > 0:
            self._clock.wait(stop, left)
