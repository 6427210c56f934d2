"""Records every AWS call that is made with a role's credentials, as JSON lines.

LocalStack does not enforce IAM. With this record, a test can compare the functions' calls with
their policies (`tests.tools.iam`). A call is attributed by its access key: every execution
environment has its own credentials, from assuming the function's role. Calls that AWS makes on a
function's behalf (logs, event sources, traces) are attributed by the role.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from localstack.aws.api import RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response
from localstack.utils.aws.request_context import extract_access_key_id_from_auth_header

from sandbox.aws.identities import assumed_role
from sandbox.aws.keys import customer_key

# What names a resource is shorter than this; longer text is content.
LONGEST_VALUE = 2048

_functions: dict[str, str] = {}
_functions_lock = threading.Lock()


def register_credentials(access_key_id: str, function_name: str) -> None:
    """Attribute the calls made with `access_key_id` to a function."""
    with _functions_lock:
        _functions[access_key_id] = function_name


def forget_credentials(access_key_id: str) -> None:
    """The environment that had these credentials is gone."""
    with _functions_lock:
        _functions.pop(access_key_id, None)


class CallRecorder:
    """A response handler of LocalStack's chain that appends each call of a role to a file.

    A line is `{"time", "function", "role", "account", "region", "service", "operation",
    "parameters", "resource", "kms_key", "answer", "status", "error"}`:

    - `function`: null for a call that AWS made with the role.
    - `resource`: the ARN, if the request has only a name (from the answer) or a task token (the
      ARN of its state machine).
    - `kms_key`: the ARN of the customer's key that the call used.
    - `answer`: null for an error; `error` is AWS's error code.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._roles: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def __call__(self, _chain: HandlerChain, context: RequestContext, response: Response) -> None:
        """Record the call that was just answered, before the caller has the answer."""
        if context.service is None or context.operation is None:
            return
        access_key_id = extract_access_key_id_from_auth_header(context.request.headers)
        role = self._role(access_key_id) if access_key_id else None
        if role is None:
            return
        error = context.service_exception
        answer = context.service_response
        if not isinstance(answer, Mapping):
            answer = {}
        call = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "function": _functions.get(access_key_id),
            "role": role,
            "account": context.account_id,
            "region": context.region,
            "service": context.service.service_name,
            "operation": context.operation.name,
            "parameters": recordable(context.service_request, context.operation.input_shape),
            "resource": _resource(answer, context.service_request or {}),
            "kms_key": customer_key(context, answer) if error is None else None,
            "answer": None if error else recordable(answer, context.operation.output_shape),
            "status": response.status_code,
            "error": error.code if error else None,
        }
        line = json.dumps(call, default=str) + "\n"
        with self._lock, self._file.open("a") as file:
            file.write(line)

    def _role(self, access_key_id: str) -> str | None:
        if access_key_id not in self._roles:
            self._roles[access_key_id] = _role_of(access_key_id)
        return self._roles[access_key_id]


def _role_of(access_key_id: str) -> str | None:
    session = assumed_role(access_key_id)
    return str(session.role_arn) if session else None


def _resource(answer: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """Return what the call was done to, where the request itself holds no ARN of it."""
    if token := request.get("taskToken"):
        # Only a request of Step Functions has one: that service is loaded by now.
        from sandbox.aws.task_tokens import state_machine_of

        return state_machine_of(token)
    arn = answer.get("ARN")
    return str(arn) if arn else None


def recordable(value: Any, shape: Shape | None) -> Any:
    """Parameters or an answer without what is secret, binary or large.

    What takes its place is known to `sandbox.aws.shapes.is_left_out`.

    Args:
        value: Parsed parameters or a parsed answer, or a part of one.
        shape: Their shape in AWS's own model, which marks what is sensitive.
    """
    result: Any
    if shape is not None and shape.metadata.get("sensitive"):
        result = "<sensitive>"
    elif isinstance(shape, StructureShape) and isinstance(value, Mapping):
        given = {name: member for name, member in value.items() if member is not None}
        result = {
            name: recordable(member, shape.members.get(name)) for name, member in given.items()
        }
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        result = {str(name): recordable(member, shape.value) for name, member in value.items()}
    elif isinstance(shape, ListShape) and isinstance(value, list):
        result = [recordable(member, shape.member) for member in value]
    elif shape is None or shape.type_name == "blob" or not isinstance(value, str | int | float):
        result = f"<{shape.type_name if shape else type(value).__name__}>"
    elif shape.type_name in {"integer", "long"}:
        result = int(value)  # LocalStack keeps some of S3's headers as text
    elif isinstance(value, str) and len(value) > LONGEST_VALUE:
        result = f"<{len(value)} characters>"
    else:
        result = value
    return result


def read(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the recorded calls, oldest first."""
    with file.open() as lines:
        for line in lines:
            yield json.loads(line)
