"""What `make demo` prints before it starts, and commands in a half-made clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("awk", "basename", "cat", "df", "dirname", "git", "sed", "sh")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a fresh clone's scripts, and a PATH that lacks only Terraform."""
    (tmp_path / "scripts").mkdir()
    for name in ("install", "prerequisites", "setup", "sandbox", "_run"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    return tmp_path


def put(clone: Path, tool: str, script: str) -> None:
    file = clone / "bin" / tool
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)


def run(clone: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(clone / "bin"), "HOME": os.environ.get("HOME", "/"), **more}
    return subprocess.run(
        [clone / "scripts" / command[0], *command[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_terraform_is_named_before_anything_starts(clone: Path) -> None:
    before = sorted(clone.rglob("*"))

    done = run(clone, "prerequisites")

    assert done.returncode == 1
    assert "Terraform 1.11 or later" in done.stderr
    assert "Nothing was made" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(clone.rglob("*")) == before


@pytest.mark.parametrize(
    ("version", "code"), [("1.10.5", 1), ("0.15.0", 1), ("1.11.4", 0), ("1.13.0", 0), ("2.0.0", 0)]
)
def test_outdated_terraform_is_refused(clone: Path, version: str, code: int) -> None:
    put(clone, "terraform", f"echo 'Terraform v{version}'; echo 'on linux_amd64'")

    done = run(clone, "prerequisites")

    assert done.returncode == code, done.stderr
    assert (f"this is {version}" in done.stderr) == bool(code)


@pytest.mark.parametrize("version", ["1.10.5", "nonsense"])
def test_install_names_a_wrong_terraform_and_the_fix(clone: Path, version: str) -> None:
    put(clone, "terraform", f"echo 'Terraform v{version}'")

    done = run(clone, "install")

    assert done.returncode == 1
    assert "install: this machine lacks what it needs. Nothing was made. Install:" in done.stderr
    assert "Terraform 1.11 or later" in done.stderr


def test_install_prints_nothing_when_all_is_present(clone: Path) -> None:
    put(clone, "terraform", "echo 'Terraform v1.11.4'")

    done = run(clone, "prerequisites", "install")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_demo_prints_its_steps_time_and_disk(clone: Path) -> None:
    put(clone, "terraform", "echo 'Terraform v1.11.4'")

    done = run(clone, "prerequisites")

    assert "apply the Terraform stack" in done.stdout
    assert "minutes" in done.stdout
    assert "MB of disk" in done.stdout


# The environments take 1,200 MB, and a provider without a mirror 675 MB.
@pytest.mark.parametrize("free", [50, 1500])
def test_too_little_disk_is_named(clone: Path, free: int) -> None:
    put(clone, "terraform", "echo 'Terraform v1.11.4'")
    put(clone, "df", f"echo head; echo '/dev/x 9 9 {free} 1% /'")

    done = run(clone, "prerequisites")

    assert done.returncode == 1
    assert f"there are {free} MB" in done.stderr


def test_all_missing_prerequisites_are_named_at_once(clone: Path) -> None:
    (clone / "bin" / "git").unlink()
    (clone / "bin" / "python3").unlink()

    done = run(clone, "prerequisites")

    for name in ("Python 3.13", "git", "Terraform"):
        assert name in done.stderr


def test_python_without_venv_is_named_when_uv_is_missing(clone: Path) -> None:
    # Debian's python3 without its package python3-venv.
    put(clone, "terraform", "echo 'Terraform v1.11.4'")
    put(
        clone,
        "python3",
        f"""case "$*" in *ensurepip*) exit 1 ;; esac
case "$*" in *executable*) echo "{clone}/bin/python3" ;; *) exec {sys.executable} "$@" ;; esac""",
    )

    without = run(clone, "prerequisites")
    put(clone, "uv", "exit 0")
    with_uv = run(clone, "prerequisites")

    assert without.returncode == 1
    assert "python3-venv" in without.stderr
    assert with_uv.returncode == 0, with_uv.stderr


def test_setup_counts_its_steps_and_repeats_none(clone: Path) -> None:
    (clone / "sandbox" / "scripts").mkdir(parents=True)
    for file in (
        ".python-version", "pyproject.toml", "requirements/dev.txt", "sandbox/pyproject.toml",
        "sandbox/requirements/sandbox.txt", "sandbox/requirements/lambda-runtime.txt",
    ):  # fmt: skip
        (clone / file).parent.mkdir(exist_ok=True)
        (clone / file).touch()
    portal = clone / "sandbox" / "scripts" / "portal"
    portal.write_text("#!/bin/sh\n")
    portal.chmod(0o700)
    for tool in ("cksum", "rm"):
        (clone / "bin" / tool).symlink_to(str(shutil.which(tool)))
    put(clone, "uv", "exit 0")

    first, second = run(clone, "setup"), run(clone, "setup")

    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert [line.partition("(")[2][:6] for line in lines] == ["1 of 4", "2 of 4", "3 of 4"]
    assert second.stdout == ""


def test_down_succeeds_in_a_fresh_clone(clone: Path) -> None:
    done = run(clone, "sandbox", "down")

    assert (done.returncode, done.stdout) == (0, "The sandbox was not running.\n")


def test_down_succeeds_when_setup_was_interrupted(clone: Path) -> None:
    # The program exists, but its dependencies are missing.
    (clone / "sandbox" / ".venv" / "bin").mkdir(parents=True)
    put(clone, "sandbox", "exit 1")
    (clone / "bin" / "sandbox").rename(clone / "sandbox" / ".venv" / "bin" / "sandbox")

    assert run(clone, "sandbox", "down").returncode == 0


def test_down_asks_for_setup_when_a_sandbox_may_run(clone: Path) -> None:
    (clone / ".sandbox").mkdir()
    (clone / ".sandbox" / "state.json").write_text("{}")

    done = run(clone, "sandbox", "down")

    assert done.returncode == 1
    assert "make setup" in done.stderr


def test_clean_succeeds_in_a_fresh_clone(clone: Path) -> None:
    (clone / "sandbox").mkdir()
    for makefile in ("Makefile", "sandbox/Makefile"):
        shutil.copy(ROOT / makefile, clone / makefile)
    (clone / "build").mkdir()
    for tool in ("make", "rm"):
        (clone / "bin" / tool).symlink_to(str(shutil.which(tool)))

    done = subprocess.run(
        ["make", "clean"],
        cwd=clone,
        env={"PATH": str(clone / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not (clone / "build").exists()


def test_command_asks_for_setup_when_it_was_interrupted(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)

    done = run(clone, "_run")

    assert done.returncode == 1
    assert "incomplete" in done.stderr
    assert "Traceback" not in done.stderr
