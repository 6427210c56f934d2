"""Write the texts of a run's pull request."""

from typing import Any

from slipway.catalog.planning import FilePlan
from slipway.catalog.request import Target
from slipway.markdown import as_text, hidden_comment, table
from slipway.port.message import RunMessage


def pull_request_body(target: Target, message: RunMessage, run_url: str, plan: FilePlan) -> str:
    """Return the body of a pull request: requester, request and effect.

    Args:
        target: the entity and the action.
        message: the request.
        run_url: the run's page in Port.
        plan: the change.
    """
    who = message.requester
    when = message.requested_at.strftime("%Y-%m-%d %H:%M UTC")
    listed = "\n".join(f"- `{path}`" for path in sorted(plan.files))
    return (
        f"{as_text(who.name or who.email or who.user_id)} requested "
        f"{as_text(target.action.title)} on {when}: [run "
        f"{message.run_id}]({run_url}).\n\n{table(plan.facts)}\n\n"
        f"The files:\n\n{listed}\n\n{plan.consequence}\n\n"
        f"{hidden_comment(metadata(target, message))}\n"
    )


def metadata(target: Target, message: RunMessage) -> dict[str, Any]:
    """Return the metadata that links a pull request to its run."""
    return {
        "schema_version": 1,
        "action": message.action,
        "run_id": message.run_id,
        "blueprint": target.blueprint,
        "identifier": target.identifier,
        "requested_by": message.requester.email,
    }
