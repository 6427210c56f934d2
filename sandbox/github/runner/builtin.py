"""The actions that this runner has built in, as functions of a step's inputs."""

import base64
import re
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class ActionError(Exception):
    """An action cannot do what it was asked; the text says why."""


@dataclass
class Workbench:
    """What an action works with.

    Attributes:
        workspace: the job's working folder.
        tools: where tools may be installed.
        github: the `github` context.
        path: folders to put before PATH for later steps, last one first.
        environment: variables for later steps.
        execute: runs a command in a folder, writes to the log, returns the exit status.
        say: writes a line to the log.
    """

    workspace: Path
    tools: Path
    github: dict[str, str]
    path: list[str]
    environment: dict[str, str]
    execute: Callable[[list[str], Path], int]
    say: Callable[[str], None]


def run_action(uses: str, inputs: Mapping[str, str], bench: Workbench) -> dict[str, str]:
    """Do what an action does; returns its outputs.

    Raises:
        ActionError: this runner does not have the action or an input, or the action failed.
    """
    name, _, version = uses.partition("@")
    if not version:
        raise ActionError(f"'{uses}' names no version")
    if name not in _ACTIONS:
        have = ", ".join(_ACTIONS)
        raise ActionError(f"this runner does not have the action '{uses}'. It has: {have}")
    action, known = _ACTIONS[name]
    if unknown := [key for key, value in inputs.items() if key not in known and value]:
        raise ActionError(f"this runner does not know the input '{unknown[0]}' of {name}")
    return action({key: value.strip() for key, value in inputs.items()}, bench)


def _checkout(inputs: Mapping[str, str], bench: Workbench) -> dict[str, str]:
    repository = inputs.get("repository") or bench.github["repository"]
    folder = (bench.workspace / inputs.get("path", "")).resolve()
    if not folder.is_relative_to(bench.workspace.resolve()):
        raise ActionError(f"the path '{inputs['path']}' is not below the workspace")
    url = f"{bench.github['server_url']}/{repository}"
    token = inputs.get("token") or bench.github["token"]
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    ref = inputs.get("ref", "")
    wanted = ref or (bench.github["sha"] if repository == bench.github["repository"] else "HEAD")
    depth = inputs.get("fetch-depth") or "1"
    header = f"http.{bench.github['server_url']}/.extraheader"
    config = [header, f"AUTHORIZATION: basic {basic}"]
    folder.mkdir(parents=True, exist_ok=True)
    branch = (ref or bench.github["ref"]).removeprefix("refs/heads/")
    is_branch = not re.fullmatch(r"[0-9a-f]{40}|refs/.*|HEAD", branch)
    history = [f"--depth={depth}"] if depth != "0" else []
    switch = ["-B", branch] if is_branch else ["--detach"]
    for command in (
        ["init", "--quiet"],
        ["remote", "add", "origin", url],
        ["config", "--local", *config],
        ["-c", "protocol.version=2", "fetch", "--no-tags", *history, "origin", wanted],
        ["checkout", "--quiet", "--force", *switch, "FETCH_HEAD"],
    ):
        if bench.execute(["git", *command], folder):
            raise ActionError(f"git could not check out '{wanted}' of {repository}")
    if inputs.get("persist-credentials", "true") == "false":
        bench.execute(["git", "config", "--local", "--unset-all", header], folder)
    return {"ref": ref or bench.github["ref"], "commit": bench.github["sha"]}


def _setup_python(inputs: Mapping[str, str], bench: Workbench) -> dict[str, str]:
    have = ".".join(str(part) for part in sys.version_info[:3])
    wanted = inputs.get("python-version", "")
    if file := inputs.get("python-version-file"):
        path = bench.workspace / file
        if not path.is_file():
            raise ActionError(f"the file '{file}' does not exist")
        wanted = path.read_text().strip()
    old = re.fullmatch(r"3\.(\d+)(?:\.[\dx]+)?", wanted)
    if not re.fullmatch(r"(>=|~=|\^)?\s*3(\.[\dx]+){0,2}", wanted or "3") or (
        old and int(old.group(1)) < 11
    ):
        raise ActionError(f"this runner has Python {have} only, not '{wanted}'")
    bench.say(f"Python {have}, the sandbox's own, stands in for '{wanted or '3'}'")
    # An environment of its own: nothing that the sandbox has installed is importable in the job.
    folder = bench.tools / "python"
    venv.EnvBuilder(symlinks=True).create(folder)
    pip = folder / "bin" / "pip"
    pip.write_text(
        '#!/bin/sh\nbin=$(dirname "$0")\nrm -f "$bin/pip"\n'
        '"$bin/python" -m ensurepip --default-pip >/dev/null && exec "$bin/pip" "$@"\n'
    )
    pip.chmod(0o755)
    bench.path.insert(0, str(folder / "bin"))
    bench.environment["pythonLocation"] = str(folder)
    return {"python-version": have, "python-path": str(folder / "bin" / "python")}


_CHECKOUT_INPUTS = {
    "repository",
    "ref",
    "token",
    "path",
    "fetch-depth",
    "persist-credentials",
    # What follows changes nothing in a workspace that is always new.
    "clean",
    "show-progress",
    "set-safe-directory",
}
_ACTIONS: dict[str, tuple[Callable[[Mapping[str, str], Workbench], dict[str, str]], set[str]]] = {
    "actions/checkout": (_checkout, _CHECKOUT_INPUTS),
    "actions/setup-python": (
        _setup_python,
        {"python-version", "python-version-file", "check-latest", "cache", "architecture"},
    ),
}
