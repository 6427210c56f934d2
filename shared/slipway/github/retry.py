"""Limit how long calls to GitHub may wait, over one whole message."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from github import GithubException, GithubRetry
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, Retry

from slipway.errors import GitHubUnavailable
from slipway.observability import Metric, count, mask

_LONGEST_NAMED = 86_400.0


def named_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until GitHub answers again, or None if unknown.

    A day at most.
    """
    retry_after = headers.get("Retry-After", "")
    if retry_after.isdecimal():
        return min(float(retry_after), _LONGEST_NAMED)
    reset = headers.get("X-RateLimit-Reset", "")
    if headers.get("X-RateLimit-Remaining") == "0" and reset.isdecimal():
        # One second more, because the reset happens at some moment within that second.
        return min(max(0.0, float(reset) - now) + 1, _LONGEST_NAMED)
    return None


def asked_wait(error: GithubException) -> float | None:
    """Return the waiting time in seconds from a refusal, or None."""
    return named_wait(CaseInsensitiveDict(error.headers or {}), time.time())


def graphql_errors(error: GithubException) -> list[dict[str, Any]]:
    """Return the errors that a GraphQL answer lists, or none."""
    errors = error.data.get("errors", []) if isinstance(error.data, dict) else []
    return [each for each in errors if isinstance(each, dict) and "message" in each]


def reason(error: GithubException) -> str:
    """Return GitHub's message for a refusal, with its details."""
    data = error.data if isinstance(error.data, dict) else {}
    listed = data.get("errors")
    details = [
        str(each.get("message") or " ".join(map(str, each.values())))
        if isinstance(each, dict)
        else str(each)
        for each in (listed if isinstance(listed, list) else [listed] if listed else [])
    ]
    # It may quote its input.
    message = str(data.get("message") or error.message or "")  # PyGithub drops some of them
    return mask(" ".join(dict.fromkeys(text for text in (message, *details) if text)))


def is_passing(error: GithubException) -> bool:
    """Return whether GitHub throttled or failed, so that a retry may succeed."""
    if error.status == 429 or error.status >= 500:
        return True
    if error.status == 403:
        return asked_wait(error) is not None
    # GraphQL uses status 200 for it, which PyGithub converts to 400.
    return error.status == 400 and any(
        str(each.get("type")) in {"RATE_LIMIT", "RATE_LIMITED"}
        or str(each["message"]).startswith("Something went wrong")
        for each in graphql_errors(error)
    )


class RetryBudget:
    """The time that all calls for one message may spend waiting, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        # Whether a call may be sent again at all.
        self.repeats = True

    @contextmanager
    def once(self) -> Iterator[None]:
        """Send no call again, because after a failure its effect is unknown."""
        self.repeats = False
        try:
            yield
        finally:
            self.repeats = True

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises:
            GitHubUnavailable: the wait would end after the deadline.
        """
        if time.monotonic() + seconds > self._deadline:
            raise GitHubUnavailable(
                f"GitHub asks to wait for {seconds:.0f} s.",
                retry_at=datetime.now(UTC) + timedelta(seconds=seconds),
            )
        count(Metric.API_RETRY, api="github")
        time.sleep(seconds)


# Calls that create another object each time. Their caller first checks whether it exists.
_ADDS = re.compile(r"/issues(/[0-9]+/comments)?$")


class BudgetedRetry(GithubRetry):
    """PyGithub's retries, whose waits share one `RetryBudget`.

    Waits that a header asks for are included. PyGithub limits the waits for its rate limits, but
    follows any `Retry-After` to its end.

    Calls that create issues and comments are not retried if GitHub may have created them: the whole
    operation is repeated, and finds them.
    """

    def __init__(self, retry_budget: RetryBudget, **kwargs: Any) -> None:
        self.retry_budget = retry_budget
        kwargs.setdefault("total", 5)
        kwargs.setdefault("backoff_factor", 0.5)
        kwargs.setdefault("status_forcelist", [403, 429, 500, 502, 503, 504])
        # All methods: a second write is harmless, except for those in `increment`.
        kwargs.setdefault("allowed_methods", None)
        super().__init__(**kwargs)

    def new(self, **kw: Any) -> Self:
        """Pass the retry budget on to the next attempt."""
        return super().new(retry_budget=self.retry_budget, **kw)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether the same call may follow an answer."""
        return self.retry_budget.repeats and super().is_retry(method, status_code, has_retry_after)

    def increment(  # type: ignore[override]  # as PyGithub's own
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Retry:
        """Count a failure, and decide whether the call may be repeated."""
        unknown = error if response is None else response.status >= 500
        adds = method == "POST" and _ADDS.search(url or "")
        ends = (unknown and adds) or not self.retry_budget.repeats
        left = self.new(total=0) if ends else self
        # PyGithub passes urllib3's value, although its annotation differs.
        answer: Any = response
        return super(BudgetedRetry, left).increment(method, url, answer, error, *args, **kwargs)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as GitHub asks, else with back-off; raise if that is too long."""
        asked = named_wait(response.headers, time.time()) if response else None
        self.retry_budget.wait(max(asked or 0.0, self.get_backoff_time()))
