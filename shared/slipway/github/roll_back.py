"""What the last change of an entity was, and the change that takes it back. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.github.models import Change, EntityFiles, Snapshot, is_plain

# A remediation's id stands in a branch's name and in that of a workflow's run.
REMEDIATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
# The branches of repairs, which are never rolled back themselves.
REPAIR_BRANCH = re.compile(r"slipway/(roll_back|scale_up)/.+")


@dataclass(frozen=True, kw_only=True)
class LastChange:
    """The last change of an entity on the base branch, as it can be taken back.

    Attributes:
        entity: the entity.
        commit: SHA of the commit that brought it to the base branch.
        url: page of the pull request that it came by, or of the commit if it came by none.
        pull_number: that pull request's number.
        before: path → text before it, of the files that it changed; None: there was no such file.
        after: path → blob SHA after it, of the same files; None: there is no such file.
        base_commit: SHA of the base branch's head then.
    """

    entity: EntityFiles
    commit: str
    url: str
    pull_number: int | None
    before: Mapping[str, str | None] = field(repr=False)
    after: Mapping[str, str | None] = field(repr=False)
    base_commit: str | None = None

    @property
    def name(self) -> str:
        """What people call it: `#12` or the first characters of the commit's SHA."""
        return f"#{self.pull_number}" if self.pull_number else self.commit[:7]


@dataclass(frozen=True)
class NothingToRollBack:
    """There is no change that could be taken back.

    Attributes:
        reason: why, as a sentence.
    """

    reason: str


def texts_before(
    touched: Mapping[str, str | None], before: Snapshot, now: Snapshot
) -> dict[str, str | None] | NothingToRollBack:
    """Return what has to be written to take a commit back, and only that.

    Args:
        touched: path → blob SHA after the commit, or None: the entity's files in that commit.
        before: the files before the commit, with the texts of these.
        now: the files on the base branch.
    """
    if not now.files:
        return NothingToRollBack("It has no files on the base branch any more.")
    if not before.files:
        return NothingToRollBack("It has not been changed since it was created.")
    changed = {path: sha for path, sha in touched.items() if before.files.get(path) != sha}
    if not changed:
        return NothingToRollBack("Its last commit has changed no file's content.")
    if any(now.files.get(path) != sha for path, sha in changed.items()):
        return NothingToRollBack(
            "What its last change wrote was mixed with another change when it was merged."
        )
    restored = [path for path in changed if path in before.files]
    if not all(path in before.texts and is_plain(path) for path in restored):
        return NothingToRollBack(
            "Its last change replaced a file that is no text, is too large to restore, "
            "or has a name that not every system takes."
        )
    return {path: before.texts.get(path) for path in changed}


def roll_back_branch(remediation_id: str) -> str:
    """Return the branch of a remediation's roll back.

    Raises:
        ValueError: the id breaks the rule for ids of remediations.
    """
    if not REMEDIATION_ID.fullmatch(remediation_id):
        raise ValueError(f"not the id of a remediation: {remediation_id!r}")
    return f"slipway/roll_back/{remediation_id}"


def roll_back(
    last: LastChange,
    *,
    remediation_id: str,
    why: str,
    labels: tuple[str, ...] = (),
    reviewers: tuple[str, ...] = (),
) -> Change:
    """Return the change that puts an entity's files back to what they were before its last change.

    Args:
        last: the last change.
        remediation_id: what it is for; the branch's name is made of it.
        why: what ails it, in Markdown that is safe to show.
        labels: labels of the pull request.
        reviewers: GitHub logins asked for a review, teams as `team:<slug>`.

    Raises:
        ValueError: the id breaks the rule for ids of remediations.
    """
    paths = ", ".join(f"`{path}`" for path in sorted(last.before))
    return Change(
        entity=last.entity,
        branch=roll_back_branch(remediation_id),
        title=f"Roll back {last.entity.name}: undo {last.name}",
        body=(
            f"{why}\n\nThis puts {paths} back to what they were before "
            f"[{last.name}]({last.url}) (remediation `{remediation_id}`).\n\n"
            "Merge it to have them as they were. Close it to leave them as they are; Slipway "
            "does not propose it again for the same remediation."
        ),
        files=dict(last.before),
        base_commit=last.base_commit,
        labels=labels,
        reviewers=reviewers,
    )
