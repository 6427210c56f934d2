"""Skeletons: an input becomes a value of the file and nothing else."""

import json
from typing import Any

import pytest
import yaml
from slipway.catalog.skeleton import fill_in
from slipway.errors import InvalidInput, UserError

HOSTILE = [
    "x\nadmin: true",
    "${path.module}",
    "%{ if true }x%{ endif }",
    '"',
    "{{ .Values.secret }}",
    "$(id)",
    "'; id; '",
    "`id`",
    "]] {} <b> \\",
]
LIVE = ("${", "%{", "{{", "$(")


def fill(path: str, text: str, value: Any) -> str:
    return fill_in(path, text, {"inputs": {"v": value}}, lambda _: "The field")


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", 'a: 1\nv: "{{ .inputs.v }}" # c\nb: [x]\n'),
        ("a.json", '{"a": 1, "v": "{{ .inputs.v }}", "b": ["x"]}'),
        ("a.tf.json", '{"a": 1, "v": "{{ .inputs.v }}", "b": ["x"]}'),
    ],
)
def test_hostile_value_stays_one_scalar_or_is_refused(path: str, text: str, value: str) -> None:
    if any(live in value for live in LIVE):
        with pytest.raises(InvalidInput, match="Input 'The field' must not contain"):
            fill(path, text, value)
        return

    assert yaml.safe_load(fill(path, text, value)) == {"a": 1, "v": value, "b": ["x"]}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.md", "# {{ .inputs.v }}\n"),
        ("a.sh", "echo {{ .inputs.v }}\n"),
        ("a.tf", 'name = "{{ .inputs.v }}"\n'),
        ("Dockerfile", "FROM {{ .inputs.v }}\n"),
        ("a.yaml", 'v: "x-{{ .inputs.v }}"\n'),
    ],
)
def test_hostile_value_is_refused_within_text(path: str, text: str, value: str) -> None:
    with pytest.raises(InvalidInput, match="Input 'The field' m"):
        fill(path, text, value)


@pytest.mark.parametrize("value", HOSTILE)
def test_encoded_value_is_one_word_of_a_shell(value: str) -> None:
    import subprocess

    script = fill("a.sh", "printf %s {{ .inputs.v | @sh }}\n", value)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("v: '{{ .inputs.v }}'\n", 3),
        ("v: '{{ .inputs.v }}'\n", True),
        ("v: '{{ .inputs.v }}'\n", None),
        ("v: '{{ .inputs.v }}'\n", ["a", "b: c"]),
        ("v: '{{ .inputs.v }}'\n", {"a": {"b": [1]}}),
        ("v: '{{ .inputs.v }}'\n", "no"),
        ("v: |\n  {{ .inputs.v }}\nw: 1\n", "plain"),
    ],
)
def test_yaml_value_keeps_its_type(text: str, value: Any) -> None:
    written = yaml.safe_load(fill("a.yaml", text, value))

    assert written["v"] == (f"{value}\n" if "|" in text else value)


def test_yaml_keeps_every_other_byte() -> None:
    text = "# head\na:   1   # one\nv: '{{ .inputs.v }}' # two\n\n# end\n"

    assert fill("a.yaml", text, "x") == text.replace("'{{ .inputs.v }}'", "x")


@pytest.mark.parametrize("value", [["${x}"], {"a": "$(x)"}, {"{{": 1}, [[{"a": "%{x}"}]]])
def test_active_text_is_refused_deep_in_a_value(value: Any) -> None:
    with pytest.raises(InvalidInput, match="must not contain"):
        fill("a.yaml", "v: '{{ .inputs.v }}'\n", value)


def test_literal_braces_are_written_by_an_expression() -> None:
    assert fill("a.yaml", """v: '{{ "{{" }} .Values.x }}'\n""", "") == 'v: "{{ .Values.x }}"\n'


def test_encoder_of_another_language_does_not_count() -> None:
    with pytest.raises(InvalidInput, match="must not contain"):
        fill("a.tf", "v = {{ .inputs.v | @json }}\n", "${x}")
    with pytest.raises(InvalidInput, match="must not contain"):
        fill("a.sh", "v={{ .inputs.v | @json }}\n", "$(x)")


def test_hcl_doubles_what_terraform_evaluates() -> None:
    assert fill("a.tf", "v = {{ .inputs.v | hcl }}\n", '${x} %{y} "q"') == (
        'v = "$${x} %%{y} \\"q\\""\n'
    )
    assert fill("a.tf", 'v = "a {{ .inputs.v | hcl_text }}"\n', '${x} "') == 'v = "a $${x} \\""\n'
    written = fill("a.tf.json", '{"v": "{{ .inputs.v | hcl_text }}"}', '${x} "')
    assert json.loads(written) == {"v": '$${x} "'}


def test_control_character_is_refused_by_hcl() -> None:
    with pytest.raises(UserError, match="a control character cannot be written as HCL"):
        fill("a.tf", "v = {{ .inputs.v | hcl }}\n", "a\x08")


def test_text_without_input_is_trusted() -> None:
    assert fill("a.sh", """echo {{ "$(date)" }}\n""", "") == "echo $(date)\n"


@pytest.mark.parametrize("text", ["v: {{ .inputs.v }}\n", "a: 1\n---\nb: 2\n", "- a\n"])
def test_yaml_skeleton_is_refused_when_it_cannot_be_read(text: str) -> None:
    with pytest.raises(UserError, match=r"The skeleton of a\.yaml "):
        fill("a.yaml", text, "x")
