"""No record on a topic blocks its partition or affects its neighbours."""

import base64
import contextlib
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slipway.catalog.planning import FilePlan, Situation, make_plan
from slipway.catalog.request import Request, Tree, find_target
from slipway.errors import ForeignMessage, RunNotFound, UserError
from slipway.health.store import RemediationStore
from slipway.port.message import identify, parse

from functions.action import handler as action
from functions.approval import handler as approval
from functions.health_checker import handler as health_checker
from tests.entities import shipped
from tests.property.hostile.conftest import Outside
from tests.property.hostile.mutation import examples, mutated, mutated_bytes, to_bytes

pytestmark = pytest.mark.waits

FIXTURES = Path(__file__).parents[2] / "fixtures" / "port"
SEEDS = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json"))]
NOW = int(time.time() * 1000)
DONE: dict[str, list[object]] = {"batchItemFailures": []}
_numbers = itertools.count()

INPUTS: dict[str, Any] = {
    "service_name": "my-service",
    "owner": "dee@acme.example",
    "team": "payments",
    "project": "shop",
    "environment": "Test",
    "service_type": "backend",
    "replicas": 2,
    "image_tag": "1.4.0",
    "values_format": "JSON",
    "common_values": {"image": {"pullPolicy": "Always"}},
    "consumers_values_yaml": "# as typed\nqueues: [a, b]\n",
    "custom_values": {},
}


def request(run_id: str, **inputs: Any) -> dict[str, Any]:
    """Make a message of *Create New Service*."""
    seed: dict[str, Any] = json.loads((FIXTURES / "run_v2_create.json").read_text())
    seed["context"]["runId"] = run_id
    seed["payload"]["properties"] = {**INPUTS, **inputs}
    return seed


NOTICE = {
    "action": "run_ended",
    "resourceType": "run",
    "context": {"runId": "r_0123456789abcdef", "automationRunId": "r_fedcba9876543210"},
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"common_values": {}, "common_values_yaml": "image: {tag: 1.4.0}\nreplicas: 2\n"},
    {"values_format": "YAML", "custom_values_yaml": "a: &a {b: 1}\nc:\n  <<: *a\n"},
]


def decision(entity: str = "r_0123456789abcdef.1", **inputs: Any) -> dict[str, Any]:
    """Make a message of *Decide Approval*."""
    seed = request("r_00000000000000de")
    seed["action"] = "decide_approval"
    seed["context"] |= {"entity": entity, "blueprint": "approval_request"}
    seed["payload"]["action"]["trigger"] = "DAY-2"
    seed["payload"]["properties"] = {
        "decision": "APPROVE",
        "comment": "fine",
        "change": "f" * 64,
        **inputs,
    }
    return seed


def degraded(service: str) -> dict[str, Any]:
    """Make a record of the change log about a service that becomes Degraded."""
    seed: dict[str, Any] = json.loads((FIXTURES / "change_log_update.json").read_text())
    seed["context"]["entity"] = service
    for side, status in (("before", "Healthy"), ("after", "Degraded")):
        seed["diff"][side]["identifier"] = service
        seed["diff"][side]["properties"]["health_status"] = status
    return seed


DECISION, DEGRADED = decision(), degraded("shop")
times = st.sampled_from([NOW, NOW, NOW, -1, 0, 2**63 - 1, -(2**63), NOW * 1000])


def records(*seeds: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a record as Lambda delivers it; a tombstone has no `value`."""
    return st.builds(
        record,
        st.none() | mutated_bytes(*seeds) | mutated_bytes(*seeds) | st.binary(max_size=40),
        times,
    )


def record(value: bytes | None, timestamp: int = NOW) -> dict[str, Any]:
    made = {"topic": "t", "partition": 0, "timestamp": timestamp, "timestampType": "CREATE_TIME"}
    return made | ({} if value is None else {"value": base64.b64encode(value).decode()})


def event(*batch: dict[str, Any]) -> dict[str, Any]:
    numbered = [{**each, "offset": offset} for offset, each in enumerate(batch)]
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": "b:9092",
        "records": {"t-0": numbered},
    }


hostile = st.lists(records(*SEEDS, request("r_1"), NOTICE), max_size=2)


@given(before=hostile, after=hostile)
@example(before=[record(None)], after=[record(to_bytes(request("r_2")), 2**63 - 1)])
@example(
    before=[record(to_bytes(request("r_3", common_values_yaml=f"replicas: 0x{'f' * 4000}")))],
    after=[record(to_bytes({**request("r_4"), "action": "x" * 500_000}))],
)
@examples(10)
def test_hostile_records_do_not_stop_the_others(
    outside: Outside, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    number = next(_numbers)
    good = request(f"r_good{number:05}", service_name=f"good-{number}")

    answer = outside.call(action.handler, event(*before, record(to_bytes(good)), *after))

    assert answer == DONE
    assert f"slipway/create_service/r_good{number:05}" in outside.github.branches()
    for element in itertools.chain.from_iterable(outside.github.written()):
        assert re.fullmatch(r"apps/[a-z0-9-]{1,63}/[a-zA-Z_]+\.(json|yaml)", element["path"])
    assert max(map(len, outside.log.getvalue().splitlines()), default=0) < 10_000


@given(batch=st.lists(records(*SEEDS, DECISION, DECISION, NOTICE, NOTICE), min_size=1, max_size=3))
@example(batch=[record(to_bytes(decision(entity="é" * 1000)))])
@example(batch=[record(to_bytes(decision(entity="")))])
@example(batch=[record(to_bytes(decision(comment="\ud800")))])
@examples(20)
def test_hostile_decisions_and_end_messages_are_not_repeated(
    outside: Outside, batch: list[dict[str, Any]]
) -> None:
    outside.port.action = "decide_approval"

    assert outside.call(approval.handler, event(*batch)) == DONE


# The warning of Powertools in a function without metrics.
@pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")
@given(
    batch=st.lists(records(*SEEDS, DEGRADED, DEGRADED), min_size=1, max_size=4),
    at=st.integers(0, 4),
)
@example(batch=[record(None)], at=0)
@examples(25)
def test_hostile_changes_do_not_stop_the_others(
    outside: Outside, batch: list[dict[str, Any]], at: int
) -> None:
    service = f"bad-{next(_numbers)}"
    batch.insert(at, record(to_bytes(degraded(service))))

    answer = outside.call(health_checker.handler, event(*batch))

    assert answer == DONE
    row = RemediationStore("remediations").get(f"service/{service}")
    assert row is not None
    assert row.started


@given(message=mutated(*(request("r_0123456789abcdef", **inputs) for inputs in VARIANTS)))
@examples(200)
def test_request_gives_files_of_one_service_or_an_error(
    message: Any,
) -> None:
    with contextlib.suppress(ForeignMessage, RunNotFound, UserError):
        message = json.loads(to_bytes(message))
        identify(message)
        asked = parse(message)
        request = Request(
            run_id=asked.run_id,
            action="create_service",
            inputs=asked.inputs,
            censored=asked.censored,
        )
        target = find_target(shipped(), request)
        made = make_plan(target, request, Situation(tree=Tree({}, {})))
        assert isinstance(made, FilePlan)
        folder = f"apps/{target.identifier}"
        assert re.fullmatch(r"apps/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", folder)
        for path, text in made.files.items():
            assert re.fullmatch(rf"{folder}/[a-zA-Z_]+\.(json|yaml)", path)
            assert text is not None
            assert text.encode()
        assert made.title.encode()
