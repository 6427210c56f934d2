"""Read event source mappings: state, since when, and problems."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from slipway import aws
from slipway.runs.records import get_record

_READING = "Enabled"
# A JSON object: alias of a function → id of its mapping.
_KEY = "policy/consumers.json"


@dataclass(frozen=True)
class Reading:
    """Whether a function reads its topic.

    Attributes:
        state: of its event source mapping, in Lambda's words.
        since: when the mapping was last changed, paused or resumed.
        result: LastProcessingResult: `OK`, or `PROBLEM: SASL authentication failed`.
    """

    state: str
    since: datetime
    result: str = ""

    @property
    def paused(self) -> bool:
        """Return whether it does not read, even if it is about to read again."""
        return self.state != _READING

    @property
    def has_problem(self) -> bool:
        """Return whether Lambda reports a problem.

        The result of a paused mapping is older than the pause.

        https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-troubleshoot.html
        """
        return not self.paused and self.result.startswith("PROBLEM")


class Mappings:
    """The installation's event source mappings, with ids from Terraform.

    Terraform stores the ids in a bucket. A function's environment cannot have them: its mapping is
    created after it.

    Args:
        bucket: the records bucket.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @cached_property
    def uuids(self) -> dict[str, str]:
        """Alias of each function that reads a topic → id of its mapping."""
        return get_record(self._bucket, _KEY)

    def reading(self, alias_arn: str) -> Reading | None:
        """Return whether a function reads its topic; None without a mapping."""
        uuid = self.uuids.get(alias_arn)
        if uuid is None:
            return None
        client = aws.lambda_()
        try:
            found = client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            # An apply is replacing it, and stores the new id at its end.
            return Reading("Deleted", datetime.now(UTC))
        return Reading(found["State"], found["LastModified"], found.get("LastProcessingResult", ""))
