"""The cluster's life: brings services to the repository's state, breaks and cures them."""

import logging
import threading
from typing import Any

import httpx

from sandbox.clock import Clock
from sandbox.cluster.model import (
    Cure,
    Fault,
    Service,
    Symptom,
    Version,
    cured_by,
    health_answer,
)
from sandbox.cluster.port import Reporter
from sandbox.cluster.repository import Mirror
from sandbox.github.git import GitError

_log = logging.getLogger(__name__)


class UnknownService(Exception):
    """No service of that name runs here."""


class Cluster:
    """Services that follow a branch. Thread-safe, but for `step`, which one thread calls.

    Args:
        mirror: the repository.
        reporter: tells Port.
        startup_seconds: how long a service needs from its start to its first good answer.
        clock: what services start up and recover by.
    """

    def __init__(
        self,
        mirror: Mirror,
        reporter: Reporter,
        startup_seconds: float,
        clock: Clock | None = None,
    ) -> None:
        self._mirror = mirror
        self._reporter = reporter
        self._startup = startup_seconds
        self._clock = clock or Clock()
        self._services: dict[str, Service] = {}
        self._commit = ""
        self._lock = threading.Lock()

    def follow(self, stop: threading.Event, seconds: float) -> None:
        """Step again and again until `stop` is set."""
        while not stop.wait(seconds):
            self.step()

    def step(self) -> None:
        """Look at the branch once, follow it, and report."""
        try:
            tip = self._mirror.tip()
            if tip and tip != self._commit:
                self._mirror.fetch(tip)
                self._follow(tip)
                self._commit = tip
        except (httpx.HTTPError, GitError) as error:
            _log.warning("the services repository was not reached: %s", error)
        self._reporter.flush()

    def _follow(self, commit: str) -> None:
        wanted = self._mirror.versions(commit)
        changed = [
            name
            for name, version in wanted.items()
            if name not in self._services or self._services[name].version.tree != version.tree
        ]
        earlier = {name: self._mirror.earlier(commit, name) for name in changed}
        with self._lock:
            for name in self._services.keys() - wanted.keys():
                _log.info("%s: removed", name)
                del self._services[name]
                self._reporter.forget(name)
            for name in changed:
                self._deploy(name, wanted[name], earlier[name])

    def _deploy(self, name: str, version: Version, earlier: set[str]) -> None:
        _log.info("%s: deploying %s with %s replicas", name, version.image_tag, version.replicas)
        self._reporter.add(name, sync_status="OutOfSync")
        service = self._services.get(name)
        if service is None:
            ready = self._clock.monotonic() + self._startup
            self._services[name] = Service(name, version, ready, history=earlier)
        else:
            # A new version replaces the old one while that still serves.
            ran = earlier | service.history | {service.version.tree}
            if service.fault and cured_by(service.fault, version, ran - {service.fault.since.tree}):
                _log.info("%s: cured by %s", name, service.fault.cure)
                service.fault = None
            service.version, service.history = version, ran
        if version.problem:
            _log.warning("%s: %s", name, version.problem)
            self._reporter.add(name, health_status="Degraded")
        else:
            self._reporter.add(name, sync_status="Synced")

    # -- what people and Slipway do

    def health(self, name: str) -> tuple[int, dict[str, Any]] | None:
        """Status and body of the service's health URL; None: it answers nothing.

        Raises:
            UnknownService: it does not run here.
        """
        with self._lock:
            return health_answer(self._find(name), self._clock.monotonic())

    def list(self) -> list[dict[str, Any]]:
        """Every service with its state."""
        with self._lock:
            return [self._describe(service) for _, service in sorted(self._services.items())]

    def break_service(
        self,
        name: str,
        cure: Cure,
        symptom: Symptom = "error",
        for_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Make a service unhealthy, until the named cure, `heal` or the given time.

        The cluster does not report the end. The catalogue then shows Degraded for a service that
        answers.

        Raises:
            UnknownService: it does not run here.
        """
        with self._lock:
            service = self._find(name)
            until = None if for_seconds is None else self._clock.monotonic() + for_seconds
            service.fault = Fault(cure, service.version, symptom, until)
            self._reporter.add(name, health_status="Degraded")
            return self._describe(service)

    def heal(self, name: str) -> dict[str, Any]:
        """Remove a fault, regardless of its fix.

        Raises:
            UnknownService: it does not run here.
        """
        with self._lock:
            service = self._find(name)
            service.fault = None
            return self._describe(service)

    def restart(self, name: str) -> dict[str, Any]:
        """Restart a service; it is healthy afterwards if that is the fix.

        Raises:
            UnknownService: it does not run here.
        """
        with self._lock:
            service = self._find(name)
            if service.fault and service.fault.cure == "restart":
                service.fault = None
            service.ready_at = self._clock.monotonic() + self._startup
            service.restarts += 1
            return self._describe(service)

    def _find(self, name: str) -> Service:
        if name not in self._services:
            raise UnknownService(name)
        return self._services[name]

    def _describe(self, service: Service) -> dict[str, Any]:
        version, now = service.version, self._clock.monotonic()
        fault = service.ails(now)
        return {
            "name": service.name,
            "health": service.state(now),
            "sync": "OutOfSync" if version.problem else "Synced",
            "image_tag": version.image_tag,
            "replicas": version.replicas,
            "commit": version.commit,
            "problem": version.problem or None,
            "cure": fault.cure if fault else None,
            "symptom": fault.symptom if fault else None,
            "restarts": service.restarts,
            "not_reported": self._reporter.pending().get(service.name, []),
        }
