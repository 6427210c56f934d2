"""When waiting records of a partition become a batch, and how many of them.

See https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching:
a batch ends with its window, with BatchSize records, or before it would pass 6 MB.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# The quota of a synchronous invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PAYLOAD_LIMIT = 6 * 1024 * 1024


@dataclass(frozen=True)
class BatchLimits:
    """What bounds a batch.

    Attributes:
        records: BatchSize.
        window: seconds, counted from the first record's arrival.
        payload: bytes of the encoded event.
    """

    records: int
    window: float
    payload: int = PAYLOAD_LIMIT


def batch_length(sizes: Iterable[int], overhead: int, limits: BatchLimits) -> tuple[int, bool]:
    """Return how many waiting records fit a batch, and whether it is full.

    The records are in order, oldest first.

    Args:
        sizes: bytes of each waiting record in the encoded event.
        overhead: bytes of the event without records.
        limits: what bounds a batch.

    Returns:
        The number, and whether the batch ends there regardless of later records. A record that is
            too large for any batch is a full batch by itself.
    """
    count, total = 0, overhead
    for size in sizes:
        total += size + (1 if count else 0)  # the comma between two records
        if total > limits.payload:
            return max(count, 1), True
        count += 1
        if count == limits.records:
            return count, True
    return count, False
