"""Call Port's API, with bounded retries.

https://docs.port.io/api-reference/port-api
"""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Never

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.wait import wait_base

from slipway.config import PortCredentials
from slipway.errors import ConfigurationError, PortError, PortUnavailable, SlipwayError
from slipway.observability import Metric, count, mask, register_secret

CONNECT_SECONDS = 3.05
READ_SECONDS = 10.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
# All functions share one token, so each renews it at its own random moment in these seconds before
# the end.
_TOKEN_MARGIN = 300.0
# After Port refused token requests until a given time, they are spread over these seconds: Port
# allows 100 in five minutes, and ten at once. https://docs.port.io/api-reference/rate-limits
_SPREAD = 10.0
# Characters allowed in a header.
_TOKEN = re.compile(r"[!-~]+")
_EPOCH_IF_ABOVE = 1_000_000_000
_LONGEST_NAMED = timedelta(days=1)
_FAR = 2**33  # The year 2242, which every platform supports.
# Applies even if Port says "at once": otherwise one call would be repeated hundreds of times.
_SHORTEST_WAIT = 0.5


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: object = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class PortTransport:
    """Calls Port's API. Thread-safe.

    Args:
        base_url: for example `https://api.port.io`; may end in `/v1`.
        credentials: gives client id and secret; True requests a fresh read.
        retry_budget: seconds that one call may take with all retries.
        session: HTTP session to use.
        sleep: waits for a number of seconds.
        jitter: a random number from 0 to 1.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Callable[[bool], PortCredentials],
        *,
        retry_budget: float = 20.0,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.strip().rstrip("/").removesuffix("/v1")
        self._credentials = credentials
        self._retry_budget = retry_budget
        self._session = session or requests.Session()
        self._session.headers["User-Agent"] = "slipway"
        self._sleep = sleep
        self._jitter = jitter
        self._token = ""
        self._token_ends = 0.0
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
    ) -> dict[str, Any]:
        """Call a route and return its answer's body.

        Temporary failures are retried for every method: every write of Slipway can be repeated. A
        401 (of the call, or of the token's route) is answered once with a new token and fresh
        credentials.

        Raises:
            PortUnavailable: Port throttles, fails or does not answer within the retry budget, or
            another server answers.
            PortError: Port refused the call.
            ConfigurationError: the base URL does not belong to Port's API.
        """
        call = _Call(method, path, params, json)
        used = ""
        try:
            used = self._bearer(refused=None)
            return self._repeat(call, used)
        except PortError as error:
            if error.status != 401:
                raise
            return self._repeat(call, self._bearer(refused=used))

    def _bearer(self, refused: str | None) -> str:
        """Return a valid access token; replace it if it is `refused`."""
        with self._lock:
            current = self._token if time.monotonic() < self._token_ends else ""
            if current and current != refused:
                return current
            credentials = self._credentials(refused is not None)
            body = {
                "clientId": credentials.client_id,
                "clientSecret": credentials.client_secret.get_secret_value(),
            }
            answer = self._sign_in(body)
            token, seconds = answer.get("accessToken"), answer.get("expiresIn", 0)
            token = token if isinstance(token, str) and _TOKEN.fullmatch(token) else None
            if token is None or not isinstance(seconds, int | float):
                unexpected("lacks 'accessToken', or has an invalid 'expiresIn'")
            self._token = token
            register_secret(self._token)
            # One token per credentials: a second request gets the same one, with less time left. It
            # is used for at least half of that, and a token that expires in transit gets a 401.
            early = min(_TOKEN_MARGIN, max(seconds, 0) / 2) * self._jitter()
            self._token_ends = time.monotonic() + seconds - early
            return self._token

    def _sign_in(self, body: dict[str, str]) -> dict[str, Any]:
        """Ask for an access token.

        Raises:
            ConfigurationError: the answer is not from Port's API.
        """
        try:
            return self._repeat(_Call("POST", "/v1/auth/access_token", json=body), token=None)
        except _NotPort as error:
            if self._token:  # The address worked before, so this is an outage.
                raise PortUnavailable(str(error)) from None
            raise _wrong_address(error) from None
        except PortError as error:
            if error.status < 400 or error.status in {404, 405}:
                raise _wrong_address(error) from None
            raise

    def _repeat(self, call: _Call, token: str | None) -> dict[str, Any]:
        deadline = time.monotonic() + self._retry_budget
        # If another server answers a sign-in, the address is most likely wrong: no retry.
        final = (_NotPort,) if token is None else ()
        retrying = Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, PortUnavailable) and not isinstance(error, final)
            ),
            wait=_WaitAsTold(self._jitter if token is None else lambda: 0.0),
            stop=lambda state: time.monotonic() + state.upcoming_sleep > deadline,
            sleep=self._sleep,
            before_sleep=lambda _: count(Metric.API_RETRY, api="port"),
            reraise=True,
        )
        return retrying(self._send, call, token, deadline)

    def _send(self, call: _Call, token: str | None, deadline: float) -> dict[str, Any]:
        left = max(deadline - time.monotonic(), 0.1)
        try:
            response = self._session.request(
                call.method,
                self._base_url + call.path,
                params=call.params,
                json=call.json,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
                allow_redirects=False,
            )
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,  # the connection broke during the answer
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise PortUnavailable(
                f"Port could not be reached for {call} ({type(error).__name__})."
            ) from None
        except ValueError as error:  # from an invalid `Location`
            unexpected(f"to {call} cannot be read ({type(error).__name__})")
        try:
            return _read(response, str(call))
        except PortUnavailable as error:
            if token is None and error.retry_at:
                error.retry_at += timedelta(seconds=_SPREAD * self._jitter())
            raise


class _NotPort(PortUnavailable):
    """Another server than Port's API answered: a gateway, proxy or web server."""


def _wrong_address(error: SlipwayError) -> ConfigurationError:
    return ConfigurationError(
        f"{error} The base URL of Port's API is wrong. Set Terraform's 'port.base_url' (for "
        "commands PORT_BASE_URL) to https://api.port.io, or to https://api.us.port.io for "
        "organisations in the US."
    )


class _WaitAsTold(wait_base):
    """Return Port's waiting time, or a back-off of 0.5, 1, 2 … 8 seconds.

    Port's waiting time is at least half a second.

    Args:
        jitter: fraction that is added to the back-off.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, PortUnavailable) and error.retry_at:
            return max(_SHORTEST_WAIT, (error.retry_at - datetime.now(UTC)).total_seconds())
        seconds = float(min(8.0, 0.25 * 2 ** min(retry_state.attempt_number, 5)))
        return seconds * (1 + self._jitter())


def _read(response: requests.Response, what: str) -> dict[str, Any]:
    """Return an answer's body, or raise the error that it represents."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    envelope = body if isinstance(body, dict) else {}
    if response.status_code < 300 and envelope.get("ok", True) and isinstance(body, dict):
        return body
    if _is_foreign(response.status_code, body):
        kind = mask(response.headers.get("Content-Type", "no content type"))
        raise _NotPort(
            f"A server other than Port answered {response.status_code} ({kind}) to {what}."
        )
    code = str(envelope.get("error", ""))
    message = str(envelope.get("message", "")) or response.reason or "no reason given"
    trace = response.headers.get("X-Trace-Id", "none")
    # Some of these texts appear on the run's page, and Port may quote its input.
    text = mask(
        f"Port answered {response.status_code} {code} to {what}: {message} (Port's trace {trace})."
    )
    if response.status_code in _PASSING:
        raise PortUnavailable(text, _named_time(response.status_code, response.headers))
    raise PortError(response.status_code, code, text)


def _is_foreign(status: int, body: object) -> bool:
    """Return whether Port's API never gives such an answer.

    Then the answer says nothing about Port's objects.

    Each answer of Port is an object; a refusal has `"ok": false` and a code.
    """
    if status == 404:
        return not (isinstance(body, dict) and body.get("ok") is False and body.get("error"))
    return 200 <= status < 300 and not isinstance(body, dict)


def _named_time(status: int, headers: Mapping[str, str]) -> datetime | None:
    """Return when Port will answer again, or None if it does not say.

    At most a day from now.

    Port documents `x-ratelimit-reset` as a time in one place and as seconds in another. It is used
    with status 429, and with any other status if `x-ratelimit-remaining: 0` is set.
    """
    now = datetime.now(UTC)
    named = _time_or_seconds(headers.get("Retry-After", ""), now)
    if named is None and (status == 429 or headers.get("x-ratelimit-remaining") == "0"):
        named = _time_or_seconds(headers.get("x-ratelimit-reset", ""), now)
    return min(named, now + _LONGEST_NAMED) if named else None


def _time_or_seconds(text: str, now: datetime) -> datetime | None:
    """Read seconds from now, seconds since 1970 or an HTTP date, or None."""
    try:
        if not text.strip().isdecimal():
            return parsedate_to_datetime(text).astimezone(UTC)
        seconds = int(text)
        if seconds > _EPOCH_IF_ABOVE:
            return datetime.fromtimestamp(min(seconds, _FAR), UTC)
        return now + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def unexpected(fault: str) -> Never:
    """Refuse an answer without the documented form.

    Args:
        fault: what is wrong, as the end of the sentence "Port's answer …".

    Raises:
        PortError: always.
    """
    raise PortError(200, "", f"Port's answer {fault}.") from None
