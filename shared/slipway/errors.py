"""Every error that Slipway raises, as one tree.

The branch says who must act, and so what happens to the run and to the Kafka record::

    SlipwayError
    ├── UserError              the request is wrong: the run ends FAILURE with this sentence
    │   ├── InvalidInput         an input breaks a rule, named with its path
    │   ├── DocumentRefused      a YAML or JSON text cannot be read or edited safely
    │   ├── ExpressionRefused    an expression of the catalog fails on what was typed or is there
    │   ├── EntityRefused        Port would refuse the entity that a create adds
    │   ├── ActionGone           the catalog does not have the action or kind any more
    │   ├── EntityExists         an entity of that identifier is there already
    │   ├── EntityLocked         another change of the same entity is under way
    │   └── DecisionRefused      a decision on an approval request does not count
    │       ├── RequestNotFound    there is no such request
    │       ├── RequestClosed      it was decided, has expired, was withdrawn or replaced
    │       ├── NotAnApprover      the person is none of those who may decide
    │       ├── OwnRequest         the person asked for the change
    │       └── LinkRejected       the link is cut off, changed or too old
    ├── RetryableError         not now: waited for in the process, else delivered later
    │   ├── PortUnavailable
    │   ├── GitHubUnavailable
    │   └── RunInProgress        another invocation works on this run
    ├── SkippedMessage         not ours, or nothing to do: acknowledged, counted, forgotten
    │   ├── ForeignMessage       another consumer's message on the same topic
    │   ├── RunNotFound          Port does not know the run
    │   ├── RunNotInProgress     the run waits for an approval of Port's own
    │   ├── RunEnded             the run ended before: it is never touched again
    │   └── SignatureRejected    signature missing, wrong or out of time: a security event
    ├── PortError              Port refused a call in a way that no user can mend
    ├── GitHubError            GitHub refused a call in a way that no user can mend
    ├── BranchTaken          a run's branch or pull request is not Slipway's: the run is on hold
    ├── RecordsFailed          records of a batch failed: the event source retries the batch
    ├── TokenRejected          who asks for a report is not our workflow: a security event
    ├── NothingToReport        a pull request is open, or not Slipway's
    ├── ReportTooEarly         a run's pull request is not in the ledger yet
    ├── SweepIncomplete        some runs could not be looked after; the next sweep tries again
    └── ConfigurationError     the installation is wrong: names the setting and its cure
        └── CatalogRefused       the catalog has faults: file, line and cure of each

Whatever is neither `UserError`, `RetryableError` nor `SkippedMessage` counts as a bug: the event
source repeats the record a bounded number of times and then stores it (the run is *held*).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime


class SlipwayError(Exception):
    """The root: its text is a full sentence that says what happened and what to do next."""


class UserError(SlipwayError):
    """The request is wrong. The text goes to the run page as it stands."""


class InvalidInput(UserError):
    """An input of the form breaks a rule.

    Args:
        title: what the form calls the input.
        expectation: what would have been right, as the end of the sentence "… must be".
    """

    def __init__(self, title: str, expectation: str) -> None:
        super().__init__(f"Input '{title}' {expectation}.")
        self.title = title
        self.expectation = expectation


class DocumentRefused(UserError):
    """A YAML or JSON text cannot be read, or not be edited, so that every reader agrees.

    Args:
        problem: what is wrong, where, and what to do, as the end of the sentence "The document …".
        line: the line, counted from 1, where there is one.
        column: the column, counted from 1.
    """

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(f"The document {problem}.")
        self.problem = problem
        self.line = line
        self.column = column


class ExpressionRefused(UserError):
    """An expression of the catalog fails on what was typed or on what is there.

    Args:
        problem: what is wrong, as a full sentence.
    """


class EntityRefused(UserError):
    """Port would refuse the entity that a create adds.

    Args:
        notes: property or relation → what is wrong with it, as a sentence.
    """

    def __init__(self, notes: Mapping[str, str]) -> None:
        super().__init__(f"The new entity cannot be shown in Port: {' '.join(notes.values())}")
        self.notes = notes


class ActionGone(UserError):
    """The catalog of now does not have the action, or the kind, that a run is about."""


class EntityExists(UserError):
    """An entity of the requested identifier is there already.

    Args:
        name: what people call it, as `Service 'my-service'`.
        link: where the existing one can be looked at.
    """

    def __init__(self, name: str, link: str) -> None:
        super().__init__(
            f"{name} exists already: {link}. Choose another name, or change the existing one."
        )
        self.link = link


class EntityLocked(UserError):
    """Another change of the same entity is under way.

    Args:
        key: the entity's blueprint and identifier, as `service/my-service`.
        owner: the run or remediation that holds the entity.
    """

    def __init__(self, key: str, owner: str) -> None:
        blueprint, _, identifier = key.partition("/")
        super().__init__(
            f"Another change of {blueprint} '{identifier}' is under way ({_owner(owner)}). "
            "Wait until it has ended, then start this action again."
        )
        self.owner = owner


def _owner(owner: str) -> str:
    return f"run {owner}" if owner.startswith(("r_", "wfnr_")) else f"Slipway's repair {owner}"


class DecisionRefused(UserError):
    """A decision on an approval request does not count. The text goes to whoever decided."""


class RequestNotFound(DecisionRefused):
    """There is no approval request of that id.

    Args:
        approval_id: the id that was asked for.
    """

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"There is no approval request '{approval_id[:100]}'.")


class RequestClosed(DecisionRefused):
    """The request waits for nobody any more: decided, expired, withdrawn or replaced.

    Args:
        message: what became of it, as a full sentence.
        status: the request's status, as `APPROVED`.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class NotAnApprover(DecisionRefused):
    """The person is none of those who may decide this request."""


class OwnRequest(DecisionRefused):
    """The person asked for the change, so another one must decide."""


class LinkRejected(DecisionRefused):
    """An approval link is cut off, was changed, or is older than the request."""


class RetryableError(SlipwayError):
    """Not now: the same call may succeed later.

    Args:
        message: what was tried and what came back.
        retry_at: when the other side said it would answer again (UTC), if it said so.
    """

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class PortUnavailable(RetryableError):
    """Port throttled the call, failed to answer it, or did not answer in time."""


class GitHubUnavailable(RetryableError):
    """GitHub throttled the call, failed to answer it, or did not answer in time."""


class RunInProgress(RetryableError):
    """Another invocation has claimed this run and may still be at work."""


class SkippedMessage(SlipwayError):
    """A message that needs no work: it is acknowledged, counted by its reason and forgotten."""

    reason = "Skipped"


class ForeignMessage(SkippedMessage):
    """A message on the shared topic that is meant for another consumer."""

    reason = "Foreign"


class RunNotFound(SkippedMessage):
    """The message names no run, or one that Port does not know."""

    reason = "RunNotFound"


class RunNotInProgress(SkippedMessage):
    """The run is in Port, but Port has not let it go on. Its message then comes again."""

    reason = "RunNotInProgress"


class RunEnded(SkippedMessage):
    """The run has a terminal status: it is never touched again."""

    reason = "RunEnded"


class SignatureRejected(SkippedMessage):
    """The message's signature is missing, wrong, or out of time. Nothing may be done for it."""

    reason = "SignatureRejected"


class PortError(SlipwayError):
    """Port refused a call.

    Args:
        status: HTTP status.
        code: Port's error code, as `run_exhausted`; empty if the answer had none.
        message: what was asked and what Port answered.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def not_found(self) -> bool:
        """Whether Port itself says that it does not have the object; not every 404 does."""
        return self.status == 404 and self.code == "not_found"


class GitHubError(SlipwayError):
    """GitHub refused a call.

    Args:
        status: HTTP status.
        message: what was asked and what GitHub answered.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BranchTaken(SlipwayError):
    """A run's branch, or its pull request, holds what Slipway did not propose.

    Args:
        branch: the run's branch.
        what: what was found there, as a sentence.
    """

    def __init__(self, branch: str, what: str) -> None:
        super().__init__(
            f"{what} Slipway proposes nothing from branch '{branch}', and the run is on hold. An "
            "operator must find out who wrote to the branch, delete it, and replay the run."
        )


class RecordsFailed(SlipwayError):
    """Records of a batch failed, and the event source mapping must retry the whole batch."""


class TokenRejected(SlipwayError):
    """A caller's token is not one that GitHub gave to the report workflow for this installation.

    Args:
        reason: a stable identifier, as `workflow`, or the name of PyJWT's error.
        what: what is wrong, as the end of the sentence "The token is …".
        claims: the claims, if GitHub's signature was verified.
    """

    _TOLD = ("repository", "repository_id", "event_name", "workflow_ref", "run_id", "actor")

    def __init__(self, reason: str, what: str, claims: Mapping[str, object] | None = None) -> None:
        super().__init__(f"The token is {what}.")
        self.reason = reason
        self.claims = {name: str((claims or {}).get(name, ""))[:200] for name in self._TOLD}


class NothingToReport(SlipwayError):
    """A pull request cannot be reported: it is open, or Slipway did not make it."""


class ReportTooEarly(SlipwayError):
    """The ledger does not know the run's pull request yet: its function is still at work."""


class SweepIncomplete(SlipwayError):
    """Some runs could not be looked after. Raised at the end, so that an alarm tells people."""


class ConfigurationError(SlipwayError):
    """The installation is wrong. The text names the setting and its cure, never its value."""


class CatalogRefused(ConfigurationError):
    """The catalog has faults.

    Args:
        faults: each fault; its text has the file, the line, the problem and the cure.
    """

    def __init__(self, faults: Sequence[object]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
