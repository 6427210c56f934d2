"""The lines that Lambda itself writes into a function's log: START, END, REPORT.

As text or as JSON, after the function's log format:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What the report says about an invocation.

    Attributes:
        duration_ms: From the event's hand-over to the answer.
        init_ms: How long the cold start took; None for a warm one.
        memory_mb: The function's memory size.
        used_mb: The process's peak, if the host provides it.
        status: `success`, `error` or `timeout`.
        error_type: Such as `Runtime.ExitError`, for errors that Lambda found.
    """

    duration_ms: float
    init_ms: float | None
    memory_mb: int
    used_mb: int
    status: str
    error_type: str | None = None


@dataclass(frozen=True)
class PlatformLog:
    """Writes the platform's lines for one function.

    Attributes:
        is_json: Whether the function's log format is JSON.
        silent: Whether its system log level leaves these lines out.
    """

    is_json: bool = False
    silent: bool = False

    @classmethod
    def of(cls, logging_config: Mapping[str, Any]) -> "PlatformLog":
        """From a function's `LoggingConfig`; levels apply to the JSON format only."""
        is_json = logging_config.get("LogFormat") == "JSON"
        return cls(is_json, is_json and logging_config.get("SystemLogLevel") == "WARN")

    def start(self, request_id: str, version: str) -> str:
        """Return the line before the function's own."""
        if self.is_json:
            return self._event("platform.start", {"requestId": request_id, "version": version})
        return f"START RequestId: {request_id} Version: {version}\n"

    def end(self, request_id: str, outcome: Outcome) -> str:
        """Return the lines after the function's own."""
        billed = math.ceil(outcome.duration_ms)
        if self.is_json:
            metrics = {
                "durationMs": round(outcome.duration_ms, 3),
                "billedDurationMs": billed,
                "memorySizeMB": outcome.memory_mb,
                "maxMemoryUsedMB": outcome.used_mb,
            }
            if outcome.init_ms is not None:
                metrics["initDurationMs"] = round(outcome.init_ms, 3)
            record = {"requestId": request_id, "metrics": metrics, "status": outcome.status}
            if outcome.error_type:
                record["errorType"] = outcome.error_type
            return self._event("platform.report", record)
        fields = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {outcome.duration_ms:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {outcome.memory_mb} MB",
            f"Max Memory Used: {outcome.used_mb} MB",
        ]
        if outcome.init_ms is not None:
            fields.append(f"Init Duration: {outcome.init_ms:.2f} ms")
        if outcome.error_type:
            fields += [f"Status: {outcome.status}", f"Error Type: {outcome.error_type}"]
        elif outcome.status == "timeout":
            fields.append("Status: timeout")
        return f"END RequestId: {request_id}\n" + "\t".join(fields) + "\t\n"

    def _event(self, kind: str, record: Mapping[str, Any]) -> str:
        if self.silent:
            return ""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"time": now, "type": kind, "record": record}) + "\n"
