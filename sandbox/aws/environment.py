"""Build an execution environment: variables, unpacked code and layers."""

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sandbox.aws.settings import Settings

# Variables that LocalStack prepares and that Lambda has too, with the same meaning:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_LAMBDA_VARIABLES = (
    "_HANDLER",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "TZ",
)

_unpacking = threading.Lock()


@dataclass(frozen=True)
class Folders:
    """Where an execution environment finds its files.

    Attributes:
        code: The function's unpacked archive: Lambda's /var/task.
        layers: Its unpacked layers, one over the other: Lambda's /opt.
        temporary: Lambda's /tmp, which each environment has for itself.
    """

    code: Path
    layers: Path
    temporary: Path


def variables(
    prepared: Mapping[str, object], own: Mapping[str, str], folders: Folders, settings: Settings
) -> dict[str, str]:
    """Return the whole environment of a function's process; nothing of the host's is in it.

    Two variables are not Lambda's: AWS_ENDPOINT_URL, which points the SDK at this AWS, and TMPDIR,
    because the processes of a host share its /tmp.

    Args:
        prepared: LocalStack's variables for the environment.
        own: The function's own, which win where Lambda lets them.
        folders: The environment's.
        settings: The interpreter that runs the function and the address of this AWS.
    """
    python, code, layers = settings.lambda_python, folders.code, folders.layers
    result = {name: str(prepared[name]) for name in _LAMBDA_VARIABLES if name in prepared}
    result |= {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "LAMBDA_TASK_ROOT": str(code),
        "LAMBDA_RUNTIME_DIR": str(python.parents[1] / "lib" / "python3.13" / "site-packages"),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{code}:{code / 'lib'}:{layers / 'lib'}",
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin/:/bin:{layers / 'bin'}",
        "TMPDIR": str(folders.temporary),
        **own,
    }
    # A function's own PYTHONPATH is searched, as on Lambda, after its code and its layers.
    search = [
        str(code),
        str(layers / "python" / "lib" / "python3.13" / "site-packages"),
        str(layers / "python"),
    ]
    if "PYTHONPATH" in own:
        search.append(own["PYTHONPATH"])
    return result | {"PYTHONPATH": ":".join(search)}


def layers_folder(root: Path, layer_arns: Sequence[str]) -> Path:
    """Return where the layers of a function lie, one over the other in their order."""
    return root / "layers" / sha256("\n".join(layer_arns).encode()).hexdigest()[:32]


def unpack_layers(root: Path, layers: Sequence[tuple[str, Path]]) -> Path:
    """Lay layers over each other as Lambda does in /opt: a later one wins over an earlier one.

    Args:
        root: Where the result is kept, to be used again by functions with the same layers.
        layers: ARN of the layer version and folder of its unpacked archive, in order.

    Returns:
        The folder that stands for /opt.
    """
    target = layers_folder(root, [arn for arn, _ in layers])
    with _unpacking:
        if target.is_dir():
            return target
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for _, source in layers:
            shutil.copytree(source, partial, dirs_exist_ok=True, symlinks=True)
        partial.rename(target)
    return target
