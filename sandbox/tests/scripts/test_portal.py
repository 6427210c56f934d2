"""sandbox/scripts/portal: what it says and does without what it needs."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("cat", "cksum", "dirname", "find", "sh", "sort", "xargs")


def write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with a portal that needs no registry and builds one page."""
    (tmp_path / "sandbox" / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "sandbox" / "scripts" / "portal", tmp_path / "sandbox" / "scripts")
    portal = tmp_path / "sandbox" / "portal"
    (portal / "part").mkdir(parents=True)
    (portal / "part" / "package.json").write_text('{"name": "part", "version": "1.0.0"}')
    build = "mkdir -p dist && rm -f dist/.stamp && cp page.html dist/index.html #"
    needs = {"name": "portal", "version": "1.0.0", "dependencies": {"part": "file:part"}}
    packages = {
        "": needs,
        "part": {"version": "1.0.0"},
        "node_modules/part": {"resolved": "part", "link": True},
    }
    write(portal / "package.json", {**needs, "scripts": {"build": build}})
    write(portal / "package-lock.json", {"lockfileVersion": 3, "packages": packages})
    (portal / ".npmrc").touch()
    (portal / "page.html").write_text("one")
    return tmp_path


def run(
    project: Path, *arguments: str, path: str = os.environ["PATH"], slim: bool = False
) -> tuple[int, str]:
    done = subprocess.run(
        [project / "sandbox" / "scripts" / "portal", *arguments],
        env={
            **os.environ,
            "PATH": path,
            "npm_config_offline": "true",
            "PORTAL_SLIM": "yes" if slim else "",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def without_node(project: Path) -> str:
    """A PATH that has everything but Node.js."""
    folder = project / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return str(folder)


def test_build_without_node_says_so_and_succeeds(project: Path) -> None:
    code, said = run(project, "build", path=without_node(project))

    assert code == 0
    assert "Node.js 20.19" in said
    assert "make setup" in said
    assert not (project / "sandbox" / "portal" / "dist").exists()


@pytest.mark.parametrize("command", ["test", "lint"])
def test_check_without_node_fails(project: Path, command: str) -> None:
    code, said = run(project, command, path=without_node(project))

    assert code == 1
    assert "Install it" in said


@pytest.mark.parametrize("arguments", [(), ("bild",)])
def test_unknown_command_prints_the_usage(project: Path, arguments: tuple[str, ...]) -> None:
    assert run(project, *arguments) == (2, "usage: sandbox/scripts/portal build|test|lint\n")


def test_build_without_a_registry_says_so_and_succeeds(project: Path) -> None:
    portal = project / "sandbox" / "portal"
    needs = {"name": "portal", "version": "1.0.0", "dependencies": {"needed": "1.0.0"}}
    packages = {"": needs, "node_modules/needed": {"version": "1.0.0"}}
    write(portal / "package.json", needs)
    write(portal / "package-lock.json", {"lockfileVersion": 3, "packages": packages})

    code, said = run(project, "build")

    assert code == 0
    assert "'npm ci' failed" in said
    assert "without its web pages" in said


def test_unchanged_portal_is_not_built_again(project: Path) -> None:
    page = project / "sandbox" / "portal" / "dist" / "index.html"
    assert run(project, "build")[0] == 0
    assert page.read_text() == "one"

    assert run(project, "build") == (0, "")

    (page.parents[1] / "page.html").write_text("two")
    assert run(project, "build")[0] == 0
    assert page.read_text() == "two"


def test_slim_build_keeps_no_packages(project: Path) -> None:
    portal = project / "sandbox" / "portal"

    assert run(project, "build", slim=True)[0] == 0

    assert (portal / "dist" / "index.html").read_text() == "one"
    assert not (portal / "node_modules").exists()
    assert run(project, "build", slim=True) == (0, "")


def test_slim_build_keeps_packages_that_were_there(project: Path) -> None:
    portal = project / "sandbox" / "portal"
    assert run(project, "build")[0] == 0
    (portal / "page.html").write_text("two")

    assert run(project, "build", slim=True)[0] == 0

    assert (portal / "dist" / "index.html").read_text() == "two"
    assert (portal / "node_modules").exists()
