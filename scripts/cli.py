"""Share what all commands have: real names, examples, uncut tables."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

CatalogFolder = Annotated[
    Path, typer.Option("--catalog", help="Folder of the catalog.", exists=True, file_okay=False)
]
# Without a terminal, output has no width limit.
_ANY_WIDTH = 10_000


def start(command: Callable[..., Any] | typer.Typer, example: str) -> None:
    """Run a command of `scripts/`.

    Args:
        command: its function, or its application with subcommands.
        example: the arguments of a call that `--help` shows.
    """
    name = f"scripts/{Path(sys.argv[0]).stem}"
    epilog = f"Example: {name} {example}".rstrip()
    if isinstance(command, typer.Typer):
        app = command
        app.info.epilog = epilog
    else:
        app = typer.Typer(add_completion=False)
        app.command(epilog=epilog)(command)
    app(prog_name=name)


def table_console() -> Console:
    """Return a console for tables; without a terminal it cuts no name."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _ANY_WIDTH)


def add_names(table: Table, title: str, names: Iterable[str]) -> None:
    """Add a column for values to copy, so that none is cut or broken."""
    width = max(map(len, [title, *names]))
    table.add_column(title, no_wrap=True, min_width=width)
