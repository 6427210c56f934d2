"""The sandbox's command line: `scripts/sandbox up | status | logs | restart | down`."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox.attached import ends_with_this_process
from sandbox.stack import ROOT, Sandbox
from sandbox.state import SandboxError

app = typer.Typer(
    help="AWS, Port and GitHub for Slipway, on this machine and without an account.",
    epilog="Example: scripts/sandbox logs aws --follow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)
Folder = Annotated[
    Path,
    typer.Option(
        envvar="SANDBOX_DIR", help="Where this sandbox keeps its state.", show_default=".sandbox"
    ),
]
_DEFAULT = ROOT / ".sandbox"
_APPLY = ROOT / "scripts" / "apply_sandbox"


@app.command()
def up(
    folder: Folder = _DEFAULT,
    attached: Annotated[
        bool,
        typer.Option(
            "--attached",
            help="Stay in the foreground, and end all of it at Ctrl-C, SIGTERM, SIGHUP or when the "
            "standard input ends.",
        ),
    ] = False,
) -> None:
    """Start everything that is not running yet, and say where it listens."""
    sandbox = Sandbox(folder)
    started = time.monotonic()
    try:
        with ends_with_this_process(sandbox) if attached else nullcontext():
            with console.status("Starting") as spinner:
                sandbox.up(spinner.update, attached=attached, say=console.print)
                apply_again(sandbox, spinner.update)
            _show(sandbox)
            console.print(f"Up after {time.monotonic() - started:.1f} s. For other clients:")
            command = f"  set -a; . {os.path.relpath(sandbox.env_file)}; set +a"
            console.print(command, soft_wrap=True)
            while attached and sandbox.state():
                time.sleep(1)
    except SandboxError as error:
        console.print(f"[red]sandbox:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from None


def apply_again(sandbox: Sandbox, progress: Callable[[str], None], program: Path = _APPLY) -> None:
    """Apply the stacks that AWS has lost.

    Raises:
        SandboxError: Terraform refused; with what it wrote.
    """
    for mode in sandbox.unapplied():
        progress(f"Applying the stack again ({mode})")
        command = [str(program), "--folder", str(sandbox.folder), "--mode", mode]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(f"The stack could not be applied again:\n{done.stdout}{done.stderr}")
        console.print(f"The stack was applied again ({mode}).")


@app.command()
def status(folder: Folder = _DEFAULT) -> None:
    """Show what runs. The exit status is 0 only if all of it does."""
    if not _show(Sandbox(folder)):
        raise typer.Exit(1)


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="broker, port, github, aws or cluster")],
    folder: Folder = _DEFAULT,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="Number of lines, from the end.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the log until Ctrl-C.")
    ] = False,
) -> None:
    """Show what a part of the sandbox has written."""
    file = Sandbox(folder).log_file(name)
    if not file.exists():
        known = ", ".join(sorted(f.stem for f in file.parent.glob("*.log"))) or "none yet"
        console.print(f"[red]sandbox:[/red] the log of '{name}' does not exist. Logs: {known}.")
        raise typer.Exit(1)
    with file.open(errors="replace") as stream:
        for line in stream.read().splitlines()[-lines:]:
            console.print(line, markup=False, soft_wrap=True)
        while follow:
            line = stream.readline()
            if line:
                console.print(line.rstrip("\n"), markup=False, soft_wrap=True)
            else:
                time.sleep(0.2)


@app.command()
def restart(
    name: Annotated[str, typer.Argument(help="port, github or cluster")],
    folder: Folder = _DEFAULT,
    down_for: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds until it is started again.")
    ] = 0,
) -> None:
    """End a part and start it again, with its data: an outage."""
    try:
        Sandbox(folder).restart(name, down_for)
    except SandboxError as error:
        console.print(f"[red]sandbox:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"{name} is up again.")


@app.command()
def down(folder: Folder = _DEFAULT) -> None:
    """End every process of the sandbox and forget its data."""
    ended = Sandbox(folder).down()
    console.print(f"Ended: {', '.join(ended)}." if ended else "The sandbox was not running.")


def _show(sandbox: Sandbox) -> bool:
    state = sandbox.state()
    if state is None:
        console.print("The sandbox is down. Start it with: scripts/sandbox up")
        return False
    running = sandbox.running(state)
    table = Table("Part", "State", "Process", "Address")
    for name, alive in running.items():
        address = state.kafka if name == "broker" else state.url(name)
        text = "[green]running[/green]" if alive else "[red]ended[/red]"
        table.add_row(name, text, str(state.pids[name]), address)
    console.print(table)
    return all(running.values())


def main() -> None:
    """Run the command line under the name that people call it by."""
    app(prog_name="scripts/sandbox")


if __name__ == "__main__":
    main()
