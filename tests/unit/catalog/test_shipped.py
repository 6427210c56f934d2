"""The shipped catalog: what each of its actions does."""

import json
from typing import Any

import pytest
from slipway.catalog.check import check_catalog
from slipway.catalog.entities import read_entity
from slipway.catalog.loading import load_catalog
from slipway.catalog.planning import FilePlan, NothingToDo, Situation, WorkflowPlan, make_plan
from slipway.catalog.reading import read_folder
from slipway.catalog.request import Tree, find_target
from slipway.errors import InvalidInput, UserError

from tests.catalogs.samples import (
    EMPTY,
    RUN_ID,
    SHIPPED,
    catalog,
    changed,
    files_of,
    plan_of,
    target_of,
    tree_of,
)

INPUTS: dict[str, Any] = {
    "service_name": "my-service",
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
FOLDER = "apps/my-service"
BUCKET: dict[str, Any] = {
    "bucket_name": "invoices",
    "team": "payments",
    "environment": "Production",
    "purpose": "What ${customers} pay",
    "versioned": False,
    "readers": ["arn:aws:iam::123456789012:role/reader"],
}


def create(**inputs: Any) -> FilePlan:
    typed = {name: one for name, one in {**INPUTS, **inputs}.items() if one is not ...}
    return files_of(SHIPPED, "create_service", inputs=typed)


def text_of(plan: FilePlan, path: str) -> str:
    text = plan.files[path]
    assert text is not None
    return text


def service(common: str = "replicas: 2\n", **metadata: Any) -> Tree:
    """Return the base branch with `my-service`."""
    said = {
        "identifier": "my-service",
        "environment": "Production",
        "responsible_team": "payments",
        "blueprint": "service",
        **metadata,
    }
    texts = {f"{FOLDER}/portData.json": json.dumps(said), f"{FOLDER}/common_values.yaml": common}
    return tree_of(**texts)


def scale(action: str, tree: Tree | None = None, **more: Any) -> Any:
    inputs = {"step": more.pop("step")} if "step" in more else {}
    more = {"entity": "my-service", "inputs": inputs, **more}
    return plan_of(SHIPPED, action, tree or service(), **more)


def test_shipped_catalog_has_no_fault() -> None:
    files = read_folder(SHIPPED)

    assert check_catalog(files) == []
    assert check_catalog(files, repositories={"services": "acme/services"}) == []


# -- Create New Service


def test_create_writes_documents_and_metadata() -> None:
    plan = create(consumers_values={"queues": ["a"]})

    assert sorted(plan.files) == [
        f"{FOLDER}/common_values.json",
        f"{FOLDER}/consumers_values.json",
        f"{FOLDER}/portData.json",
    ]
    assert json.loads(text_of(plan, f"{FOLDER}/common_values.json")) == {
        "log": "info",
        "image": {"tag": "1.4.0"},
        "replicas": 2,
    }
    assert text_of(plan, f"{FOLDER}/portData.json") == (
        json.dumps(
            {
                "identifier": "my-service",
                "title": "my-service",
                "owner": "dev@acme.example",
                "responsible_team": "payments",
                "project": "shop",
                "environment": "Test",
                "service_type": "backend",
                "health_status": "Pending",
                "sync_status": "OutOfSync",
                "blueprint": "service",
                "run_id": RUN_ID,
            },
            indent=2,
        )
        + "\n"
    )


def test_typed_yaml_is_kept_and_completed() -> None:
    typed = "# ours\r\nlog:   info # loud\r\n"
    plan = create(values_format="YAML", common_values_yaml=typed, common_values={})

    assert text_of(plan, f"{FOLDER}/common_values.yaml") == (
        typed + 'image:\r\n  tag: "1.4.0"\r\nreplicas: 2\r\n'
    )


def test_chosen_format_selects_the_document() -> None:
    plan = create(values_format="YAML", custom_values={"j": 1}, custom_values_yaml="y: 1")

    assert text_of(plan, f"{FOLDER}/custom_values.yaml") == "y: 1"
    assert f"{FOLDER}/custom_values.json" not in plan.files


def test_create_adds_a_pending_entity() -> None:
    assert create().entity == {
        "identifier": "my-service",
        "title": "my-service",
        "properties": {
            "owner": "dev@acme.example",
            "responsible_team": "payments",
            "project": "shop",
            "environment": "Test",
            "service_type": "backend",
            "health_status": "Pending",
            "sync_status": "OutOfSync",
            "replicas": 2,
            "image_tag": "1.4.0",
        },
        "relations": {},
    }


def test_create_has_a_description() -> None:
    plan = create()

    assert plan.title == "Scaffold new service my-service"
    assert plan.summary == "new service with 2 replicas"
    assert plan.environments == ("Test",)
    assert plan.team == "payments"
    assert plan.facts["Image tag"] == "1.4.0"
    assert plan.base == dict.fromkeys(plan.files)
    assert plan == create()


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"service_name": ...}, "Input 'Name' is missing"),
        ({"service_name": "../x"}, "Input 'Name' must match"),
        ({"service_name": "foo\n"}, "Input 'Name' must match"),
        ({"service_name": "x" * 64}, "Input 'Name' must have 1 to 63 characters"),
        ({"environment": "Prod"}, "must be one of Test, Staging, Production"),
        ({"replicas": 1.5}, "Input 'Replicas' must be a whole number"),
        ({"replicas": True}, "Input 'Replicas' must be a number"),
        ({"replicas": 0}, "Input 'Replicas' must be 1 to 100"),
        ({"image_tag": "latest; rm"}, "Input 'Image tag' must match"),
        ({"common_values": {"replicas": 3}}, "has 3 as 'replicas', but the form has 2"),
        ({"common_values": {"image": "x"}}, "Input 'Common values' has a text as 'image'"),
        ({"custom_values": ["x"]}, "Input 'Custom values' must be an object"),
        (
            {"values_format": "YAML", "common_values_yaml": "a: {{ .x }}"},
            "Input 'Common values' has an unquoted '{{ … }}' at line 1",
        ),
    ],
)
def test_create_is_refused(inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        create(**inputs)

    assert problem in str(caught.value)


def test_secret_input_is_refused_when_its_value_would_be_written() -> None:
    with pytest.raises(InvalidInput, match="'Project' is a secret input"):
        plan_of(SHIPPED, "create_service", EMPTY, inputs=INPUTS, censored=("project",))


def test_entity_gets_addresses_after_the_merge() -> None:
    kind = catalog(SHIPPED).kinds["service"]
    settings = {
        "namespace": "{environment}-{service}",
        "grafana_url": "https://g.example/{namespace}?s={service}",
        "ttl_days": 30,
    }

    said = read_entity(kind, "my-service", {"name": "my-service"}, tree_of(create()), settings)

    properties = said.entity["properties"]
    assert said.notes == {}
    assert properties["namespace"] == "test-my-service"
    assert properties["grafana_url"] == "https://g.example/test-my-service?s=my-service"
    assert (properties["ttl"], properties["argocd_app_url"]) == (30, None)
    assert not {"health_status", "sync_status"} & properties.keys()


# -- Upscale, Downscale


def test_upscale_changes_one_number() -> None:
    plan = scale("upscale_service", service("a: 1 # x\nreplicas:   2 # two\n"))

    assert plan.files == {f"{FOLDER}/common_values.yaml": "a: 1 # x\nreplicas:   3 # two\n"}
    assert plan.title == "Scale my-service from 2 to 3 replicas"
    assert plan.summary == "replicas 2 → 3"
    assert plan.environments == ("Production",)
    assert plan.team == "payments"


def test_downscale_changes_one_number() -> None:
    plan = scale("downscale_service", service("replicas: 2\n"))

    assert plan.title == "Scale my-service from 2 to 1 replica"


def test_limits_of_the_policy_replace_the_defaults() -> None:
    limits = {"max": 30, "max_step": 10, "default_step": 7}

    assert scale("upscale_service", limits=limits).summary == "replicas 2 → 9"


@pytest.mark.parametrize(
    ("action", "replicas", "reason"),
    [
        ("upscale_service", 20, "has 20 replicas, and 20 is the most that the policy allows."),
        ("upscale_service", 25, "has 25 replicas, and 20 is the most that the policy allows."),
        ("downscale_service", 1, "has 1 replica, and 1 is the fewest that the policy allows."),
    ],
)
def test_scaling_has_nothing_to_do_at_a_limit(action: str, replicas: int, reason: str) -> None:
    plan = scale(action, service(f"replicas: {replicas}\n"))

    assert isinstance(plan, NothingToDo)
    assert plan.reason == f"Nothing to do: 'my-service' {reason}"


def test_service_beyond_a_limit_is_scaled_towards_it() -> None:
    assert scale("downscale_service", service("replicas: 25\n")).summary == "replicas 25 → 24"


@pytest.mark.parametrize(
    ("common", "step", "problem"),
    [
        ("replicas: 18\n", 3, "a step of 3 would make it 21, and the policy allows 1 to 20."),
        ("replicas: 18\n", 3, "The largest step now is 2."),
        ("replicas: 2\n", 6, "Input 'Step' must be a whole number from 1 to 5."),
        ("replicas: 2\n", 1.5, "Input 'Step' must be a whole number from 1 to 5."),
        ("replicas: 2\n", 0, "Input 'Step' must be 1 to 100."),
        ("replicas: '2'\n", 1, 'has "2" there'),
        ("replicas: 2.5\n", 1, "has 2.5 as 'replicas', which must be a whole number, at line 1"),
        ("a: 1\n", 1, "has no 'replicas'"),
        ("replicas: 0777\n", 1, "readers of YAML take for"),
        ("replicas: 9007199254740993\n", 1, "a number over 2^53"),
        ("a: [\n", 1, "is not valid YAML"),
    ],
)
def test_scaling_is_refused(common: str, step: float, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        scale("upscale_service", service(common), step=step)

    assert problem in str(caught.value)


# -- metadata that people have edited


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"identifier": "other"}, "must have 'identifier' \"my-service\""),
        ({"blueprint": "bucket"}, "must have 'blueprint' \"service\""),
        ({"environment": None}, "must give the environment"),
        ({"environment": ["Test"]}, "must give the environment"),
        ({"environment": "a\nb"}, "must give the environment"),
        ({"replicas": 10**20}, "must not have a number over 2^53"),
    ],
)
def test_edited_metadata_is_refused(metadata: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        scale("upscale_service", service(**metadata))

    assert problem in str(caught.value)


def test_error_suggests_unregister_when_the_files_are_missing() -> None:
    with pytest.raises(UserError, match="unregister it in Port"):
        plan_of(SHIPPED, "restart_service", EMPTY, entity="my-service")


def test_invalid_json_metadata_is_refused() -> None:
    tree = tree_of(**{f"{FOLDER}/portData.json": "{,}"})

    with pytest.raises(UserError, match=r"portData\.json is not valid JSON"):
        plan_of(SHIPPED, "restart_service", tree, entity="my-service")


@pytest.mark.parametrize("entity", [None, "", "../other", "Other", "foo\n", "a.b"])
def test_identifier_of_another_kind_is_refused(entity: str | None) -> None:
    with pytest.raises(UserError, match="does not identify a Service"):
        plan_of(SHIPPED, "restart_service", service(), entity=entity)


# -- Delete, Restart


def test_delete_removes_every_file_of_the_service() -> None:
    tree = Tree(
        {**service().files, f"{FOLDER}/sub/logo.png": "f" * 40, "apps/other/x": "e" * 40},
        service().texts,
    )
    plan = files_of(
        SHIPPED, "delete_service", tree, entity="my-service", inputs={"service_name": "my-service"}
    )

    paths = [f"{FOLDER}/{n}" for n in ("common_values.yaml", "portData.json", "sub/logo.png")]
    assert plan.files == dict.fromkeys(paths)
    assert plan.before[f"{FOLDER}/sub/logo.png"] is None
    assert plan.summary == "service deleted, 3 files"


@pytest.mark.parametrize("typed", [None, "", "my-servic", "my-service\n", ["my-service"]])
def test_delete_is_refused_when_another_name_is_typed(typed: object) -> None:
    with pytest.raises(UserError, match="Type the service's name to confirm|must be a text"):
        plan_of(
            SHIPPED,
            "delete_service",
            service(),
            entity="my-service",
            inputs={"service_name": typed},
        )


def test_delete_names_ten_dependents() -> None:
    with pytest.raises(UserError, match=r"d0, .*d9 and 1 more\. Change or remove"):
        plan_of(
            SHIPPED,
            "delete_service",
            service(),
            entity="my-service",
            inputs={"service_name": "my-service"},
            dependents=[f"d{number}" for number in range(11)],
        )


def test_restart_runs_the_workflow() -> None:
    plan = plan_of(SHIPPED, "restart_service", service(), entity="my-service")

    assert isinstance(plan, WorkflowPlan)
    assert plan.file == ".github/workflows/slipway-restart.yml"
    assert plan.inputs == {
        "service": "my-service",
        "namespace": "my-service",
        "environment": "Production",
        "remediation": RUN_ID,
    }
    assert plan.environments == ("Production",)


def test_plan_reads_only_the_files_it_needs() -> None:
    from tests.catalogs.samples import target_of

    target, _ = target_of(SHIPPED, "upscale_service", entity="my-service")
    paths = [f"{FOLDER}/{n}" for n in ("common_values.yaml", "portData.json", "custom_values.yaml")]

    assert target.reads(paths) == paths[:2]
    assert target.kind.folders(target.parts) == [FOLDER]
    assert (target.key, target.repository) == ("service/my-service", "services")


# -- buckets


def test_bucket_is_written_from_a_skeleton() -> None:
    plan = files_of(SHIPPED, "create_bucket", inputs=BUCKET)

    folder = "buckets/payments/invoices"
    assert sorted(plan.files) == [
        f"{folder}/README.md",
        f"{folder}/main.tf.json",
        f"{folder}/portData.json",
    ]
    module = json.loads(text_of(plan, f"{folder}/main.tf.json"))["module"]["bucket"]
    assert module["purpose"] == "What $${customers} pay"
    assert (module["versioned"], module["expires_after_days"]) == (False, None)
    assert module["readers"] == BUCKET["readers"]
    assert plan.entity is not None
    assert plan.entity["identifier"] == "payments.invoices"
    assert plan.entity["properties"]["versioned"] is False
    assert "health_status" not in plan.entity["properties"]


def test_bucket_is_deleted_with_its_files() -> None:
    tree = tree_of(files_of(SHIPPED, "create_bucket", inputs=BUCKET))
    identifier = "payments.invoices"

    plan = files_of(
        SHIPPED, "delete_bucket", tree, entity=identifier, inputs={"bucket": identifier}
    )

    assert plan.files == dict.fromkeys(sorted(tree.files))


@pytest.mark.parametrize("team", ["a.b", "A", "..", "a/b", "pay\n", "-a"])
def test_refused_part_is_named_by_its_inputs_title(team: str) -> None:
    with pytest.raises(InvalidInput, match="Input 'Team' must be a team of 1 to 40"):
        plan_of(SHIPPED, "create_bucket", EMPTY, inputs={**BUCKET, "team": team})


def test_unused_inputs_are_named() -> None:
    from tests.catalogs.samples import target_of

    target, _ = target_of(
        SHIPPED, "create_bucket", inputs={**BUCKET, "cost": "x", "empty": "", "dry_run": True}
    )

    assert target.unused == ("cost",)


def test_removed_action_is_refused() -> None:
    with pytest.raises(UserError, match="no longer has the action 'old'"):
        plan_of(SHIPPED, "old", EMPTY, entity="x")


# -- Policy


def test_update_names_its_environments_before_and_after() -> None:
    path, key = "service/upscale_service/action.yaml", "nothing_to_do:\n"
    edit = '  - { file: "apps/{name}/portData.json", path: environment, to: Staging }\n'
    files = changed(SHIPPED, path, key, edit + key)
    _, asked = target_of(SHIPPED, "upscale_service", entity="my-service", inputs={})

    target = find_target(load_catalog(files), asked, None)
    plan = make_plan(target, asked, Situation(tree=service()))

    # The policy applies the stricter of the two.
    assert isinstance(plan, FilePlan)
    assert plan.environments == ("Production", "Staging")
