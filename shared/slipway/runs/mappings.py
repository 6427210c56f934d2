"""Event source mappings: whether a function reads its topic, and since when."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

_READING = "Enabled"


@dataclass(frozen=True)
class Reading:
    """Whether a function reads its topic.

    Attributes:
        state: of its event source mapping, in Lambda's words.
        since: when the mapping was last changed, paused or resumed.
    """

    state: str
    since: datetime

    @property
    def paused(self) -> bool:
        """Whether nothing is read, be it because the mapping is only about to read again."""
        return self.state != _READING


def mapping_of(alias_arn: str) -> "EventSourceMappingConfigurationTypeDef | None":
    """The event source mapping that calls a function's alias; None if there is none."""
    found = boto3.client("lambda").list_event_source_mappings(FunctionName=alias_arn)
    return next(iter(found["EventSourceMappings"]), None)


def reading(alias_arn: str) -> Reading | None:
    """Whether a function reads its topic; None if it has no event source mapping."""
    mapping = mapping_of(alias_arn)
    return Reading(mapping["State"], mapping["LastModified"]) if mapping else None
