"""The report's pure parts: branch names, values, addresses, waits."""

import ast
import io
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from slipway_report.api import ReportError, named_wait
from slipway_report.catalogue import Templates
from slipway_report.subject import agree, claims_of_branch
from slipway_report.values import Values, read_values

SCRIPT = Path(__file__).resolve().parents[3] / "services-repo" / ".github" / "slipway"


@pytest.mark.parametrize(
    "name",
    [
        "slipway/create_service",
        "slipway/create_service/r_1/x",
        "slipway/create_service/../r_1",
        "slipway/create_service/r_1\n",
        "slipway/Create-Service/r_1",
        "feature/create_service/r_1",
        "slipway/create_service/wfnr_1",
        "",
    ],
)
def test_branch_of_no_run_is_refused(name: str) -> None:
    with pytest.raises(ReportError, match="Nothing was reported"):
        claims_of_branch(name)


@given(st.text(min_size=1, max_size=80))
def test_no_service_name_leaves_its_folder(name: str) -> None:
    claims = {"branch": {"action": "create_service", "run_id": "r_1", "blueprint": "service"}}
    try:
        subject = agree({**claims, "body": {"identifier": name}})
    except ReportError:
        return
    assert len(subject.service) <= 63
    assert set(subject.service) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert subject.folder.split("/") == ["apps", name]


def test_what_no_source_says_is_missing() -> None:
    with pytest.raises(ReportError, match="no source at all"):
        agree({"branch": {"action": "create_service", "run_id": "r_1"}})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("replicas: 3\n", Values(3)),
        ("---\nreplicas: 3 # as ever\nimage:\n  tag: v1\n", Values(3, "v1")),
        (
            "image: # ours\n  repository: x/y\n  tag: '1.0'\n  env:\n    tag: no\n",
            Values(None, "1.0"),
        ),
        ("image:\n  tag: 1.0\nreplicas: 2\n", Values(2, "1.0")),
        ("queues:\n- orders\nreplicas: 2\n", Values(2)),
        ("note: 'the customer''s'\nreplicas: 2\n", Values(2)),
        ("note: the customer's basket\nimage:\n  tag: 1.4.0\nreplicas: 2\n", Values(2, "1.4.0")),
        ("note: |\n  replicas: 9\n", Values()),
        ("deep:\n  replicas: 9\n", Values()),
        ("replicas: 2\nreplicas: 3\n", Values()),
        ("replicas: 2\n  3\n", Values()),
        ("replicas: two\n", Values()),
        ("replicas: 010\n", Values()),
        ("{replicas: 2}\n", Values()),
        ("a: {\nreplicas: 2\n}\n", Values()),
        ('a: "\nreplicas: 2\n"\n', Values()),
        ("a: 1\n---\nreplicas: 2\n", Values()),
        ('image: {tag: "x"}\n', Values()),
        ("image:\n  - tag: x\n", Values()),
        ("image:\n  tag: x\n    y\n", Values()),
        ("", Values()),
    ],
)
def test_yaml_values(text: str, values: Values) -> None:
    assert read_values(text, "yaml") == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"replicas": 3, "image": {"tag": "v1"}}', Values(3, "v1")),
        ('{"replicas": true, "image": []}', Values()),
        ('{"replicas": "3"}', Values()),
        ("[]", Values()),
        ("{", Values()),
        ("[" * 100_000, Values()),
    ],
)
def test_json_values(text: str, values: Values) -> None:
    assert read_values(text, "json") == values


_PIECES = st.sampled_from(
    ["replicas: 2", "replicas: '4'", "image:", "  tag: v1", "  tag: 'v2'", "    tag: v3", "a: |",
     "  text", "- x", "b: >", "# c", "", "a: {", "}", "q: 'open", "q: \"x", "'", '"', "  - y",
     "---", "...", "k: [1,", "]", "replicas:", "  5", "image: {tag: z}", "  'tag': w", "&a b: 1",
     "c: *a", "  name: it's", "  x:", "? y", ": z", "\treplicas: 3", "image: &i", "<<: *i",
     "  tag: v4 # no"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=8))
def test_what_is_read_from_yaml_is_what_a_yaml_reader_reads(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    found = read_values(text, "yaml")
    if found == Values():
        return
    try:
        data = _load(text)
    except (YAMLError, ValueError, Warning):
        return  # what no chart can be rendered from says nothing
    if found.replicas is not None:
        assert str(data["replicas"]) == str(found.replicas)
    if found.image_tag is not None:
        assert data["image"]["tag"] == found.image_tag


def _load(text: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    return yaml.load(io.StringIO(text))


def test_values_in_addresses_are_encoded() -> None:
    templates = Templates.read({"HEALTH_URL": "https://h.test/{service}?e={environment}"})

    found = templates.properties("a b/../c", "Test & more")

    assert found["health_url"] == "https://h.test/a%20b%2F..%2Fc?e=test%20%26%20more"


@pytest.mark.parametrize("template", ["ftp://x/{service}", "{service}", "https://", "https://a b"])
def test_template_that_gives_no_address_is_refused(template: str) -> None:
    with pytest.raises(ReportError, match="HEALTH_URL"):
        Templates.read({"HEALTH_URL": template}).properties("s", "Test")


@pytest.mark.parametrize("days", ["0", "-1", "a", "1.5", "100000"])
def test_ttl_that_is_no_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(ReportError, match="SERVICE_TTL_DAYS"):
        Templates.read({"SERVICE_TTL_DAYS": days})


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (503, {"Retry-After": "5"}, 5.0),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:28:20 GMT"}, 700.0),
        (503, {"Retry-After": "soon"}, None),
        (429, {"x-ratelimit-reset": "30"}, 30.0),
        (429, {"x-ratelimit-reset": "2000000010"}, 2_000_000_010.0 - 1000),
        (403, {"x-ratelimit-reset": "30", "x-ratelimit-remaining": "0"}, 30.0),
        (403, {"x-ratelimit-reset": "30", "x-ratelimit-remaining": "9"}, None),
        (500, {}, None),
    ],
)
def test_wait_that_the_headers_name(
    status: int, headers: dict[str, str], wait: float | None
) -> None:
    message = Message()
    for name, value in headers.items():
        message[name] = value

    assert named_wait(status, message, now=1000.0) == wait


def test_script_needs_the_standard_library_of_python_3_11_only() -> None:
    import sys

    for file in SCRIPT.rglob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 11))
        names = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert names <= sys.stdlib_module_names | {"slipway_report"}, file
