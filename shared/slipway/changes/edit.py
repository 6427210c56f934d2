"""The proposal to change files of a service that is there."""

from collections.abc import Mapping
from typing import Any

from slipway.changes.proposal import Proposal, preview
from slipway.changes.situation import Situation
from slipway.changes.text import pull_request_body
from slipway.github.models import Change, run_branch
from slipway.port.message import RunMessage


def edit(
    message: RunMessage,
    situation: Situation,
    files: Mapping[str, str | None],
    *,
    title: str,
    summary: str,
    wish: str,
    facts: Mapping[str, Any],
    consequence: str,
) -> Proposal:
    """Propose a pull request, with all that is the same for every action.

    Args:
        message: the request.
        situation: the service as it is; its folder must have the texts of the touched files.
        files: path → new text, or None to remove the file.
        title: the pull request's title.
        summary: what changes, in one line.
        wish: what was asked for, as the end of the sentence "… asked for".
        facts: what the pull request shows beside service and environment; the names are trusted,
            the values are not.
        consequence: what merging and closing lead to, in Markdown.
    """
    folder, data = situation.folder, situation.data
    shown = {"Service": folder.service, "Environment": data.environment, **facts}
    change = Change(
        service=folder.service,
        branch=run_branch(message.action, message.run_id),
        title=title,
        body=pull_request_body(
            message,
            folder.service,
            shown,
            wish=wish,
            run_url=situation.run_url,
            consequence=consequence,
        ),
        files=dict(files),
        base_commit=folder.commit,
        labels=("slipway", message.action),
        reviewers=tuple(situation.reviewers.get(data.team, ())),
    )
    return Proposal(
        action=message.action,
        service=folder.service,
        environment=data.environment,
        summary=summary,
        change=change,
        base={path: folder.files.get(path) for path in files},
        preview=preview({p: folder.texts.get(p) for p in files if p in folder.files}, files),
    )
