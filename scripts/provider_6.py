"""Compare the module with the schema of version 6 of AWS's provider.

Version 6 cannot run here. The package `pulumi-aws` 7 on PyPI is generated from its schema: each
resource is a class, each argument a parameter, each block a separate class. ADR 13 has the result.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import hcl2
import typer

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
# Arguments of Terraform itself.
META = {
    "content", "count", "depends_on", "for_each", "lifecycle", "override_provider", "provider",
}  # fmt: skip
# Names that Pulumi changes: what names another resource has no `_id` or `_arn`.
RENAMED = {
    "alarm_name": ("name",),
    "deployment_id": ("deployment",),
    "function_name": ("name", "function"),
    "rest_api_id": ("rest_api",),
    "topic_arn": ("topic",),
}
REFERENCE = r"(data\.)?\b(aws_[a-z0-9_]+)\.\w+(?:\[[^\]]*\])?\.(\w+)"
RESOURCES = {"aws_s3_object": "aws_s3_bucket_objectv2"}


class Schema:
    """The resources and data sources of the provider, as the package has them.

    Args:
        folder: the package `pulumi_aws`, unpacked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = {
            self._name(file): file
            for file in folder.glob("*/*.py")
            if not file.stem.startswith("_")
        } | {self._name(file): file for file in folder.glob("get_*.py")}

    def _name(self, file: Path) -> str:
        """Return the module name: `sqs/queue.py` → `sqsqueue`.

        Resources of EC2 or of the account have no prefix.
        """
        place = file.parent.name.strip("_")
        prefix = "" if place in {"ec2", "pulumi_aws"} else place
        return re.sub("[^a-z0-9]", "", prefix + file.stem.strip("_"))

    def file(self, kind: str, is_data: bool) -> Path | None:
        """Return the file of a type, for example `aws_sqs_queue`."""
        if not is_data:
            kind = RESOURCES.get(kind, kind)
        name = kind.removeprefix("aws_").replace("_", "")
        if not is_data:
            return self._files.get(name)
        # `aws_iam_policy_document` → `iam/get_policy_document.py`
        wanted = [file for key, file in self._files.items() if key.replace("get", "", 1) == name]
        return next((file for file in wanted if file.stem.startswith("get_")), None)

    @cache  # noqa: B019 - one schema lives as long as the process
    def classes(self, file: Path) -> dict[str, ast.ClassDef]:
        """Return the classes of a file by name."""
        tree = ast.parse(file.read_text(encoding="utf-8"))
        return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

    def arguments(self, file: Path, is_data: bool) -> dict[str, str]:
        """Return the arguments of a type, with their annotation."""
        if is_data:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
            return _parameters(next(n for n in functions if n.name == file.stem.rstrip("_")))
        found = self.classes(file)
        name = next(name for name in found if name.endswith("Args"))
        return _parameters(_init(found[name]))

    def block(self, file: Path, annotation: str) -> dict[str, str] | None:
        """Return a block's arguments by its annotation; None for other types."""
        if not (named := re.search(r"'([A-Za-z0-9]+Args)'", annotation)):
            return None
        inputs = self.classes(file.parent / "_inputs.py")
        return _parameters(_init(inputs[named[1]]))

    def attributes(self, file: Path) -> set[str]:
        """Return the attributes of a type."""
        return {
            node.name
            for one in self.classes(file).values()
            for node in one.body
            if isinstance(node, ast.FunctionDef) and node.decorator_list
        }


def _init(node: ast.ClassDef) -> ast.FunctionDef:
    return next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")


def _parameters(node: ast.FunctionDef) -> dict[str, str]:
    every = [*node.args.args, *node.args.kwonlyargs]
    return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in every}


def spelled(name: str, known: dict[str, str] | set[str]) -> str | None:
    """Find a name that Pulumi spells in the plural or with an underscore."""
    forms = (
        name, f"{name}s", f"{name}es", f"{name[:-1]}ies", f"{name}_", name.removesuffix("s"),
        *RENAMED.get(name, ()),
    )  # fmt: skip
    return next((form for form in forms if form in known), None)


def unknown(
    schema: Schema, file: Path, known: dict[str, str], body: dict[str, Any], place: str
) -> Iterator[str]:
    """Yield the parts of a block that version 6 does not have."""
    for quoted, value in body.items():
        name = quoted.strip('"')
        if name in META or name.startswith("__"):
            continue
        if name == "dynamic":
            blocks = [
                (key.strip('"'), one["content"]) for each in value for key, one in each.items()
            ]
        else:
            blocks = [(name, value)]
        for each, content in blocks:
            form = spelled(each, known)
            if form is None:
                yield f"{place}.{each}"
                continue
            inner = schema.block(file, known[form])
            for one in content if isinstance(content, list) else [content]:
                if inner is not None and isinstance(one, dict):
                    yield from unknown(schema, file, inner, one, f"{place}.{each}")


def check(schema: Schema, modules: Path) -> tuple[int, list[str]]:
    """Compare all code below a folder.

    Returns:
        The number of blocks and references, and what version 6 does not have.
    """
    faults: list[str] = []
    seen = 0
    for file in sorted(modules.glob("**/*.tf")):
        if "tests" in file.relative_to(modules).parts:
            continue
        text = file.read_text(encoding="utf-8")
        for is_data, kind, bodies in declared(hcl2.loads(text)):
            seen += 1
            place = schema.file(kind, is_data)
            if place is None:
                faults.append(kind)
                continue
            known = schema.arguments(place, is_data)
            faults += [
                each for body in bodies for each in unknown(schema, place, known, body, kind)
            ]
        for data, kind, attribute in re.findall(REFERENCE, text):
            seen += 1
            place = schema.file(kind, bool(data))
            # Every resource has an `id`, which Pulumi does not list.
            if place and not spelled(attribute, {*schema.attributes(place), "id"}):
                faults.append(f"{data}{kind} → {attribute}")
    return seen, sorted(set(faults))


def declared(code: dict[str, Any]) -> Iterator[tuple[bool, str, list[dict[str, Any]]]]:
    """Yield whether it is a data source, its type and its bodies."""
    for section in ("resource", "data"):
        for block in code.get(section, []):
            for quoted, named in block.items():
                if (kind := quoted.strip('"')).startswith("aws_"):
                    yield section == "data", kind, list(named.values())


def main(
    package: Annotated[str, typer.Option(help="What uv installs.")] = "pulumi-aws==7.51.1",
) -> None:
    """Download the schema of version 6 and compare the module with it."""
    uv = shutil.which("uv") or ROOT / "build/uv/bin/uv"  # where scripts/setup installs it
    with tempfile.TemporaryDirectory() as folder:
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        subprocess.run([*command, "--target", folder, package], check=True)
        seen, faults = check(Schema(Path(folder) / "pulumi_aws"), ROOT / "terraform")
    typer.echo(f"{package}: {seen} blocks and references compared.")
    for fault in faults:
        typer.echo(f"not in version 6: {fault}")
    if faults:
        raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "")
