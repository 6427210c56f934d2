"""Report sync status and `Degraded` to Port, in order per service.

Reports are retried until Port accepts them.
"""

import logging
import threading
import time
from collections import defaultdict, deque

import httpx

BLUEPRINT = "service"
# Port's token is renewed this long before it ends.
_MARGIN_SECONDS = 60
_log = logging.getLogger(__name__)


class Reporter:
    """Keeps reports until Port has taken them. Thread-safe; only one thread may call `flush`.

    Args:
        client: an HTTP client whose base URL is Port's.
        client_id: Port's client id.
        client_secret: its secret.
    """

    def __init__(self, client: httpx.Client, client_id: str, client_secret: str) -> None:
        self._client = client
        self._credentials = {"clientId": client_id, "clientSecret": client_secret}
        self._token = ""
        self._renew_at = 0.0
        self._queues: dict[str, deque[dict[str, str]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def add(self, service: str, **properties: str) -> None:
        """Queue a report; one that the queue ends with already is not repeated."""
        with self._lock:
            queue = self._queues[service]
            if not queue or queue[-1] != properties:
                queue.append(properties)

    def forget(self, service: str) -> None:
        """Drop the reports of a service that is gone."""
        with self._lock:
            self._queues.pop(service, None)

    def pending(self) -> dict[str, list[dict[str, str]]]:
        """Return what Port has not taken yet."""
        with self._lock:
            return {name: list(queue) for name, queue in self._queues.items() if queue}

    def flush(self) -> None:
        """Send what Port takes now; the rest waits: an entity may not be there yet."""
        try:
            for service, reports in self.pending().items():
                for report in reports:
                    # Sent without the lock: Port may be slow, and health URLs must not be.
                    if not self._send(service, report):
                        break
                    self._taken(service, report)
        except httpx.HTTPError as error:
            _log.warning("Port was not reached: %s", type(error).__name__)

    def _taken(self, service: str, report: dict[str, str]) -> None:
        with self._lock:
            queue = self._queues.get(service)
            if queue and queue[0] == report:
                queue.popleft()

    def _send(self, service: str, properties: dict[str, str]) -> bool:
        """Send one report; True when it is done with, well or badly."""
        path = f"/v1/blueprints/{BLUEPRINT}/entities/{service}"
        answer = self._patch(path, properties)
        if answer.status_code == 401:
            self._token = ""
            answer = self._patch(path, properties)
        if answer.is_success:
            _log.info("%s: reported %s", service, properties)
            return True
        if answer.status_code in {404, 429} or answer.status_code >= 500:
            return False
        _log.error("Port refused %s of %s: %s", properties, service, answer.text[:500])
        return True

    def _patch(self, path: str, properties: dict[str, str]) -> httpx.Response:
        if not self._token or time.monotonic() > self._renew_at:
            answer = self._client.post("/v1/auth/access_token", json=self._credentials)
            answer.raise_for_status()
            self._token = answer.json()["accessToken"]
            self._renew_at = time.monotonic() + answer.json()["expiresIn"] - _MARGIN_SECONDS
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._client.patch(path, json={"properties": properties}, headers=headers)
