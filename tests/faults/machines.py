"""Run executions by the definitions and retries that Terraform installs.

It supports what these definitions use of the States Language; anything else is an error.
https://states-language.net/spec.html
"""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
import hcl2

from tests.faults.wire import Killed
from tests.releases import ROOT

MODULES = ROOT / "terraform" / "modules"
Json = dict[str, Any]
# Invokes a function by its ARN. An exception is the function's error.
Invoke = Callable[[str, Json], Any]


class Failed(Exception):
    """A task failed with a named error."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def read_machine(module: str, **values: str) -> Json:
    """Read a module's state machine, with the values that Terraform fills in."""
    known = {"partition": "aws", "invoke_timeout": "60", **retries(module), **values}
    text = (MODULES / module / "definition.asl.json").read_text()
    machine: Json = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], text))
    return machine


def retries(module: str) -> dict[str, str]:
    """Return the retry policy of all state machines with a module's retryable errors."""
    (policy,) = hcl2.loads((MODULES / "state_machine" / "retry.tf").read_text())["locals"]
    (calls,) = hcl2.loads((MODULES / module / "main.tf").read_text())["module"][:1]
    (machine,) = calls.values()
    known = {
        "var.retryable_errors": machine.get("retryable_errors", []),
        "local.retry_of_lambda": policy["retry_of_lambda"],
    }
    retry = [_filled(rule, known) for rule in policy["retry"]]
    return {
        "retry": json.dumps(_plain(retry)),
        "retry_of_lambda": json.dumps(_plain(policy["retry_of_lambda"])),
    }


def _filled(value: Any, known: dict[str, Any]) -> Any:
    """Replace references by their values."""
    if isinstance(value, dict):
        return {name: _filled(each, known) for name, each in value.items()}
    return (
        known.get(value.removeprefix("${").removesuffix("}"), value)
        if isinstance(value, str)
        else value
    )


def _plain(value: Any) -> Any:
    """Strip the marks and quotes that HCL's parser keeps."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {
            name.strip('"'): _plain(each)
            for name, each in value.items()
            if not name.startswith("__")
        }
    return value.strip('"') if isinstance(value, str) else value


@dataclass
class Execution:
    """An execution.

    Attributes:
        machine: the definition.
        name: the execution's name.
        data: its input, then the output of its states.
        invoke: calls functions.
        pause: waits between retries, in seconds.
        status: its status in Step Functions.
        state: its current state.
        token: the task token that it waits for, if it does.
        until: the time that it waits for, if it does.
    """

    machine: Json
    name: str
    data: Json
    invoke: Invoke
    pause: Callable[[float], None]
    status: str = "RUNNING"
    state: str = ""
    token: str | None = None
    until: datetime | None = None
    path: list[str] = field(default_factory=list)
    _answer: Any = None

    def __post_init__(self) -> None:
        self.state = self.machine["StartAt"]

    def advance(self) -> bool:
        """Run until the next wait; return whether there was something to do."""
        moved = False
        while self.status == "RUNNING" and self._is_free():
            moved = True
            self.path.append(self.state)
            self._enter(self.machine["States"][self.state])
        return moved

    def answer(self, output: Any) -> None:
        """Send the output that the task token waits for."""
        self._answer = output

    @property
    def seconds(self) -> int:
        """Return the time limit of the wait for a task token."""
        return int(self._value(self.machine["States"][self.state]["TimeoutSecondsPath"]))

    def time_out(self) -> None:
        """End the wait for a task token with a time-out."""
        assert self.token is not None
        self.token, self._answer = None, None
        self._catch(self.machine["States"][self.state], "States.Timeout")

    def wake(self) -> None:
        """End the wait for a time."""
        self.until = None
        self._go(self.machine["States"][self.state])

    @property
    def can_advance(self) -> bool:
        """Whether there is something to do."""
        answered = self.token is None or self._answer is not None
        return self.status == "RUNNING" and answered and self.until is None

    def _is_free(self) -> bool:
        if self.token is not None and self._answer is not None:
            answer, self.token, self._answer = self._answer, None, None
            state = self.machine["States"][self.state]
            self._store(state, answer)
            self._go(state)
        return self.token is None and self.until is None

    def _enter(self, state: Json) -> None:
        match state["Type"]:
            case "Succeed":
                self.status = "SUCCEEDED"
            case "Fail":
                self.status = "FAILED"
            case "Choice":
                chosen = (rule["Next"] for rule in state["Choices"] if self._holds(rule))
                self.state = next(chosen, state.get("Default", ""))
            case "Wait":
                self.until = datetime.fromisoformat(self._value(state["TimestampPath"]))
            case "Task":
                self._work(state)
            case other:
                raise NotImplementedError(other)

    def _work(self, state: Json) -> None:
        left = [retrier.get("MaxAttempts", 3) for retrier in state.get("Retry", [])]
        waits = state["Resource"].endswith(".waitForTaskToken")
        while True:
            self.token = secrets.token_hex(8) if waits else None
            self._answer = None
            try:
                result = self._call(state["Resource"], self._filled(state["Parameters"]))
            except Failed as failed:
                self.token = None
                number = self._retrier(state, failed.error)
                if number is None or not left[number]:
                    self._catch(state, failed.error)
                    return
                left[number] -= 1
                self.pause(state["Retry"][number].get("IntervalSeconds", 1))
                continue
            if not waits:
                self._store(state, result)
                self._go(state)
            return

    @staticmethod
    def _retrier(state: Json, error: str) -> int | None:
        for number, retrier in enumerate(state.get("Retry", [])):
            if _matches(retrier["ErrorEquals"], error):
                return number
        return None

    def _catch(self, state: Json, error: str) -> None:
        for catcher in state.get("Catch", []):
            if _matches(catcher["ErrorEquals"], error):
                self._put(catcher.get("ResultPath", "$"), {"Error": error})
                self.state = catcher["Next"]
                return
        self.status = "FAILED"

    def _call(self, resource: str, parameters: Json) -> Any:
        match resource.removeprefix("arn:aws:states:::"):
            case "lambda:invoke" | "lambda:invoke.waitForTaskToken":
                try:
                    answer = self.invoke(parameters["FunctionName"], parameters["Payload"])
                except Killed:
                    raise Failed("Runtime.ExitError") from None
                except Exception as error:
                    raise Failed(type(error).__name__) from error
                # The payload travels as JSON.
                return {"Payload": json.loads(json.dumps(answer)), "StatusCode": 200}
            case "dynamodb:getItem":
                return boto3.client("dynamodb").get_item(**parameters)
            case "aws-sdk:s3:copyObject":
                boto3.client("s3").copy_object(**parameters)
                return {}
            case other:
                raise NotImplementedError(other)

    def _store(self, state: Json, result: Any) -> None:
        if "ResultSelector" in state:
            result = self._filled(state["ResultSelector"], of=result)
        self._put(state.get("ResultPath", "$"), result)

    def _put(self, path: str | None, value: Any) -> None:
        if path == "$":
            self.data = value
        elif path is not None:
            self.data = {**self.data, path.removeprefix("$."): value}

    def _go(self, state: Json) -> None:
        if state.get("End"):
            self.status = "SUCCEEDED"
        else:
            self.state = state["Next"]

    def _holds(self, rule: Json) -> bool:
        if "And" in rule:
            return all(self._holds(each) for each in rule["And"])
        value = _find(self.data, rule["Variable"])
        known = value is not _MISSING
        match {name: rule[name] for name in rule if name not in {"Variable", "Next"}}:
            case {"IsPresent": wanted}:
                return known is wanted
            case {"StringEquals": text}:
                return bool(value == text)
            case {"NumericGreaterThan": number}:
                return isinstance(value, int) and value > number
            case {"IsTimestamp": wanted}:
                return (known and _is_time(value)) is wanted
        raise NotImplementedError(str(rule))

    def _filled(self, template: Json, of: Any = None) -> Json:
        filled: Json = {}
        for name, value in template.items():
            if name.endswith(".$"):
                filled[name.removesuffix(".$")] = self._value(value, of)
            elif isinstance(value, dict):
                filled[name] = self._filled(value, of)
            else:
                filled[name] = value
        return filled

    def _value(self, text: str, of: Any = None) -> Any:
        if found := re.fullmatch(r"States\.Format\('(.*)', (.*)\)", text):
            return found[1].replace("{}", str(self._value(found[2], of)))
        if text == "$$.Execution.Name":
            return self.name
        if text == "$$.Task.Token":
            return self.token
        value = _find(self.data if of is None else of, text)
        if value is _MISSING:
            raise Failed("States.ParameterPathFailure")
        return value


_MISSING = object()


def _find(data: Any, path: str) -> Any:
    for name in path.removeprefix("$").split("."):
        if name:
            if not isinstance(data, dict) or name not in data:
                return _MISSING
            data = data[name]
    return data


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _matches(names: list[str], error: str) -> bool:
    if "States.ALL" in names or error in names:
        return True
    return "States.TaskFailed" in names and error != "States.Timeout"
