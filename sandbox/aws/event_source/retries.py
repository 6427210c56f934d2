"""Decide what happens to records whose invocation failed.

See https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html and, for the ten
retries, https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html.

AWS's pages leave these points open, and the sandbox decides them:

* A partial response retries exactly the records that it names ("allowing Lambda to retry just those
  specific items"), and no later ones. The committed offset stays at the lowest unfinished record of
  a partition. If the poller crashes, later records are delivered again. Functions must support
  both.
* A split batch keeps its retries, as with Kinesis
  (https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html): each half has
  its own.
* Only the record that is too old is removed from its batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.aws.event_source.records import Record
from sandbox.aws.event_source.responses import Verdict

# With a destination, Lambda retries this often instead of without a limit.
RETRIES_WITH_DESTINATION = 10


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long records are retried.

    Attributes:
        retries: after the first invocation; None: without a limit.
        age: seconds since the record's timestamp; None: without a limit.
        bisect: whether a batch that failed as a whole is split.
    """

    retries: int | None = None
    age: int | None = None
    bisect: bool = False

    @classmethod
    def of(cls, configuration: Mapping[str, Any], *, has_destination: bool) -> "RetryPolicy":
        """Return the policy of a mapping.

        Only provisioned pollers honour the error handling controls.
        """
        own = configuration if configuration.get("ProvisionedPollerConfig") else {}
        retries = own.get("MaximumRetryAttempts", -1)
        age = own.get("MaximumRecordAgeInSeconds", -1)
        if retries < 0:
            retries = RETRIES_WITH_DESTINATION if has_destination else None
        return cls(
            retries=retries,
            age=age if age >= 0 else None,
            bisect=bool(own.get("BisectBatchOnFunctionError")),
        )


@dataclass(frozen=True)
class Work:
    """Records of one partition for one invocation, in order.

    Attributes:
        invocations: how often the function has received them.
    """

    records: tuple[Record, ...]
    invocations: int = 0


@dataclass(frozen=True)
class Plan:
    """What follows an invocation. Each of its records is in exactly one attribute.

    Attributes:
        done: offsets of finished records.
        retry: the next invocations, in order.
        exhausted: records without further retries.
    """

    done: frozenset[int]
    retry: tuple[Work, ...] = ()
    exhausted: tuple[Record, ...] = ()


def expire(work: Work, policy: RetryPolicy, now: float) -> tuple[Work, tuple[Record, ...]]:
    """Separate the records that are too old.

    Args:
        work: the next invocation.
        policy: the mapping's.
        now: seconds since the epoch.

    Returns:
        The remaining work, and the records that are too old.
    """
    if policy.age is None:
        return work, ()
    oldest = (now - policy.age) * 1000
    fresh = tuple(record for record in work.records if record.timestamp >= oldest)
    expired = tuple(record for record in work.records if record.timestamp < oldest)
    return Work(fresh, work.invocations), expired


def after(work: Work, verdict: Verdict, policy: RetryPolicy) -> Plan:
    """Decide what follows an invocation.

    Args:
        work: its records; `invocations` includes this one.
        verdict: which records failed.
        policy: the mapping's.
    """
    failed = tuple(record for record in work.records if record.offset in verdict.failed)
    done = frozenset(record.offset for record in work.records) - verdict.failed
    if not failed:
        return Plan(done)
    if verdict.whole and policy.bisect and len(failed) > 1:
        middle = len(failed) // 2
        return Plan(done, retry=(Work(failed[:middle]), Work(failed[middle:])))
    if policy.retries is not None and work.invocations > policy.retries:
        return Plan(done, exhausted=failed)
    return Plan(done, retry=(Work(failed, work.invocations),))


def backoff(failures: int, first: float, longest: float) -> float:
    """Return seconds to wait after so many failures in a row: doubled each time up to a limit."""
    return float(min(first * 2 ** min(failures - 1, 30), longest))
