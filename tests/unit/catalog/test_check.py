"""Faults of a catalog are found with file, line and fix: one case per kind of fault."""

import json
from pathlib import Path

import pytest
from slipway.catalog.check import check_catalog
from slipway.catalog.loading import load_catalog
from slipway.catalog.reading import read_folder, read_object
from slipway.errors import CatalogRefused, ConfigurationError

from tests.catalogs.samples import ACME, SHIPPED, changed, faults_of

RESOURCE = "service/resource.yaml"
CREATE = "service/create_service/action.yaml"
CONFIGURE = "service/configure_service/action.yaml"
FORM = "service/create_service/action.json"
VALUES = "service/create_service/files/services/{team}/{name}/values-{env}.yaml"
TERRAFORM = "service/create_service/files/services/{team}/{name}/{env}/main.tf"
CONFIG = "service/create_service/files/services/{team}/{name}/{env}/config.json"


BLUEPRINT = "service/blueprint.json"
REDEPLOY = "service/redeploy_service/action.yaml"
REDEPLOY_JSON = "service/redeploy_service/action.json"
DELETE = "service/delete_service/action.yaml"
EDIT = 'values-{env}.yaml"\n    path: deployment.image.tag'
REQUIRED = '"required": [\n        "unit"'
REPLICAS = '"type": "number", "title": "Replicas"'


def line_of(path: str, text: str) -> int:
    """Return the line of a file of the acme catalog in which a text begins, from 1."""
    whole = read_folder(ACME)[path].decode()
    return whole.count("\n", 0, whole.index(text)) + 1


def is_reported(found: list[str], start: str, said: str) -> bool:
    """Whether a fault begins and continues with these texts."""
    return any(fault.startswith(start) and said in fault for fault in found)


def check(path: str, old: str, new: str) -> list[str]:
    return [str(fault) for fault in check_catalog(changed(ACME, path, old, new))]


def test_repository_catalogs_have_no_fault() -> None:
    for folder in (SHIPPED, ACME):
        assert check_catalog(read_folder(folder)) == []


# Each: file, existing text, replacement, message about the first line that differs.
STRUCTURE = [
    (RESOURCE, "health:", "helth:", "The key 'helth' is unknown. Did you mean 'health'?"),
    (CREATE, "metadata:", "meta:", "The key 'meta' is unknown. Did you mean 'metadata'?"),
    (CONFIGURE, "operation: update", "operation: change", "must be one of: create, update"),
    (RESOURCE, 'metadata: "s', 'metadata: "/s', "must not have the segment ''"),
    (RESOURCE, "{unit}.{team}", "{unit}{team}", "a separator between two parts"),
    (RESOURCE, "{name}.{env}", "{nam}.{env}", "'{nam}' is not a part"),
    (RESOURCE, "example: qa", "example: test", "The example of 'env' is not a valid value."),
    (RESOURCE, '"dev|qa', '"(dev|qa', "The pattern of 'env' fails"),
    (RESOURCE, 'values-{env}.yaml", "s', 'values.yaml", "s', "does not contain the part 'env'"),
    (RESOURCE, '"{unit}"', '"x-{unit}"', "mixes a part with other text"),
    (RESOURCE, "port-{env}.json", "port-{env}.yaml", "The metadata file is not JSON."),
    (RESOURCE, '"{{ .parts.env }}"', "no", "has 'no' at line 11"),
    (CREATE, "operation: create", "on: create", "which readers of YAML take for"),
    (FORM, '"CREATE"', '"DAY-2"', '\'trigger.operation\' is "DAY-2". It must be "CREATE".'),
    (FORM, 'Identifier": "service"', 'Identifier": "x"', 'It must be "service".'),
    (FORM, '"create_service"', '"x"', 'It must be "create_service".'),
]


@pytest.mark.parametrize(("path", "old", "new", "said"), STRUCTURE)
def test_structural_fault_is_found(path: str, old: str, new: str, said: str) -> None:
    found = faults_of(changed(ACME, path, old, new))

    assert is_reported(found, f"{path}:{line_of(path, old)}: ", said), found


def test_structural_fault_is_found_at_the_parent_key() -> None:
    missing = faults_of(changed(ACME, CONFIGURE, "    to:", "    too:"))
    separator = faults_of(changed(ACME, RESOURCE, "{team}.{name}.{env}", "{team}-{name}-{env}"))

    assert is_reported(missing, f"{CONFIGURE}:4: ", "The key 'set.0.to' is missing. Add it.")
    assert is_reported(separator, f"{RESOURCE}:5: ", "may contain '-', which separates it")


def test_invalid_yaml_file_is_found() -> None:
    found = faults_of(changed(ACME, CREATE, "operation: create", "operation: ["))

    assert is_reported(found, f"{CREATE}:4: ", "is not valid YAML")


NAMES = [
    (CREATE, ".inputs.tier", ".inputs.teir", "'.inputs.teir' does not exist. Did you mean 'tier'"),
    (CREATE, ".inputs.unit", ".input.unit", "'.input' does not exist in an expression."),
    (CREATE, ".inputs.unit", ".inputs.unit | |", "is not jq"),
    (CREATE, ".inputs.unit }}", ".inputs.unit }", "an unfinished expression"),
    (CREATE, ".inputs.unit", ".metadata.tier", "'.metadata' is not available here."),
    (CREATE, '  tier: "', '  identifier: "', "Slipway itself writes 'identifier'"),
    (CREATE, "refuse:", "verbatim: [x]\nrefuse:", "The skeleton has no file 'x'."),
    (RESOURCE, ".metadata.tier", ".metadata.teir", "'.metadata.teir' does not exist."),
    (RESOURCE, ".parts.env", ".parts.en", "'.parts.en' does not exist"),
    (RESOURCE, ".parts.env", ".settings.e", "'.settings' is not available here."),
    (RESOURCE, ".properties.health_url", ".properties.url", "'.properties.url' does not exist."),
    (RESOURCE, '  tier: "', '  teir: "', "The blueprint has no property 'teir'."),
    (RESOURCE, "  on_call:", "  oncall:", "The blueprint has no relation 'oncall'."),
    (RESOURCE, '  tier: "', '  health_status: "', "writes the property 'health_status'."),
    (RESOURCE, "path: regions", 'path: ".regions"', "'.regions' is not a path."),
    (RESOURCE, "{env}/config.json", "config.json", "not one of the kind's files"),
    (RESOURCE, "restart: redeploy", "restart: configure", "does a workflow"),
    (RESOURCE, "restart: redeploy", "scale: configure", "no first edit that uses one input"),
    (RESOURCE, 'acme.example/"\n', 'acme.example"\n', "must be http or https, a host in lower"),
    (CONFIGURE, "{name}/values-{env}.yaml", "{name}/values-*.yaml", "is not a single path"),
    (CONFIGURE, "values-{env}.yaml", "values-{stage}.yaml", "'{stage}' is not a part"),
    (CONFIGURE, "services/{team}", "services/x", "not one of the kind's files"),
    (CONFIGURE, "values-{env}.yaml", "{env}/x.txt", "cannot be edited"),
    (CONFIGURE, "config.json", "../x.json", "must not have the segment '..'"),
    (REDEPLOY, "to {{ .parts.env }}", "to {{ .parts.en }}", "'.parts.en' does not exist."),
    (DELETE, "confirm: confirm", "confirm: name", "no input 'name'"),
    (VALUES, "{{ .inputs.image }}", "{{ .inputs.imag }}", "'.inputs.imag' does not exist."),
    (VALUES, '"{{ .inputs.image }}"', "{{ .inputs.image }}", "an unquoted '{{ … }}'"),
    (VALUES, "channel:", '"{{ .inputs.team }}":', "has an expression"),
    (TERRAFORM, "cost_center | hcl", "cost_center | @json", "'@json' does not make a text safe"),
    (TERRAFORM, ".inputs.regions", ".inputs.region", "'.inputs.region' does not exist."),
    (CONFIG, '"tier"', '"{{ .x }}"', "has an expression"),
]


@pytest.mark.parametrize(("path", "old", "new", "said"), NAMES)
def test_invalid_name_is_found(path: str, old: str, new: str, said: str) -> None:
    found = check(path, old, new)

    assert is_reported(found, f"{path}:{line_of(path, old)}: ", said), found


# Each is found in another place than the change: that place, and the message.
ELSEWHERE = [
    (CREATE, '  env: "{{ .inputs.env }}"\n', "", CREATE, "The part 'env' is missing."),
    (CONFIGURE, EDIT, 'port-{env}.json"\n    path: run_id', CONFIGURE, "itself writes 'run_id'"),
    (BLUEPRINT, '"health_detail"', '"x"', RESOURCE, "the property 'health_detail' of type string"),
    (BLUEPRINT, '"health_detail": {', '"sync_status": {"type": "number"}, "health_detail": {',
     RESOURCE, "The blueprint must have the property 'sync_status' of type string"),
    (FORM, '"title": "Dry run",', '"title": "Dry run", "type": "string",', FORM, "duplicate key"),
    (FORM, '"dry_run": {', '"try": {', FORM, "The form has no 'dry_run'."),
    (REDEPLOY_JSON, '"required": []', '"required": ["reason"]', RESOURCE, "form requires reason."),
    (FORM, REQUIRED, REQUIRED.replace("unit", "unix"), FORM, "'unix' is required but"),
    (FORM, '"title": "Tier",', '"title": "Tier", "encryption": "aes256-gcm",', CREATE,
     "The input 'tier' is encrypted and must not reach a file."),
    (FORM, REPLICAS, REPLICAS.replace("number", "string"), RESOURCE,
     "'replicas' was not changed: \"sample\" is not of type number."),
    (CREATE, "refuse:", 'title: "for {{ .inputs.on_call }}"\nrefuse:', CREATE,
     "gives null, which cannot be part of a text"),
    (CREATE, '.parts.env == \\"prod\\" and .inputs.tier == \\"bronze\\"', ".parts.env", CREATE,
     "gives \"qa\", but must give true or false"),
    (CONFIGURE, "deployment.image.tag", "deployment.teg", CONFIGURE, "has no 'deployment.teg'"),
    (CONFIGURE, "{{ .inputs.debug }}", "{{ .inputs.image }}", CONFIGURE, "not of the type of"),
    (CONFIGURE, "config.json", "settings.json", CONFIGURE, "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new", "place", "said"), ELSEWHERE)
def test_fault_is_found_at_its_place(path: str, old: str, new: str, place: str, said: str) -> None:
    found = check(path, old, new)

    assert is_reported(found, f"{place}:", said), found


@pytest.mark.parametrize("name", ["action.json", "action.yaml"])
def test_missing_action_file_is_found(name: str) -> None:
    files = read_folder(ACME)
    del files[f"service/create_service/{name}"]

    assert faults_of(files)[0].startswith(f"service/create_service/{name}:1: The file is missing.")


def test_missing_blueprint_is_found() -> None:
    files = read_folder(ACME)
    del files["service/blueprint.json"]

    assert faults_of(files) == [
        "service/blueprint.json:1: The file is missing. Export the blueprint from Port."
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("service/notes.txt", "Slipway does not know this file."),
        ("service/create_service/action.yml", "Slipway does not know this file."),
        ("service/create_service/skeleton/x", "Slipway does not know this file."),
    ],
)
def test_unknown_file_is_found(path: str, said: str) -> None:
    assert faults_of({**read_folder(ACME), path: b"x"})[0].startswith(f"{path}:1: {said}")


def test_binary_file_is_found() -> None:
    files = {**read_folder(ACME), "service/create_service/files/x": b"\xff"}

    assert faults_of(files) == [
        "service/create_service/files/x:1: The file is not UTF-8 text. Use text files only."
    ]


@pytest.mark.parametrize("name", ["create-service", "roll_back", "x" * 40])
def test_action_with_a_reserved_name_is_refused(name: str) -> None:
    files = read_folder(ACME)
    moved = {path.replace("/redeploy_service/", f"/{name}/"): data for path, data in files.items()}

    assert any("cannot be an action's name" in fault for fault in faults_of(moved))


def test_empty_catalog_is_refused() -> None:
    with pytest.raises(CatalogRefused, match="The catalog has no kind"):
        load_catalog({"README.md": b"x"})


def test_refused_catalog_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        load_catalog(changed(ACME, RESOURCE, "health:", "helth:"))


# -- several kinds


def second_kind(**changes: str) -> dict[str, bytes]:
    """Return the acme catalog with a second kind of files elsewhere."""
    files = read_folder(ACME)
    resource = (
        'identifier: "{name}"\n'
        'parts: { name: { pattern: "[a-z]+", message: "a word", example: job } }\n'
        f"repository: {changes.get('repository', 'jobs')}\n"
        f'files: ["{changes.get("files", "jobs/{name}/**")}"]\n'
        'metadata: "jobs/{name}.json"\n'
        'environment: "x"\n'
    )
    blueprint = {"identifier": changes.get("blueprint", "job"), "schema": {"properties": {}}}
    return {
        **files,
        "job/resource.yaml": resource.encode(),
        "job/blueprint.json": json.dumps(blueprint).encode(),
    }


def test_kinds_with_other_paths_pass() -> None:
    assert check_catalog(second_kind()) == []


def test_overlapping_paths_of_two_kinds_are_found() -> None:
    found = check_catalog(second_kind(files="services/{name}/**"))

    assert [fault for fault in found if fault.file == "service/resource.yaml"]
    assert "may share paths with" in str(found[0])


def test_overlap_is_allowed_in_another_repository() -> None:
    repositories = {"pay": "acme/pay", "jobs": "acme/jobs"}

    assert check_catalog(second_kind(files="services/{name}/**"), repositories) == []


def test_overlap_is_found_when_two_keys_share_a_repository() -> None:
    repositories = {"pay": "acme/all", "jobs": "acme/all"}

    assert check_catalog(second_kind(files="services/{name}/**"), repositories)


def test_overlap_is_found_when_two_keys_differ_in_letter_case() -> None:
    # GitHub ignores letter case in repository names.
    repositories = {"pay": "acme/All", "jobs": "Acme/all"}

    assert check_catalog(second_kind(files="services/{name}/**"), repositories)


def test_blueprint_of_two_kinds_is_refused() -> None:
    with pytest.raises(CatalogRefused, match="'blueprint service' is also in 'job'"):
        load_catalog(second_kind(blueprint="service"))


def test_overlapping_patterns_of_one_kind_are_found() -> None:
    one = "services/{team}/{name}/values-{env}.yaml"
    found = check(
        RESOURCE, f'["{one}", ', f'["{one}", "services/{{name}}/{{team}}/values-{{env}}.yaml", '
    )

    assert any("of one entity and" in fault for fault in found), found


# -- the installation


def test_repository_missing_from_the_map_is_found() -> None:
    found = check_catalog(read_folder(SHIPPED), repositories={"service": "acme/services"})

    assert str(found[-1]) == (
        "service/resource.yaml:10: The map of repositories has no 'services'. "
        "Did you mean 'service'?"
    )


def test_repository_named_by_a_part_is_found_missing() -> None:
    found = check_catalog(read_folder(ACME), repositories={"other": "acme/other"})

    assert "No key of the map of repositories is a value of 'unit'." in str(found[0])


def test_shared_repository_of_two_keys_must_separate_entities() -> None:
    found = check_catalog(
        read_folder(ACME), repositories={"pay": "acme/one", "shop": "acme/one", "core": "acme/x"}
    )

    assert "'pay' and 'shop' are the same repository" in str(found[0])


def test_unknown_limit_of_the_policy_is_found() -> None:
    found = check_catalog(read_folder(SHIPPED), limits={"upscale_service": {"maximum": 5}})

    assert "The policy has the limit 'maximum'" in str(found[0])


def test_setting_is_refused_when_its_type_differs() -> None:
    found = check_catalog(read_folder(SHIPPED), settings={"namespace": 5})

    assert "'catalog_settings.namespace' does not have the type" in str(found[0])


def test_stored_object_is_read() -> None:
    import base64

    files = {"a/b": b"\x00x"}
    stored = {"files": {path: base64.b64encode(data).decode() for path, data in files.items()}}

    assert read_object(json.dumps(stored).encode()) == files


def test_folder_is_read_with_paths_within_it(tmp_path: Path) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind/x.yaml").write_bytes(b"a: 1\n")

    assert read_folder(tmp_path) == {"kind/x.yaml": b"a: 1\n"}


def test_environment_part_must_be_used() -> None:
    files = changed(ACME, CREATE, "metadata:", 'metadata:\n  stage: "{{ .inputs.env }}"')
    text = files[RESOURCE].decode()
    files[RESOURCE] = text.replace(
        '"{{ .parts.env }}"\nteam', '"{{ .metadata.stage }}"\nteam'
    ).encode()

    found = [str(fault) for fault in check_catalog(files)]

    assert is_reported(found, f"{RESOURCE}:11: ", "The part 'env' gives the environment")


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (BLUEPRINT, '{"identifier": "x", "schema": {"properties": {"a": 1}}}', "not a blueprint"),
        (BLUEPRINT, '{"identifier": "x", "schema": {"properties": {}}, "relations": [1]}', "not a"),
        (FORM, '{"trigger": {"userInputs": {"properties": {"a": 1}}}}', "The form cannot be read."),
        (FORM, '{"trigger": {"userInputs": []}}', "The form cannot be read."),
    ],
)
def test_port_file_of_another_shape_is_found(path: str, text: str, said: str) -> None:
    found = faults_of({**read_folder(ACME), path: text.encode()})

    assert is_reported(found, f"{path}:", said), found
