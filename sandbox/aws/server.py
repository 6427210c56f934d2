"""LocalStack with the sandbox's additions, from start to SIGTERM.

To be imported only when the environment holds LocalStack's settings: see `sandbox.aws.__main__`.
"""

import functools
import logging
import os
import signal
import sys
import threading

from localstack.aws import handlers
from localstack.logging.setup import setup_logging_from_config
from localstack.runtime import current as localstack_current
from localstack.runtime.server import twisted as gateway_server
from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor

from sandbox.aws import (
    border,
    cloudwatch,
    emails,
    event_source_mappings,
    kills,
    limits,
    on_load,
    refusals,
)
from sandbox.aws.calls import CallRecorder
from sandbox.aws.runtime import ProcessRuntimeExecutor, stop_all
from sandbox.aws.settings import Settings
from sandbox.guard import Guard

LOG = logging.getLogger(__name__)

# How long an orderly shutdown may take before the process ends without it.
SHUTDOWN_SECONDS = 15


def run(settings: Settings) -> int:
    """Serve until a signal arrives and return the exit status.

    Raises:
        RuntimeError: LocalStack does not find the sandbox's plug-ins.
    """
    setup_logging_from_config()
    logging.getLogger("sandbox").setLevel(logging.INFO)
    if get_runtime_executor() is not ProcessRuntimeExecutor:
        raise RuntimeError("LocalStack does not see the sandbox's plug-ins: run scripts/setup")

    _listen_on_loopback_only()
    border.install(Guard(settings.port, settings.token, pages=border.PAGES))
    cloudwatch.install()
    event_source_mappings.install()
    emails.install()
    kills.install()
    on_load.install()
    handlers.serve_custom_service_request_handlers.append(limits.refuse_what_cannot_run)
    handlers.serve_custom_service_request_handlers.append(refusals.refuse)
    handlers.run_custom_response_handlers.append(CallRecorder(settings.calls_file))

    runtime = localstack_current.initialize_runtime()

    def end(signum: int, _frame: object) -> None:
        LOG.info("received signal %d", signum)
        # LocalStack leaves non-daemon threads (timers of idle environments) behind.
        watchdog = threading.Timer(SHUTDOWN_SECONDS, _end_now, args=(1,))
        watchdog.daemon = True
        watchdog.start()
        runtime.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        runtime.run()
    except BaseException:
        stop_all()
        raise
    _end_now(runtime.exit_code)
    return 0


def _end_now(code: int) -> None:
    stop_all()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _listen_on_loopback_only() -> None:
    """LocalStack's server takes the port of GATEWAY_LISTEN but listens on every interface."""
    endpoints = gateway_server.endpoints
    endpoints.TCP4ServerEndpoint = functools.partial(
        endpoints.TCP4ServerEndpoint, interface="127.0.0.1"
    )
