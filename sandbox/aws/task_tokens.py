"""Handle task tokens of Step Functions like AWS.

Each accepts one answer, and only while its task waits.

LocalStack accepts an answer after the state has timed out, lets a second answer overwrite the
first, calls the token of an ended execution unknown, and gives every retry the same token.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
"""

import base64
import json
import secrets
import threading
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.stepfunctions import InvalidOutput, TaskTimedOut
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (  # noqa: E501
    resource,
    state_task_service_callback,
)
from localstack.services.stepfunctions.asl.eval.callback import callback
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.provider import StepFunctionsProvider
from localstack.utils.patch import patch

# Tokens are opaque text of up to 2048 characters. This is about what AWS gives; as there, they
# have characters that are not safe in a URL.
TOKEN_BYTES = 480


class TaskToken:
    """A task that waits.

    Attributes:
        state_machine_arn: Whose execution waits.
        endpoint: What LocalStack's task waits on.
    """

    def __init__(self, state_machine_arn: str, endpoint: callback.CallbackEndpoint) -> None:
        self.state_machine_arn = state_machine_arn
        self.endpoint = endpoint
        self._is_open = True
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the task still waits for its answer."""
        return self._is_open

    def close(self) -> bool:
        """Accept no more answers; return whether this call closed it."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
            return was_open


_tokens: dict[str, TaskToken] = {}


def issue(state: object, environment: Environment) -> TaskToken | None:
    """Give one attempt at a state its token, in the context object as `$$.Task.Token`.

    Returns:
        The token, or None for a state that does not wait for one.
    """
    if not isinstance(state, state_task_service_callback.StateTaskServiceCallback):
        return None
    if state.resource.condition != resource.ResourceCondition.WaitForTaskToken:
        return None
    token = base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()
    context = environment.states.context_object.context_object_data
    context["Task"] = {"Token": token}
    endpoint = environment.callback_pool_manager.add(token)
    task = _tokens[token] = TaskToken(context["StateMachine"]["Id"], endpoint)
    return task


def state_machine_of(token: str) -> str | None:
    """Return the ARN of the state machine that gave a token out, or None."""
    task = _tokens.get(token)
    return task.state_machine_arn if task else None


def _timed_out() -> TaskTimedOut:
    return TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")


def _send_success(
    original: Callable[..., Any],
    provider: StepFunctionsProvider,
    context: RequestContext,
    task_token: str,
    output: str,
    **kwargs: object,
) -> Any:
    try:
        json.loads(output)
    except ValueError as error:
        raise InvalidOutput(f"Invalid Output: '{error}'") from error
    task = _tokens.get(task_token)
    if task is None:  # an activity's, or unknown
        return original(provider, context, task_token=task_token, output=output, **kwargs)
    if not task.close():
        raise _timed_out()
    task.endpoint.notify(callback.CallbackOutcomeSuccess(task_token, output))
    return {}


def _send_failure(
    original: Callable[..., Any],
    provider: StepFunctionsProvider,
    context: RequestContext,
    task_token: str,
    **kwargs: str | None,
) -> Any:
    task = _tokens.get(task_token)
    if task is None:
        return original(provider, context, task_token=task_token, **kwargs)
    if not task.close():
        raise _timed_out()
    error, cause = kwargs.get("error"), kwargs.get("cause")
    task.endpoint.notify(callback.CallbackOutcomeFailure(task_token, error, cause))
    return {}


def _send_heartbeat(
    original: Callable[..., Any],
    provider: StepFunctionsProvider,
    context: RequestContext,
    task_token: str,
    **kwargs: object,
) -> Any:
    task = _tokens.get(task_token)
    if task and not task.is_open:
        raise _timed_out()
    return original(provider, context, task_token=task_token, **kwargs)


def install() -> None:
    """Answer SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat as AWS does."""
    patch(StepFunctionsProvider.send_task_success)(_send_success)
    patch(StepFunctionsProvider.send_task_failure)(_send_failure)
    patch(StepFunctionsProvider.send_task_heartbeat)(_send_heartbeat)
