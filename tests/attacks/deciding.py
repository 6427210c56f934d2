"""A message about a run of *Decide Approval*, and the function that reads it."""

from types import SimpleNamespace
from typing import Any, cast

from functions.approval.handler import handler
from tests.unit.approvals import test_function
from tests.unit.conftest import RUN_ID
from tests.unit.runs.consuming import event, message

# The request of `test_function.PendingRun.waits`, and a run of *Decide Approval*.
REQUEST, DECISION = f"{RUN_ID}.1", "r_decision00000001"


def deliver_decision(run_id: str, person: dict[str, str], request: str, verdict: str) -> None:
    """Deliver a message to the approval function; any part of it may be forged.

    Args:
        run_id: the run of the message.
        person: id and address of the one that the message names as the run's author.
        request: the approval request in the message.
        verdict: the verdict in the message.
    """
    by = {"orgId": "org_test", "userId": person["id"], "user": person}
    told = message(
        action="decide_approval",
        trigger={"by": by, "origin": "API", "at": "2026-11-23T10:00:00.000Z"},
        context={"entity": request, "blueprint": "approval_request", "runId": run_id},
        payload={
            "entity": None,
            "action": {"invocationMethod": {"type": "KAFKA"}, "trigger": "DAY-2"},
            "properties": {"decision": verdict, "change": "f" * 64},
            "censoredProperties": [],
        },
    )
    context = SimpleNamespace(
        function_name="slipway-approval",
        function_version="1",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:slipway-approval:live",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    handler(event(told), cast("Any", context))


def decide_in_port(
    pending: test_function.PendingRun,
    *,
    verdict: str = "APPROVE",
    change: str = "f" * 64,
    **run: str,
) -> None:
    """Run *Decide Approval* as devops@acme.example.

    Args:
        pending: the pending request.
        verdict: the choice in the form.
        change: the change that the form names as shown.
        run: further fields of Port's run.
    """
    pending.script_user({"id": "auth0|1", "email": "dev@acme.example"})
    pending.set_run(RUN_ID, "upscale_service", "IN_PROGRESS", createdBy="auth0|1")
    user = {"id": "auth0|2", "email": "devops@acme.example"}
    pending.script_user(user)
    record: dict[str, Any] = {
        "createdBy": user["id"],
        "entity": {"identifier": REQUEST},
        "properties": {"decision": verdict, "change": change},
        **run,
    }
    pending.set_run(DECISION, "decide_approval", "IN_PROGRESS", **record)
    deliver_decision(DECISION, user, REQUEST, verdict)
