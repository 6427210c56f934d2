"""How Terraform is run: its output, its failures, and one interrupt."""

import _thread
import os
from pathlib import Path

import pytest

from scripts.terraform_process import TerraformFailed, run_terraform


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def run(folder: Path, *arguments: str, said: list[str]) -> int:
    return run_terraform(list(arguments), folder, os.environ, said.append)


def test_failure_ends_with_the_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, "echo 'Error: no bucket'; exit 1")

    with pytest.raises(TerraformFailed, match="terraform init ended with 1:\nError: no bucket"):
        run(tmp_path, "init", said=[])


def test_interrupt_lets_terraform_write_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "trap 'echo saved; exit 1' INT; echo applying; while :; do sleep 0.1; done"
    put(tmp_path, monkeypatch, script)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line == "applying":
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        run_terraform(["apply"], tmp_path, os.environ, say)

    assert said == ["applying", "saved"]
