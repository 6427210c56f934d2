"""Run the checks of the doctor, and show what they found."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scripts import doctor
from scripts.checks import github, port
from scripts.checks.result import Installation, Result
from tests.scripted import NO_ANSWER, ScriptedServer

pytestmark = pytest.mark.waits


def test_impossible_check_is_a_fault_and_the_others_continue() -> None:
    def passing(_: Installation) -> Result:
        return Result("second", True, "fine")

    results = doctor.examine(Installation({}), [("first", port.sign_in), ("second", passing)])

    assert [result.ok for result in results] == [False, True]
    assert "PORT_BASE_URL" in results[0].cure


def test_closed_connection_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    server.script("GET /repos/acme/services", (NO_ANSWER, None, {}))

    (result,) = doctor.examine(installation, [("GitHub", github.repository)])

    assert result.ok is False


def test_crashed_check_is_a_fault_without_details(
    installation: Installation,
) -> None:
    def crash(_: Installation) -> Result:
        raise RuntimeError("hidden-value")

    (result,) = doctor.examine(installation, [("GitHub", crash)])

    assert result.ok is False
    assert "RuntimeError" in result.detail
    assert "hidden-value" not in str(result)


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_exit_status_shows_whether_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ok: bool | None, code: int
) -> None:
    def check(_: Installation) -> Result:
        return Result("a", ok, "found", "cure")

    monkeypatch.setattr(doctor.examine, "__defaults__", ([("a", check)],))
    app = typer.Typer()
    app.command()(doctor.main)

    for_people = CliRunner().invoke(app, [])
    for_machines = CliRunner().invoke(app, ["--json"])

    assert (for_people.exit_code, for_machines.exit_code) == (code, code)
    assert json.loads(for_machines.stdout) == [
        {"name": "a", "ok": ok, "detail": "found", "cure": "cure"}
    ]
    assert ("cure" in for_people.stdout.splitlines()[3]) is (ok is False)
