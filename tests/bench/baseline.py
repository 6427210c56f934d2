"""Create a service as a simple script would: one request after the other, over REST.

The list is fixed, so that figures of different days are comparable. In its favour, the script
knows the base commit, and its catalog entity has the same content as Slipway's.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import requests

from tests.contract.github.conftest import TOKEN
from tests.faults.installation import Installation
from tests.port_server import CREDENTIALS

FILES = ("portData.json", "common_values.yaml", "values.json", "README.md")
# Each "Port" request needs a new token.
REQUESTS = (
    "Port POST /v1/auth/access_token",
    "Port PATCH /v1/actions/runs/{run}",
    "GitHub POST /git/refs",
    *(f"GitHub PUT /contents/apps/{{service}}/{name}" for name in FILES),
    "GitHub POST /pulls",
    "GitHub POST /issues/{number}/labels",
    "GitHub POST /pulls/{number}/requested_reviewers",
    "Port POST /v1/auth/access_token",
    "Port POST /v1/blueprints/service/entities",
    "Port POST /v1/auth/access_token",
    "Port PATCH /v1/actions/runs/{run}",
)
WRITES_TO_GITHUB = sum(request.startswith("GitHub") for request in REQUESTS)


def play(
    installation: Installation, run: str, service: str, base: str, on_open: Callable[[], None]
) -> None:
    """Send the requests for one create one after the other."""
    branch, number = f"simple/{service}", 0
    bodies: Iterator[Any] = iter(
        (
            {"clientId": CREDENTIALS["client_id"], "clientSecret": CREDENTIALS["client_secret"]}
            if "access_token" in request
            else _body(request, branch, service, base)
        )
        for request in REQUESTS
    )
    token = ""
    with requests.Session() as session:
        session.trust_env = False
        for request in REQUESTS:
            system, method, route = request.split(" ")
            port = system == "Port"
            start = (
                installation.port.url if port else f"{installation.github.api}/repos/acme/services"
            )
            path = route.format(run=run, service=service, number=number)
            key = f"Bearer {token}" if port else f"token {TOKEN}"
            headers = {} if "access_token" in route else {"Authorization": key}
            answer = session.request(
                method, start + path, json=next(bodies), headers=headers, timeout=60
            )
            assert answer.ok, f"{request}: {answer.status_code} {answer.text[:300]}"
            if "access_token" in route:
                token = answer.json()["accessToken"]
            if route == "/pulls":
                number = answer.json()["number"]
                on_open()


def _body(request: str, branch: str, service: str, base: str) -> dict[str, Any]:
    if "/contents/" in request:
        content = base64.b64encode(b"replicas: 2\n").decode()
        return {"message": "Create", "branch": branch, "content": content}
    bodies: dict[str, dict[str, Any]] = {
        "GitHub POST /git/refs": {"ref": f"refs/heads/{branch}", "sha": base},
        "GitHub POST /pulls": {"title": "Create", "head": branch, "base": "main"},
        "GitHub POST /issues/{number}/labels": {"labels": ["slipway"]},
        "GitHub POST /pulls/{number}/requested_reviewers": {"reviewers": ["developer"]},
        "Port POST /v1/blueprints/service/entities": {
            "identifier": service,
            "title": service,
            "properties": {"environment": "Test"},
        },
        "Port PATCH /v1/actions/runs/{run}": {"statusLabel": "At work"},
    }
    return bodies[request]
