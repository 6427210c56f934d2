"""Find the installation: environment variables, or a `KEY=value` file."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from slipway.config import PortCredentials
from slipway.errors import ConfigurationError
from slipway.port.client import PortClient

# A command line has no CloudWatch that would read metrics from its output.
# https://docs.powertools.aws.dev/lambda/python/latest/core/metrics/
os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")

# The secret of every person in the sandbox's Port; see `sandbox/port/settings.py`.
SANDBOX_PASSWORD = "sandbox"  # noqa: S105 not a secret: the sandbox answers on 127.0.0.1 only


ROOT = Path(__file__).resolve().parent.parent
# Any of these in the environment names an installation, which then applies.
_NAMED = ("PORT_BASE_URL", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION")


def find_env_file() -> Path | None:
    """Find the running sandbox's file unless an installation is named."""
    if any(os.environ.get(name) for name in _NAMED):
        return None
    file = Path(os.environ.get("SANDBOX_DIR") or ROOT / ".sandbox") / "env"
    if not file.exists():
        return None
    print(f"Using the running sandbox ({os.path.relpath(file)}).", file=sys.stderr)
    return file


def read_settings(env_file: Path | None) -> dict[str, str]:
    """Read the environment's variables and those of a file in shell syntax.

    The file's variables override the environment. Without a file, the function reads those of the
    running sandbox, if `find_env_file` finds it.

    Raises:
        ConfigurationError: the file cannot be read, or a line of it is not an assignment.
    """
    env_file = env_file or find_env_file()
    if env_file is None:
        return dict(os.environ)
    try:
        words = shlex.split(env_file.read_text(encoding="utf-8-sig"), comments=True)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{env_file} cannot be read: {error}. "
            "For the sandbox's file, start it first: scripts/sandbox up"
        ) from error
    pairs = [word.partition("=") for word in words if word != "export"]
    if wrong := [name for name, equals, _ in pairs if not (equals and name.isidentifier())]:
        raise ConfigurationError(f"{env_file}: '{wrong[0]}' is not an assignment (KEY=value).")
    return {**os.environ, **{name: value for name, _, value in pairs}}


def person_client(base_url: str, email: str) -> PortClient:
    """Return a client of the sandbox's Port with a person's access token."""
    credentials = PortCredentials.model_validate(
        {"client_id": email, "client_secret": SANDBOX_PASSWORD}
    )
    return PortClient(base_url, lambda _fresh: credentials)


def require(settings: Mapping[str, str], *names: str) -> None:
    """Require that variables are set.

    Raises:
        ConfigurationError: one is missing; the text names each.
    """
    if missing := [name for name in names if not settings.get(name)]:
        raise ConfigurationError(
            f"Set {', '.join(missing)} in the environment or in a file given with --env-file. "
            "For the sandbox, start it: scripts/sandbox up"
        )


def port_client(settings: Mapping[str, str]) -> PortClient:
    """Return a client of the Port organisation that the settings name.

    Raises:
        ConfigurationError: a setting is missing.
    """
    require(settings, "PORT_BASE_URL", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET")
    credentials = PortCredentials.model_validate(
        {"client_id": settings["PORT_CLIENT_ID"], "client_secret": settings["PORT_CLIENT_SECRET"]}
    )
    return PortClient(settings["PORT_BASE_URL"], lambda _fresh: credentials)
