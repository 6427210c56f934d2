"""What the tests of day-2 actions share: a request, and the folder that it is about."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from slipway.changes.service_folder import read_port_data
from slipway.changes.situation import ScaleLimits, Situation
from slipway.github.models import ServiceFolder, blob_sha
from slipway.port.message import Requester, RunMessage

SERVICE = "my-service"
FOLDER = f"apps/{SERVICE}"
RUN_ID = "r_0123456789abcdef"
RUN_URL = f"https://app.port.test/run?runId={RUN_ID}"
REVIEWERS = {"payments": ["team:payments", "olivia"]}
PORT_DATA = {
    "identifier": SERVICE,
    "environment": "Production",
    "responsible_team": "payments",
    "blueprint": "service",
}


def make_request(action: str, **changes: Any) -> RunMessage:
    """A request to change `my-service`."""
    defaults: dict[str, Any] = {
        "run_id": RUN_ID,
        "action": action,
        "blueprint": "service",
        "entity": SERVICE,
        "operation": "DAY-2",
        "requester": Requester(user_id="auth0|1", email="dev@acme.example", name="Dee Veloper"),
        "requested_at": datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        "inputs": {},
        "censored": (),
    }
    return RunMessage(**{**defaults, **changes})


def make_folder(
    files: Mapping[str, str] | None = None,
    *,
    port_data: object = PORT_DATA,
    not_text: tuple[str, ...] = (),
) -> ServiceFolder:
    """The folder of `my-service`: `portData.json` (JSON, or text as it stands) and what is given.

    Args:
        files: name below the folder → text.
        port_data: None leaves the file out.
        not_text: names of further files of which no text is known.
    """
    texts = {f"{FOLDER}/{name}": text for name, text in (files or {}).items()}
    if port_data is not None:
        text = port_data if isinstance(port_data, str) else json.dumps(port_data)
        texts[f"{FOLDER}/portData.json"] = text
    shas = {path: blob_sha(text) for path, text in texts.items()}
    shas |= {f"{FOLDER}/{name}": "f" * 40 for name in not_text}
    return ServiceFolder(service=SERVICE, commit="c" * 40, files=shas, texts=texts)


def make_situation(folder: ServiceFolder, **changes: Any) -> Situation:
    """What is known of `my-service` when its folder is this one."""
    defaults: dict[str, Any] = {
        "folder": folder,
        "data": read_port_data(folder),
        "run_url": RUN_URL,
        "reviewers": REVIEWERS,
        "limits": ScaleLimits(min=1, max=10, max_step=3, default_step=1),
    }
    return Situation(**{**defaults, **changes})
