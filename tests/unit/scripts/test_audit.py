"""The audit of locked packages, by the answers of the advisory databases."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scripts import audit

NPM_REPORT: dict[str, Any] = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "lodash": {"via": [{"url": "https://github.com/advisories/GHSA-1", "range": "<4.17.5"}]},
        "uses-lodash": {"via": ["lodash"]},
    },
}


def look_up(
    monkeypatch: pytest.MonkeyPatch,
    python: dict[str, Any] | None,
    npm: dict[str, Any] | None,
    *,
    known: bool = True,
    ignored: str = "",
    environment: dict[str, str] | None = None,
) -> Any:
    """Run the audit; `python` is the answer for every lock file, `known` for a known advisory."""

    def pip_audit(_program: Path, _url: str, lock: Path) -> Any:
        return _python(known=known) if lock.name == "known.txt" and python is not None else python

    def npm_audit(project: Path) -> Any:
        own = project.is_relative_to(audit.ROOT)
        return npm if own or npm is None or not known else NPM_REPORT

    monkeypatch.setattr(audit, "_pip_audit", pip_audit)
    monkeypatch.setattr(audit, "_npm_audit", npm_audit)
    monkeypatch.setattr(
        audit, "read_ignored", lambda _: {ignored: "no call of ours"} if ignored else {}
    )
    for name in ("CI", "AUDIT_REQUIRE_ANSWERS"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer()
    app.command()(audit.main)
    return CliRunner(env=environment).invoke(app, ["--osv-url", "http://osv.test"])


def _python(*, known: bool) -> dict[str, Any]:
    vulns = [{"id": "PYSEC-1", "fix_versions": ["9"]}] if known else []
    return {
        "dependencies": [
            {"name": "jinja2", "version": "2.4.1", "vulns": vulns},
            {"name": "x", "skip_reason": "y"},
        ]
    }


CLEAN = {"dependencies": [{"name": "requests", "version": "2.34", "vulns": []}]}


def test_audit_passes_with_a_note_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = look_up(monkeypatch, None, None)

    assert ended.exit_code == 0
    assert ended.output.count("not looked up") == 2


def test_audit_fails_in_ci_when_no_source_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = look_up(monkeypatch, None, None, environment={"CI": "true"})

    assert ended.exit_code == 1
    assert "AUDIT_REQUIRE_ANSWERS=0" in ended.output


def test_audit_fails_in_ci_when_one_source_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = look_up(monkeypatch, CLEAN, None, environment={"CI": "true"})

    assert ended.exit_code == 1
    assert "npm packages were not looked up" in ended.output


def test_audit_passes_in_ci_when_explicitly_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"CI": "true", "AUDIT_REQUIRE_ANSWERS": "0"}

    ended = look_up(monkeypatch, None, None, environment=told)

    assert ended.exit_code == 0
    assert ended.output.count("not looked up") == 2


def test_audit_ignores_a_source_that_misses_a_known_advisory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A mirror may answer every query with an empty result.
    ended = look_up(monkeypatch, CLEAN, {"vulnerabilities": {}}, known=False)

    assert ended.exit_code == 0
    assert ended.output.count("not looked up") == 2


def test_audit_passes_silently_without_advisories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = look_up(monkeypatch, CLEAN, {"vulnerabilities": {}})

    assert (ended.exit_code, ended.output) == (0, "")


def test_audit_fails_and_names_an_advisory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = look_up(monkeypatch, _python(known=True), NPM_REPORT)

    assert ended.exit_code == 1
    assert "jinja2 2.4.1 has PYSEC-1" in ended.output
    assert "lodash <4.17.5 has GHSA-1" in ended.output


def test_audit_passes_when_the_advisory_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = look_up(monkeypatch, _python(known=True), {"vulnerabilities": {}}, ignored="PYSEC-1")

    assert ended.exit_code == 0


def test_audit_fails_when_an_exception_is_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = look_up(monkeypatch, _python(known=True), NPM_REPORT, ignored="PYSEC-2")

    assert ended.exit_code == 1
    assert "PYSEC-2 is ignored" in ended.output


@pytest.mark.parametrize("answer", [{"error": {"code": "ENOLOCK"}}, {}, []])
def test_audit_fails_when_npm_cannot_read_a_lock_file(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    ended = look_up(monkeypatch, CLEAN, answer)

    assert ended.exit_code == 1
    assert "sandbox/portal/package-lock.json could not be read" in ended.output


def test_audit_fails_when_an_exception_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = look_up(monkeypatch, CLEAN, {"vulnerabilities": {}}, ignored="PYSEC-2")

    assert ended.exit_code == 1
    assert "PYSEC-2 is ignored" in ended.output


def test_audit_keeps_an_exception_of_a_silent_source(monkeypatch: pytest.MonkeyPatch) -> None:
    # The advisory may be one of npm's, which did not answer.
    ended = look_up(monkeypatch, _python(known=True), None, ignored="PYSEC-1")
    other = look_up(monkeypatch, CLEAN, None, ignored="GHSA-1")

    assert (ended.exit_code, other.exit_code) == (0, 0)


@pytest.mark.parametrize("reason", ['""', '"because"', "1", "[]"])
def test_audit_exception_without_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(typer.BadParameter, match="PYSEC-1 needs its reason"):
        audit.read_ignored(f'[ignored]\n"PYSEC-1" = {reason}\n')


def test_every_audit_exception_of_the_repository_has_a_reason() -> None:
    assert json.dumps(dict(audit.read_ignored(audit.IGNORED.read_text())))
