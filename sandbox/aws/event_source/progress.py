"""How far a partition has come: the offset that may be committed."""

from collections.abc import Iterable


class Progress:
    """The records of one partition that were read and are not finished.

    Args:
        position: the first offset to read.
    """

    def __init__(self, position: int) -> None:
        self._next = position
        # Offsets come in rising order, so the first key is the lowest.
        self._open: dict[int, None] = {}

    def read(self, offset: int, *, finished: bool) -> None:
        """Note that a record was read; `finished` if it needs no further work."""
        self._next = offset + 1
        if not finished:
            self._open[offset] = None

    def finish(self, offsets: Iterable[int]) -> None:
        """Note that these records are finished."""
        for offset in offsets:
            self._open.pop(offset, None)

    @property
    def position(self) -> int:
        """The lowest offset that is not finished: where a new poller has to begin."""
        return next(iter(self._open), self._next)
