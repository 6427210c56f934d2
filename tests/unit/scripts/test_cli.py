"""Common behaviour of all commands in `scripts/`: help, tables, paths."""

import os
import runpy
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from scripts.checks.result import Result
from scripts.cli import add_names, table_console
from scripts.doctor import table as doctor_table
from scripts.environment import read_settings

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = sorted(
    file.name
    for file in (ROOT / "scripts").iterdir()
    if file.is_file() and os.access(file, os.X_OK) and file.name != "_run"
)
IN_PYTHON = [name for name in COMMANDS if (ROOT / "scripts" / f"{name}.py").exists()]
OTHERS = [
    *(f"scripts/{name}" for name in COMMANDS if name not in IN_PYTHON),
    *(f"sandbox/scripts/{file.name}" for file in (ROOT / "sandbox" / "scripts").iterdir()),
]
RUN_ID = "r_0123456789abcdef"


def test_every_command_is_found() -> None:
    assert {"replay", "sandbox", "setup", "terraform"} <= set(COMMANDS)


@pytest.mark.parametrize("name", IN_PYTHON)
def test_help_has_real_name_and_example(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")

    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"Usage: scripts/{name} " in out
    assert f"Example: scripts/{name}" in out


@pytest.mark.parametrize("name", OTHERS)
def test_help_of_a_shell_command_has_an_example(name: str) -> None:
    done = subprocess.run([ROOT / name, "--help"], capture_output=True, text=True, check=True)

    assert f"Example: {name}" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("width", [90, 120, 200])
def test_table_never_truncates_a_name(width: int) -> None:
    table = Table()
    add_names(table, "Run", [RUN_ID])
    add_names(table, "Reference", ["create_service.2026-11-23.0123456789abcdef"])
    table.add_column("Why", overflow="fold")
    table.add_row(RUN_ID, "create_service.2026-11-23.0123456789abcdef", "word " * 50)
    console = Console(width=width, record=True, file=StringIO())

    console.print(table)

    text = console.export_text()
    assert RUN_ID in text
    assert "create_service.2026-11-23.0123456789abcdef" in text


def test_table_is_complete_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("Run", "Why")
    table.add_row(RUN_ID, "word " * 100)

    table_console().print(table)

    assert RUN_ID in capsys.readouterr().out


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of a running sandbox, and an environment without an installation."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "PORT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SANDBOX_DIR", str(tmp_path))
    (tmp_path / "env").write_text("PORT_BASE_URL=http://127.0.0.1:3100\n")
    return tmp_path


def test_settings_come_from_the_running_sandbox(
    sandbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_settings(None)["PORT_BASE_URL"] == "http://127.0.0.1:3100"
    assert "Using the running sandbox" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["AWS_PROFILE", "PORT_BASE_URL", "AWS_ACCESS_KEY_ID"])
def test_settings_ignore_the_sandbox_when_another_is_named(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mine")

    assert read_settings(None).get("PORT_BASE_URL") in (None, "mine")


def test_settings_ignore_a_stopped_sandbox(sandbox: Path) -> None:
    (sandbox / "env").unlink()

    assert "PORT_BASE_URL" not in read_settings(None)


def test_doctor_breaks_no_variable_in_a_narrow_terminal() -> None:
    fix = "Set KAFKA_BOOTSTRAP_SERVERS, PORT_ORG_ID in the environment."
    missing = Result("Kafka: topics of the organisation", ok=False, detail="not set up", cure=fix)
    skipped = Result("AWS: secrets", ok=None, detail="no AWS credentials in the environment")
    console = Console(width=80, record=True, file=StringIO())

    console.print(doctor_table([missing, skipped]))

    assert "KAFKA_BOOTSTRAP_SERVERS" in console.export_text()


def test_doctor_prints_the_same_fix_once() -> None:
    cure = "Set PORT_BASE_URL in the environment."
    results = [Result(f"Port: {n}", ok=False, detail="not set up", cure=cure) for n in range(3)]
    console = Console(width=200, record=True, file=StringIO())

    console.print(doctor_table([*results, Result("Kafka", ok=False, detail="", cure="Ask.")]))

    text = console.export_text()
    assert text.count(cure) == 1
    assert text.count("as above") == 2
    assert "Ask." in text
