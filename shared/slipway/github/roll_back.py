"""Describe the last change of an entity, and the change that reverts it.

Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.github.models import Change, EntityFiles, Snapshot, is_plain

# A remediation's id appears in the names of a branch and of a workflow's run.
REMEDIATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
# The branches of repairs, which are never rolled back themselves.
REPAIR_BRANCH = re.compile(r"slipway/(roll_back|scale_up)/.+")


@dataclass(frozen=True, kw_only=True)
class LastChange:
    """The last change of an entity on the base branch, as it can be reverted.

    Attributes:
        entity: the entity.
        commit: SHA of the commit that brought it to the base branch.
        url: page of its pull request, or of the commit without one.
        pull_number: that pull request's number.
        before: path → text before it, of the files that it changed; None: the file did not exist.
        after: path → blob SHA after it, of the same files; None: the file does not exist.
        base_commit: SHA of the base branch's head at that time.
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
        """Its name for people: `#12` or the first characters of the commit's SHA."""
        return f"#{self.pull_number}" if self.pull_number else self.commit[:7]


@dataclass(frozen=True)
class NothingToRollBack:
    """No change can be rolled back.

    Attributes:
        reason: why, as a sentence.
    """

    reason: str


def texts_before(
    touched: Mapping[str, str | None], before: Snapshot, now: Snapshot
) -> dict[str, str | None] | NothingToRollBack:
    """Return exactly the files to write to revert a commit.

    Args:
        touched: path → blob SHA after the commit, or None: the entity's files in that commit.
        before: the files before the commit, with the texts of these.
        now: the files on the base branch.
    """
    if not now.files:
        return NothingToRollBack("It no longer has files on the base branch.")
    if not before.files:
        return NothingToRollBack("It has not been changed since it was created.")
    changed = {path: sha for path, sha in touched.items() if before.files.get(path) != sha}
    if not changed:
        return NothingToRollBack("Its last commit did not change the content of a file.")
    if any(now.files.get(path) != sha for path, sha in changed.items()):
        return NothingToRollBack(
            "Its last change was mixed with another change when it was merged."
        )
    restored = [path for path in changed if path in before.files]
    if not all(path in before.texts and is_plain(path) for path in restored):
        return NothingToRollBack(
            "Its last change replaced a file that is not text, is too large to restore, or has a "
            "name that some systems refuse."
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
    """Return the change that restores an entity's files before its last one.

    Args:
        last: the last change.
        remediation_id: the remediation, which the branch's name contains.
        why: the reason, in Markdown that is safe to show.
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
            f"{why}\n\nThis restores {paths} to the state before "
            f"[{last.name}]({last.url}) (remediation `{remediation_id}`).\n\n"
            "Merge this pull request to restore them. Close it to keep the current files; Slipway "
            "does not propose it again for the same remediation."
        ),
        files=dict(last.before),
        base_commit=last.base_commit,
        labels=labels,
        reviewers=reviewers,
    )
