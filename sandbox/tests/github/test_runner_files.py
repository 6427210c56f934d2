"""The runner's pure parts: workflow files, filters, environment files, masks."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.github.runner.commands import CommandError, Masker, parse_environment_file
from sandbox.github.runner.triggers import matches, passes, starts
from sandbox.github.runner.workflow import Trigger, WorkflowError, parse

TEMPLATE = Path(__file__).resolve().parents[3] / "services-repo" / ".github" / "workflows"


@pytest.mark.parametrize("file", sorted(TEMPLATE.glob("*.yml")), ids=lambda file: file.name)
def test_the_template_can_be_run(file: Path) -> None:
    assert parse(file.read_text()).jobs


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("on: schedule", "the event 'schedule'"),
        ("on: {push: {brunches: [a]}}", "brunches"),
        ("jobs: {a: {runs-on: windows-latest, steps: [{run: echo}]}}", "runs-on"),
        ("jobs: {a: {runs-on: ubuntu-latest, container: x, steps: [{run: echo}]}}", "container"),
        ("jobs: {a: {runs-on: ubuntu-latest, needs: b, steps: [{run: echo}]}}", "unknown jobs: b"),
        ("jobs: {a: {runs-on: ubuntu-latest, needs: a, steps: [{run: echo}]}}", "circle"),
        ("jobs: {a: {runs-on: ubuntu-latest, steps: [{name: x}]}}", "'run' or 'uses'"),
        ("env: {A: '${{ 1 + 1 }}'}", "'env.A'"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_file_is_refused_with_the_place(change: str, named: str) -> None:
    rest = {"on": "on: push", "jobs": "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo}]}}"}
    lines = [change, *(line for key, line in rest.items() if not change.startswith(key))]
    with pytest.raises(WorkflowError) as error:
        parse("\n".join(lines))
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "text", "verdict"),
    [
        ("*", "main", True),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("apps/**", "apps/x/y.yaml", True),
        ("apps/**", "other/apps/x", False),
        ("**/README.md", "README.md", True),
        ("**/README.md", "a/b/README.md", True),
        ("*.js", "a.js", True),
        ("v[12].[0-9]+", "v1.25", True),
        ("*.jsx?", "page.js", True),
        ("v1.0", "v1x0", False),
        ("[z-a]", "b", False),
    ],
)
def test_patterns(pattern: str, text: str, verdict: bool) -> None:
    assert matches(pattern, text) is verdict


def test_the_last_pattern_decides() -> None:
    patterns = ["releases/**", "!releases/**-alpha", "releases/special-alpha"]
    assert passes(patterns, "releases/10")
    assert not passes(patterns, "releases/10-alpha")
    assert passes(patterns, "releases/special-alpha")


@pytest.mark.parametrize(
    ("rules", "action", "ref", "paths", "verdict"),
    [
        ({}, "opened", "main", [], True),
        ({}, "closed", "main", [], False),
        ({"types": "closed"}, "closed", "main", [], True),
        ({"branches": ["dev"]}, "opened", "main", [], False),
        ({"branches-ignore": ["main"]}, "opened", "main", [], False),
        ({"paths": ["apps/**"]}, "opened", "main", ["docs/x", "apps/y"], True),
        ({"paths-ignore": ["docs/**"]}, "opened", "main", ["docs/x"], False),
    ],
)
def test_pull_request_filters(
    rules: dict[str, object], action: str, ref: str, paths: list[str], verdict: bool
) -> None:
    trigger = Trigger.model_validate(rules)
    assert starts(trigger, "pull_request", action, ref, lambda: paths) is verdict


def test_tags_start_nothing_that_asks_for_branches() -> None:
    trigger = Trigger.model_validate({"branches": ["**"]})
    assert not starts(trigger, "push", None, "refs/tags/v1", list)
    assert starts(Trigger(), "push", None, "refs/tags/v1", list)


keys = st.from_regex(r"[A-Z_]{1,8}", fullmatch=True)
lines = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(keys, lines))
def test_single_lines_are_read_back(values: dict[str, str]) -> None:
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    assert parse_environment_file(text) == values


@given(st.dictionaries(keys, st.lists(lines.filter(lambda line: line != "END"), min_size=1)))
def test_blocks_are_read_back(values: dict[str, list[str]]) -> None:
    text = "".join(f"{key}<<END\n" + "\n".join(v) + "\nEND\n" for key, v in values.items())
    assert parse_environment_file(text) == {key: "\n".join(v) for key, v in values.items()}


@given(st.text(max_size=100))
def test_any_environment_file_is_read_or_refused(text: str) -> None:
    with suppress(CommandError):
        assert isinstance(parse_environment_file(text), dict)


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.text(max_size=20))
def test_no_line_of_a_secret_is_shown(secret: str, around: str) -> None:
    shown = Masker([secret]).mask(f"{around}{secret}{around}")
    assert all(line.strip() not in shown.replace("***", "") for line in secret.splitlines()
               if len(line.strip()) > len(around) + 1)  # fmt: skip


def test_a_step_can_mask_and_annotate() -> None:
    masker = Masker([])
    assert masker.show("::add-mask::abc") is None
    assert masker.show("::error file=x::value abc") == "##[error]value ***"
