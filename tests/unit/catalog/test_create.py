"""Creates with typed documents, templates and rules."""

from collections.abc import Mapping
from typing import Any

import pytest
from slipway.catalog.check import check_catalog
from slipway.catalog.loading import load_catalog
from slipway.catalog.planning import FilePlan, Situation, make_plan
from slipway.catalog.reading import read_folder
from slipway.catalog.request import Request, Tree, find_target
from slipway.errors import EntityRefused, UserError

from tests.catalogs.samples import ACME, SHIPPED, changed
from tests.unit.catalog.test_acme import INPUTS as ACME_INPUTS
from tests.unit.catalog.test_shipped import INPUTS

ACTION = "service/create_service/action.yaml"
SKELETON = "service/create_service/files/services/{team}/{name}/{env}"


def create(files: Mapping[str, bytes], inputs: Mapping[str, Any], **limits: Any) -> FilePlan:
    request = Request(run_id="r_1", action="create_service", inputs=inputs)
    target = find_target(load_catalog(files), request)
    plan = make_plan(target, request, Situation(tree=Tree({}, {}), limits=limits))
    assert isinstance(plan, FilePlan)
    return plan


@pytest.mark.parametrize("value", [None, {}, ...])
def test_empty_document_creates_no_file(value: Any) -> None:
    typed = {} if value is ... else {"custom_values": value}

    assert (
        "apps/my-service/custom_values.json"
        not in create(read_folder(SHIPPED), {**INPUTS, **typed}).files
    )


@pytest.mark.parametrize(
    ("chosen", "path", "text"),
    [("JSON", "custom_values.json", "{}\n"), ("YAML", "custom_values.yaml", "\n")],
)
def test_empty_document_creates_a_file_when_requested(chosen: str, path: str, text: str) -> None:
    files = read_folder(SHIPPED)
    kept = files[ACTION].replace(
        b"    input: custom_values", b"    keep_empty: true\n    input: custom_values"
    )

    plan = create({**files, ACTION: kept}, {**INPUTS, "values_format": chosen})

    assert plan.files[f"apps/my-service/{path}"] == text


def test_key_is_not_added_when_its_value_is_null() -> None:
    files = changed(SHIPPED, ACTION, 'replicas: "{{ .inputs.replicas }}" }', "extra: null }")

    plan = create(files, INPUTS)

    assert "extra" not in str(plan.files["apps/my-service/common_values.json"])


def test_verbatim_template_is_copied_byte_for_byte() -> None:
    text = b"a: {{ .Values.a }}\n{{- if .Values.b }}\r\n$(x) ${y}\n{{- end }}"
    files = changed(
        ACME, ACTION, "refuse:", 'verbatim: ["services/{team}/{name}/{env}/chart.yaml"]\nrefuse:'
    )
    files[f"{SKELETON}/chart.yaml"] = text

    assert check_catalog(files) == []
    plan = create(files, ACME_INPUTS)
    assert plan.files["services/billing/invoices/qa/chart.yaml"] == text.decode()


def test_skeleton_may_have_hidden_files() -> None:
    files = {**read_folder(ACME), f"{SKELETON}/.gitignore": b"*.log\n"}

    assert check_catalog(files) == []
    assert create(files, ACME_INPUTS).files["services/billing/invoices/qa/.gitignore"] == "*.log\n"


def test_skeleton_without_expressions_stays_byte_for_byte() -> None:
    text = b"# a\r\nb:   [1]\r\n"
    files = {**read_folder(ACME), f"{SKELETON}/plain.yaml": text}

    plan = create(files, ACME_INPUTS)

    assert plan.files["services/billing/invoices/qa/plain.yaml"] == text.decode()


@pytest.mark.parametrize("condition", ['"{{ .parts.env }}"', "5", '"{{ null }}"', "x"])
def test_condition_must_give_true_or_false(condition: str) -> None:
    old = '"{{ .parts.env == \\"prod\\" and .inputs.tier == \\"bronze\\" }}"'
    files = changed(ACME, ACTION, old, condition)

    with pytest.raises(UserError, match="must give true or false"):
        create(files, ACME_INPUTS)


def test_rule_message_is_one_line() -> None:
    files = changed(SHIPPED, ACTION, "Input 'Replicas' must", "{{ .inputs.project }} must")

    with pytest.raises(UserError) as caught:
        create(files, {**INPUTS, "replicas": 1.5, "project": "a\n\n## b"})

    assert str(caught.value).startswith("a ## b must")


def test_entity_is_refused_when_port_would_refuse_it() -> None:
    files = changed(ACME, "service/blueprint.json", '"gold", ', "")

    with pytest.raises(EntityRefused, match="'tier' was not changed: \"gold\" is not one of"):
        create(files, ACME_INPUTS)


def test_create_knows_the_limits() -> None:
    rule = 'limits: { most: 5 }\nrefuse:\n  - if: "{{ .inputs.replicas > .limits.most }}"\n'
    files = changed(
        ACME, ACTION, "refuse:\n", f'{rule}    message: "At most {{{{ .limits.most }}}}."\n'
    )

    assert create(files, ACME_INPUTS)
    with pytest.raises(UserError, match=r"At most 1\."):
        create(files, ACME_INPUTS, most=1)


def test_plan_writes_no_foreign_file_even_without_a_check() -> None:
    files = {**read_folder(ACME), "service/create_service/files/services/{name}/x.md": b"x"}

    with pytest.raises(ValueError, match="'services/invoices/x.md' is not a file of service/pay"):
        create(files, ACME_INPUTS)
