"""FilterCriteria: which records of the topic reach the function.

Patterns are matched by LocalStack's own rule engine, against the decoded `value` (and `key`).
See https://docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html.

A pattern for `value` that is an object is compared with the value's JSON; a list is compared with
its text. If a value does not have the pattern's format, the page says that only filters on metadata
apply. Kafka has none of these, so such a record would pass. Here it is dropped and counted, as
Lambda does for its other sources: Slipway's mappings are designed for this stricter reading.
Functions without a filter receive such records in any case.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from localstack.utils.event_matcher import matches_event

from sandbox.aws.event_source.records import Record

LOG = logging.getLogger(__name__)


class Decision(Enum):
    """What happens to a record."""

    INVOKE = auto()
    FILTERED = auto()
    NOT_JSON = auto()


@dataclass(frozen=True)
class _Content:
    """A value or key, as text and as JSON if it is valid."""

    text: str | None
    is_json: bool
    json: Any = None

    @classmethod
    def of(cls, data: bytes | None) -> "_Content":
        if data is None:
            return cls(text=None, is_json=True)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return cls(text=None, is_json=False)
        try:
            return cls(text=text, is_json=True, json=json.loads(text))
        except (ValueError, RecursionError):
            return cls(text=text, is_json=False)

    def matches(self, pattern: Any) -> bool:
        """Return whether the pattern, an object or a list, matches."""
        if isinstance(pattern, dict):
            return isinstance(self.json, dict) and _matches(pattern, self.json)
        return self.text is not None and _matches({"text": pattern}, {"text": self.text})


def _matches(pattern: dict[str, Any], document: dict[str, Any]) -> bool:
    try:
        return bool(matches_event(pattern, document))
    except (AttributeError, TypeError, RecursionError) as error:
        # The engine fails on values of another type than the pattern's, and on deep nesting.
        LOG.debug("a filter does not apply to a record: %s", error)
        return False


class Filter:
    """The patterns of one mapping: a record passes if any of them matches, or if there is none.

    Args:
        patterns: each a JSON object, as text.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns: list[dict[str, Any]] = [json.loads(pattern) for pattern in patterns]

    def decide(self, record: Record) -> Decision:
        """Return what happens to one record."""
        if not self._patterns:
            return Decision.INVOKE
        content = {"value": _Content.of(record.value), "key": _Content.of(record.key)}
        metadata = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "timestampType": record.timestamp_type,
        }
        for pattern in self._patterns:
            data = {name: pattern[name] for name in content if name in pattern}
            rest = {name: part for name, part in pattern.items() if name not in content}
            if all(content[name].matches(part) for name, part in data.items()) and _matches(
                rest, metadata
            ):
                return Decision.INVOKE
        wants_json = any(isinstance(pattern.get("value"), dict) for pattern in self._patterns)
        if wants_json and not content["value"].is_json:
            return Decision.NOT_JSON
        return Decision.FILTERED
