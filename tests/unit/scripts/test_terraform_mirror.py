"""`scripts/terraform`: the provider's source, on machines with and without a registry."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.waits

REPOSITORY = Path(__file__).resolve().parents[3]
VERSION = "5.100.0"
OS = {"Darwin": "darwin"}.get(platform.system(), "linux")
ARCH = "arm64" if platform.machine() in {"aarch64", "arm64"} else "amd64"
PROVIDER = "registry.terraform.io/hashicorp/aws"

# Prints its arguments, in place of Terraform.
FAKE_TERRAFORM = """#!/bin/sh
echo "arguments: $*"
echo "config: ${TF_CLI_CONFIG_FILE-unset}"
if [ -n "${TF_CLI_CONFIG_FILE-}" ]; then cat "$TF_CLI_CONFIG_FILE"; fi
"""


def unpacked(mirror: Path, version: str = VERSION) -> Path:
    (mirror / PROVIDER / version / f"{OS}_{ARCH}").mkdir(parents=True)
    return mirror


def packed(mirror: Path) -> Path:
    folder = mirror / PROVIDER
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_{VERSION}_{OS}_{ARCH}.zip").touch()
    return mirror


class Machine:
    """A machine with its own home, optional software, PATH and a copy of the script."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.optional = folder / "optional"
        self.root = folder / "repository"
        for path in (self.home, self.optional, self.root / "scripts", self.root / "terraform"):
            path.mkdir(parents=True)
        shutil.copy(REPOSITORY / "scripts/terraform", self.root / "scripts/terraform")
        shutil.copy(
            REPOSITORY / "terraform/.terraform.lock.hcl",
            self.root / "terraform/.terraform.lock.hcl",
        )
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "terraform").write_text(FAKE_TERRAFORM)
        (self.bin / "terraform").chmod(0o755)
        self.environment = {
            "HOME": str(self.home),
            "OPTIONAL_SOFTWARE": str(self.optional),
            "XDG_DATA_DIRS": str(folder / "share"),
            "PATH": f"{self.bin}:{os.defpath}",
        }

    def terraform(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts/terraform", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_terraform_is_started_unchanged_without_a_mirror(machine: Machine) -> None:
    done = machine.terraform("plan", "-out", "a file")

    assert done.stdout == "arguments: plan -out a file\nconfig: unset\n"
    assert done.returncode == 0


@pytest.mark.parametrize("make", [unpacked, packed])
def test_mirror_among_optional_software_is_used(
    machine: Machine, make: Callable[[Path], Path]
) -> None:
    mirror = make(machine.optional / "some plugins")

    done = machine.terraform("init")

    assert f'path    = "{mirror}"' in done.stdout
    assert f'include = ["{PROVIDER}"]' in done.stdout
    # Other providers come from their usual source.
    assert f'direct {{\n    exclude = ["{PROVIDER}"]' in done.stdout


def test_mirror_with_another_version_is_ignored(machine: Machine) -> None:
    unpacked(machine.optional / "old", version="5.99.0")

    assert "config: unset" in machine.terraform("init").stdout


def test_named_mirror_takes_precedence_over_optional_software(
    machine: Machine, tmp_path: Path
) -> None:
    unpacked(machine.optional / "plugins")
    named = unpacked(tmp_path / "named")

    done = machine.terraform("init", TF_PLUGIN_MIRROR=str(named))

    assert f'path    = "{named}"' in done.stdout


def test_named_mirror_without_the_provider_is_an_error(machine: Machine, tmp_path: Path) -> None:
    done = machine.terraform("init", TF_PLUGIN_MIRROR=str(tmp_path))

    assert done.returncode != 0
    assert f"TF_PLUGIN_MIRROR ({tmp_path}) has no {PROVIDER} {VERSION}" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("place", ["home/.terraform.d/plugins", "share/terraform/plugins"])
def test_terraforms_implied_mirrors_need_no_configuration(
    machine: Machine, tmp_path: Path, place: str
) -> None:
    unpacked(machine.optional / "plugins")
    unpacked(tmp_path / place)

    assert "config: unset" in machine.terraform("init").stdout


@pytest.mark.parametrize("named", [True, False])
def test_users_own_provider_installation_is_respected(machine: Machine, named: bool) -> None:
    unpacked(machine.optional / "plugins")
    config = machine.home / (".terraformrc" if not named else "my.tfrc")
    config.write_text("provider_installation {\n  direct {}\n}\n")
    environment = {"TF_CLI_CONFIG_FILE": str(config)} if named else {}

    done = machine.terraform("init", **environment)

    assert f"config: {config if named else 'unset'}" in done.stdout
    assert "filesystem_mirror" not in done.stdout


def test_users_other_settings_are_kept_with_the_mirror(machine: Machine) -> None:
    mirror = unpacked(machine.optional / "plugins")
    (machine.home / ".terraformrc").write_text("disable_checkpoint = true\n")

    done = machine.terraform("init")

    assert "disable_checkpoint = true" in done.stdout
    assert f'path    = "{mirror}"' in done.stdout
    written = machine.root / "build/terraform.tfrc"
    assert written.stat().st_mode & 0o077 == 0


def test_missing_configuration_file_is_not_passed_on(machine: Machine) -> None:
    done = machine.terraform("init", TF_CLI_CONFIG_FILE=str(machine.home / "nothing"))

    assert "config: unset" in done.stdout


def test_missing_terraform_is_named(machine: Machine) -> None:
    (machine.bin / "terraform").unlink()

    done = machine.terraform("init")

    assert done.returncode == 127
    assert "Install Terraform 1.11" in done.stderr


def test_exit_status_is_that_of_terraform(machine: Machine) -> None:
    (machine.bin / "terraform").write_text("#!/bin/sh\nexit 2\n")

    assert machine.terraform("plan", "-detailed-exitcode").returncode == 2
