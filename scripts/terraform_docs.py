"""Write inputs, outputs and resources of each module into its README.

People write a README above the marker; the command replaces the part below it.
"""

import re
import textwrap
from pathlib import Path
from typing import Annotated, Any

import hcl2
import typer
from rich.console import Console

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
MARKER = "<!-- What follows is written by scripts/terraform_docs: change the code instead. -->"
_ABSENT = object()


def text(value: object) -> str:
    """Return a string of the parsed code without its quotes or heredoc marks."""
    raw = str(value)
    if raw.startswith('"') and raw.endswith('"'):
        raw = raw[1:-1]
    if heredoc := re.fullmatch(r"<<-?(\w+)\n(.*)\n\s*\1", raw, re.DOTALL):
        return textwrap.dedent(heredoc[2])
    return raw.replace('\\"', '"')


def paragraphs(description: str) -> str:
    """Return a description as Markdown, with lines `name: meaning` as a list."""
    shown: list[str] = []
    for line in description.splitlines():
        if named := re.match(r"([a-z_]+(?:, [a-z_]+)*): (.*)", line):
            names = ", ".join(f"`{name}`" for name in named[1].split(", "))
            shown.append(f"* {names}: {named[2]}")
        elif line.startswith(" ") and shown:
            shown.append(line)
        else:
            shown.append(line)
    listed = "\n".join(shown)
    # A list needs a blank line before it.
    return re.sub(r"(?m)^((?!\*|  ).+)\n(?=\* )", r"\1\n\n", listed)


def pretty(expression: str) -> str:
    """Return a type with each attribute of an object on its own line."""
    raw = re.sub(r"^\$\{(.*)\}$", r"\1", expression, flags=re.DOTALL)
    out: list[str] = []
    brackets: list[str] = []
    quoted = False
    for character in raw:
        quoted ^= character == '"'
        if character == " " and out and out[-1].startswith("\n"):
            continue
        if not quoted and character in "})" and brackets.pop() == "{":
            out.append(_line(brackets))
        if not quoted and character in "{(":
            brackets.append(character)
        in_object = not quoted and brackets and brackets[-1] == "{"
        if in_object and character in "{,":
            out += [character.strip(","), _line(brackets)]
        else:
            out.append(character)
    return re.sub(r"\{\s+\}", "{}", "".join(out))


def _line(brackets: list[str]) -> str:
    return "\n" + "  " * brackets.count("{")


def literal(value: object) -> str:
    """Return a default as the code writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    return str(value)


def blocks(code: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the blocks of one kind by name."""
    return {text(name): body for block in code.get(kind, []) for name, body in block.items()}


def describe(folder: Path) -> str:
    """Return a module's inputs, outputs and resources as Markdown."""
    variables: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    resources: set[str] = set()
    for file in sorted(folder.glob("*.tf")):
        code = hcl2.loads(file.read_text(encoding="utf-8"))
        variables |= blocks(code, "variable")
        outputs |= blocks(code, "output")
        for block in code.get("resource", []):
            resources |= {
                f"{text(kind)}.{text(name)}" for kind, body in block.items() for name in body
            }
    lines = ["## Inputs", ""]
    for name, variable in sorted(variables.items()):
        lines += [f"### `{name}`", "", *_input(variable), ""]
    lines += ["## Outputs", ""]
    lines += [f"* `{n}`: {text(o['description'])}" for n, o in sorted(outputs.items())]
    lines += ["", "## Resources", "", ", ".join(f"`{name}`" for name in sorted(resources)), ""]
    return "\n".join(lines)


def _input(variable: dict[str, Any]) -> list[str]:
    default = variable.get("default", _ABSENT)
    facts = ["required" if default is _ABSENT else f"default `{literal(default)}`"]
    if variable.get("ephemeral"):
        facts.append("ephemeral")
    kind = pretty(str(variable["type"]))
    about = paragraphs(text(variable["description"]))
    if "\n" not in kind:
        return [f"`{kind}`, {', '.join(facts)}", "", about]
    return [", ".join(facts).capitalize(), "", about, "", "```hcl", kind, "```"]


def render(folder: Path, current: str) -> str:
    """Return the README of a module: the written and the generated part."""
    head = current.partition(MARKER)[0].rstrip() or f"# {folder.name}"
    return f"{head}\n\n{MARKER}\n\n{describe(folder)}"


def main(
    check: Annotated[
        bool, typer.Option(help="Change nothing; fail if a README is outdated.")
    ] = False,
    root: Annotated[Path, typer.Option(help="Folder of the root module.")] = ROOT / "terraform",
) -> None:
    """Write the README of the root module and of each module."""
    stale = []
    for folder in [root, *sorted(path for path in (root / "modules").iterdir() if path.is_dir())]:
        readme = folder / "README.md"
        current = readme.read_text(encoding="utf-8") if readme.exists() else ""
        wanted = render(folder, current)
        if wanted == current:
            continue
        stale.append(readme)
        if not check:
            readme.write_text(wanted, encoding="utf-8")
    if check and stale:
        console = Console(stderr=True, soft_wrap=True)
        for readme in stale:
            console.print(f"terraform_docs: {readme} does not match the code.")
        console.print("Run scripts/terraform_docs (or make format).")
        raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "--check")
