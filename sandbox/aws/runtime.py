"""The Lambda runtime of the sandbox: LocalStack's execution environments, as processes.

LocalStack decides when an environment is created, reused and ended. This module replaces its
container with Lambda's emulator: initialisation, the Runtime API, time-outs, crashes and the
platform's log lines.
"""

import json
import logging
import random
import shutil
import signal
import threading
import time
from datetime import UTC, datetime

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from sandbox.aws import environment, xray
from sandbox.aws.calls import forget_credentials, register_credentials
from sandbox.aws.platform_logs import Outcome, PlatformLog
from sandbox.aws.process import FunctionProcess
from sandbox.aws.runtime_api import Invocation, RuntimeEvent, error_body
from sandbox.aws.settings import current

LOG = logging.getLogger(__name__)

# An initialisation that takes longer goes on inside the invocation, on the function's own time:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_SECONDS = 10

_environments: set["ProcessRuntimeExecutor"] = set()
_environments_lock = threading.Lock()


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]  # untyped base
    """Chosen by LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *_args: object, **_kwargs: object) -> type["ProcessRuntimeExecutor"]:
        """Return the class that LocalStack makes one object of per execution environment."""
        return ProcessRuntimeExecutor


class ProcessRuntimeExecutor(RuntimeExecutor):  # type: ignore[misc]  # untyped base
    """One execution environment. Its process is replaced after a crash or a time-out."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002
        super().__init__(id=id, function_version=function_version)
        self._folder = current().lambda_dir / "environments" / id
        self._output = self._folder / "output.log"
        self._read_to = 0
        self._variables: dict[str, str] = {}
        self._process: FunctionProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._invoking = False
        self._log = PlatformLog.of(function_version.config.logging_config or {})

    # What LocalStack asks of an executor.

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process; its initialisation is waited for by the first invocation.

        So an initialisation that fails is an invocation that fails, with its log, as on Lambda.
        """
        config = self.function_version.config
        (self._folder / "tmp").mkdir(parents=True)
        layers = [layer.layer_version_arn for layer in config.layers]
        folders = environment.Folders(
            code=config.code.get_unzipped_code_location(),
            layers=environment.layers_folder(current().lambda_dir, layers),
            temporary=self._folder / "tmp",
        )
        self._variables = environment.variables(
            env_vars, config.environment or {}, folders, current()
        )
        register_credentials(
            self._variables["AWS_ACCESS_KEY_ID"], self.function_version.id.function_name
        )
        with _environments_lock:
            _environments.add(self)
        self._start_process()

    def stop(self) -> None:
        """End the environment; an invocation in it is finished first, as on Lambda."""
        with self._lock:
            self._stopped = True
            if self._invoking:
                return
        self.end()

    def end(self) -> None:
        """End the process, if any, now, and remove what the environment had on disk."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.end()
        with _environments_lock:
            _environments.discard(self)
        forget_credentials(self._variables.get("AWS_ACCESS_KEY_ID", ""))
        shutil.rmtree(self._folder, ignore_errors=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation. LocalStack sends an environment one at a time.

        Args:
            payload: LocalStack's `invoke-id`, `invoked-function-arn`, `payload`, `trace-id`.
        """
        with self._lock:
            self._invoking = True
        try:
            return self._invoke(payload)
        finally:
            with self._lock:
                self._invoking = False
                stopped = self._stopped
            if stopped:
                self.end()

    def get_logs(self) -> str:
        """Return everything that the environment's processes wrote."""
        if not self._output.exists():
            return ""
        return self._output.read_text(errors="replace")

    def get_address(self) -> str:
        """Return where the function runs: this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Return where the function finds LocalStack: this machine."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """LocalStack's own callback, which nothing calls here: the Runtime API has its place."""
        return current().endpoint_url

    def crash(self, *, busy: bool) -> int | None:
        """Kill the process, if there is one (that is at work, if that is wanted).

        Returns:
            The id of the process that was killed.
        """
        with self._lock:
            process = self._process
            if process is None or self._stopped or (busy and not self._invoking):
                return None
            if not process.is_alive():
                return None
            process.crash()
            return process.pid

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack a version's code and layers, before its first environment."""
        config = function_version.config
        config.code.prepare_for_execution()
        for layer in config.layers:
            layer.code.prepare_for_execution()
        environment.unpack_layers(
            current().lambda_dir,
            [
                (layer.layer_version_arn, layer.code.get_unzipped_code_location())
                for layer in config.layers
            ],
        )

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: LocalStack removes the code itself, layers are shared between versions."""

    # One invocation, step by step.

    def _invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        process, is_cold = self._ready_process()
        process.was_used = True
        failure = self._initialise(process) if is_cold else None
        init_ms = (time.monotonic() - process.started) * 1000 if is_cold else None

        started = time.monotonic()
        log = [self._read_output()] if is_cold else []
        log.append(self._log.start(request_id, self.function_version.id.qualifier))
        event = failure or self._answer_of(process, payload)
        duration_ms = (time.monotonic() - started) * 1000
        used_mb = process.peak_memory_mb()

        body, error_type, last_words = self._judge(event, request_id)
        status = "timeout" if event is None else "success" if event.kind == "response" else "error"
        if event is None or event.kind in {"exit", "init_error"}:
            process.end()
        log += [self._read_output(), last_words]
        outcome = Outcome(
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mb=self.function_version.config.memory_size,
            used_mb=used_mb,
            status=status,
            error_type=error_type,
        )
        log.append(self._log.end(request_id, outcome))
        xray.report(self.function_version, self._variables, payload["trace-id"], outcome)
        return InvocationResult(request_id, body, is_error=status != "success", logs="".join(log))

    def _start_process(self) -> FunctionProcess:
        with self._lock:
            if self._stopped:
                raise RuntimeError(f"environment {self.id} is stopped")
            self._process = FunctionProcess(
                current().lambda_python, self._variables["_HANDLER"], self._variables, self._output
            )
            return self._process

    def _ready_process(self) -> tuple[FunctionProcess, bool]:
        """Return the process to use, and whether its initialisation is still to be waited for."""
        process = self._process
        if process is None or not process.is_alive():
            if process:
                process.end()
            return self._start_process(), True
        return process, not process.was_used

    def _initialise(self, process: FunctionProcess) -> RuntimeEvent | None:
        """Wait for the first request; what went wrong, or None."""
        event = process.next_event(INIT_SECONDS - (time.monotonic() - process.started))
        return None if event is None or event.kind == "ready" else event

    def _answer_of(self, process: FunctionProcess, payload: dict[str, str]) -> RuntimeEvent | None:
        """Hand the invocation over; the answer, or None when the function's time is over."""
        timeout = self.function_version.config.timeout
        deadline = time.monotonic() + timeout
        process.send(
            Invocation(
                request_id=payload["invoke-id"],
                function_arn=payload["invoked-function-arn"],
                trace_header=payload["trace-id"],
                deadline_ms=int((time.time() + timeout) * 1000),
                payload=payload["payload"].encode(),
            )
        )
        while (event := process.next_event(deadline - time.monotonic())) is not None:
            if event.kind in {"exit", "init_error"} or event.request_id == payload["invoke-id"]:
                return event
        return None

    def _judge(self, event: RuntimeEvent | None, request_id: str) -> tuple[bytes, str | None, str]:
        """Return the caller's answer, the error type, and Lambda's last log line."""
        if event is None:
            timeout = self.function_version.config.timeout
            message = f"Task timed out after {timeout:.2f} seconds"
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            body = error_body(f"RequestId: {request_id} Error: {message}", "Sandbox.Timedout")
            return body, None, f"{now} {request_id} {message}\n"
        if event.kind == "exit":
            message = f"RequestId: {request_id} Error: {exit_message(event.exit_code)}"
            error_type = "Runtime.ExitError"
            return error_body(message, error_type), error_type, f"{message}\n{error_type}\n"
        if event.kind == "init_error":
            error = json.loads(event.body)
            error["requestId"] = error.get("requestId") or request_id
            return json.dumps(error).encode(), error.get("errorType"), ""
        return event.body, None, ""

    def _read_output(self) -> str:
        """Return the function's output since the last read, in whole lines."""
        if not self._output.exists():  # the environment was ended concurrently
            return ""
        with self._output.open("rb") as file:
            file.seek(self._read_to)
            new = file.read()
        self._read_to += len(new)
        text = new.decode(errors="replace")
        return text if not text or text.endswith("\n") else text + "\n"


def exit_message(code: int) -> str:
    """Return Lambda's words for the end of a runtime: signal or exit status.

    Lambda gives other ends without a reason.
    """
    if code < 0:
        return (
            f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
        )
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    return "Runtime exited without providing a reason"


def kill_one(*, busy: bool) -> dict[str, object] | None:
    """Kill the process of one environment, chosen at random.

    Args:
        busy: only one that is at work.

    Returns:
        The function and the process's id; None if there is none.
    """
    with _environments_lock:
        candidates = list(_environments)
    for executor in random.sample(candidates, len(candidates)):
        if pid := executor.crash(busy=busy):
            return {"function": executor.function_version.id.function_name, "pid": pid}
    return None


def stop_all() -> None:
    """End every environment: none may outlive this process."""
    with _environments_lock:
        running = list(_environments)
    for executor in running:
        executor.end()
