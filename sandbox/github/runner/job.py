"""Runs one job: a workspace of its own, a minimal environment, its steps one after the other."""

import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import mark
from sandbox.github.oidc import REQUESTS
from sandbox.github.runner import builtin
from sandbox.github.runner.commands import CommandError, Masker, parse_environment_file
from sandbox.github.runner.context import RunInfo, default_variables, rendered
from sandbox.github.runner.evaluation import Scope, condition, render, to_number, to_text, truthy
from sandbox.github.runner.expressions import ExpressionError
from sandbox.github.runner.process import Cancellation, TimedOut, run_process
from sandbox.github.runner.workflow import Job, Step

MAX_LOG = 2_000_000
# GitHub's default is six hours; nobody waits so long for a sandbox.
MAX_MINUTES = 10.0
_SHELLS = {
    "": "bash -e {0}",
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": "python {0}",
}
_SUMMARY_LIMIT = 1_000_000
_FILES = ("output", "env", "path", "step_summary", "state")


class StepFailed(Exception):
    """A step failed; the text goes to the log."""


@dataclass
class Result:
    """What a job ended with."""

    conclusion: str
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)


class JobRunner:
    """Runs a job once.

    Args:
        info: the run.
        key: the job's key in the workflow.
        needs: the `needs` context.
        token: the job's own token.
        cancellation: may end the job.
        asking: what the job shows to be given an OpenID Connect token; empty: it may have none.
    """

    def __init__(
        self,
        info: RunInfo,
        key: str,
        needs: dict[str, Any],
        token: str,
        cancellation: Cancellation,
        asking: str = "",
    ) -> None:
        self._info = info
        self._asking = asking
        self._job: Job = info.workflow.jobs[key]
        self._needs = needs
        self._cancellation = cancellation
        self._masker = Masker([*info.secrets.values(), token, asking])
        self._lines: list[str] = []
        self._size = 0
        self._status = "success"
        self._steps: dict[str, Any] = {}
        self._records: list[dict[str, Any]] = []
        self._summary = ""
        self._path: list[str] = []
        self._environment: dict[str, str] = {}
        self._secrets = {**info.secrets, "GITHUB_TOKEN": token}
        self._github = {**info.github(), "token": token, "job": key, "action": ""}

    def run(self, progress: Callable[[list[dict[str, Any]]], None]) -> Result:
        """Run the steps.

        Args:
            progress: is given the steps' states when one has ended.
        """
        with tempfile.TemporaryDirectory(prefix="runner-") as folder:
            self._prepare(Path(folder))
            outputs: dict[str, str] = {}
            try:
                minutes = self._minutes(self._job.timeout_minutes, self._scope({}))
                self._deadline = time.monotonic() + min(minutes, MAX_MINUTES) * 60
                scope = self._scope({})
                self._environment |= rendered(self._info.workflow.env, scope)
                self._environment |= rendered(self._job.env, scope)
                for number, step in enumerate(self._job.steps, 1):
                    self._step(number, step)
                    progress(self._records)
                outputs = rendered(self._job.outputs, self._scope(self._environment))
            except (ExpressionError, StepFailed) as error:
                self._say(f"##[error]{error}")
                self._status = "failure"
        conclusion = "cancelled" if self._cancellation.requested else self._status
        clean = {name: value for name, value in outputs.items() if not self._has_secret(value)}
        log = "".join(self._lines)
        return Result(conclusion, clean, log, self._masker.mask(self._summary), self._records)

    def _has_secret(self, value: str) -> bool:
        """GitHub drops job outputs that hold a secret."""
        return self._masker.mask(value) != value

    def _prepare(self, root: Path) -> None:
        name = self._info.repo
        self._workspace = root / "work" / name / name
        self._home, self._temp, self._tools = root / "home", root / "temp", root / "tools"
        for folder in (self._workspace, self._home, self._temp, self._tools):
            folder.mkdir(parents=True)
        event = self._temp / "event.json"
        event.write_text(json.dumps(self._info.payload))
        self._github |= {"workspace": str(self._workspace), "event_path": str(event)}
        self._runner = {
            "name": "sandbox",
            "os": "Linux",
            "arch": {"x86_64": "X64", "aarch64": "ARM64"}.get(os.uname().machine, "X64"),
            "temp": str(self._temp),
            "tool_cache": str(self._tools),
            "debug": "",
            "environment": "self-hosted",
        }

    # -- expressions

    def _scope(self, env: dict[str, str], *, secrets: bool = True) -> Scope:
        contexts = {
            **self._info.shared(),
            "github": self._github,
            "env": env,
            "steps": self._steps,
            "needs": self._needs,
            "job": {"status": self._status},
            "runner": self._runner,
            **({"secrets": self._secrets} if secrets else {}),
        }
        cancelled = self._cancellation.requested
        functions = {
            "success": lambda: self._status == "success" and not cancelled,
            "failure": lambda: self._status == "failure" and not cancelled,
            "always": lambda: True,
            "cancelled": lambda: cancelled,
        }
        return Scope(contexts, functions)

    def _minutes(self, value: float | str, scope: Scope) -> float:
        number = to_number(render(value, scope)) if isinstance(value, str) else value
        if not number > 0:
            raise StepFailed(f"timeout-minutes must be more than 0, not '{value}'")
        return number

    # -- steps

    def _step(self, number: int, step: Step) -> None:
        started = _now()
        title, outcome = step.title, "skipped"
        env, result = dict(self._environment), ""
        self._github["action"] = step.id or f"__run_{number}"
        outputs: dict[str, str] = {}
        try:
            scope = self._scope(env, secrets=False)
            if condition(step.condition, scope):
                env |= rendered(step.env, self._scope(env))
                title = to_text(render(step.title, self._scope(env)))
                outcome = "failure"
                outputs = self._execute(number, step, env)
                outcome = "success"
        except (StepFailed, ExpressionError, CommandError, builtin.ActionError) as error:
            self._say(f"##[error]{error}")
            outcome = "failure"
        if self._cancellation.requested and outcome == "failure":
            outcome = "cancelled"
        result = outcome
        if outcome == "failure":
            result = self._forgive(step, env)
        self._records.append(
            {
                "name": self._masker.mask(title),
                "number": number,
                "status": "completed",
                "conclusion": result,
                "started_at": started,
                "completed_at": _now(),
            }
        )
        if step.id:
            self._steps[step.id] = {"outputs": outputs, "outcome": outcome, "conclusion": result}

    def _forgive(self, step: Step, env: dict[str, str]) -> str:
        """The conclusion of a failed step, which `continue-on-error` turns into success."""
        flag: Any = step.continue_on_error
        try:
            flag = render(flag, self._scope(env)) if isinstance(flag, str) else flag
        except ExpressionError as error:
            self._say(f"##[error]{error}")
            flag = False
        if truthy(flag):
            return "success"
        self._status = "failure"
        return "failure"

    def _execute(self, number: int, step: Step, env: dict[str, str]) -> dict[str, str]:
        scope = self._scope(env)
        deadline = self._deadline
        if step.timeout_minutes is not None:
            minutes = self._minutes(step.timeout_minutes, scope)
            deadline = min(deadline, time.monotonic() + minutes * 60)
        files = {name: self._temp / f"{name}_{number}" for name in _FILES}
        for file in files.values():
            file.touch()
        variables = self._variables(env, files)
        limits = (deadline, self._cancellation)

        def execute(command: list[str], folder: Path) -> int:
            try:
                return run_process(command, folder, variables, limits, self._output)
            except TimedOut:
                raise StepFailed("The step ran longer than it may, and was ended.") from None
            except OSError as error:
                raise StepFailed(f"could not start {command[0]}: {error.strerror}") from None

        outputs: dict[str, str] = {}
        if step.uses is not None:
            outputs = self._use(step.uses, rendered(step.parameters, scope), execute)
            code = 0
        else:
            code = self._run_script(number, step, scope, execute)
        outputs |= parse_environment_file(_read(files["output"]))
        self._environment |= _allowed(parse_environment_file(_read(files["env"])))
        self._path[:0] = reversed([line for line in _read(files["path"]).splitlines() if line])
        self._summary = (self._summary + _read(files["step_summary"]))[:_SUMMARY_LIMIT]
        if code:
            raise StepFailed(f"Process completed with exit code {code}.")
        return outputs

    def _variables(self, env: dict[str, str], files: dict[str, Path]) -> dict[str, str]:
        """A step's whole environment: nothing of the sandbox's own but PATH and its mark."""
        path = os.pathsep.join([*self._path, os.environ.get("PATH", os.defpath)])
        return {
            "LANG": "C.UTF-8",
            "HOME": str(self._home),
            **default_variables(self._github),
            **{f"RUNNER_{name.upper()}": value for name, value in self._runner.items() if value},
            **self._identity(),
            **env,
            **{f"GITHUB_{name.upper()}": str(file) for name, file in files.items()},
            "PATH": path,
            **mark.inherited(),
        }

    def _identity(self) -> dict[str, str]:
        """Where the job asks for an OpenID Connect token, if it may have one.

        https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-cloud-providers
        """
        if not self._asking:
            return {}
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self._info.base_url}{REQUESTS}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._asking,
        }

    def _use(
        self, uses: str, inputs: dict[str, str], execute: Callable[[list[str], Path], int]
    ) -> dict[str, str]:
        self._say(f"##[group]Run {uses}")
        for name, value in inputs.items():
            self._say(f"  {name}: {value}")
        self._say("##[endgroup]")
        bench = builtin.Workbench(
            self._workspace,
            self._tools,
            self._github,
            self._path,
            self._environment,
            execute,
            self._say,
        )
        return builtin.run_action(uses, inputs, bench)

    def _run_script(
        self,
        number: int,
        step: Step,
        scope: Scope,
        execute: Callable[[list[str], Path], int],
    ) -> int:
        defaults = (self._job.defaults.run, self._info.workflow.defaults.run)
        shells = (step.shell, *(d.shell for d in defaults))
        folders = (step.working_directory, *(d.working_directory for d in defaults))
        shell = to_text(render(next((s for s in shells if s), ""), scope))
        template = _SHELLS.get(shell, shell)
        if "{0}" not in template:
            raise StepFailed(f"this runner does not know the shell '{shell}'")
        relative = to_text(render(next((f for f in folders if f), ""), scope))
        folder = self._workspace / relative
        if not folder.is_dir():
            raise StepFailed(f"the working directory '{relative}' does not exist")
        script = to_text(render(step.run or "", scope))
        file = self._temp / f"step_{number}.{'py' if shell == 'python' else 'sh'}"
        file.write_text(script if script.endswith("\n") else script + "\n")
        self._say(f"##[group]{step.title}")
        for line in script.splitlines():
            self._say(line)
        self._say("##[endgroup]")
        command = [part.replace("{0}", str(file)) for part in shlex.split(template)]
        return execute(command, folder)

    # -- the log

    def _output(self, line: str) -> None:
        shown = self._masker.show(line)
        if shown is not None:
            self._write(shown)

    def _say(self, line: str) -> None:
        self._write(self._masker.mask(line))

    def _write(self, line: str) -> None:
        if self._size > MAX_LOG:
            return
        text = f"{_now(fraction=True)} {line}\n"
        self._size += len(text)
        self._lines.append(text if self._size <= MAX_LOG else "The log is too long: cut here.\n")


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.is_file() else ""


def _allowed(variables: dict[str, str]) -> dict[str, str]:
    """What a step may set for later ones: not GITHUB_*, RUNNER_* and NODE_OPTIONS."""
    for name in variables:
        if name.startswith(("GITHUB_", "RUNNER_")) or name == "NODE_OPTIONS":
            raise CommandError(f"Can't store {name} in GITHUB_ENV")
    return variables


def _now(*, fraction: bool = False) -> str:
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.now(UTC).strftime(form)
