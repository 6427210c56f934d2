"""Build what Terraform uploads to Lambda: layers and functions.

There is one layer per architecture and one archive per function.

The same input gives the same archive: entries are sorted, have one time and one mode, and no
bytecode. Wheels come by platform from the hash-pinned lock file, so nothing is compiled and the
machine's own platform does not matter. An archive whose inputs did not change is not rebuilt.

The layer has everything in the lock file, even what Lambda's runtime also has. It does not depend
on boto3, botocore or s3transfer. The runtime does not guarantee versions of urllib3 and jmespath,
and the layer's own come first on `sys.path`.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html

`artifacts.json` lists what was built. Terraform compares `content_sha256`, the hash of an archive's
contents: builds of zlib compress the same bytes differently, which must not look like new code.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
LAYER_LIMIT = 15_000_000  # bytes zipped; keeps cold starts and uploads short
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip entry can have
MODE = 0o644
EXECUTABLE = 0o755
PYTHON_VERSION = "3.13"


_LICENSES_BEGIN = """\
The layer contains Slipway (Apache-2.0, see LICENSE) and these distributions, each under its own
licence. Their Python sources are in python/ as published; to use another build of one, replace its
folder in the layer."""


class Architecture(StrEnum):
    """Lambda's names of its architectures."""

    ARM64 = "arm64"
    X86_64 = "x86_64"

    @property
    def platform(self) -> str:
        """Platform of the wheels as uv names it; Lambda's glibc is newer."""
        return {"arm64": "aarch64", "x86_64": "x86_64"}[self.value] + "-manylinux_2_28"


class BuildError(Exception):
    """The build failed; the text says why and what to do."""


@dataclass(frozen=True)
class Artifact:
    """One archive as `artifacts.json` lists it.

    Attributes:
        file: the archive's file name, beside `artifacts.json`.
        sha256: hex digest of the archive.
        content_sha256: hex digest of what it holds (names and bytes), equal on every machine.
        size: bytes.
        inputs: hex digest of what it was built from.
    """

    file: str
    sha256: str
    content_sha256: str
    size: int
    inputs: str


type Entries = dict[str, bytes]


def digest(entries: Entries) -> str:
    """Hash names and bytes, with their lengths, in the order of the names."""
    total = hashlib.sha256()
    for name, data in sorted(entries.items()):
        total.update(f"{len(name.encode())}:{len(data)}:{name}".encode())
        total.update(data)
    return total.hexdigest()


def write_archive(path: Path, entries: Entries) -> None:
    """Write a reproducible zip; a reader sees the old or the new file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(entries.items()):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix; otherwise zip tools ignore the mode below
            info.external_attr = (EXECUTABLE if data.startswith(b"#!") else MODE) << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, compresslevel=9)
    partial.replace(path)


def python_sources(package: Path, prefix: str) -> Entries:
    """Return a package's own files under `prefix/`, without tests."""
    return {
        f"{prefix}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and not {"__pycache__", "tests"} & set(path.relative_to(package).parts)
    }


def installed_files(target: Path) -> Iterator[Path]:
    """Yield the files of an installed environment that a Lambda needs.

    Only METADATA of a `.dist-info` is kept: vulnerability scanners read it. `THIRD_PARTY_LICENSES`
    has the licences, and no package of the lock file reads the rest at run time.
    """
    for path in target.rglob("*"):
        parts = path.relative_to(target).parts
        if not path.is_file() or parts[0] == "bin" or path.suffix in {".pyi", ".pyc", ".h"}:
            continue
        if {"tests", "__pycache__"} & set(parts) or parts[0].startswith("."):
            continue
        if parts[0].endswith(".dist-info") and parts[1:] != ("METADATA",):
            continue
        yield path


def find_uv(root: Path) -> str:
    """Return the uv on the PATH, or the one that `make setup` installed.

    Raises:
        BuildError: neither exists.
    """
    found = shutil.which("uv") or shutil.which("uv", path=root / "build/uv/bin")
    if not found:
        raise BuildError("uv was not found: run 'make setup', which installs it.")
    return found


def install_wheels(root: Path, architecture: Architecture, target: Path) -> None:
    """Install the layer's lock file for Lambda's platform, from wheels only.

    Raises:
        BuildError: a wheel is missing, a hash does not match, or no package index answers.
    """
    command = [find_uv(root), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-platform", architecture.platform]
    command += ["--python-version", PYTHON_VERSION, "--no-compile-bytecode"]
    command += ["--python", sys.executable, "--target", str(target)]
    command += ["--requirement", str(root / "requirements/layer.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(
            f"The wheels of requirements/layer.txt for {architecture.platform}, Python "
            f"{PYTHON_VERSION}, could not be installed:\n\n{done.stderr.strip()}\n\n"
            "If a package has no wheel for this platform, pin a release that has one in "
            "pyproject.toml and run scripts/lock. The build does not compile, because the result "
            "would depend on the machine."
        )


def third_party_licenses(target: Path) -> bytes:
    """Describe each installed distribution with its licence texts.

    https://packaging.python.org/en/latest/specifications/core-metadata/#license-file

    Raises:
        BuildError: a distribution states no licence, or lacks a text that it names.
    """
    parts = [_LICENSES_BEGIN]
    found = [PathDistribution(path) for path in target.glob("*.dist-info")]
    for one in sorted(found, key=lambda each: each.name.lower()):
        title = f"{one.name} {one.version}: {_license(one)}"
        parts.append(f"{'=' * 79}\n{title}\n{'=' * 79}")
        parts += [f"--- {name} ---\n\n{text}" for name, text in _license_texts(one)]
    return ("\n\n".join(parts) + "\n").encode()


def _license(distribution: Distribution) -> str:
    """Return the licence's name.

    Old metadata may have the whole text in `License`, or a classifier.
    """
    metadata = distribution.metadata
    for field in ("License-Expression", "License"):
        if (name := metadata.get(field)) and "\n" not in name:
            return str(name)
    classifiers = metadata.get_all("Classifier") or []
    names = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")]
    if not names:
        raise BuildError(f"{distribution.name} states no licence. Leave it out of the layer.")
    return ", ".join(names)


def _license_texts(distribution: Distribution) -> Iterator[tuple[str, str]]:
    for name in sorted(distribution.metadata.get_all("License-File") or []):
        # Wheels from before metadata 2.4 have the text beside METADATA.
        text = distribution.read_text(f"licenses/{name}") or distribution.read_text(name)
        if text is None:
            raise BuildError(f"{distribution.name} lacks its licence's text {name}.")
        yield name, text.strip()


def layer_entries(root: Path, architecture: Architecture) -> Entries:
    """Build the layer's archive: `slipway`, its dependencies, all licences."""
    with tempfile.TemporaryDirectory(prefix="slipway-layer-") as folder:
        target = Path(folder)
        install_wheels(root, architecture, target)
        entries = {
            f"python/{path.relative_to(target).as_posix()}": path.read_bytes()
            for path in installed_files(target)
        }
        entries["THIRD_PARTY_LICENSES"] = third_party_licenses(target)
    entries["LICENSE"] = (root / "LICENSE").read_bytes()
    return entries | python_sources(root / "shared/slipway", "python/slipway")


def function_entries(root: Path, function: str) -> Entries:
    """Build a function's archive: its folder and `functions/__init__.py`."""
    sources = python_sources(root / "functions" / function, f"functions/{function}")
    return {"functions/__init__.py": (root / "functions/__init__.py").read_bytes()} | sources


def functions(root: Path) -> list[str]:
    """Return the function names: each folder of `functions/` with a handler."""
    return sorted(path.parent.name for path in root.glob("functions/*/handler.py"))


class Builder:
    """Builds the archives of one repository into one folder."""

    def __init__(self, root: Path, output: Path) -> None:
        self.root = root
        self.output = output
        self.index = output / "artifacts.json"
        self.known = self._read_index()
        # A change in how archives are made is also a change of input.
        self.recipe = Path(__file__).read_bytes()

    def _read_index(self) -> dict[str, Artifact]:
        try:
            listed = json.loads(self.index.read_text())
            return {name: Artifact(**fields) for name, fields in listed.items()}
        except (FileNotFoundError, ValueError, TypeError):
            return {}  # no list yet, or one of another release: build everything

    def layer(self, architecture: Architecture) -> Artifact:
        """Build the layer for one architecture, unless it is up to date.

        Raises:
            BuildError: the wheels cannot be installed, or the archive is over `LAYER_LIMIT`.
        """
        inputs = python_sources(self.root / "shared/slipway", "slipway")
        inputs["license"] = (self.root / "LICENSE").read_bytes()
        inputs["lock"] = (self.root / "requirements/layer.txt").read_bytes()
        artifact = self._build(
            f"layer-{architecture}", inputs, lambda: layer_entries(self.root, architecture)
        )
        if artifact.size > LAYER_LIMIT:
            raise BuildError(
                f"{artifact.file} has {artifact.size / 1e6:.1f} MB; the limit is "
                f"{LAYER_LIMIT / 1e6:.0f} MB. Leave out a dependency of the layer."
            )
        return artifact

    def function(self, name: str) -> Artifact:
        """Build one function's archive, unless it is up to date."""
        entries = function_entries(self.root, name)
        return self._build(name, entries, lambda: entries)

    def _build(self, name: str, inputs: Entries, make: Callable[[], Entries]) -> Artifact:
        stamp = digest(inputs | {"recipe": self.recipe})
        path = self.output / f"{name}.zip"
        known = self.known.get(name)
        if known and known.inputs == stamp and path.is_file() and sha256(path) == known.sha256:
            return known
        entries = make()
        write_archive(path, entries)
        return Artifact(path.name, sha256(path), digest(entries), path.stat().st_size, stamp)

    def write_index(self, built: dict[str, Artifact]) -> None:
        """List what is in the folder: this build and layers of an earlier one."""
        kept = {
            name: artifact
            for name, artifact in self.known.items()
            if name.startswith("layer-") and (self.output / artifact.file).is_file()
        }
        listed = {name: asdict(artifact) for name, artifact in sorted((kept | built).items())}
        partial = self.index.with_name(f".{self.index.name}.{os.getpid()}")
        partial.write_text(json.dumps(listed, indent=2) + "\n")
        partial.replace(self.index)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(root: Path, output: Path, architectures: list[Architecture]) -> dict[str, Artifact]:
    """Build layers and functions and list them in `artifacts.json`.

    Returns:
        What was built, or was up to date, by name (`layer-arm64`, `create_service`).

    Raises:
        BuildError: a part failed; the list then stays unchanged.
    """
    output.mkdir(parents=True, exist_ok=True)
    builder = Builder(root, output)
    jobs: dict[str, Callable[[], Artifact]] = {
        f"layer-{one}": lambda one=one: builder.layer(one)  # type: ignore[misc]  # lambda default
        for one in architectures
    }
    for name in functions(root):
        jobs[name] = lambda name=name: builder.function(name)  # type: ignore[misc]  # lambda default
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console, transient=True) as progress,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        task = progress.add_task("Building", total=len(jobs))
        pending: dict[str, Future[Artifact]] = {n: pool.submit(job) for n, job in jobs.items()}
        built: dict[str, Artifact] = {}
        for name, future in pending.items():
            built[name] = future.result()
            progress.advance(task)
    builder.write_index(built)
    return built


def main(
    arch: Annotated[
        list[Architecture] | None,
        typer.Option(help="Architecture of the layer; repeatable. Default: both."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the archives.")] = ROOT / "build",
    root: Annotated[Path, typer.Option(help="Repository to build.")] = ROOT,
) -> None:
    """Build the layer and the functions for Terraform, reproducibly."""
    try:
        built = build(root.resolve(), output, arch or list(Architecture))
    except BuildError as error:
        typer.echo(f"build: {error}", err=True)
        raise typer.Exit(1) from None
    for artifact in built.values():
        size = f"{artifact.size / 1e3:,.0f} kB"
        typer.echo(f"{output / artifact.file}  {size}  sha256 {artifact.sha256[:16]}")


if __name__ == "__main__":
    start(main, "--arch arm64")
