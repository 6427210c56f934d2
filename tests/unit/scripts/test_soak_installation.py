"""The soak finds the runs of records that failed permanently."""

import base64
import json
from typing import Any

from scripts.soaking.installation import run_ids


def record(run_id: str) -> dict[str, Any]:
    message = {"context": {"runId": run_id}}
    return {"value": base64.b64encode(json.dumps(message).encode()).decode()}


def test_stored_failure_names_its_runs() -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    event = {"records": {"org.runs-0": [record("r_1"), record("r_2")], "org.runs-1": []}}
    failure = {"requestContext": {"condition": "RetriesExhausted"}, "payload": json.dumps(event)}

    assert list(run_ids(failure)) == ["r_1", "r_2"]
