"""What this AWS was started with, for the plug-ins that LocalStack loads by entry point."""

import platform
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LAMBDA_PYTHON = REPOSITORY / "sandbox" / ".lambda-venv" / "bin" / "python"

# Lambda's names of what `platform.machine()` answers on Linux and macOS.
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Settings:
    """The options of `python -m sandbox.aws`.

    Attributes:
        port: Where LocalStack listens, on 127.0.0.1.
        state_dir: Where everything that this AWS writes to disk is.
        kafka: `host:port` of the broker that stands behind every MSK cluster.
        lambda_python: The interpreter that has `awslambdaric` and Lambda's boto3.
        token: What the routes under `/_sandbox/` ask for.
    """

    port: int
    state_dir: Path
    kafka: str
    lambda_python: Path = LAMBDA_PYTHON
    token: str = ""

    @property
    def endpoint_url(self) -> str:
        """Where functions and clients reach every service of this AWS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls_file(self) -> Path:
        """The JSON lines of every AWS call that was made with the credentials of a role."""
        return self.state_dir / "aws-calls.jsonl"

    @property
    def lambda_dir(self) -> Path:
        """Where layers are unpacked and each execution environment has its folder."""
        return self.state_dir / "lambda"


def host_architecture() -> str:
    """Lambda's name of the architecture of this machine: `x86_64` or `arm64`.

    Raises:
        RuntimeError: Lambda has no such architecture.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise RuntimeError(f"Lambda has no architecture {machine}; it has x86_64 and arm64")
    return _ARCHITECTURES[machine]


_current: list[Settings] = []


def configure(settings: Settings) -> None:
    """Make `settings` those of this process."""
    _current[:] = [settings]


def current() -> Settings:
    """Return the settings of this process.

    Raises:
        RuntimeError: This process is not `python -m sandbox.aws`.
    """
    if not _current:
        raise RuntimeError("the sandbox's AWS plug-ins run only under `python -m sandbox.aws`")
    return _current[0]
