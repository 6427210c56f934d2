"""Functions run as processes under AWS's own runtime client, from real archives."""

import base64
import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox.testing import OWN_ROUTES
from sandbox.tests.waiting import LIMIT, wait_for

from .conftest import ACCOUNT, REGION, RunningAws, archive, host_architecture

ECHO = "def handler(event, context):\n    return event\n"


def test_function_answers_its_event(aws: RunningAws) -> None:
    function = aws.function(ECHO)

    answer = aws.invoke_raw(function, {"a": ["ü", 1]})

    assert answer["Payload"] == {"a": ["ü", 1]}
    assert answer["ExecutedVersion"] == "$LATEST"


def test_context_is_lambdas(aws: RunningAws) -> None:
    function = aws.function(
        "def handler(event, context):\n"
        "    return {'name': context.function_name, 'arn': context.invoked_function_arn,\n"
        "            'memory': context.memory_limit_in_mb, 'id': context.aws_request_id,\n"
        "            'group': context.log_group_name, 'stream': context.log_stream_name,\n"
        "            'left': context.get_remaining_time_in_millis()}\n",
        Timeout=7,
        MemorySize=256,
    )

    answer = aws.invoke_raw(function)
    context = answer["Payload"]

    assert context["name"] == function
    assert context["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert context["memory"] == "256"
    assert context["id"] == answer["ResponseMetadata"]["RequestId"]
    assert context["group"] == f"/aws/lambda/{function}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", context["stream"])
    assert 5000 < context["left"] <= 7000


def test_layers_follow_the_code_and_the_last_layer_wins(aws: RunningAws) -> None:
    first = aws.layer({"python/one.py": "VALUE = 'first'\n", "python/app2.py": "VALUE = 'layer'\n"})
    second = aws.layer({"python/lib/python3.13/site-packages/two.py": "VALUE = 'second'\n"})
    third = aws.layer({"python/one.py": "VALUE = 'third'\n"})
    function = aws.function(
        "",
        Layers=[first, second, third],
        Code={
            "ZipFile": archive(
                {
                    "app.py": "import one, two, app2\n"
                    "def handler(event, context):\n"
                    "    return [one.VALUE, two.VALUE, app2.VALUE]\n",
                    "app2.py": "VALUE = 'code'\n",
                }
            )
        },
    )

    assert aws.invoke(function) == ["third", "second", "code"]


def test_environment_has_only_lambda_and_function_variables(aws: RunningAws) -> None:
    function = aws.function(
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n",
        Environment={"Variables": {"RUNS_TABLE": "runs"}},
    )

    variables = aws.invoke(function)

    # LC_CTYPE is set by Python itself where the host lacks Lambda's locale.
    assert set(variables) - {"LC_CTYPE"} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_CONTEXT_MISSING",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "PYTHONPATH",
        "RUNS_TABLE",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
    assert variables["RUNS_TABLE"] == "runs"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["AWS_REGION"] == REGION


def test_sdk_of_the_function_reaches_this_aws_with_its_role(aws: RunningAws) -> None:
    function = aws.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Arn']\n"
    )

    expected = f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}"
    assert aws.invoke(function) == expected


def test_exception_is_answered_with_type_message_and_stack(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    raise ValueError('no such run')\n")

    answer = aws.invoke_raw(function)

    assert answer["FunctionError"] == "Unhandled"
    error = answer["Payload"]
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "no such run"
    assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert "raise ValueError('no such run')" in error["stackTrace"][-1]


def test_import_error_fails_each_invocation_with_its_log(aws: RunningAws) -> None:
    function = aws.function("import no_such_module\n")

    for _ in range(2):
        answer = aws.invoke_raw(function, LogType="Tail")
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"]["errorType"] == "Runtime.ImportModuleError"
        assert "No module named 'no_such_module'" in answer["Payload"]["errorMessage"]
        assert answer["Payload"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
        assert "no_such_module" in base64.b64decode(answer["LogResult"]).decode()


def test_timeout_kills_the_process_and_the_next_starts_fresh(aws: RunningAws) -> None:
    function = aws.function(
        "import os, threading\n"
        "COUNT = []\n"
        "def handler(event, context):\n"
        "    COUNT.append(1)\n"
        "    print('pid', os.getpid(), flush=True)\n"
        "    if event == 'hang':\n"
        "        threading.Event().wait()\n"
        "    return len(COUNT)\n",
        Timeout=1,
    )
    # On a busy machine an invocation that does not hang may reach the limit, too.
    wait_for(lambda: [aws.invoke_raw(function)["Payload"] for _ in range(2)] == [1, 2])

    answer = aws.invoke_raw(function, "hang", LogType="Tail")

    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    log = base64.b64decode(answer["LogResult"]).decode()
    assert f"{request_id} Task timed out after 1.00 seconds" in log
    assert "Status: timeout" in log
    pid = int(re.findall(r"pid (\d+)", log)[-1])
    assert not Path(f"/proc/{pid}").exists()
    wait_for(lambda: aws.invoke_raw(function)["Payload"] == 1)


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
    ],
)
def test_crash_is_an_exit_error(aws: RunningAws, death: str, reason: str) -> None:
    function = aws.function(f"import os, signal\ndef handler(event, context):\n    {death}\n")

    answer = aws.invoke_raw(function, LogType="Tail")

    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }
    assert "Runtime.ExitError" in base64.b64decode(answer["LogResult"]).decode()


def test_warm_environment_is_used_again(aws: RunningAws) -> None:
    function = aws.function("import os\ndef handler(event, context):\n    return os.getpid()\n")

    assert len({aws.invoke(function) for _ in range(3)}) == 1


def test_concurrent_invocations_have_an_environment_each(aws: RunningAws) -> None:
    function = aws.function(
        "import os, pathlib, tempfile, threading\n"
        "def handler(event, context):\n"
        "    folder = pathlib.Path(event)\n"
        "    (folder / str(os.getpid())).touch()\n"
        "    while len(list(folder.iterdir())) < 2:\n"
        "        threading.Event().wait(0.01)\n"
        "    return [os.getpid(), tempfile.gettempdir()]\n",
        Timeout=300,
    )
    folder = aws.state_dir / "meeting"
    folder.mkdir()

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: aws.invoke(function, str(folder)), range(2))

    assert first[0] != second[0]
    assert first[1] != second[1]


def test_versions_and_aliases_keep_their_code(aws: RunningAws) -> None:
    client = aws.client("lambda")
    function = aws.function("def handler(event, context):\n    return 'old'\n")
    version = client.publish_version(FunctionName=function)["Version"]
    client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    wait_for(
        lambda: (
            client.get_function_configuration(FunctionName=function, Qualifier=version)["State"]
            == "Active"
        )
    )

    client.update_function_code(
        FunctionName=function,
        ZipFile=archive({"app.py": "def handler(event, context):\n    return 'new'\n"}),
    )
    wait_for(
        lambda: (
            client.get_function_configuration(FunctionName=function)["LastUpdateStatus"]
            == "Successful"
        )
    )

    assert aws.invoke(function) == "new"
    assert aws.invoke(f"{function}:live") == "old"


def test_log_is_delivered_to_cloudwatch(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    print('hello')\n    print('you')\n")

    request_id = aws.invoke_raw(function)["ResponseMetadata"]["RequestId"]

    group = f"/aws/lambda/{function}"
    groups = aws.client("logs").describe_log_groups
    wait_for(lambda: groups(logGroupNamePrefix=group)["logGroups"])
    lines = wait_for(lambda: aws.log_lines(group))
    assert [line.rstrip("\n") for line in lines[:4]] == [
        f"START RequestId: {request_id} Version: $LATEST",
        "hello",
        "you",
        f"END RequestId: {request_id}",
    ]
    assert re.match(
        rf"REPORT RequestId: {request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms",
        lines[4],
    )


def test_logging_config_names_group_and_format(aws: RunningAws) -> None:
    group = aws.name("/slipway/logs")
    aws.client("logs").create_log_group(logGroupName=group)
    function = aws.function(
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.getLogger().info('hello')\n"
        "    logging.getLogger().debug('not this')\n",
        LoggingConfig={
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
            "LogGroup": group,
        },
    )

    aws.invoke(function)

    lines = [json.loads(line) for line in wait_for(lambda: aws.log_lines(group))]
    assert [line.get("type") or line["message"] for line in lines] == [
        "platform.start",
        "hello",
        "platform.report",
    ]
    assert lines[2]["record"]["status"] == "success"
    stream = aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"][0]
    assert f"/{function}[$LATEST]" in stream["logStreamName"]


def test_trace_id_is_set_for_each_invocation(aws: RunningAws) -> None:
    function = aws.function(
        "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"
    )

    traces = [aws.invoke(function) for _ in range(2)]

    for trace in traces:
        assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", trace)
    assert traces[0] != traces[1]


def test_traced_function_leaves_a_segment_in_xray(aws: RunningAws) -> None:
    function = aws.function(
        "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n",
        TracingConfig={"Mode": "Active"},
    )

    root = aws.invoke(function).split(";")[0].removeprefix("Root=")

    traces = aws.client("xray").batch_get_traces(TraceIds=[root])["Traces"]
    segment = json.loads(traces[0]["Segments"][0]["Document"])
    assert segment["name"] == function
    assert segment["origin"] == "AWS::Lambda::Function"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"Architectures": [{"x86_64": "arm64", "arm64": "x86_64"}[host_architecture()]]},
            f"architecture of its host, which is {host_architecture()}",
        ),
        ({"Runtime": "python3.12"}, "runtime python3.13, not python3.12"),
        (
            {"PackageType": "Image", "Code": {"ImageUri": "a.dkr.ecr.eu-west-1.amazonaws.com/b"}},
            "package type Image needs containers",
        ),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys: AWS_REGION"),
    ],
)
def test_what_cannot_run_is_refused_by_name(
    aws: RunningAws, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(ClientError, match=re.escape(reason)) as refused:
        aws.function(ECHO, **options)

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_response_that_is_too_large_is_an_error(aws: RunningAws) -> None:
    function = aws.function("def handler(event, context):\n    return 'x' * 6_291_556\n")

    error = aws.invoke_raw(function)

    assert error["FunctionError"] == "Unhandled"
    assert error["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"


def test_deleted_function_leaves_no_process(aws: RunningAws) -> None:
    function = aws.function(
        "import os, subprocess\n"
        "CHILD = subprocess.Popen(['sleep', '600'])\n"
        "def handler(event, context):\n"
        "    return [os.getpid(), CHILD.pid]\n"
    )
    pids = aws.invoke(function)

    aws.client("lambda").delete_function(FunctionName=function)

    wait_for(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid: int) -> bool:
    """Whether the process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_asynchronous_invocation_runs_too(aws: RunningAws) -> None:
    function = aws.function(
        "import pathlib\ndef handler(event, context):\n    pathlib.Path(event).touch()\n"
    )
    target = aws.state_dir / "touched"

    answer = aws.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps(str(target))
    )

    assert answer["StatusCode"] == 202
    wait_for(target.exists)


def test_function_at_work_can_be_killed_from_outside(aws: RunningAws) -> None:
    function = aws.function(
        "import time\ndef handler(event, context):\n    time.sleep(300)\n", Timeout=300
    )

    def kill() -> dict[str, object] | None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{aws.port}/_sandbox/lambda/kills",
            data=b'{"busy": true}',
            headers={"Content-Type": "application/json", **OWN_ROUTES},
        )
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            killed: dict[str, object] | None = json.load(answer)["killed"]
        return killed

    assert kill() is None
    with ThreadPoolExecutor(1) as pool:
        invocation = pool.submit(aws.invoke_raw, function)
        killed = wait_for(kill)
        answer = invocation.result(timeout=LIMIT)

    assert killed is not None
    assert killed["function"] == function
    assert answer["Payload"]["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in answer["Payload"]["errorMessage"]
