"""Read a catalog's files from a folder, or from Terraform's object."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read all files of a catalog's folder: path within it → content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_object(data: bytes) -> dict[str, bytes]:
    """Read the object that Terraform stores: `{"files": {path: base64}}`."""
    files: Mapping[str, str] = json.loads(data)["files"]
    return {path: base64.b64decode(text) for path, text in files.items()}
