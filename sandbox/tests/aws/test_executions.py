"""Step Functions: waiting for a task token, and every way in which an execution goes on or ends."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, RunningAws

# Keeps every event that it gets, by step, and answers as the input says.
STEPS = """
import boto3, json

class PortUnavailable(Exception):
    pass

class Broken(Exception):
    pass

def handler(event, context):
    bucket, step = event["bucket"], event["step"]
    s3 = boto3.client("s3")
    prefix = f"{event['run_id']}/{step}/"
    count = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]
    kept = {**event, "function_arn": context.invoked_function_arn}
    s3.put_object(Bucket=bucket, Key=f"{prefix}{count}", Body=json.dumps(kept))
    if step == "flaky" and count < 2:
        raise PortUnavailable("not now")
    if step == "broken":
        raise Broken("never")
    if step == "decide":
        boto3.client("stepfunctions").send_task_success(
            taskToken=event["answer"], output='{"next": "Execute"}'
        )
    return {"next": step}
"""
LAMBDA = "arn:aws:states:::lambda:invoke"


@dataclass
class Steps:
    """A function that keeps what it is called with, and state machines that call it."""

    aws: RunningAws
    bucket: str
    alias: str

    def task(self, step: str, **more: Any) -> dict[str, Any]:
        is_wait = more.pop("wait", False)
        payload = {
            "step": step,
            "bucket": self.bucket,
            "run_id.$": "$.run_id",
            "execution.$": "$$.Execution.Name",
        }
        if is_wait:
            payload["token.$"] = "$$.Task.Token"
        return {
            "Type": "Task",
            "Resource": LAMBDA + (".waitForTaskToken" if is_wait else ""),
            "Parameters": {"FunctionName": self.alias, "Payload": payload},
            **more,
        }

    def machine(self, states: dict[str, Any], **more: Any) -> str:
        definition = {"StartAt": next(iter(states)), "States": states, **more}
        made = self.aws.client("stepfunctions").create_state_machine(
            name=self.aws.name("machine"),
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine",
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, run_id: str | None = None, **more: Any) -> tuple[str, str]:
        run_id = run_id or self.aws.name("r_run")
        started = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=machine, name=run_id, input=json.dumps({"run_id": run_id, **more})
        )
        return run_id, str(started["executionArn"])

    def called(self, run_id: str, step: str, number: int = 0) -> dict[str, Any]:
        """What the function was called with for this step, for the n-th time."""

        def read() -> Any:
            key = f"{run_id}/{step}/{number}"
            try:
                return json.load(
                    self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"]
                )
            except ClientError:
                return None

        return dict(wait_for(read))

    def has(self, run_id: str) -> bool:
        """Whether the function was called in this run."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"{run_id}/")
        return bool(listed["KeyCount"])

    def ended(self, execution: str) -> dict[str, Any]:
        def description() -> Any:
            answer = self.aws.client("stepfunctions").describe_execution(executionArn=execution)
            return answer if answer["status"] != "RUNNING" else None

        return dict(wait_for(description))

    def succeed(self, token: str, output: str = '{"next": "Execute"}') -> str:
        """Send it: `ok` or the error's code."""
        try:
            self.aws.client("stepfunctions").send_task_success(taskToken=token, output=output)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"


@pytest.fixture(scope="module")
def steps(aws: RunningAws) -> Steps:
    bucket = aws.name("steps")
    aws.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    function = aws.function(STEPS, Timeout=20)
    client = aws.client("lambda")
    version = client.publish_version(FunctionName=function)["Version"]
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    return Steps(aws, bucket, alias["AliasArn"])


@pytest.fixture(scope="module")
def approval(steps: Steps) -> str:
    """A wait with a limit, then a second one with another."""

    def wait(step: str, path: str, after: str) -> dict[str, Any]:
        catch = {"ErrorEquals": ["States.Timeout"], "Next": after, "ResultPath": "$.timeout"}
        return steps.task(
            step,
            wait=True,
            TimeoutSecondsPath=path,
            ResultPath="$.step",
            Catch=[catch],
            Next="Done",
        )

    return steps.machine(
        {
            "Wait": wait("wait", "$.step.first_wait", "Remind"),
            "Remind": wait("remind", "$.step.second_wait", "Expire"),
            "Expire": {"Type": "Fail", "Error": "Slipway.Expired"},
            "Done": {"Type": "Succeed"},
        },
        TimeoutSeconds=3600,
    )


def waits(first: int, second: int = 600) -> dict[str, Any]:
    return {"step": {"first_wait": first, "second_wait": second}}


def test_answered_wait_goes_on_with_the_answer(steps: Steps, approval: str) -> None:
    run_id, execution = steps.start(approval, **waits(600))
    event = steps.called(run_id, "wait")

    assert steps.succeed(event["token"], '{"next": "Report"}') == "ok"

    end = steps.ended(execution)
    assert (end["status"], json.loads(end["output"])["step"]) == ("SUCCEEDED", {"next": "Report"})
    # And the function was called through its alias, with what the context object knows.
    assert event["execution"] == run_id
    assert event["function_arn"].endswith(":live")
    assert len(event["token"]) > 500
    assert {"+", "/"} & set(event["token"])


def test_second_wait_has_its_own_token_after_the_first_timed_out(
    steps: Steps, approval: str
) -> None:
    run_id, execution = steps.start(approval, **waits(1))
    first = steps.called(run_id, "wait")["token"]
    second = steps.called(run_id, "remind")["token"]

    assert first != second
    assert steps.succeed(first) == "TaskTimedOut"
    assert steps.succeed(second) == "ok"

    end = steps.ended(execution)
    assert json.loads(end["output"])["timeout"]["Error"] == "States.Timeout"
    assert json.loads(end["output"])["step"] == {"next": "Execute"}


def test_when_both_limits_are_over_the_execution_fails(steps: Steps, approval: str) -> None:
    run_id, execution = steps.start(approval, **waits(1, 1))

    end = steps.ended(execution)

    assert (end["status"], end["error"]) == ("FAILED", "Slipway.Expired")
    assert steps.succeed(steps.called(run_id, "remind")["token"]) == "TaskTimedOut"


def test_of_many_answers_at_once_one_counts(steps: Steps, approval: str) -> None:
    run_id, execution = steps.start(approval, **waits(600))
    token = steps.called(run_id, "wait")["token"]

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda n: steps.succeed(token, str(n)), range(8)))

    assert sorted(answers) == ["TaskTimedOut"] * 7 + ["ok"]
    end = steps.ended(execution)
    assert json.loads(end["output"])["step"] == answers.index("ok")


@pytest.mark.parametrize(
    ("token", "output", "error"),
    [
        ("nobody", "{}", "InvalidToken"),
        ("of the task", '{"next": ', "InvalidOutput"),
    ],
)
def test_answer_that_is_none_is_refused_and_the_wait_goes_on(
    steps: Steps, approval: str, token: str, output: str, error: str
) -> None:
    run_id, execution = steps.start(approval, **waits(600))
    own = steps.called(run_id, "wait")["token"]

    assert steps.succeed(own if token == "of the task" else token, output) == error

    assert steps.succeed(own) == "ok"
    assert steps.ended(execution)["status"] == "SUCCEEDED"


def test_function_may_answer_and_a_failure_too(steps: Steps, approval: str) -> None:
    run_id, execution = steps.start(approval, **waits(600))
    token = steps.called(run_id, "wait")["token"]
    event = {"step": "decide", "bucket": steps.bucket, "run_id": run_id, "answer": token}

    steps.aws.invoke(steps.alias, event)

    assert steps.ended(execution)["status"] == "SUCCEEDED"
    # And the record of the call tells whose token it was.
    (call,) = [
        call
        for call in steps.aws.calls()
        if call["operation"] == "SendTaskSuccess" and call["parameters"]["taskToken"] == token
    ]
    assert call["resource"] == approval

    run_id, execution = steps.start(approval, **waits(600))
    token = steps.called(run_id, "wait")["token"]
    steps.aws.client("stepfunctions").send_task_failure(taskToken=token, error="E", cause="C")
    end = steps.ended(execution)
    assert (end["status"], end["error"], end["cause"]) == ("FAILED", "E", "C")


def test_execution_name_is_idempotent_while_it_runs(steps: Steps, approval: str) -> None:
    client = steps.aws.client("stepfunctions")
    run_id, execution = steps.start(approval, **waits(600))

    assert steps.start(approval, run_id, **waits(600)) == (run_id, execution)
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        steps.start(approval, run_id, **waits(601))
    client.stop_execution(executionArn=execution)
    steps.ended(execution)
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        steps.start(approval, run_id, **waits(600))


def test_name_of_an_execution_is_checked(steps: Steps, approval: str) -> None:
    client = steps.aws.client("stepfunctions")

    for name, code in (("r_1#1", "InvalidName"), ("r_" + "x" * 79, "ValidationException")):
        with pytest.raises(ClientError, match=code):
            client.start_execution(stateMachineArn=approval, name=name)


def test_stopped_execution_is_aborted_at_once(steps: Steps, approval: str) -> None:
    client = steps.aws.client("stepfunctions")
    run_id, execution = steps.start(approval, **waits(600))
    token = steps.called(run_id, "wait")["token"]

    def history() -> list[str]:
        events = client.get_execution_history(executionArn=execution)["events"]
        return [event["type"] for event in events]

    # The function has its token a moment before the machine notes that it was submitted.
    wait_for(lambda: "TaskSubmitted" in history())
    client.stop_execution(executionArn=execution, error="Slipway.Cancelled", cause="ended in Port")

    end = steps.ended(execution)
    assert (end["status"], end["error"], end["cause"]) == (
        "ABORTED",
        "Slipway.Cancelled",
        "ended in Port",
    )
    assert steps.succeed(token) == "TaskTimedOut"
    assert history()[-2:] == ["TaskSubmitted", "ExecutionAborted"]
    # And what is over can be stopped again without effect.
    client.stop_execution(executionArn=execution, error="other")
    assert client.describe_execution(executionArn=execution)["error"] == "Slipway.Cancelled"


def test_execution_that_has_only_just_begun_can_be_stopped(steps: Steps, approval: str) -> None:
    _, execution = steps.start(approval, **waits(600))

    steps.aws.client("stepfunctions").stop_execution(executionArn=execution)

    assert steps.ended(execution)["status"] == "ABORTED"


def test_time_limit_of_the_machine_ends_a_wait(steps: Steps) -> None:
    machine = steps.machine(
        {"Wait": steps.task("wait", wait=True, TimeoutSeconds=600, End=True)}, TimeoutSeconds=2
    )

    def waited_and_ended() -> tuple[str, str] | None:
        run_id, execution = steps.start(machine)
        status = str(steps.ended(execution)["status"])
        # On a busy machine the limit may be over before the function has its token.
        return (status, steps.called(run_id, "wait")["token"]) if steps.has(run_id) else None

    status, token = wait_for(waited_and_ended)

    assert status == "TIMED_OUT"
    assert steps.succeed(token) == "TaskTimedOut"


def retry(error: str, **more: Any) -> dict[str, Any]:
    return {
        "ErrorEquals": [error],
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 20,
        "JitterStrategy": "FULL",
        **more,
    }


def test_exception_is_retried_by_the_name_of_its_class(steps: Steps) -> None:
    machine = steps.machine(
        {"Flaky": steps.task("flaky", Retry=[retry("PortUnavailable")], End=True)}
    )

    run_id, execution = steps.start(machine)

    assert steps.ended(execution)["status"] == "SUCCEEDED"
    assert steps.called(run_id, "flaky", 2)["run_id"] == run_id


def test_exception_that_is_not_named_is_caught_and_not_retried(steps: Steps) -> None:
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Held", "ResultPath": "$.error"}
    task = steps.task("broken", Retry=[retry("PortUnavailable")], Catch=[catch], End=True)
    held = {"Type": "Pass", "End": True}
    machine = steps.machine({"Broken": task, "Held": held})

    _, execution = steps.start(machine)

    output = json.loads(steps.ended(execution)["output"])
    assert output["error"]["Error"] == "Broken"
    assert json.loads(output["error"]["Cause"])["errorMessage"] == "never"


def test_execution_is_stopped_in_the_pause_before_a_retry(steps: Steps) -> None:
    slow = retry("Broken", IntervalSeconds=600, MaxDelaySeconds=3600, JitterStrategy="NONE")
    machine = steps.machine({"Broken": steps.task("broken", Retry=[slow], End=True)})
    run_id, execution = steps.start(machine)
    steps.called(run_id, "broken")

    def failed_once() -> bool:
        client = steps.aws.client("stepfunctions")
        history = client.get_execution_history(executionArn=execution)["events"]
        return any(event["type"] == "TaskFailed" for event in history)

    wait_for(failed_once)
    steps.aws.client("stepfunctions").stop_execution(executionArn=execution)

    assert steps.ended(execution)["status"] == "ABORTED"


def test_every_attempt_at_a_wait_has_a_token_of_its_own(steps: Steps) -> None:
    again = retry("PortUnavailable", JitterStrategy="NONE", MaxAttempts=1)
    machine = steps.machine({"Wait": steps.task("wait", wait=True, Retry=[again], End=True)})
    run_id, execution = steps.start(machine)
    first = steps.called(run_id, "wait", 0)["token"]
    steps.aws.client("stepfunctions").send_task_failure(taskToken=first, error="PortUnavailable")
    second = steps.called(run_id, "wait", 1)["token"]

    assert first != second
    assert (steps.succeed(first), steps.succeed(second)) == ("TaskTimedOut", "ok")
    assert steps.ended(execution)["status"] == "SUCCEEDED"


def test_execution_fails_when_its_history_is_full(steps: Steps) -> None:
    forever = {"Type": "Pass", "Next": "Again"}
    machine = steps.machine({"Once": forever, "Again": forever})

    _, execution = steps.start(machine)

    ended = steps.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events (25000)" in ended["cause"]
