"""Makes an action: function, plan, trigger, role, Port's definitions, tests, a line in the docs.

What it makes works at once, on services that are there: it writes what was typed into a file of
the service's folder, by a pull request. `scripts/new_action_template/` holds it, under the names
that the files get. `docs/new-action.md` says what to change next.
"""

import json
import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "scripts" / "new_action_template"
NAME_IN_TEMPLATE, TITLE_IN_TEMPLATE = "example_action", "Example Action"
# An identifier for Port, Python, Terraform and GitHub's branches at once.
NAME = re.compile(r"[a-z]+(_[a-z]+)*")
# Lambda takes 64 characters, of which `name_prefix` may have 24, and a hyphen follows.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
LONGEST_NAME = 39
# What Slipway calls by such a name already: notices and decisions, and the branches of repairs.
RESERVED = frozenset({"run_ended", "decide_approval", "repair_service", "roll_back", "scale_up"})
_BY_HAND = "Nothing was made. Put it back as it was, or follow docs/new-action.md by hand."

type Texts = dict[Path, str]


class NewActionError(Exception):
    """Nothing was made; the text says why and what to do."""


def check_name(name: str) -> None:
    """See that an action can have this name.

    Raises:
        NewActionError: it cannot.
    """
    if not NAME.fullmatch(name) or not 3 <= len(name) <= LONGEST_NAME:
        raise NewActionError(
            f"'{name}' cannot be an action's name: it takes lower-case words (a-z) with _ between "
            f"them, 3 to {LONGEST_NAME} characters, as restart_service."
        )
    # Port's automation of an action has this end; Slipway tells the two apart by it.
    if name in RESERVED or name.endswith("_ended"):
        raise NewActionError(f"'{name}' means something else to Slipway. Choose another name.")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names:
        raise NewActionError(f"'{name}' is a word of Python. Choose another name.")


def title_of(name: str) -> str:
    """What people read: `Restart Service`."""
    return name.replace("_", " ").title()


def new_files(name: str, root: Path) -> Texts:
    """The files of the template under their new names.

    Raises:
        NewActionError: something of this name is there.
    """
    files: Texts = {}
    for source in sorted(TEMPLATE.rglob("*")):
        if not source.is_file() or source.suffix not in {".py", ".json"}:
            continue
        place = source.relative_to(TEMPLATE).as_posix().replace(NAME_IN_TEMPLATE, name)
        text = source.read_text(encoding="utf-8").replace(NAME_IN_TEMPLATE, name)
        files[root / place] = text.replace(TITLE_IN_TEMPLATE, title_of(name))
    if there := [path for path in (*files, root / "functions" / name) if path.exists()]:
        raise NewActionError(
            f"{there[0].relative_to(root)} is there already. Nothing was made. "
            "Choose another name, or remove that action first."
        )
    return files


def entries(name: str, root: Path) -> Texts:
    """The files that list the actions, with one more.

    Raises:
        NewActionError: a list cannot be found where it was.
    """
    registry = root / "shared/slipway/changes/registry.py"
    text = _added(registry, r"from slipway\.actions import \(\n((?: {4}\w+,\n)+)\)", f"    {name},")
    line = f'    "{name}": Action({name}.plan, {name}.FILES),'
    entry = r"ACTIONS: .+ = \{\n((?: {4}.+\n)+)\}"
    text = _added(registry, entry, line, text, in_order=False)

    terraform = root / "terraform/actions.tf"
    line = f'    {name} = "Carries out {title_of(name)} by a pull request"'
    listed = _added(terraform, r"  actions = \{\n((?: {4}\w+ += .+\n)+)  \}", line)

    fixture = root / "terraform/tests/artifacts/artifacts.json"
    try:
        artifacts = dict(json.loads(_read(fixture)))
    except ValueError as error:
        raise NewActionError(f"{fixture} is no list of archives. {_BY_HAND}") from error
    artifacts[name] = {
        "file": f"{name}.zip",
        "sha256": "aa",
        "content_sha256": f"content-of-{name.replace('_', '-')}",
        "size": 1,
        "inputs": "aa",
    }

    readme = root / "port/README.md"
    row = f"| `actions/{name}.json` | *{title_of(name)}*: writes what is typed into a file |"
    rows = r"\| --- \| --- \|\n((?:\|.+\n)+)"
    return {
        registry: text,
        terraform: _aligned(listed),
        fixture: json.dumps(dict(sorted(artifacts.items())), indent=2) + "\n",
        readme: _added(readme, rows, row, in_order=False),
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NewActionError(f"{path} cannot be read ({error.strerror}). {_BY_HAND}") from error


def _added(
    path: Path, block: str, line: str, text: str | None = None, *, in_order: bool = True
) -> str:
    """A file with one more line in the first block of lines that a pattern finds."""
    text = _read(path) if text is None else text
    found = re.search(block, text)
    if found is None:
        raise NewActionError(f"{path} has not the list that it had. {_BY_HAND}")
    lines = [*found[1].splitlines(), line]
    lines = sorted(lines) if in_order else lines
    return text[: found.start(1)] + "\n".join(lines) + "\n" + text[found.end(1) :]


def _aligned(text: str) -> str:
    """As `terraform fmt` has it: the equals signs below each other."""
    pairs = re.findall(r"^ {4}(\w+) +=", text, re.MULTILINE)
    width = max(map(len, pairs))
    return re.sub(
        r"^ {4}(\w+) +=", lambda match: f"    {match[1]:<{width}} =", text, flags=re.MULTILINE
    )


def formatted(texts: Texts, root: Path) -> Texts:
    """The same with Python as `make format` would leave it: a name's length breaks lines."""
    ruff = Path(sys.executable).with_name("ruff")
    done: Texts = {}
    for path, text in texts.items():
        done[path] = text
        for command in (["check", "--quiet", "--fix-only", "--select=I"], ["format", "--quiet"]):
            if path.suffix == ".py":
                run = subprocess.run(
                    [ruff, *command, "--stdin-filename", path, "-"],
                    cwd=root,
                    input=done[path],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                done[path] = run.stdout
    return done


def write(texts: Texts) -> None:
    """Write all the files, or none of them.

    Raises:
        OSError: one could not be written; those before it are as they were.
    """
    before = {path: path.read_bytes() if path.exists() else None for path in texts}
    made: list[Path] = []
    try:
        for path, text in texts.items():
            made += [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except BaseException:
        for path, data in before.items():
            if data is not None:
                path.write_bytes(data)
            else:
                path.unlink(missing_ok=True)
        for folder in sorted(made, reverse=True):
            if folder.exists():
                folder.rmdir()
        raise


def make(name: str, root: Path) -> list[Path]:
    """Make an action.

    Returns:
        The files that were made or changed.

    Raises:
        NewActionError: nothing was made.
    """
    check_name(name)
    texts = formatted(new_files(name, root) | entries(name, root), root)
    try:
        write(texts)
    except OSError as error:
        raise NewActionError(f"{error}. Nothing was made.") from error
    return list(texts)


def main(
    name: Annotated[str, typer.Argument(help="Identifier of the action, as restart_service.")],
    root: Annotated[Path, typer.Option(help="Repository to make it in.")] = ROOT,
) -> None:
    """Make a new action on services that are there, complete and deployable."""
    root = root.resolve()
    try:
        made = make(name, root)
    except NewActionError as error:
        typer.echo(f"new_action: {error}", err=True)
        raise typer.Exit(1) from None
    for path in made:
        typer.echo(path.relative_to(root))
    typer.echo(
        f"\n{title_of(name)} is made, and works. What it does is in "
        f"shared/slipway/changes/{name}.py, what it asks for in port/actions/{name}.json.\n"
        "Next: make unit contract, then docs/new-action.md (sandbox, policy, deployment)."
    )


if __name__ == "__main__":
    start(main, "restart_service")
