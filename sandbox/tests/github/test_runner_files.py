"""The runner's pure parts: workflow files, filters, masks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.github.runner.commands import Masker
from sandbox.github.runner.triggers import matches, starts
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
        ("jobs: {a: {runs-on: ubuntu-latest, needs: b, steps: [{run: echo}]}}", "jobs.a.needs"),
        ("jobs: {a: {runs-on: ubuntu-latest, steps: [{uses: a/b@c}]}}", "steps.0.uses"),
        ("jobs: {a: {runs-on: ubuntu-latest, steps: [{run: a, shell: sh}]}}", "steps.0.shell"),
        ("on: {push: {paths: [a]}}", "on.push.paths"),
        ("run-name: '${{ 1 + 1 }}'", "'run-name'"),
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


@pytest.mark.parametrize(
    ("rules", "action", "starting"),
    [
        ({}, "opened", True),
        ({}, "closed", False),
        ({"types": "closed"}, "closed", True),
        ({"types": ["closed"]}, "opened", False),
    ],
)
def test_pull_request_starts_the_listed_types(
    rules: dict[str, object], action: str, starting: bool
) -> None:
    assert starts(Trigger.model_validate(rules), "pull_request", action) is starting


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.text(max_size=20))
def test_no_line_of_a_secret_is_shown(secret: str, around: str) -> None:
    shown = Masker([secret]).mask(f"{around}{secret}{around}")
    assert all(line.strip() not in shown.replace("***", "") for line in secret.splitlines()
               if len(line.strip()) > len(around) + 1)  # fmt: skip


def test_a_step_can_mask_and_annotate() -> None:
    masker = Masker([])
    assert masker.show("::add-mask::abc") is None
    assert masker.show("::error file=x::value abc") == "##[error]value ***"
