"""Describe a repair for its approval, and hash what the approval covers. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class PlannedRepair(BaseModel):
    """One strategy, in its current form.

    Attributes:
        sentence: what it would do, or why it cannot run now.
        preview: unified diff of the files that it would change; empty if it changes none.
        digests: `repair_digest` of each of its attempts; empty if it cannot run now.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentence: str
    preview: str = ""
    digests: tuple[str, ...] = ()


def repair_digest(kind: str, files: Mapping[str, str | None]) -> str:
    """Return the SHA-256 of an attempt's result.

    Args:
        kind: the strategy.
        files: path → content, or None for a file that it removes.
    """
    made = {
        path: None if text is None else hashlib.sha256(text.encode()).hexdigest()
        for path, text in files.items()
    }
    return _sha256({"strategy": kind, "files": made})


def repair_hash(service: str, execution: str, digests: Iterable[str]) -> str:
    """Return the SHA-256 of all that one approval of a repair allows.

    Args:
        service: the service's key, `<blueprint>/<identifier>`.
        execution: the remediation's execution.
        digests: of the attempts in the request.
    """
    return _sha256(
        {
            "action": "repair_service",
            "service": service,
            "execution": execution,
            "attempts": sorted(digests),
        }
    )


def _sha256(value: dict[str, Any]) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
