"""Provide releases as consumers get them, and a root outside the checkout that uses one."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scripts.apply_sandbox import Stack
from scripts.build import sha256
from scripts.release import FIXTURES, MACHINES, release
from tests.checkout import ROOT, copy_repository
from tests.integration.conftest import SandboxClient, sandbox_folder

__all__ = ["sandbox_folder"]

# After all that the change log has.
FIRST, SECOND, THIRD = "9.1.0", "9.2.0", "9.3.0"
# scripts/terraform needs only these to find the provider's mirror: no Python, uv or git.
PROGRAMS = ("cat", "dirname", "grep", "mkdir", "mv", "sed", "sh", "terraform", "tr", "uname")
APPLIER = "slipway-applier"


class Archives:
    """Releases of this checkout, each with a change, and a server that serves them.

    Args:
        folder: Gets a copy of the repository, and a folder of each release.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = copy_repository(folder / "repository")
        self.url = ""

    def make(self, version: str) -> Path:
        """Release a version after the earlier ones; return its folder."""
        repository, output = self.repository, self.folder / version
        for file, pattern, text in (
            ("CHANGELOG.md", "^## Unreleased$", f"## Unreleased\n\n## {version} - 2026-11-30"),
            ("pyproject.toml", '^version = ".*"$', f'version = "{version}"'),
            ("shared/slipway/__init__.py", r"\Z", f"# {version}\n"),
            ("functions/__init__.py", r"\Z", f"# {version}\n"),
        ):
            place = repository / file
            changed, count = re.subn(pattern, text, place.read_text(), count=1, flags=re.MULTILINE)
            assert count == 1, file
            place.write_text(changed)
        self._add_fixtures(repository / FIXTURES, version)
        author = ["-c", "user.name=any", "-c", "user.email=any@acme.example"]
        for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", version]):
            subprocess.run(["git", *command], cwd=repository, check=True)
        release(version, repository, output)
        return output

    def _add_fixtures(self, fixtures: Path, version: str) -> None:
        """Do step 2 of "Make a release" (docs/upgrade.md)."""
        shutil.copytree(next(fixtures.iterdir()), fixtures / version)
        for machine in MACHINES:
            source = self.repository / f"terraform/modules/{machine}/definition.asl.json"
            shutil.copy(source, fixtures / version / f"{machine}.asl.json")

    def source(self, version: str, checksum: str = "") -> str:
        """Return the module's source, as docs/install.md writes it."""
        archive = self.folder / version / f"slipway-{version}.zip"
        place = archive.relative_to(self.folder).as_posix()
        return f"{self.url}/{place}//terraform?checksum=sha256:{checksum or sha256(archive)}"


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    """Serve three releases by HTTP."""
    made = Archives(tmp_path_factory.mktemp("releases"))
    for version in (FIRST, SECOND, THIRD):
        made.make(version)
    handler = partial(QuietHandler, directory=str(made.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and keeps the test's output short."""

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture(scope="session")
def without_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for PATH with only Terraform and the tools that find its provider."""
    folder = tmp_path_factory.mktemp("bin")
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


def credentials(sandbox: SandboxClient, role: str) -> dict[str, str]:
    """Return a role's session as environment variables; the sandbox records a role's calls."""
    arn = f"arn:aws:iam::000000000000:role/{role}"
    given = sandbox.aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


class Consumer(Stack):
    """The sandbox's example as an own root: another provider, and an archive as module.

    Args:
        sandbox: The sandbox in which it is applied.
        folder: The root's folder.
        path: The value of PATH.
    """

    def __init__(self, sandbox: SandboxClient, folder: Path, path: Path) -> None:
        super().__init__(sandbox.folder)
        self._data = folder
        self._path = path
        self._sandbox = sandbox

    def use(self, source: str) -> None:
        """Write the root for an archive, and initialise it."""
        root = self._data / "examples/sandbox"
        root.mkdir(parents=True, exist_ok=True)
        for file in (ROOT / "examples/sandbox").glob("*.tf"):
            (root / file.name).write_text(as_consumer(file.read_text(), source))
        variables = {**self._variables(), "artifacts_dir": None}
        (self._data / "variables.json").write_text(json.dumps(variables, indent=2))
        self._terraform("init", "-input=false")

    def _credentials(self) -> dict[str, str]:
        return {**credentials(self._sandbox, APPLIER), "PATH": str(self._path)}


def as_consumer(text: str, source: str) -> str:
    """Rewrite a file of an example to use an archive as module, and another provider."""
    changes = {
        r'source += "\.\./\.\./terraform"': f'source = "{source}"\n'
        "  providers = { aws = aws.platform }",
        r'^provider "aws" \{': 'provider "aws" {\n  alias  = "platform"\n  region = "eu-west-1"',
        r"^ +artifacts_dir += var\.artifacts_dir\n": "",
    }
    for pattern, replacement in changes.items():
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


@pytest.fixture(scope="session")
def consumer(
    sandbox_folder: Path,
    archives: Archives,
    without_python: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Consumer:
    """Apply the first release."""
    sandbox = SandboxClient(sandbox_folder)
    applied = Consumer(sandbox, tmp_path_factory.mktemp("consumer"), without_python)
    applied.use(archives.source(FIRST))
    applied.apply()
    return applied


@pytest.fixture(scope="session")
def sandbox(sandbox_folder: Path, consumer: Consumer) -> SandboxClient:
    """Run the sandbox with blueprint and actions installed."""
    env_file = str(sandbox_folder.resolve() / "env")
    subprocess.run(
        [sys.executable, "-m", "scripts.port_setup", "--apply", "--env-file", env_file],
        cwd=ROOT,
        env={**os.environ, **consumer.outputs()["port_setup"]},
        check=True,
        timeout=300,
    )
    return SandboxClient(sandbox_folder)
