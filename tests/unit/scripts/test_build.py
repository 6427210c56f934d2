"""`scripts/build`: the archives' content, and that nothing else changes them."""

import json
import os
import platform
import re
import stat
import subprocess
import sys
import zipfile
from importlib.metadata import files
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scripts import build
from scripts.build import Architecture, Artifact, BuildError

pytestmark = pytest.mark.waits

REPOSITORY = Path(__file__).resolve().parents[3]
LAMBDA_PYTHON = REPOSITORY / "sandbox/.lambda-venv/bin/python"
HOST = Architecture.ARM64 if platform.machine() in {"aarch64", "arm64"} else Architecture.X86_64

FAKE_UV = """#!/bin/sh
while [ "$1" != "--target" ]; do
    case "$1" in *-manylinux_2_28) platform=$1 ;; esac
    shift
done
mkdir -p "$2/lib/__pycache__" "$2/lib/tests" "$2/bin" "$2/lib-1.0.dist-info/licenses"
echo "$platform" >"$2/lib/native.so"
for file in lib/__init__.py lib/__init__.pyi lib/__pycache__/__init__.pyc lib/tests/test_lib.py \\
    bin/tool .lock lib-1.0.dist-info/METADATA lib-1.0.dist-info/RECORD \\
    lib-1.0.dist-info/licenses/LICENSE; do
    echo content >"$2/$file"
done
printf 'Name: lib\\nVersion: 1.0\\nLicense-Expression: MIT\\nLicense-File: LICENSE\\n' \\
    >"$2/lib-1.0.dist-info/METADATA"
"""


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def use_uv(root: Path, monkeypatch: pytest.MonkeyPatch, script: str = FAKE_UV) -> None:
    folder = root / "build/uv/bin"
    put(root, {"build/uv/bin/uv": script})
    (folder / "uv").chmod(0o755)
    # It takes precedence over the machine's own uv.
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with one function and a uv that installs one package."""
    root = tmp_path / "repository"
    put(
        root,
        {
            "LICENSE": "Apache License 2.0\n",
            "functions/__init__.py": "",
            "functions/greet/__init__.py": "",
            "functions/greet/handler.py": "def handler(event, context): ...\n",
            "functions/greet/__pycache__/handler.pyc": "bytecode",
            "functions/gone/__pycache__/handler.pyc": "left over from another branch",
            "shared/slipway/__init__.py": "",
            "shared/slipway/port/client.py": "BASE = 1\n",
            "shared/slipway/tests/test_client.py": "",
            "requirements/layer.txt": "lib==1.0 --hash=sha256:00\n",
        },
    )
    use_uv(root, monkeypatch)
    return root


def built(root: Path, *architectures: Architecture) -> dict[str, Artifact]:
    return build.build(root, root / "build", list(architectures or Architecture))


def names(root: Path, archive: str) -> list[str]:
    with zipfile.ZipFile(root / "build" / archive) as file:
        return file.namelist()


def test_function_archive_has_only_its_own_package(root: Path) -> None:
    built(root)

    assert names(root, "greet.zip") == [
        "functions/__init__.py",
        "functions/greet/__init__.py",
        "functions/greet/handler.py",
    ]
    assert not (root / "build/gone.zip").exists()


def test_layer_contains_slipway_and_its_dependencies(root: Path) -> None:
    built(root)

    assert names(root, "layer-arm64.zip") == [
        "LICENSE",
        "THIRD_PARTY_LICENSES",
        "python/lib-1.0.dist-info/METADATA",
        "python/lib/__init__.py",
        "python/lib/native.so",
        "python/slipway/__init__.py",
        "python/slipway/port/client.py",
    ]


def test_layer_has_the_licence_of_each_dependency(root: Path) -> None:
    built(root)

    with zipfile.ZipFile(root / "build/layer-arm64.zip") as file:
        text = file.read("THIRD_PARTY_LICENSES").decode()
    assert "lib 1.0: MIT" in text
    assert "--- LICENSE ---\n\ncontent" in text


@pytest.mark.parametrize(
    ("metadata", "label"),
    [
        ("License-Expression: MIT-0\nLicense: MIT", "MIT-0"),
        ("License: MPL-2.0\nClassifier: License :: OSI Approved :: Other", "MPL-2.0"),
        (
            "License: BSD\n        All rights reserved.\nClassifier: License :: OSI Approved :: B",
            "B",
        ),
        ("Classifier: License :: OSI Approved :: GNU LGPL", "GNU LGPL"),
    ],
)
def test_licence_label_is_what_the_metadata_states(
    tmp_path: Path, metadata: str, label: str
) -> None:
    text = f"Metadata-Version: 2.1\nName: one\nVersion: 2\n{metadata}\n"
    put(tmp_path, {"one-2.dist-info/METADATA": text})

    assert f"one 2: {label}\n" in build.third_party_licenses(tmp_path).decode()


@pytest.mark.parametrize("metadata", ["", "License: MIT\nLicense-File: LICENSE\n"])
def test_distribution_without_licence_is_refused(tmp_path: Path, metadata: str) -> None:
    put(tmp_path, {"one-2.dist-info/METADATA": f"Name: one\nVersion: 2\n{metadata}"})

    with pytest.raises(BuildError, match="one"):
        build.third_party_licenses(tmp_path)


def test_own_layer_names_its_lgpl_part(tmp_path: Path) -> None:
    locked = (REPOSITORY / "requirements/layer.txt").read_text()
    # The environment of the tests contains the layer's packages.
    for name in re.findall(r"^([\w-]+)==", locked, re.MULTILINE):
        metadata = next(file for file in files(name) or () if file.name == "METADATA").locate()
        folder = Path(str(metadata)).parent
        (tmp_path / folder.name).symlink_to(folder)

    text = build.third_party_licenses(tmp_path).decode()

    assert re.search(r"^PyGithub \S+: .*LGPL", text, re.MULTILINE)
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text


def test_layer_has_the_wheels_of_its_own_architecture(root: Path) -> None:
    built(root)

    for archive, platform_name in {
        "layer-arm64.zip": b"aarch64-manylinux_2_28\n",
        "layer-x86_64.zip": b"x86_64-manylinux_2_28\n",
    }.items():
        with zipfile.ZipFile(root / "build" / archive) as file:
            assert file.read("python/lib/native.so") == platform_name


def test_building_one_architecture_keeps_the_other_listed(root: Path) -> None:
    first = built(root, Architecture.ARM64)
    second = built(root, Architecture.X86_64)

    listed = json.loads((root / "build/artifacts.json").read_text())
    assert sorted(first) == ["greet", "layer-arm64"]
    assert sorted(second) == ["greet", "layer-x86_64"]
    assert sorted(listed) == ["greet", "layer-arm64", "layer-x86_64"]


def test_archive_bytes_do_not_depend_on_file_times_and_modes(root: Path) -> None:
    before = built(root)
    for path in (root / "functions/greet").rglob("*.py"):
        os.utime(path, (0, 0))
        path.chmod(0o700)
    for archive in (root / "build").glob("*.zip"):
        archive.unlink()

    assert built(root) == before


def test_entries_have_one_time_and_are_readable_by_lambda(root: Path) -> None:
    built(root)

    with zipfile.ZipFile(root / "build/greet.zip") as file:
        for info in file.infolist():
            assert info.date_time == build.EPOCH
            assert stat.S_IMODE(info.external_attr >> 16) == 0o644


def test_unchanged_input_is_not_built_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built(root)
    use_uv(root, monkeypatch, "#!/bin/sh\nexit 1\n")

    assert built(root) == before


def test_damaged_archive_is_built_again(root: Path) -> None:
    before = built(root)
    (root / "build/greet.zip").write_bytes(b"")

    assert built(root) == before
    assert names(root, "greet.zip")


@pytest.mark.parametrize(
    ("changed", "archives"),
    [
        ("functions/greet/handler.py", {"greet"}),
        ("shared/slipway/port/client.py", {"layer-arm64", "layer-x86_64"}),
        ("requirements/layer.txt", {"layer-arm64", "layer-x86_64"}),
        ("LICENSE", {"layer-arm64", "layer-x86_64"}),
        ("docs/install.md", set()),
    ],
)
def test_only_changed_input_is_built_again(root: Path, changed: str, archives: set[str]) -> None:
    before = built(root)
    put(root, {changed: "something else\n"})

    after = built(root)

    assert {name for name in after if after[name].inputs != before[name].inputs} == archives


def test_index_names_file_digests_and_size(root: Path) -> None:
    built(root)

    listed = json.loads((root / "build/artifacts.json").read_text())["greet"]
    archive = root / "build/greet.zip"
    assert listed["file"] == "greet.zip"
    assert listed["size"] == archive.stat().st_size
    assert listed["sha256"] == build.sha256(archive)
    with zipfile.ZipFile(archive) as file:
        content = {name: file.read(name) for name in file.namelist()}
    assert listed["content_sha256"] == build.digest(content)


def test_index_of_another_release_is_discarded(root: Path) -> None:
    put(root, {"build/artifacts.json": '{"greet": {"unknown": 1}}'})

    assert sorted(built(root)) == ["greet", "layer-arm64", "layer-x86_64"]


def test_missing_wheel_error_names_the_fix(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_uv(root, monkeypatch, "#!/bin/sh\necho 'lib==1.0 has no usable wheels' >&2\nexit 1\n")

    app = typer.Typer()
    app.command()(build.main)
    result = CliRunner().invoke(
        app, ["--root", str(root), "--output", str(root / "build"), "--arch", "arm64"]
    )

    assert result.exit_code == 1
    assert "aarch64-manylinux_2_28" in result.output
    assert "lib==1.0 has no usable wheels" in result.output
    assert "scripts/lock" in result.output
    assert not (root / "build/artifacts.json").exists()


def test_layer_over_the_limit_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LAYER_LIMIT", 10)

    with pytest.raises(BuildError, match="the limit is"):
        built(root)


def test_missing_uv_error_names_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(BuildError, match="make setup"):
        build.find_uv(tmp_path)


@given(st.dictionaries(st.text(), st.binary()), st.dictionaries(st.text(), st.binary()))
def test_digest_is_equal_only_for_equal_entries(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (build.digest(one) == build.digest(other)) == (one == other)


def test_command_prints_the_built_archives(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.build", "--root", root, "--output", root / "out"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "layer-arm64.zip" in done.stdout
    assert "greet.zip" in done.stdout
