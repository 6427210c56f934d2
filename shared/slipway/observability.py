"""Create the logger and metrics, and mask secrets in logs.

Only this module creates them. It lists the names of all metrics, so that dashboards and alarms can
be checked against them.
"""

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import quote, quote_plus

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.metrics.functions import is_metrics_disabled

# Separate for each installation, so that alarms and dashboards do not mix metrics.
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Slipway")


class Metric(StrEnum):
    """Every metric that Slipway emits, by CloudWatch name."""

    RECORD_RECEIVED = "RecordReceived"
    RECORD_AGE = "RecordAge"
    RUN_SUCCEEDED = "RunSucceeded"
    RUN_FAILED = "RunFailed"
    RUN_PROPOSED = "RunProposed"
    RUN_DELIVERED_LATER = "RunDeliveredLater"
    RUN_CRASHED = "RunCrashed"
    MESSAGE_SKIPPED = "MessageSkipped"
    MESSAGE_DIFFERS = "MessageDiffers"
    SIGNATURE_REJECTED = "SignatureRejected"
    WEBHOOK_REFUSED = "WebhookRefused"
    RUN_REPORTED = "RunReported"
    REPORT_REFUSED = "ReportRefused"
    RUN_ENDED_BY_USER = "RunEndedByUser"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_DECIDED = "ApprovalDecided"
    DECISION_REFUSED = "DecisionRefused"
    API_RETRY = "ApiRetry"
    CHANGE_SKIPPED = "ChangeSkipped"
    SUBSCRIPTION_STARTED = "SubscriptionStarted"
    REMEDIATION_ENDED = "RemediationEnded"
    REPAIR_ENDED = "RepairEnded"
    TIME_TO_VERIFY = "TimeToVerify"
    TIME_TO_REPAIR = "TimeToRepair"
    RUN_SWEPT = "RunSwept"
    RUN_CLEANED_UP = "RunCleanedUp"
    LOCK_RELEASED = "LockReleased"
    MAPPING_PROBLEM = "MappingProblem"


MASK = "*****"
_PATTERNS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,}"  # GitHub tokens
    r"|github_pat_[A-Za-z0-9_]{20,}"
    # JSON Web Tokens, for example Port's access token; approval links, which have two parts.
    r"|eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"
    # AWS session tokens: base64 that begins with the issuer's name ("aws", "er/aws", "origin_ec").
    r"|[\w+/]{2}o(?:DYXdz|GZXIvYXdz|Jb3JpZ2luX2Vj)[\w+/=%]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS access key ids, permanent and temporary
    # Signed requests to AWS: presigned URLs (also within another URL) and headers.
    r"|(?:Signature|X-Amz-Security-Token|X-Amz-Credential)(?:=|%3D)[\w+/=%.~-]{16,}",
    re.DOTALL,
)
_known: set[str] = set()
_BOTH = (True, False)
_URL_SAFE = str.maketrans("+/", "-_")


def register_secret(value: str) -> None:
    """Mask `value` in every later log line.

    Encoded forms are masked too: JSON (also within the line's JSON), Python's notation, base64
    (also as part of a longer text), hexadecimal, addresses and forms.

    Values under six characters are not masked, because they occur in ordinary words.
    """
    if len(value) < 6:
        return
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value, repr(value)[1:-1]}
    for _ in range(3):
        forms |= {json.dumps(form, ensure_ascii=ascii_)[1:-1] for form in forms for ascii_ in _BOTH}
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    hexadecimal = {raw.hex(), raw.hex().upper()}
    _known.update(forms, quoted, map(_lower_escapes, quoted), hexadecimal, _in_base64(raw))


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 that depends only on these bytes, per offset."""
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()
    for before, spoilt in enumerate((0, 2, 3)):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        own = encoded[spoilt : (before + len(raw)) * 4 // 3]
        yield own
        yield own.translate(_URL_SAFE)


def _lower_escapes(quoted: str) -> str:
    return re.sub("%..", lambda found: found.group().lower(), quoted)


def mask(text: str) -> str:
    """Replace known secrets, and text that looks like one, by `*****`."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, MASK)
    return _PATTERNS.sub(MASK, text)


class _MaskingFormatter(LambdaPowertoolsFormatter):
    """Masks the finished line, so that no argument of a log call escapes."""

    def serialize(self, log: Mapping[str, Any]) -> str:
        # For a line that it cannot write, Python would print the call unmasked.
        line = mask(super().serialize(dict(log)))
        return line.encode(errors="backslashreplace").decode()


logger = Logger(
    service=os.environ.get("POWERTOOLS_SERVICE_NAME", "slipway"),
    logger_formatter=_MaskingFormatter(),
)
metrics = Metrics(namespace=NAMESPACE)


def count(metric: Metric, value: int = 1, **dimensions: str) -> None:
    """Add to a metric; dimensions create a separate one (`action="…"`)."""
    if not dimensions:
        metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)
        return
    if is_metrics_disabled():
        return  # `single_metric` does not check that itself.
    with single_metric(namespace=NAMESPACE, name=metric, unit=MetricUnit.Count, value=value) as one:
        for name, text in dimensions.items():
            one.add_dimension(name=name, value=text)


def measure(metric: Metric, seconds: float) -> None:
    """Add a duration to a metric."""
    metrics.add_metric(name=metric, unit=MetricUnit.Seconds, value=seconds)


def trace_id() -> str:
    """Return this invocation's X-Ray trace id, or `no-trace` outside Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    found = re.search(r"Root=([\w-]+)", header)
    return found.group(1) if found else "no-trace"
