"""What keeps a mapping from being polled, as its LastProcessingResult says it."""


class Problem(Exception):
    """The event source cannot be read now; it is tried again until the cause is mended.

    Its text names the cause and the cure, and appears as `PROBLEM: <text>`.
    """
