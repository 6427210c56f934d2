"""`scripts/new_action`: what it makes is right at once, and what it refuses leaves nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from scripts import new_action
from tests.checkout import copy_repository

pytestmark = pytest.mark.waits

NAME = "made_in_a_test"
LONG_NAME = "note_everything_down_for_the_next_shift"
MADE = [
    f"functions/{NAME}/__init__.py",
    f"functions/{NAME}/handler.py",
    f"port/actions/{NAME}.json",
    f"port/automations/{NAME}_ended.json",
    f"shared/slipway/changes/{NAME}.py",
    f"tests/unit/changes/test_{NAME}.py",
]
CHANGED = [
    "port/README.md",
    "shared/slipway/changes/registry.py",
    "terraform/actions.tf",
    "terraform/tests/artifacts/artifacts.json",
]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("untouched"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return copy_repository(tmp_path)


def new(repository: Path, name: str) -> tuple[int, str]:
    app = Typer()
    app.command()(new_action.main)
    done = CliRunner().invoke(app, [name, "--root", str(repository)])
    return done.exit_code, done.output


def contents(repository: Path) -> dict[str, bytes]:
    """Path → bytes of all files, links left out."""
    return {
        path.relative_to(repository).as_posix(): path.read_bytes()
        for path in repository.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and not {"__pycache__", ".mypy_cache"} & set(path.parts)
    }


def check(repository: Path, *module: str) -> None:
    """Run a Python module in the copy, with what it imports from there."""
    paths = [repository / "shared", repository]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, paths))}
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_given_a_name_when_made_then_files_and_entries_are_there_and_nothing_else_changed(
    repository: Path,
) -> None:
    before = contents(repository)

    status, output = new(repository, NAME)

    after = contents(repository)
    assert status == 0
    assert sorted(after.keys() - before.keys()) == MADE
    assert sorted(name for name in before if after[name] != before[name]) == CHANGED
    assert all(path in output for path in MADE + CHANGED)
    assert not [path for path in MADE if b"xample" in after[path]]


def test_given_two_new_actions_when_checked_then_lint_types_and_tests_pass(
    repository: Path,
) -> None:
    assert new(repository, LONG_NAME)[0] == 0
    assert new(repository, NAME)[0] == 0

    written = [path for path in (*MADE, *CHANGED) if path.endswith(".py")]
    written += [path.replace(NAME, LONG_NAME) for path in written]
    check(repository, "ruff", "check", "--quiet", *written)
    check(repository, "ruff", "format", "--quiet", "--check", *written)
    # Handlers are all alike, and what they import would take mypy twice as long.
    typed = [path for path in dict.fromkeys(written) if not path.startswith("functions/")]
    check(repository, "mypy", "--follow-imports=silent", *typed)
    tests = [f"tests/unit/changes/test_{name}.py" for name in (NAME, LONG_NAME)]
    tests += ["tests/contract/test_actions.py", "tests/contract/test_port_definitions.py"]
    tests += ["tests/unit/scripts/test_port_setup.py", "tests/unit/test_terraform.py"]
    check(repository, "pytest", "--quiet", *tests)


# None can name a Port action, a Python module, a function and a branch at once; or it is taken.
BAD_NAMES = """
Restart restart-service restart__service _restart restart_ restart2 ab ../restart restart;service
import json delete_service_ended run_ended decide_approval repair_service roll_back scale_up
"""


@pytest.mark.parametrize("name", [*BAD_NAMES.split(), "", "two words", "x" * 40])
def test_given_a_name_that_no_action_can_have_when_made_then_refused(
    name: str, untouched: Path
) -> None:
    before = contents(untouched)

    status, output = new(untouched, name)

    assert status == 1
    assert "Choose another name" in output or "cannot be an action's name" in output
    assert contents(untouched) == before


@pytest.mark.parametrize("name", ["delete_service", "sweep_runs", "text"])
def test_given_something_of_that_name_when_made_then_it_stays_as_it_is(
    name: str, untouched: Path
) -> None:
    before = contents(untouched)

    status, output = new(untouched, name)

    assert status == 1
    assert "is there already" in output
    assert contents(untouched) == before


def test_given_an_action_that_was_made_when_made_again_then_it_stays_as_it_is(
    repository: Path,
) -> None:
    new(repository, NAME)
    before = contents(repository)

    status, output = new(repository, NAME)

    assert status == 1
    assert "is there already" in output
    assert contents(repository) == before


@pytest.mark.parametrize("path", CHANGED)
def test_given_a_list_that_was_rewritten_when_made_then_nothing_is_half_done(
    path: str, repository: Path
) -> None:
    (repository / path).write_text("# by hand\n")
    before = contents(repository)

    status, output = new(repository, NAME)

    assert status == 1
    assert path in output
    assert "Nothing was made" in output
    assert contents(repository) == before


def test_given_a_disk_that_fails_when_made_then_all_is_as_it_was(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(repository)
    write_text = Path.write_text

    def fail_late(path: Path, text: str, **options: str) -> int:
        if path.name == "README.md":
            raise OSError("No space left on device")
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", fail_late)

    status, output = new(repository, NAME)

    assert status == 1
    assert "No space left on device" in output
    assert contents(repository) == before
    assert not (repository / "functions" / NAME).exists()
