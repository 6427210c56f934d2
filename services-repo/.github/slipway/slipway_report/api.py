"""JSON over HTTP, with repetitions that end."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

TIMEOUT_SECONDS = 20
_PASSING = {408, 425, 429, 500, 502, 503, 504}
# `x-ratelimit-reset` is seconds in one place of Port's documentation and a time in another.
_EPOCH_IF_ABOVE = 1_000_000_000


class ReportError(Exception):
    """The report cannot be made. The text says why and what a person can do."""


class Refused(ReportError):
    """The other side refused a call.

    Attributes:
        status: HTTP status.
        code: the error code of Port's answer, as `run_exhausted`; empty if there was none.
        said: the other side's own words.
    """

    def __init__(self, status: int, code: str, said: str, what: str) -> None:
        super().__init__(f"{what} was refused with {status} {code}: {said}")
        self.status = status
        self.code = code
        self.said = said

    @property
    def not_found(self) -> bool:
        """Whether Port itself says that it does not have the object; not every 404 does."""
        return self.status == 404 and self.code == "not_found"


class Patience:
    """How long all calls together may wait for better times.

    Args:
        seconds: the sum of all waits.
        sleep: waits for so many seconds.
    """

    def __init__(self, seconds: float = 300, sleep: Callable[[float], None] = time.sleep) -> None:
        self._left = seconds
        self._sleep = sleep

    def wait(self, seconds: float) -> bool:
        """Wait, unless that is longer than what is left."""
        if seconds > self._left:
            return False
        self._left -= seconds
        self._sleep(seconds)
        return True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are not followed: they would take the Authorization header along."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def call(
    method: str,
    url: str,
    *,
    patience: Patience,
    headers: Mapping[str, str],
    body: object = None,
) -> Any:
    """Send JSON, return the answer's JSON (None if it is empty).

    Throttling, failures of the server and time-outs are repeated while the patience lasts. Every
    call that is made here can be repeated without harm.

    Raises:
        Refused: an answer that will not change.
        ReportError: the other side did not answer in time.
    """
    parts = urllib.parse.urlsplit(url)
    what = f"{method} {parts.netloc}{parts.path}"
    if parts.scheme not in {"http", "https"}:
        raise ReportError(f"{url!r} is no http(s) address. Correct the repository variable.")
    data = None if body is None else json.dumps(body).encode()
    sent = {"Accept": "application/json", "User-Agent": "slipway-report", **headers}
    if data is not None:
        sent["Content-Type"] = "application/json"
    attempt = 0
    while True:
        request = urllib.request.Request(url, data, dict(sent), method=method)  # noqa: S310 - checked above
        attempt += 1
        try:
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return _parse(response.read(), what)
        except urllib.error.HTTPError as error:
            problem = f"status {error.code}"
            wait = named_wait(error.code, error.headers, time.time())
            if error.code not in _PASSING and not (error.code == 403 and wait is not None):
                raise _refusal(error, what) from None
        except (OSError, http.client.HTTPException) as error:
            problem, wait = type(error).__name__, None
        seconds = min(2.0**attempt, 60.0) if wait is None else wait
        if not patience.wait(seconds):
            raise ReportError(
                f"{what} failed {attempt} times (last: {problem}; it can be tried again in "
                f"{seconds:.0f} s). Nothing is lost: re-run this job later."
            )


def _parse(data: bytes, what: str) -> Any:
    try:
        return json.loads(data) if data.strip() else None
    except ValueError:
        raise ReportError(f"The answer to {what} is not JSON. Check the address.") from None


def _refusal(error: urllib.error.HTTPError, what: str) -> Refused:
    try:
        answer = json.loads(error.read())
    except (OSError, ValueError, http.client.HTTPException):
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    said = answer.get("message") or error.reason or "no reason given"
    return Refused(error.code, str(answer.get("error", "")), str(said), what)


def named_wait(status: int, headers: Message, now: float) -> float | None:
    """Seconds that the answer's headers ask to wait; None if they ask for nothing.

    Args:
        status: HTTP status of the answer.
        headers: its headers.
        now: seconds since the epoch.
    """
    after = str(headers.get("Retry-After", "")).strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - now)
        except (TypeError, ValueError):
            return None
    reset = str(headers.get("x-ratelimit-reset", "")).strip()
    exhausted = str(headers.get("x-ratelimit-remaining", "")).strip() == "0"
    if reset.isdecimal() and (exhausted or status == 429):
        seconds = float(reset)
        return max(0.0, seconds - now) if seconds > _EPOCH_IF_ABOVE else seconds
    return None
