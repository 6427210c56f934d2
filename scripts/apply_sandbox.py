"""Applies the Terraform stack to a running sandbox: the same code that is applied to AWS.

The provider's endpoints are the only thing that differs; `tflocal` sets them, outside the stack.
State and provider files are kept in the sandbox's folder, so that a sandbox that is gone leaves
nothing behind.
"""

import json
import os
import platform
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "terraform"


class Mode(StrEnum):
    """Where the runs come from: Port's own brokers, or a mirrored MSK cluster."""

    EXTERNAL = "external"
    MSK = "msk"


class StackError(Exception):
    """Terraform refused; the text is what it said."""


def read_environment(folder: Path) -> dict[str, str]:
    """Read the sandbox's `env` file.

    Raises:
        StackError: the sandbox is down.
    """
    file = folder / "env"
    if not file.exists():
        raise StackError(f"{file} is not there: the sandbox is down. Start it: scripts/sandbox up")
    lines = file.read_text().splitlines()
    return {k: v.strip("'") for k, _, v in (line.partition("=") for line in lines)}


class Stack:
    """The stack in one sandbox.

    Args:
        folder: the sandbox's folder.
        mode: which of the two Kafka modes; each has a state of its own.
        say: told each line that Terraform prints.
    """

    def __init__(
        self, folder: Path, mode: Mode = Mode.EXTERNAL, say: Callable[[str], None] = print
    ) -> None:
        self._sandbox = read_environment(folder)
        self._data = folder / f"terraform-{mode}"
        self._mode = mode
        self._say = say

    def init(self) -> None:
        """Install the provider."""
        self._terraform("init", "-input=false", "-lockfile=readonly", "-backend=false")

    def apply(self, *, with_secrets: bool = True) -> None:
        """Make the sandbox's AWS as the stack says."""
        self._terraform("apply", "-auto-approve", *self._arguments(with_secrets=with_secrets))

    def changes(self) -> str:
        """What another apply would change, without the secrets' values; empty if nothing."""
        done = self._run("plan", "-detailed-exitcode", *self._arguments(with_secrets=False))
        return done if done else ""

    def destroy(self) -> None:
        """Take everything away again."""
        self._terraform("destroy", "-auto-approve", *self._arguments(with_secrets=False))

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, by name."""
        text = self._terraform("output", "-json", f"-state={self._state}", quiet=True)
        return {name: output["value"] for name, output in json.loads(text).items()}

    @property
    def _state(self) -> Path:
        return self._data / "terraform.tfstate"

    def _arguments(self, *, with_secrets: bool) -> list[str]:
        name = "sandbox-msk" if self._mode is Mode.MSK else "sandbox"
        variables = self._data / "sandbox.auto.tfvars.json"
        variables.parent.mkdir(parents=True, exist_ok=True)
        variables.write_text(json.dumps(self._variables(), indent=2))
        return [
            "-input=false",
            f"-state={self._state}",
            f"-var-file={TERRAFORM / 'environments' / 'sandbox' / f'{name}.tfvars'}",
            f"-var-file={variables}",
        ] + ([f"-var-file={self._secrets()}"] if with_secrets else [])

    def _variables(self) -> dict[str, Any]:
        machine = platform.machine().lower()
        return {"architecture": "arm64" if machine in {"arm64", "aarch64"} else "x86_64"}

    def _secrets(self) -> Path:
        raise NotImplementedError

    def _terraform(self, *arguments: str, quiet: bool = False) -> str:
        return self._run(*arguments, quiet=quiet)

    def _run(self, *arguments: str, quiet: bool = False) -> str:
        raise NotImplementedError


Folder = Annotated[Path, typer.Option(envvar="SANDBOX_DIR", help="The sandbox's folder.")]


def main(folder: Folder = ROOT / ".sandbox", mode: Mode = Mode.EXTERNAL) -> None:
    """Apply the stack to the running sandbox."""
    console = Console()
    try:
        stack = Stack(folder, mode, console.print)
        stack.init()
        stack.apply()
    except StackError as error:
        console.print(f"[red]apply_sandbox:[/red] {error}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
_ = (os, subprocess)
