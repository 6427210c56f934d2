"""The layer that `scripts/build` makes with the real uv."""

import os
import platform
import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts import build
from scripts.build import Architecture

pytestmark = pytest.mark.waits

REPOSITORY = Path(__file__).resolve().parents[3]
LAMBDA_PYTHON = REPOSITORY / "sandbox/.lambda-venv/bin/python"
HOST = Architecture.ARM64 if platform.machine() in {"aarch64", "arm64"} else Architecture.X86_64


@pytest.fixture(scope="module")
def real_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the repository's layer for this machine's architecture, as Lambda does."""
    output = tmp_path_factory.mktemp("build")
    build.build(REPOSITORY, output, [HOST])
    with zipfile.ZipFile(output / f"layer-{HOST}.zip") as file:
        file.extractall(output / "opt")
    return output / "opt/python"


def test_layer_has_everything_that_functions_import(real_layer: Path) -> None:
    # Given Lambda's own packages, the layer, and the functions
    path = os.pathsep.join([str(real_layer), str(REPOSITORY)])
    modules = [
        "slipway." + ".".join(file.relative_to(real_layer / "slipway").with_suffix("").parts)
        for file in (real_layer / "slipway").rglob("*.py")
        if file.name != "__init__.py"
    ]
    modules += [f"functions.{name}.handler" for name in build.functions(REPOSITORY)]
    program = "\n".join(
        f"import {m}" for m in ("github", "jq", "nacl.public", "requests", *modules)
    )

    # When all of it is imported by Lambda's Python
    done = subprocess.run(
        [LAMBDA_PYTHON, "-c", program],
        env={"PYTHONPATH": path, "AWS_DEFAULT_REGION": "eu-west-1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    # Then nothing is missing
    assert done.returncode == 0, done.stderr


def test_layer_omits_what_lambda_provides(real_layer: Path) -> None:
    contained = {path.name for path in real_layer.iterdir()}

    assert not contained & {"boto3", "botocore", "s3transfer", "bin", "tests"}
    assert {"slipway", "github", "pydantic", "aws_lambda_powertools", "urllib3"} <= contained
