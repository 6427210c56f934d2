"""Lets functions crash: the process of an execution environment is killed, as by its host.

`POST /_sandbox/lambda/kills` with `{"busy": true}` kills one that is at work, chosen at random;
answers `{"killed": {"function", "pid"}}`, or null where there is none.
"""

from localstack.http import Request, Response
from localstack.services.edge import ROUTER

from sandbox.aws.runtime import kill_one

PATH = "/_sandbox/lambda/kills"


def _answer(request: Request) -> Response:
    killed = kill_one(busy=bool((request.get_json(silent=True) or {}).get("busy")))
    return Response.for_json({"killed": killed})


def install() -> None:
    """Serve the kills."""
    ROUTER.add(PATH, _answer, methods=["POST"])
