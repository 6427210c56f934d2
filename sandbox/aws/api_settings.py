"""Apply settings of an API Gateway stage: method limits, access log lines."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any


class TokenBucket:
    """API Gateway's way to throttle: a bucket of `burst` requests that fills up at `rate`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html

    Args:
        rate: Requests a second.
        burst: Requests at once.
        now: Tells the time in seconds.
    """

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = (rate, burst)
        self._now = now
        self._left = float(burst)
        self._at = now()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Let one request through, or not."""
        rate, burst = self.limits
        with self._lock:
            now = self._now()
            self._left = min(burst, self._left + (now - self._at) * rate)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


def limits(
    settings: Mapping[str, Mapping[str, Any]], resource: str, method: str
) -> tuple[float | None, int | None]:
    """Rate and burst of a method: its own, or those of the whole stage; negative is none.

    Args:
        settings: A stage's `methodSettings`, by path and method; `~1` may stand for `/`.
        resource: The path of the resource, such as `/links/{token}`.
        method: In capitals.
    """
    by_path = {key.replace("~1", "/").strip("/"): value for key, value in settings.items()}
    rate = burst = None
    for path in ("*/*", f"{resource}/{method}".strip("/")):
        one = by_path.get(path, {})
        rate = one.get("throttlingRateLimit", rate)
        burst = one.get("throttlingBurstLimit", burst)
    return (
        None if rate is None or float(rate) < 0 else float(rate),
        None if burst is None or int(burst) < 0 else int(burst),
    )


def access_log_line(template: str, variables: Mapping[str, Any]) -> str:
    """Return one line of an access log: what is not known is a hyphen.

    Args:
        template: Has `$context.name` and `$context.group.name`.
        variables: By name, grouped as in the template.
    """

    def value(match: re.Match[str]) -> str:
        found: Any = variables
        for name in match[1].split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return "-" if found is None else str(found)

    return re.sub(r"\$context\.(\w+(?:\.\w+)*)", value, template)
