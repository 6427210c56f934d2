"""What `up` decides about a sandbox, as it is kept in its folder."""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import guard
from sandbox.ports import reserve

ORG_ID = "org_sandbox"
SERVICES_REPO = "acme/services"
REGION = "eu-west-1"
_DEFAULT_PORTS = {"broker": 9092, "port": 3100, "github": 3200, "aws": 4566, "cluster": 3300}


class SandboxError(Exception):
    """The sandbox could not do what was asked; the text says why and what to do."""


@dataclass
class State:
    """What `up` decided: written to `state.json`, readable by the owner only.

    Attributes:
        ports: TCP port of each process, on 127.0.0.1.
        pids: process id of each process, which is also its process group.
        client_id: the organisation's Port client id.
        client_secret: its secret; also signs messages and encrypts secret inputs.
        github_token: a token that may do everything in the sandbox's GitHub.
        kafka: bootstrap servers; our own broker or the one given to `up`.
        token: what the servers' own routes, `/_sandbox/…`, ask for.
        attached_to: process id of the `up --attached` that the parts are children of; 0: none.
        complete: whether the first start finished, so that the data is worth keeping.
    """

    ports: dict[str, int]
    client_id: str
    client_secret: str
    github_token: str
    kafka: str
    token: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    attached_to: int = 0
    complete: bool = False

    def url(self, name: str) -> str:
        """Return the address of an HTTP process."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def environment(self) -> dict[str, str]:
        """Return what an outside client needs to be pointed at this sandbox."""
        return {
            "PORT_BASE_URL": self.url("port"),
            "PORT_CLIENT_ID": self.client_id,
            "PORT_CLIENT_SECRET": self.client_secret,
            "PORT_ORG_ID": ORG_ID,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "GITHUB_API_URL": f"{self.url('github')}/api/v3",
            "GITHUB_TOKEN": self.github_token,
            "SERVICES_REPO": SERVICES_REPO,
            "AWS_ENDPOINT_URL": self.url("aws"),
            "AWS_REGION": REGION,
            "CLUSTER_URL": self.url("cluster"),
            guard.VARIABLE: self.token,
        }


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let no two sandboxes of one person start at once: a free port is not taken right away."""
    file = Path(tempfile.gettempdir()) / f"slipway-sandbox-{os.getuid()}.lock"
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def decide(external_kafka: str) -> State:
    """Choose ports and make credentials.

    Args:
        external_kafka: bootstrap servers to use instead of the sandbox's own broker, or empty.

    Raises:
        SandboxError: no port is free.
    """
    names = [n for n in _DEFAULT_PORTS if not (n == "broker" and external_kafka)]
    try:
        with contextlib.ExitStack() as held:
            ports = {name: reserve(held, _DEFAULT_PORTS[name]) for name in names}
    except OSError as error:
        raise SandboxError(str(error)) from error
    return State(
        ports=ports,
        client_id="sandbox-" + secrets.token_hex(8),
        client_secret=secrets.token_urlsafe(48),
        github_token="ghp_" + secrets.token_hex(20),
        kafka=external_kafka or f"127.0.0.1:{ports['broker']}",
        token=secrets.token_urlsafe(32),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader never finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
