"""*Upscale Service* and *Downscale Service*: what a request wants done."""

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError
from slipway.changes.proposal import NothingToDo, Proposal
from slipway.changes.scale_service import DOWNSCALE, UPSCALE, plan
from slipway.changes.situation import ScaleLimits
from slipway.errors import InvalidInput, UserError
from slipway.github.models import ServiceFolder, blob_sha

from tests.unit.changes.conftest import (
    FOLDER,
    PORT_DATA,
    RUN_ID,
    RUN_URL,
    SERVICE,
    make_folder,
    make_request,
    make_situation,
)

LIMITS = ScaleLimits(min=1, max=10, max_step=3, default_step=1)
YAML = "# scale with care\nreplicas:   2   # two zones\nimage: {tag: '1.0'}\n"


def make_plan(
    folder: ServiceFolder | None = None,
    *,
    action: str = UPSCALE,
    limits: ScaleLimits = LIMITS,
    entity: str | None = SERVICE,
    **inputs: Any,
) -> Proposal | NothingToDo:
    folder = make_folder({"common_values.yaml": YAML}) if folder is None else folder
    request = make_request(action, inputs=inputs, entity=entity)
    return plan(request, make_situation(folder, limits=limits))


def make_proposal(*args: Any, **kwargs: Any) -> Proposal:
    made = make_plan(*args, **kwargs)
    assert isinstance(made, Proposal)
    return made


def with_replicas(count: object) -> ServiceFolder:
    return make_folder({"common_values.json": json.dumps({"replicas": count})})


@pytest.mark.parametrize(
    ("action", "inputs", "written", "summary"),
    [
        (UPSCALE, {}, "3", "replicas 2 → 3"),
        (UPSCALE, {"step": 3}, "5", "replicas 2 → 5"),
        (UPSCALE, {"step": 3.0}, "5", "replicas 2 → 5"),
        (UPSCALE, {"step": None}, "3", "replicas 2 → 3"),
        (DOWNSCALE, {}, "1", "replicas 2 → 1"),
    ],
)
def test_given_a_request_when_planned_then_only_the_number_changes(
    action: str, inputs: dict[str, Any], written: str, summary: str
) -> None:
    made = make_proposal(action=action, **inputs)

    assert made.change.files == {f"{FOLDER}/common_values.yaml": YAML.replace("2", written, 1)}
    assert made.summary == summary


def test_given_nine_replicas_when_upscaled_then_the_number_grows_by_a_digit() -> None:
    made = make_proposal(with_replicas(9))

    assert made.change.files == {f"{FOLDER}/common_values.json": '{"replicas": 10}'}


def test_given_a_request_when_planned_then_the_proposal_is_bound_to_the_file_as_it_was() -> None:
    made = make_proposal()

    assert made.base == {f"{FOLDER}/common_values.yaml": blob_sha(YAML)}
    assert made.entity is None
    assert made.preview.splitlines() == [
        f"--- a/{FOLDER}/common_values.yaml",
        f"+++ b/{FOLDER}/common_values.yaml",
        "@@ -1,3 +1,3 @@",
        " # scale with care",
        "-replicas:   2   # two zones",
        "+replicas:   3   # two zones",
        " image: {tag: '1.0'}",
    ]


def test_given_another_environment_in_the_catalogue_when_planned_then_the_reviewed_one_counts() -> (
    None
):
    assert make_proposal().environment == "Production"


def test_given_a_request_when_planned_then_the_pull_request_follows_from_the_run() -> None:
    change = make_proposal().change

    assert change.branch == f"slipway/upscale_service/{RUN_ID}"
    assert change.title == "Scale my-service from 2 to 3 replicas"
    assert change.labels == ("slipway", "upscale_service")
    assert change.reviewers == ("team:payments", "olivia")
    assert not change.creates_service
    assert change == make_proposal().change


def test_given_one_replica_to_be_when_planned_then_the_title_says_replica() -> None:
    change = make_proposal(action=DOWNSCALE).change

    assert change.title == "Scale my-service from 2 to 1 replica"


def test_given_a_request_when_planned_then_the_body_says_who_what_and_carries_the_comment() -> None:
    body = make_proposal().change.body

    assert "<code>Dee Veloper</code> asked for another number of replicas on 2026-11-23" in body
    assert f"[run {RUN_ID}]({RUN_URL})" in body
    assert "| Replicas now | <code>2</code> |" in body
    assert "| Replicas then | <code>3</code> |" in body
    found = re.search(r"<!-- slipway (.*) -->", body)
    assert found
    assert json.loads(found[1]) == {
        "schema_version": 1,
        "action": "upscale_service",
        "run_id": RUN_ID,
        "blueprint": "service",
        "identifier": "my-service",
        "requested_by": "dev@acme.example",
    }


@pytest.mark.parametrize(
    "step",
    [0, -1, 1.5, 4, True, False, "2", "", [], {}, 1e300, float("inf"), float("nan"), 10**400],
)
def test_given_a_bad_step_when_planned_then_the_limit_is_named(step: object) -> None:
    with pytest.raises(InvalidInput, match=r"'Step' must be a whole number from 1 to 3\."):
        make_plan(step=step)


@pytest.mark.parametrize("entity", [None, "", "../other", "Other", "a/b"])
def test_given_no_service_when_planned_then_refused(entity: str | None) -> None:
    with pytest.raises(InvalidInput, match="'entity' must be the name of a service"):
        make_plan(entity=entity)


@pytest.mark.parametrize(
    ("action", "count", "limit"), [(UPSCALE, 10, 10), (UPSCALE, 12, 10), (DOWNSCALE, 1, 1)]
)
def test_given_a_service_at_its_limit_when_scaled_then_there_is_nothing_to_do(
    action: str, count: int, limit: int
) -> None:
    made = make_plan(with_replicas(count), action=action)

    assert isinstance(made, NothingToDo)
    assert made.service == SERVICE
    assert f"'my-service' has {count} replica" in made.reason
    assert f"and {limit} is the " in made.reason


@pytest.mark.parametrize(
    ("action", "count", "said"),
    [
        (UPSCALE, 9, "has 9 replicas; a step of 3 would make it 12"),
        (DOWNSCALE, 2, "has 2 replicas; a step of 3 would make it -1"),
    ],
)
def test_given_a_step_beyond_the_limit_when_planned_then_the_largest_step_is_named(
    action: str, count: int, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(with_replicas(count), action=action, step=3)

    assert said in str(caught.value)
    assert "the policy allows 1 to 10. The largest step now is 1." in str(caught.value)


@pytest.mark.parametrize(
    ("action", "count", "then"), [(DOWNSCALE, 30, 29), (UPSCALE, 0, 1), (UPSCALE, 1, 2)]
)
def test_given_a_service_outside_the_limits_when_scaled_towards_them_then_it_may(
    action: str, count: int, then: int
) -> None:
    limits = ScaleLimits(min=3, max=10)

    made = make_proposal(with_replicas(count), action=action, limits=limits)

    assert made.summary == f"replicas {count} → {then}"


def test_given_no_folder_when_planned_then_the_service_is_said_to_be_gone() -> None:
    with pytest.raises(UserError, match="'my-service' is not in the services repository"):
        make_plan(make_folder(port_data=None))


@pytest.mark.parametrize(
    ("port_data", "said"),
    [
        (None, "must be there and be valid JSON"),
        ("{", "is not valid JSON at line 1, column 2"),
        ("[" * 100_000, "must be JSON of reasonable depth"),
        ([PORT_DATA], "must be an object, but is a list"),
        ({**PORT_DATA, "identifier": "other"}, "must have 'identifier' 'my-service'"),
        ({**PORT_DATA, "blueprint": "other"}, "must have 'blueprint' 'service'"),
        ({**PORT_DATA, "environment": ""}, "must name the service's 'environment'"),
        ({**PORT_DATA, "environment": ["Test"]}, "must name the service's 'environment'"),
        ({**PORT_DATA, "environment": "Test\n"}, "must name the service's 'environment'"),
        ({**PORT_DATA, "environment": "x" * 101}, "must name the service's 'environment'"),
        ({"identifier": SERVICE, "blueprint": "service"}, "must name the service's"),
    ],
)
def test_plan_names_what_to_fix_when_port_data_is_unreliable(port_data: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(make_folder({"common_values.yaml": YAML}, port_data=port_data))

    assert str(caught.value).startswith(f"{FOLDER}/portData.json {said}")
    assert str(caught.value).endswith("Fix it on the base branch, then start this action again.")


@pytest.mark.parametrize("team", [None, ["payments"], "unheard of"])
def test_given_a_team_without_reviewers_when_planned_then_nobody_is_asked(team: object) -> None:
    folder = make_folder(
        {"common_values.yaml": YAML}, port_data={**PORT_DATA, "responsible_team": team}
    )

    assert make_proposal(folder).change.reviewers == ()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "neither is there"),
        ({"common_values.yml": YAML}, "neither is there"),
        ({"sub/common_values.yaml": YAML}, "neither is there"),
        ({"common_values.yaml": YAML, "common_values.json": "{}"}, "both are there"),
    ],
)
def test_given_not_one_values_file_when_planned_then_refused(
    files: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=f"{said}. Fix it on the base branch"):
        make_plan(make_folder(files))


def test_given_values_that_are_no_text_when_planned_then_refused() -> None:
    with pytest.raises(UserError, match=r"common_values\.json: it is not a file of UTF-8 text"):
        make_plan(make_folder(not_text=("common_values.json",)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "common_values.yaml",
            "replicas: '2'\n",
            "must have a plain whole number as 'replicas' at",
        ),
        ("common_values.yaml", "a: 1\nreplicas: 2.0\n", "as 'replicas' at line 2, column 1"),
        ("common_values.yaml", "replicas: -1\n", "must have a plain whole number as 'replicas'"),
        ("common_values.yaml", "replicas: true\n", "must have a plain whole number as 'replicas'"),
        ("common_values.yaml", "replicas: 12345678901\n", "a plain whole number as 'replicas'"),
        ("common_values.yaml", "replicas: 010\n", "has '010' at line 1, column 11"),
        ("common_values.yaml", "replicas:\n", "has no 'replicas' at its top level"),
        ("common_values.yaml", "a:\n  replicas: 2\n", "has no 'replicas' at its top level"),
        ("common_values.yaml", "a: [\n", "is not valid YAML at line 2, column 1"),
        (
            "common_values.json",
            '{"replicas": 2, "replicas": 2}',
            "has the duplicate key 'replicas'",
        ),
        ("common_values.json", "[2]", "must be an object, but is a list at line 1, column 1"),
    ],
)
def test_number_that_is_not_certain_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(make_folder({name: text}))

    assert str(caught.value).startswith(f"Slipway cannot change 'replicas' in {FOLDER}/{name}: it ")
    assert said in str(caught.value)
    assert "or change it by a pull request of your own." in str(caught.value)


def test_anchored_number_is_refused_when_changed() -> None:
    folder = make_folder({"common_values.yaml": "replicas: &r 2\nworkers: *r\n"})

    with pytest.raises(UserError, match=r"has the alias '\*r' at line 2, column 10"):
        make_plan(folder)


def test_port_data_with_a_byte_order_mark_is_read() -> None:
    text = "\ufeff" + json.dumps(PORT_DATA)

    made = make_proposal(make_folder({"common_values.yaml": YAML}, port_data=text))

    assert made.environment == "Production"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"min": 0}, "min"),
        ({"max": 0}, "max"),
        ({"max_step": 0}, "max_step"),
        ({"default_step": 0}, "default_step"),
        ({"min": 5, "max": 4}, "min must not exceed max"),
        ({"max_step": 2, "default_step": 3}, "nor default_step max_step"),
        ({"maximum": 4}, "maximum"),
    ],
)
def test_given_limits_that_contradict_when_read_then_the_field_is_named(
    values: dict[str, int], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        ScaleLimits.model_validate(values)
