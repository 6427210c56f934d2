"""*Create New Service*: what a request wants done."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from slipway.changes.create_service import plan, with_pull_request
from slipway.changes.proposal import Proposal
from slipway.errors import InvalidInput
from slipway.port.message import Requester, RunMessage

INPUTS: dict[str, Any] = {
    "service_name": "my-demo-service",
    "owner": "dev@acme.example",
    "team": "payments",
    "project": "shop",
    "environment": "Test",
    "service_type": "backend",
    "replicas": 2,
    "image_tag": "1.4.0",
    "values_format": "JSON",
    "common_values": {"log": "info"},
}
FOLDER = "apps/my-demo-service"


def make_plan(**inputs: Any) -> Proposal:
    message = RunMessage(
        run_id="r_0123456789abcdef",
        action="create_service",
        blueprint="service",
        entity=None,
        operation="CREATE",
        requester=Requester(user_id="auth0|1", email="dev@acme.example", name="Dee Veloper"),
        requested_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        inputs={k: v for k, v in {**INPUTS, **inputs}.items() if v is not ...},
        censored=(),
    )
    return plan(
        message,
        run_url="https://app.port.io/run?runId=r_0123456789abcdef",
        reviewers={"payments": ["team:payments", "olivia"]},
    )


def files(made: Proposal) -> dict[str, str]:
    return {path: text for path, text in made.change.files.items() if text is not None}


def test_given_json_values_when_planned_then_the_folder_holds_them_and_the_port_data() -> None:
    made = files(make_plan(consumers_values={"queues": ["a"]}))

    assert sorted(made) == [
        f"{FOLDER}/common_values.json",
        f"{FOLDER}/consumers_values.json",
        f"{FOLDER}/custom_values.json",
        f"{FOLDER}/portData.json",
    ]
    assert json.loads(made[f"{FOLDER}/common_values.json"]) == {
        "log": "info",
        "image": {"tag": "1.4.0"},
        "replicas": 2,
    }
    assert json.loads(made[f"{FOLDER}/consumers_values.json"]) == {"queues": ["a"]}
    assert json.loads(made[f"{FOLDER}/portData.json"]) == {
        "identifier": "my-demo-service",
        "title": "my-demo-service",
        "owner": "dev@acme.example",
        "responsible_team": "payments",
        "project": "shop",
        "environment": "Test",
        "service_type": "backend",
        "health_status": "Pending",
        "sync_status": "OutOfSync",
        "blueprint": "service",
        "run_id": "r_0123456789abcdef",
    }


def test_given_yaml_values_when_planned_then_the_text_is_kept() -> None:
    typed = "# ours\nimage:\n  tag: 1.4.0\nreplicas: 2\n"

    made = files(make_plan(values_format="YAML", common_values_yaml=typed, common_values={}))

    assert made[f"{FOLDER}/common_values.yaml"] == typed
    assert made[f"{FOLDER}/custom_values.yaml"] == "\n"


def test_given_hidden_inputs_when_planned_then_the_chosen_format_decides() -> None:
    made = files(make_plan(values_format="YAML", custom_values={"j": 1}, custom_values_yaml="y: 1"))

    assert made[f"{FOLDER}/custom_values.yaml"] == "y: 1"


def test_given_no_format_when_both_are_filled_in_then_refused() -> None:
    with pytest.raises(InvalidInput, match="'Service Custom Values' is filled in twice"):
        make_plan(values_format=..., custom_values={"j": 1}, custom_values_yaml="y: 1")


def test_given_a_request_when_planned_then_the_pull_request_follows_from_the_run() -> None:
    change = make_plan().change

    assert change.branch == "slipway/create_service/r_0123456789abcdef"
    assert change.title == "Scaffold new service my-demo-service"
    assert change.labels == ("slipway", "create_service")
    assert change.reviewers == ("team:payments", "olivia")
    assert change.creates_service
    assert change == make_plan().change


def test_given_a_request_when_planned_then_the_proposal_is_of_new_files_only() -> None:
    made = make_plan()

    assert (made.action, made.service) == ("create_service", "my-demo-service")
    assert made.environment == "Test"
    assert made.summary == "new service with 2 replicas"
    assert made.base == dict.fromkeys(made.change.files)
    assert made.preview.count("--- /dev/null\n") == 4
    assert f"+++ b/{FOLDER}/portData.json\n" in made.preview


def test_given_the_same_request_when_planned_again_then_the_hash_is_the_same() -> None:
    assert make_plan().change_hash == make_plan().change_hash
    assert make_plan().change_hash != make_plan(image_tag="1.4.1").change_hash


def test_given_a_request_when_planned_then_the_body_says_who_when_what_and_where() -> None:
    body = make_plan().change.body

    assert "<code>Dee Veloper</code> asked for a new service on 2026-11-23 10:00 UTC" in body
    assert "[run r_0123456789abcdef](https://app.port.io/run?runId=r_0123456789abcdef)" in body
    assert "| Image tag | <code>1&#46;4&#46;0</code> |" in body
    assert f"- `{FOLDER}/portData.json`" in body
    assert body.rstrip().endswith(" -->")


def test_given_hostile_text_when_planned_then_nothing_of_it_is_live_in_the_pull_request() -> None:
    change = make_plan(owner="@everyone <b>", project="${{ secrets.X }}\n## owned").change

    assert "@" not in change.body
    assert "${{" not in change.body
    assert "<b>" not in change.body
    assert "\n## owned" not in change.body
    assert change.title == "Scaffold new service my-demo-service"


def test_given_a_request_when_planned_then_the_entity_is_pending() -> None:
    planned = make_plan().entity
    assert planned is not None
    entity = with_pull_request(planned, "https://github.example/pull/1")

    assert entity["identifier"] == "my-demo-service"
    assert entity["properties"] == {
        "owner": "dev@acme.example",
        "responsible_team": "payments",
        "project": "shop",
        "environment": "Test",
        "service_type": "backend",
        "health_status": "Pending",
        "sync_status": "OutOfSync",
        "replicas": 2,
        "image_tag": "1.4.0",
        "pr_url": "https://github.example/pull/1",
    }


@pytest.mark.parametrize(
    "name",
    ["", "x" * 64, "Upper", "../x", "a/b", ".git", "-a", "a-", "a_b", "ѕervice", "a\n", "a b", "é"],
)
def test_given_a_bad_service_name_when_planned_then_the_rule_is_told(name: str) -> None:
    with pytest.raises(InvalidInput, match="'Service Name' must have 1 to 63 lower-case letters"):
        make_plan(service_name=name)


@pytest.mark.parametrize("name", ["a", "x" * 63, "a-1", "0"])
def test_given_a_good_service_name_when_planned_then_every_path_is_in_its_folder(name: str) -> None:
    assert all(path.startswith(f"apps/{name}/") for path in files(make_plan(service_name=name)))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("service_name", ..., "'Service Name' is missing"),
        ("service_name", 5, "'Service Name' must have 1 to 63"),
        ("owner", "", "'Owner' must be a text of 1 to 100 characters"),
        ("owner", "\ud800", "'Owner' must be a text of 1 to 100 characters"),
        ("custom_values", {"a": "\ud800"}, "'Service Custom Values' must be text"),
        ("owner", {"a": 1}, "'Owner' must be a text of 1 to 100 characters"),
        ("project", "x" * 101, "'Project' must be a text"),
        ("environment", "Prod", "'Environment' must be one of Test, Staging, Production"),
        ("replicas", 0, "'Number of replicas' must be a whole number from 1 to 100"),
        ("replicas", 1.5, "'Number of replicas' must be a whole number"),
        ("replicas", True, "'Number of replicas' must be a whole number"),
        ("replicas", "2", "'Number of replicas' must be a whole number"),
        ("image_tag", "latest; rm -rf /", "'Container Registry Image Tag' must be a container"),
        ("image_tag", ".x", "'Container Registry Image Tag' must be a container"),
        ("values_format", "XML", "'Values format' must be JSON or YAML"),
        ("custom_values", ["x"], "'Service Custom Values' must be an object, but is a list"),
        ("common_values", {"replicas": 3}, "Common Values' (replicas) must be the same as in"),
        ("common_values", {"image": {"tag": "x"}}, "Common Values' (image.tag) must be the same"),
        ("common_values", {"image": "x"}, "Common Values' has a text as 'image' at line 2"),
    ],
)
def test_given_a_bad_input_when_planned_then_field_and_expectation_are_named(
    field: str, value: object, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_plan(**{field: value})

    assert said in str(caught.value)


def test_given_typed_values_that_agree_with_the_form_when_planned_then_accepted() -> None:
    typed = {"image": {"tag": "1.4.0"}, "replicas": 2}

    made = files(make_plan(common_values=typed))

    assert json.loads(made[f"{FOLDER}/common_values.json"]) == typed


def common_yaml(typed: str) -> str | None:
    """What becomes of typed YAML when the form asks for tag 1.4.0 and 2 replicas."""
    made = make_plan(values_format="YAML", common_values_yaml=typed, common_values={})
    return files(made)[f"{FOLDER}/common_values.yaml"]


ADDED = 'image:\n  tag: "1.4.0"\nreplicas: 2\n'


@pytest.mark.parametrize(
    ("typed", "added"),
    [
        ("a: 1\r\nb:\r\n  - x\r\n# on Windows\r\n", ADDED.replace("\n", "\r\n")),
        ("---\n# deep\nargs:\n        - --debug\nnothing: null\nlist:\n    - null\n", ADDED),
        ("codes:\n  1: one\n  true: yes\n", ADDED),
        ("# replicas: 5\n\n# more", f"\n{ADDED.rstrip()}"),
        ("image:\n  tag: 1.4.0\n# c", "\nreplicas: 2"),
        ("image:\n  tag: 1.4.0\nreplicas:   2", ""),
    ],
)
def test_typed_yaml_stays_when_values_are_added(typed: str, added: str) -> None:
    assert common_yaml(typed) == f"{typed}{added}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "main: &img # shared\n  name: shop\nimage: *img\nsidecar:\n  image: *img\n",
            "has the alias '*img' at line 3, column 8",
        ),
        ("ingress:\n  host: {{ .Values.host }}\n", "an unquoted '{{ … }}' at line 2, column 9"),
        ("image:\n  tag: 2021-03-01\n", "has '2021-03-01' at line 2, column 8"),
        ("d: &d {replicas: 1}\n<<: *d\n", "has 'replicas' by the merge key '<<' at line 2"),
    ],
)
def test_typed_yaml_that_readers_may_mistake_is_refused(typed: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        common_yaml(typed)

    assert said in str(caught.value)
