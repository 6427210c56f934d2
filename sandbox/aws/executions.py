"""End stopped executions of Step Functions at once, and notify EventBridge.

LocalStack marks a stopped execution, but continues to wait in its state: for a task token, a
function, or the pause before a retry. Until then it is RUNNING, without an event.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.stepfunctions import ExecutionFailedEventDetails
from localstack.services.stepfunctions.asl.component.common.retry import retrier_decl
from localstack.services.stepfunctions.asl.component.state.state_execution import execute_state
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.asl.eval.event.event_manager import EventManager
from localstack.services.stepfunctions.asl.eval.program_state import (
    ProgramStopped,
    ProgramTimedOut,
)
from localstack.services.stepfunctions.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from localstack.services.stepfunctions.backend.state_machine import StateMachineInstance
from localstack.services.stepfunctions.provider import StepFunctionsProvider
from localstack.utils.patch import patch

from sandbox.aws import task_tokens

LOG = logging.getLogger(__name__)

# How long a state may take to come to its end once its token was answered, and an execution to
# come to its beginning.
MOMENT_SECONDS = 30
HISTORY_EVENTS = 25_000


class _Ended(BaseException):
    """The execution ended during a state. Not an `Exception`: no Retry or Catch may see it."""


class _Evaluation(threading.local):
    """What this thread evaluates."""

    environment: Environment | None = None
    task: task_tokens.TaskToken | None = None


_now = _Evaluation()
# What waits, by the environment that it waits in: a thread evaluates one state at a time.
_waits: dict[Environment, threading.Event] = {}


class StateEnd(threading.Event):
    """Set when a state's work is done. Waiting for it ends with its execution, too."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the work, the time limit, or the end of the execution.

        Raises:
            _Ended: The execution ended.
        """
        environment, task = _now.environment, _now.task
        if environment is None:
            return super().wait(timeout)
        _waits[environment] = self
        try:
            done = environment.is_running() and super().wait(timeout)
        finally:
            del _waits[environment]
        if not environment.is_running():
            raise _Ended
        if not done and task and not task.close():
            # The answer came first: it counts.
            done = super().wait(MOMENT_SECONDS)
        return done


def _eval_state(
    original: Callable[..., None], state: execute_state.ExecutionState, environment: Environment
) -> None:
    outer, _now.environment = _now.environment, environment
    try:
        original(state, environment)
    except _Ended:
        LOG.debug("execution ended in state %s", state.name)  # the environment knows how
    finally:
        _now.environment = outer


def _attempt(
    original: Callable[..., None], state: execute_state.ExecutionState, environment: Environment
) -> None:
    """One attempt at a state: a retry has a token of its own, and the former is of no use."""
    outer, _now.task = _now.task, task_tokens.issue(state, environment)
    task = _now.task
    try:
        original(state, environment)
    finally:
        _now.task = outer
        if task:
            task.close()
            task.endpoint.interrupt_all()


def _start(
    original: Callable[..., Any],
    provider: StepFunctionsProvider,
    context: RequestContext,
    state_machine_arn: str,
    name: str | None = None,
    **kwargs: object,
) -> Any:
    if name is not None:
        # Names of executions follow the rules of those of activities.
        provider._validate_activity_name(name)
    return original(provider, context, state_machine_arn=state_machine_arn, name=name, **kwargs)


def _end(original: Callable[..., None], environment: Environment, **how: object) -> None:
    """The environments of parallel branches and of attempts are ended by that of the whole."""
    original(environment, **how)
    if wait := _waits.get(environment):
        wait.set()


def _fail(
    original: Callable[..., None], environment: Environment, error: ExecutionFailedEventDetails
) -> None:
    """Ignore errors of a state that the end of its execution interrupted."""
    if not isinstance(environment.program_state(), ProgramStopped | ProgramTimedOut):
        original(environment, error=error)


def _stop(original: Callable[..., None], execution: Execution, **how: object) -> None:
    """An execution that has only just been started has no environment for a moment."""
    deadline = time.monotonic() + MOMENT_SECONDS
    while execution.exec_worker.env is None and time.monotonic() < deadline:
        time.sleep(0.01)
    original(execution, **how)


def _reflect_status(
    original: Callable[..., None], communication: BaseExecutionWorkerCommunication
) -> None:
    original(communication)
    execution = communication.execution
    end = execution.exec_worker.env.program_state()
    if isinstance(end, ProgramStopped):
        execution.error, execution.cause = end.error, end.cause


def _begin(original: Callable[..., None], environment: Environment, *args: Any, **kw: Any) -> None:
    """The history is that of the whole execution: parts of it take the manager of the whole."""
    original(environment, *args, **kw)
    environment.event_manager.slipway_execution = environment


def _add_event(original: Callable[..., int], manager: EventManager, *args: Any, **kw: Any) -> int:
    """Fail an execution with a full history, regardless of Retry and Catch.

    https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html

    Raises:
        _Ended: The history is full.
    """
    number = original(manager, *args, **kw)
    if number == HISTORY_EVENTS - 1:  # the last one says that the execution failed
        cause = f"The execution reached the maximum number of history events ({HISTORY_EVENTS})."
        error = ExecutionFailedEventDetails(error="States.Runtime", cause=cause)
        manager.slipway_execution.set_error(error=error)
        raise _Ended
    return number


def _describe(
    original: Callable[..., dict[str, Any]], machine: StateMachineInstance
) -> dict[str, Any]:
    """Terraform compares what it sent with what it reads, and LocalStack leaves tracing out."""
    answer = original(machine)
    if machine.tracing_config:
        answer["tracingConfiguration"] = machine.tracing_config
    return answer


def _publish(_original: Callable[..., None], execution: Execution) -> None:
    """Send a change of status to EventBridge, in AWS's format.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    output = None if execution.output is None else _json(execution.output)
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": execution.state_machine_version_arn,
        "stateMachineAliasArn": execution.state_machine_alias_arn,
        "name": execution.name,
        "status": execution.exec_status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": _json(execution.input_data),
        "inputDetails": {"included": True},
        "output": output,
        "outputDetails": None if output is None else {"included": True},
        "error": execution.error,
        "cause": execution.cause,
    }
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Resources": [execution.exec_arn],
        "Detail": json.dumps(detail),
    }
    try:
        execution._get_events_client().put_events(Entries=[entry])
    except Exception:
        # AWS gives its events no guarantee, and no execution fails for one.
        LOG.exception("no event tells that %s is %s", execution.exec_arn, execution.exec_status)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def install() -> None:
    """Change LocalStack's interpreter where it does not end as AWS's does."""
    patch(execute_state.ExecutionState._eval_state)(_eval_state)
    patch(execute_state.ExecutionState._evaluate_with_timeout)(_attempt)
    patch(StepFunctionsProvider.start_execution)(_start)
    patch(Environment.__init__)(_begin)
    patch(EventManager.add_event)(_add_event)
    patch(Environment.set_stop)(_end)
    patch(Environment.set_timed_out)(_end)
    patch(Environment.set_error)(_fail)
    patch(Execution.stop)(_stop)
    patch(StateMachineInstance.describe)(_describe)
    patch(Execution.publish_execution_status_change_event)(_publish)
    patch(BaseExecutionWorkerCommunication._reflect_execution_status)(_reflect_status)
    # What LocalStack waits on there: the end of an attempt, and the pause before the next one.
    execute_state.threading = SimpleNamespace(Event=StateEnd)
    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: StateEnd().wait(seconds))
