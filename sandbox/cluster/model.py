"""A service in the cluster, and when a fault of it is cured. No input or output here."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Cure = Literal["restart", "roll_back", "scale", "never"]
# The health URL's behaviour during the fault: 503; no answer; 200 with another JSON.
Symptom = Literal["error", "timeout", "wrong_json"]
_VALUES = ("common_values.yaml", "common_values.yml", "common_values.json")


@dataclass(frozen=True)
class Version:
    """What the repository wants of a service at one commit.

    Attributes:
        commit: the commit.
        tree: SHA of the service's folder.
        image_tag: from its values.
        replicas: from its values.
        problem: why the values cannot be used; empty if they can.
    """

    commit: str
    tree: str
    image_tag: str = ""
    replicas: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Fault:
    """What ails a service.

    Attributes:
        cure: the one thing that cures it.
        since: the version that became unhealthy.
        symptom: what people see.
        until: when it passes by itself (monotonic seconds); None: it does not.
    """

    cure: Cure
    since: Version
    symptom: Symptom = "error"
    until: float | None = None


@dataclass
class Service:
    """A service that runs.

    Attributes:
        name: its name.
        version: what runs.
        ready_at: when it has started up (monotonic seconds).
        fault: what ails it.
        history: SHAs of the folders that ran before.
        restarts: how often it was restarted.
    """

    name: str
    version: Version
    ready_at: float
    fault: Fault | None = None
    history: set[str] = field(default_factory=set)
    restarts: int = 0

    def ails(self, now: float) -> Fault | None:
        """Return the fault that is there now."""
        fault = self.fault
        return None if fault and fault.until is not None and now >= fault.until else fault

    def state(self, now: float) -> str:
        """Argo CD's health: Healthy, Progressing or Degraded."""
        if self.ails(now) or self.version.problem:
            return "Degraded"
        return "Progressing" if now < self.ready_at else "Healthy"


def read_version(commit: str, tree: str, files: Mapping[str, bytes]) -> Version:
    """Return a service's version from its folder's files (name → content)."""
    name = next((name for name in _VALUES if name in files), None)
    if name is None:
        return Version(commit, tree, problem="the file common_values is missing")
    try:
        # JSON is YAML 1.2.
        values = YAML(typ="safe", pure=True).load(files[name].decode())
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        return Version(commit, tree, problem=f"{name}: {error}")
    image = values.get("image") if isinstance(values, dict) else None
    tag = image.get("tag") if isinstance(image, dict) else None
    replicas = values.get("replicas") if isinstance(values, dict) else None
    if tag is None:
        return Version(commit, tree, problem=f"{name}: image.tag is missing")
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        return Version(commit, tree, str(tag), problem=f"{name}: replicas is not a whole number")
    return Version(commit, tree, str(tag), replicas)


def cured_by(fault: Fault, version: Version, earlier: Set[str]) -> bool:
    """Return whether a new version cures a fault.

    Args:
        fault: what ails the service.
        version: what runs from now on.
        earlier: SHAs of the folders that ran before the faulty one.
    """
    if fault.cure == "scale":
        return version.replicas > fault.since.replicas
    if fault.cure == "roll_back":
        return version.tree != fault.since.tree and version.tree in earlier
    return False


def health_answer(service: Service, now: float) -> tuple[int, dict[str, Any]] | None:
    """Status and body of a service's health URL; None: it answers nothing."""
    state = service.state(now)
    version, fault = service.version, service.ails(now)
    body: dict[str, Any] = {"image_tag": version.image_tag, "replicas": version.replicas}
    if state == "Healthy":
        return 200, {"status": "ok", **body}
    if state == "Progressing":
        return 503, {"status": "starting", **body}
    if fault and fault.symptom == "timeout":
        return None
    # What looks at the status alone takes this service for a healthy one.
    status = 200 if fault and fault.symptom == "wrong_json" else 503
    reason = version.problem or "the service is broken"
    return status, {"status": "failing", "reason": reason, **body}
