"""Define every error that Slipway raises, as one tree.

The branch says who must act, and so what happens to the run and to the Kafka record::

    SlipwayError
    ├── UserError              the request is wrong: the run ends FAILURE with this sentence
    │   ├── InvalidInput         an input breaks a rule, named with its path
    │   ├── DocumentRefused      a YAML or JSON text cannot be read or edited safely
    │   ├── ExpressionRefused    an expression of the catalog fails on its input or its files
    │   ├── EntityRefused        Port would refuse the entity that a create adds
    │   ├── ActionGone           the catalog no longer has the action or kind
    │   ├── EntityExists         an entity of that identifier exists already
    │   ├── EntityLocked         another change of the same entity is in progress
    │   └── DecisionRefused      a decision on an approval request does not count
    │       ├── RequestNotFound    the request does not exist
    │       ├── RequestClosed      it was decided, has expired, was withdrawn or replaced
    │       ├── NotAnApprover      the person may not decide this request
    │       ├── OwnRequest         the person requested the change
    │       └── LinkRejected       the link is incomplete, changed or expired
    ├── RetryableError         not now: retried in the process, then by delayed delivery
    │   ├── PortUnavailable
    │   ├── GitHubUnavailable
    │   └── RunInProgress        another invocation works on this run
    ├── SkippedMessage         not ours, or nothing to do: acknowledged and counted
    │   ├── ForeignMessage       another consumer's message on the same topic
    │   ├── RunNotFound          Port does not know the run
    │   ├── RunNotInProgress     the run waits for an approval of Port's own
    │   ├── RunEnded             the run ended before: it is never changed again
    │   └── SignatureRejected    signature missing, wrong or out of time: a security event
    ├── PortError              Port refused a call in a way that no user can fix
    ├── GitHubError            GitHub refused a call in a way that no user can fix
    ├── BranchTaken          a run's branch or pull request is not Slipway's: the run is on hold
    ├── RecordsFailed          records of a batch failed: the event source retries the batch
    ├── TokenRejected          the caller of a report is not our workflow: a security event
    ├── NothingToReport        a pull request is open, or not Slipway's
    ├── ReportTooEarly         a run's pull request is not in the ledger yet
    ├── SweepIncomplete        some runs could not be processed; the next sweep retries
    └── ConfigurationError     the installation is wrong: names the setting and its fix
        └── CatalogRefused       the catalog has faults: file, line and fix of each

Every other error counts as a bug. The event source retries the record a limited number of times,
then stores it (the run is *on hold*).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime


class SlipwayError(Exception):
    """The root.

    The text is a full sentence that says what happened and what to do next.
    """


class UserError(SlipwayError):
    """The request is wrong. The run's page shows the text unchanged."""


class InvalidInput(UserError):
    """An input of the form breaks a rule.

    Args:
        title: the input's title in the form.
        expectation: the broken rule, as the end of the sentence "Input … …".
    """

    def __init__(self, title: str, expectation: str) -> None:
        super().__init__(f"Input '{title}' {expectation}.")
        self.title = title
        self.expectation = expectation


class DocumentRefused(UserError):
    """A YAML or JSON text cannot be read or edited unambiguously.

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
    """An expression of the catalog fails on its input or its files.

    Args:
        problem: what is wrong, as a full sentence.
    """


class EntityRefused(UserError):
    """Port would refuse the entity that a create adds.

    Args:
        notes: property or relation → what is wrong with it, as a sentence.
    """

    def __init__(self, notes: Mapping[str, str]) -> None:
        super().__init__(f"Port would refuse the new entity: {' '.join(notes.values())}")
        self.notes = notes


class ActionGone(UserError):
    """The current catalog lacks the action or the kind of a run."""


class EntityExists(UserError):
    """An entity of the requested identifier exists already.

    Args:
        name: its name for people, for example `Service 'my-service'`.
        link: the page of the existing entity.
    """

    def __init__(self, name: str, link: str) -> None:
        super().__init__(
            f"{name} exists already: {link}. Choose another name, or change the existing one."
        )
        self.link = link


class EntityLocked(UserError):
    """Another change of the same entity is in progress.

    Args:
        key: the entity's blueprint and identifier, as `service/my-service`.
        owner: the run or remediation that has locked the entity.
        kind: `run` or `remediation`.
    """

    def __init__(self, key: str, owner: str, kind: str) -> None:
        blueprint, _, identifier = key.partition("/")
        named = f"run {owner}" if kind == "run" else f"Slipway's repair {owner}"
        super().__init__(
            f"Another change of {blueprint} '{identifier}' is in progress ({named}). Wait until "
            "it has ended, then run this action again."
        )
        self.owner = owner


class DecisionRefused(UserError):
    """A decision on an approval request does not count.

    The text goes to the person who decided.
    """


class RequestNotFound(DecisionRefused):
    """The approval request does not exist.

    Args:
        approval_id: the requested id.
    """

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"Approval request '{approval_id[:100]}' does not exist.")


class RequestClosed(DecisionRefused):
    """The request is closed: decided, expired, withdrawn or replaced.

    Args:
        message: its outcome, as a full sentence.
        status: the request's status, for example `APPROVED`.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class NotAnApprover(DecisionRefused):
    """The person may not decide this request."""


class OwnRequest(DecisionRefused):
    """The person requested the change, so another person must decide."""


class LinkRejected(DecisionRefused):
    """An approval link is incomplete, was changed, or has expired."""


class RetryableError(SlipwayError):
    """Not now: the same call may succeed later.

    Args:
        message: the call and its result.
        retry_at: when the other side will answer again (UTC), if it said so.
    """

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class PortUnavailable(RetryableError):
    """Port throttled the call, failed to answer it, or did not answer in time."""


class GitHubUnavailable(RetryableError):
    """GitHub throttled the call, failed to answer it, or timed out."""


class RunInProgress(RetryableError):
    """Another invocation has claimed this run and may still be running."""


class SkippedMessage(SlipwayError):
    """A message that needs no work: acknowledged, and counted by its reason."""

    reason = "Skipped"


class ForeignMessage(SkippedMessage):
    """A message on the shared topic that is meant for another consumer."""

    reason = "Foreign"


class RunNotFound(SkippedMessage):
    """The message names no run, or one that Port does not have."""

    reason = "RunNotFound"


class RunNotInProgress(SkippedMessage):
    """The run waits for an approval of Port's own.

    Its message is delivered again afterwards.
    """

    reason = "RunNotInProgress"


class RunEnded(SkippedMessage):
    """The run has a terminal status: it is never changed again."""

    reason = "RunEnded"


class SignatureRejected(SkippedMessage):
    """The message's signature is missing, wrong, or out of time.

    The message must not have any effect.
    """

    reason = "SignatureRejected"


class PortError(SlipwayError):
    """Port refused a call.

    Args:
        status: HTTP status.
        code: Port's error code, for example `run_exhausted`; empty without one.
        message: the request and Port's answer.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def not_found(self) -> bool:
        """Whether Port itself reports the object as missing; not every 404 does."""
        return self.status == 404 and self.code == "not_found"


class GitHubError(SlipwayError):
    """GitHub refused a call.

    Args:
        status: HTTP status.
        message: the request and GitHub's answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BranchTaken(SlipwayError):
    """A run's branch or its pull request has content that is not Slipway's.

    Args:
        branch: the run's branch.
        what: the finding, as a sentence.
    """

    def __init__(self, branch: str, what: str) -> None:
        super().__init__(
            f"{what} Slipway proposes nothing from branch '{branch}', and the run is on hold. An "
            "operator must find out who wrote to the branch, delete it, and replay the run."
        )


class RecordsFailed(SlipwayError):
    """Records of a batch failed; the mapping must retry the whole batch."""


class TokenRejected(SlipwayError):
    """A caller's token is not from this installation's report workflow.

    Args:
        reason: a stable identifier, for example `workflow`, or the name of PyJWT's error.
        what: what is wrong, as the end of the sentence "The token is …".
        claims: the claims, if GitHub's signature was verified.
    """

    _TOLD = ("repository", "repository_id", "event_name", "workflow_ref", "run_id", "actor")

    def __init__(self, reason: str, what: str, claims: Mapping[str, object] | None = None) -> None:
        super().__init__(f"The token is {what}.")
        self.reason = reason
        self.claims = {name: str((claims or {}).get(name, ""))[:200] for name in self._TOLD}


class NothingToReport(SlipwayError):
    """A pull request cannot be reported: it is open, or not Slipway's."""


class ReportTooEarly(SlipwayError):
    """The ledger lacks the run's pull request: its function still runs."""


class SweepIncomplete(SlipwayError):
    """Some runs could not be processed.

    Raised at the end, so that an alarm notifies people.
    """


class ConfigurationError(SlipwayError):
    """The installation is wrong.

    The text names the setting and its fix, never its value.
    """


class CatalogRefused(ConfigurationError):
    """The catalog has faults.

    Args:
        faults: each fault; its text has the file, the line, the problem and the fix.
    """

    def __init__(self, faults: Sequence[object]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
