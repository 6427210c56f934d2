"""The words of a run's pull request."""

from typing import Any

from slipway.catalog.planning import FilePlan
from slipway.catalog.request import Target
from slipway.markdown import as_text, hidden_comment, table
from slipway.port.message import RunMessage


def pull_request_body(target: Target, message: RunMessage, run_url: str, plan: FilePlan) -> str:
    """Return the body of a pull request: who asked, for what, and what merging it does.

    Args:
        target: the entity and the action.
        message: the request.
        run_url: the run's page in Port.
        plan: what it changes.
    """
    who = message.requester
    when = message.requested_at.strftime("%Y-%m-%d %H:%M UTC")
    listed = "\n".join(f"- `{path}`" for path in sorted(plan.files))
    return (
        f"{as_text(who.name or who.email or who.user_id)} asked for {as_text(target.action.title)} "
        f"on {when}: [run {message.run_id}]({run_url}).\n\n{table(plan.facts)}\n\n"
        f"The files:\n\n{listed}\n\n{plan.consequence}\n\n"
        f"{hidden_comment(metadata(target, message))}\n"
    )


def metadata(target: Target, message: RunMessage) -> dict[str, Any]:
    """Return what tells machines which run a pull request belongs to."""
    return {
        "schema_version": 1,
        "action": message.action,
        "run_id": message.run_id,
        "blueprint": target.blueprint,
        "identifier": target.identifier,
        "requested_by": message.requester.email,
    }
