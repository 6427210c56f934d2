"""`python -m sandbox.aws`: LocalStack in this process, with the sandbox's own plug-ins."""

import argparse
import os
import shutil
import socket
import sys
import tempfile
import warnings
from pathlib import Path

from sandbox.aws.settings import LAMBDA_PYTHON, Settings, configure
from sandbox.guard import take_token

# LocalStack, moto and boto3 read settings from the environment. The user's settings for real AWS
# work (profiles, proxies, endpoints, DEBUG) must not reach them. The last row is for
# `sandbox.aws.event_source`.
_KEPT_VARIABLES = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "PYTHONUNBUFFERED"),
    *("SANDBOX_KAFKA_USERNAME", "SANDBOX_KAFKA_PASSWORD", "SANDBOX_KAFKA_BOOTSTRAP"),
)


def localstack_environment(settings: Settings) -> dict[str, str]:
    """Return LocalStack's environment: quiet, offline, state in its folder.

    See https://docs.localstack.cloud/references/configuration/ for each of them.
    """
    state = settings.state_dir
    address = f"127.0.0.1:{settings.port}"
    return {
        "GATEWAY_LISTEN": address,
        "LOCALSTACK_HOST": address,
        # No analytics, no certificate and no package is fetched from anywhere.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        # A new account has 10 concurrent executions and must leave 10 unreserved: it takes no
        # reservation. That is imitated, its throttling is not.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
        "LAMBDA_LIMITS_MINIMUM_UNRESERVED_CONCURRENCY": "1000",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        # The folders: LocalStack's own, also when the host is a container, and plux's cache.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(state / "localstack"),
        "CONFIG_DIR": str(state / "config"),
        "XDG_CACHE_HOME": str(state / "cache"),
    }


def main() -> None:
    """Run until SIGTERM or SIGINT; every function's process ends with it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT")
    parser.add_argument("--lambda-python", type=Path, default=LAMBDA_PYTHON)
    options = parser.parse_args()
    if not options.lambda_python.is_file():
        parser.error(f"{options.lambda_python} is missing: run scripts/setup")
    if not _is_free(options.port):
        parser.error(f"port {options.port} is in use")

    settings = Settings(
        port=options.port,
        state_dir=options.state_dir.resolve(),
        kafka=options.kafka,
        lambda_python=options.lambda_python.absolute(),
        token=take_token(),
    )
    configure(settings)
    _prepare(settings)

    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | localstack_environment(settings))

    # LocalStack unpacks functions' code in Python's folder for temporary files.
    tempfile.tempdir = str(settings.state_dir / "tmp")
    # No TLS connection that this process makes could leave the machine.
    warnings.filterwarnings("ignore", message="You do not have a working installation of the serv")
    # LocalStack reads its configuration when it is imported.
    from sandbox.aws import server

    sys.exit(server.run(settings))


def _is_free(port: int) -> bool:
    """LocalStack itself only logs a port that it cannot have, and waits for ever."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _prepare(settings: Settings) -> None:
    """Create the folders, and empty those that are caches.

    plux caches entry points by modification times with a resolution of two minutes. After two
    installs in a row, its cache would have the older list.
    """
    for folder in ("cache", "tmp", "lambda"):
        shutil.rmtree(settings.state_dir / folder, ignore_errors=True)
        (settings.state_dir / folder).mkdir(parents=True)
    settings.calls_file.touch()


if __name__ == "__main__":
    main()
