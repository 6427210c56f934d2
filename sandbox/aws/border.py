"""Put the guard of the sandbox's servers before LocalStack.

LocalStack does not serve an ASGI application.
"""

import functools
import json
from collections.abc import Callable

from localstack import config
from localstack.utils.patch import patch
from rolo.gateway import Gateway
from rolo.request import Request
from rolo.response import Response
from rolo.websocket import WebSocketRequest

from sandbox.guard import ADDRESS, Guard

# Approval links, which people follow from an e-mail.
PAGES = r"/_aws/execute-api/[^/]+/[^/]+/links/"


def install(guard: Guard) -> None:
    """Have every request pass the guard, also those to LocalStack's own routes."""
    # LocalStack calls itself, by default as `localhost`.
    config.internal_service_url = functools.partial(config.internal_service_url, host=ADDRESS)

    def process(
        original: Callable[..., None], gateway: Gateway, request: Request, response: Response
    ) -> None:
        refusal = guard.refusal(request.method, request.path, request.headers.getlist)
        if refusal is None:
            original(gateway, request, response)
            return
        response.status_code = refusal.status
        response.mimetype = "application/json"
        response.set_data(json.dumps(refusal.body()))

    def accept(_original: Callable[..., None], _gateway: Gateway, ws: WebSocketRequest) -> None:
        ws.reject(Response(status=403))

    patch(Gateway.process)(process)
    patch(Gateway.accept)(accept)
