"""What keeps a mapping from being polled, as its LastProcessingResult says it."""


class Problem(Exception):
    """The event source cannot be read now; retried until the cause is fixed.

    Its text names the cause and the cure, and appears as `PROBLEM: <text>`.
    """
