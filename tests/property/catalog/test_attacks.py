"""Hostile expressions and skeletons read no environment, and input never becomes code."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
from typing import Any

import jq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from slipway.catalog.documents import read_document
from slipway.catalog.expressions import evaluate, parse_template
from slipway.catalog.skeleton import fill_in
from slipway.errors import DocumentRefused, ExpressionRefused, UserError

SECRET = "the-secret-of-this-process"
FILTERS = sorted(jq.compile("builtins").input_value(None).first())
ENDLESS = {
    "repeat/1",
    "range/1",
    "range/2",
    "range/3",
    "until/2",
    "while/2",
    "recurse/1",
    "recurse/2",
}


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_SECRET", SECRET)


def calls() -> list[str]:
    """Return each filter of jq with arguments and inputs of several kinds."""
    found = []
    for name in FILTERS:
        word, _, arity = name.partition("/")
        if name in ENDLESS:
            continue
        for argument in (".", '"SLIPWAY_SECRET"', "env", "$ENV"):
            arguments = "; ".join([argument] * int(arity))
            call = f"{word}({arguments})" if int(arity) else word
            found += [call, f'"SLIPWAY_SECRET" | {call}', f"{{}} | {call}", f"0 | {call}"]
    return sorted(set(found))


WAYS = [
    "env.SLIPWAY_SECRET", "$ENV.SLIPWAY_SECRET", "$ENV", "env", "[env]", "env | tojson",
    "1) | ($ENV", "1) | (env", "def env: $ENV; env", "def f: env; f", ". as $ENV | $ENV",
    "reduce $ENV as $x (.; $x)", "[limit(1; env)]",
    "try env catch .", "try error(env) catch .",
    '"\\(env)"', '"\\($ENV.SLIPWAY_SECRET)"', '@json "\\(env)"', "$__prog_args", "$__loc__",
    'getpath(["SLIPWAY_SECRET"])', "input", "inputs", "[inputs]", "input_filename", "debug",
    "stderr",
    'import "a" as a; .', 'include "a"; .', "{} | modulemeta",
    '"/proc/self/environ" | modulemeta',
    "get_search_list", "$ENV as $e | $e", "label $ENV | break $ENV", "path($ENV)", "halt_error",
    "now", "now | localtime | mktime", '"%Z" as $f | 0 | strflocaltime($f)', "#\n$ENV",
    "ENV", "$env",
]  # fmt: skip


@pytest.mark.parametrize("source", WAYS)
def test_environment_is_not_readable(source: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = ""
    with contextlib.suppress(ExpressionRefused, ValueError):
        said = json.dumps(evaluate(f"{{{{ {source} }}}}", {"inputs": {}}))

    assert SECRET not in said + "".join(capfd.readouterr())


def test_jq_filters_do_not_show_the_environment(capfd: pytest.CaptureFixture[str]) -> None:
    said = []
    for source in calls():
        try:
            said.append(json.dumps(evaluate(f"{{{{ [{source}] }}}}", {})))
        except (ExpressionRefused, ValueError) as error:
            said.append(str(error))

    assert len(said) > len(FILTERS)
    assert SECRET not in "".join([*said, *capfd.readouterr()])


def test_jq_filters_show_the_environment_without_the_prelude() -> None:
    # This shows that the test above can fail.
    assert SECRET in json.dumps(jq.compile("env").input_value(None).first())
    assert SECRET in json.dumps(jq.compile("$ENV").input_value(None).first())


def test_clock_and_time_zone_are_not_readable() -> None:
    program = (
        "from slipway.catalog.expressions import evaluate\n"
        "print(evaluate('{{ 0 | gmtime | mktime | todate }}', {}))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone in ("Asia/Tokyo", "America/Lima")
    }

    assert said == {"1970-01-01T00:00:00Z\n"}


@given(st.text(alphabet='{}|"\\().$ #\nenvENV[];,a1', max_size=30))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError, ExpressionRefused):
        for expression in parse_template(text).expressions:
            expression.compile()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_typed_value_keeps_its_type(value: Any) -> None:
    with contextlib.suppress(ExpressionRefused):
        result = evaluate("{{ .inputs.v }}", {"inputs": {"v": value}})
        assert json.dumps(result, sort_keys=True) == json.dumps(value, sort_keys=True)


PIECES = [
    "\n", "admin: true", "${", "%{", "{{", "$(", "}", '"', "'", "\\", "`", ": ", "- ", "#",
    "a", "&x", "*x",
    "!!", "]", ",",
]  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=20)
SKELETONS = {
    "a.yaml": 'a: 1\nv: "{{ .inputs.v }}" # c\nw:\n  - "x {{ .inputs.v }}"\n',
    "a.json": '{"a": 1, "v": "{{ .inputs.v }}", "w": ["x {{ .inputs.v }}"]}',
    "a.tf.json": (
        '{"a": 1, "v": "{{ .inputs.v | hcl_text }}", "w": ["x {{ .inputs.v | hcl_text }}"]}'
    ),
}


@pytest.mark.parametrize("path", SKELETONS)
@given(value=hostile)
def test_typed_text_adds_no_node_to_a_skeleton(path: str, value: str) -> None:
    with contextlib.suppress(UserError):
        text = fill_in(path, SKELETONS[path], {"inputs": {"v": value}}, lambda _: "The field")
        read = yaml.safe_load(text) if path == "a.yaml" else json.loads(text)
        assert read.keys() == {"a", "v", "w"}
        assert (read["a"], len(read["w"])) == (1, 1)
        undoubled = read["v"].replace("$${", "${").replace("%%{", "%{")
        assert undoubled == value if "hcl" in SKELETONS[path] else read["v"] == value
        with contextlib.suppress(DocumentRefused):
            assert read_document(text, "yaml" if path == "a.yaml" else "json").value() == read


@given(value=hostile)
def test_typed_text_is_plain_in_other_files(value: str) -> None:
    try:
        text = fill_in("a.sh", "echo {{ .inputs.v }}\n", {"inputs": {"v": value}}, lambda _: "V")
    except UserError:
        return

    typed = text.removeprefix("echo ").removesuffix("\n")
    assert typed == value
    assert all((char.isalnum() and char.isascii()) or char in " ._@/-" for char in typed)


def test_every_hostile_value_is_one_shell_word() -> None:
    values = ["".join(pair) for pair in itertools.product(PIECES, repeat=2)]
    lines = [
        fill_in(
            "a.sh",
            "printf '%s\\0' {{ .inputs.v | @sh }}\n",
            {"inputs": {"v": value}},
            lambda _: "V",
        )
        for value in values
    ]
    done = subprocess.run(["sh", "-c", "".join(lines)], capture_output=True, text=True, check=True)

    assert done.stdout.split("\0")[:-1] == values
