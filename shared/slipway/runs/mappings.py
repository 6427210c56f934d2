"""Event source mappings: whether a function reads its topic, and since when."""

from dataclasses import dataclass
from datetime import datetime

from slipway import aws
from slipway.runs.records import get_record

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


class Mappings:
    """The event source mappings of an installation, whose ids Terraform stores in a bucket.

    A function's environment cannot have them: its mapping is made after it.

    Args:
        bucket: the records bucket.
        key: of a JSON object: alias of a function → id of its mapping.
    """

    def __init__(self, bucket: str, key: str) -> None:
        self._bucket = bucket
        self._key = key

    def reading(self, alias_arn: str) -> Reading | None:
        """Whether a function reads its topic; None if it has no event source mapping."""
        uuid = get_record(self._bucket, self._key).get(alias_arn)
        if uuid is None:
            return None
        found = aws.lambda_().get_event_source_mapping(UUID=uuid)
        return Reading(found["State"], found["LastModified"])
