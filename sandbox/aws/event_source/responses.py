"""Read a function's response: which records of the batch failed.

An empty response is a success. An identifier that was not in the event fails the whole batch. See
https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.aws.event_source.collaborators import Invocation
from sandbox.aws.event_source.records import Record


@dataclass(frozen=True)
class Verdict:
    """Which records of an invocation failed.

    Attributes:
        failed: their offsets; a batch is of one partition.
        whole: whether the whole batch failed, so that the failed record is unknown.
    """

    failed: frozenset[int] = frozenset()
    whole: bool = False


def judge(invocation: Invocation, records: Sequence[Record], *, item_failures: bool) -> Verdict:
    """Return the verdict on one invocation.

    Args:
        invocation: the function's response.
        records: the batch, of one partition.
        item_failures: whether the mapping has the response type ReportBatchItemFailures.
    """
    everything = Verdict(frozenset(record.offset for record in records), whole=True)
    if invocation.function_error:
        return everything
    if not item_failures:
        return Verdict()
    try:
        return Verdict(frozenset(_failed_offsets(invocation.payload, records)))
    except ValueError:
        return everything


def _failed_offsets(payload: bytes, records: Sequence[Record]) -> set[int]:
    """Return the offsets in a partial batch response.

    Raises:
        ValueError: it is not valid, or names a record that was not in the batch.
    """
    response = json.loads(payload) if payload else None
    if response is None:
        return set()
    if not isinstance(response, dict):
        raise ValueError("not an object")
    failures = response.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        raise ValueError("batchItemFailures is not a list")
    known = {(f"{record.topic}-{record.partition}", record.offset) for record in records}
    failed = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, dict):
            raise ValueError("an item without itemIdentifier")
        partition, offset = identifier.get("partition"), identifier.get("offset")
        if not isinstance(partition, str) or type(offset) is not int:
            raise ValueError("partition must be text and offset a number")
        if (partition, offset) not in known:
            raise ValueError("a record that was not in the batch")
        failed.add(offset)
    return failed
