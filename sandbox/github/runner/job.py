"""Run one job: own workspace, minimal environment, steps in order."""

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import mark
from sandbox.github.oidc import REQUESTS
from sandbox.github.runner.commands import Masker
from sandbox.github.runner.context import RunInfo, default_variables, rendered
from sandbox.github.runner.evaluation import Scope, condition, render, to_text
from sandbox.github.runner.expressions import ExpressionError
from sandbox.github.runner.process import Cancellation, TimedOut, run_process
from sandbox.github.runner.workflow import Job, Step

MAX_LOG = 2_000_000
# GitHub's default is six hours, which is too long for a sandbox.
MAX_MINUTES = 10.0
_SHELLS = {"": "bash -e", "bash": "bash --noprofile --norc -eo pipefail"}


class StepFailed(Exception):
    """A step failed; the text goes to the log."""


@dataclass
class Result:
    """What a job ended with."""

    conclusion: str
    log: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)


class JobRunner:
    """Runs a job once.

    Args:
        info: the run.
        key: the job's key in the workflow.
        token: the job's own token.
        cancellation: may end the job.
        asking: what the job shows to be given an OpenID Connect token; empty: it may have none.
    """

    def __init__(
        self,
        info: RunInfo,
        key: str,
        token: str,
        cancellation: Cancellation,
        asking: str = "",
    ) -> None:
        self._info = info
        self._asking = asking
        self._job: Job = info.workflow.jobs[key]
        self._cancellation = cancellation
        self._masker = Masker([*info.secrets.values(), token, asking])
        self._lines: list[str] = []
        self._size = 0
        self._status = "success"
        self._records: list[dict[str, Any]] = []
        self._secrets = {**info.secrets, "GITHUB_TOKEN": token}
        self._github = {**info.github(), "token": token, "job": key, "action": ""}

    def run(self, progress: Callable[[list[dict[str, Any]]], None]) -> Result:
        """Run the steps.

        Args:
            progress: is given the steps' states when one has ended.
        """
        with tempfile.TemporaryDirectory(prefix="runner-") as folder:
            self._prepare(Path(folder))
            minutes = min(self._job.timeout_minutes, MAX_MINUTES)
            self._deadline = time.monotonic() + minutes * 60
            for number, step in enumerate(self._job.steps, 1):
                self._step(number, step)
                progress(self._records)
        conclusion = "cancelled" if self._cancellation.requested else self._status
        return Result(conclusion, "".join(self._lines), self._records)

    def _prepare(self, root: Path) -> None:
        name = self._info.repo
        self._workspace = root / "work" / name / name
        self._home, self._temp = root / "home", root / "temp"
        for folder in (self._workspace, self._home, self._temp):
            folder.mkdir(parents=True)
        event = self._temp / "event.json"
        event.write_text(json.dumps(self._info.payload))
        self._github |= {"workspace": str(self._workspace), "event_path": str(event)}
        self._runner = {
            "name": "sandbox",
            "os": "Linux",
            "arch": {"x86_64": "X64", "aarch64": "ARM64"}.get(os.uname().machine, "X64"),
            "temp": str(self._temp),
            "debug": "",
            "environment": "self-hosted",
        }

    # -- expressions

    def _scope(self, env: dict[str, str], *, secrets: bool = True) -> Scope:
        contexts = {
            **self._info.shared(),
            "github": self._github,
            "env": env,
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

    # -- steps

    def _step(self, number: int, step: Step) -> None:
        started = _now()
        title, outcome = step.title, "skipped"
        env: dict[str, str] = {}
        self._github["action"] = f"__run_{number}"
        try:
            if condition(step.condition, self._scope(env, secrets=False)):
                env = rendered(step.env, self._scope(env))
                title = to_text(render(step.title, self._scope(env)))
                outcome = "failure"
                self._execute(number, step, env)
                outcome = "success"
        except (StepFailed, ExpressionError) as error:
            self._say(f"##[error]{error}")
            outcome = "failure"
        if outcome == "failure":
            outcome = "cancelled" if self._cancellation.requested else outcome
            self._status = "failure"
        self._records.append(
            {
                "name": self._masker.mask(title),
                "number": number,
                "status": "completed",
                "conclusion": outcome,
                "started_at": started,
                "completed_at": _now(),
            }
        )

    def _execute(self, number: int, step: Step, env: dict[str, str]) -> None:
        script = to_text(render(step.run, self._scope(env)))
        file = self._temp / f"step_{number}.sh"
        file.write_text(script if script.endswith("\n") else script + "\n")
        self._say(f"##[group]{step.title}")
        for line in script.splitlines():
            self._say(line)
        self._say("##[endgroup]")
        command = [*_SHELLS[step.shell].split(), str(file)]
        limits = (self._deadline, self._cancellation)
        try:
            code = run_process(command, self._workspace, self._variables(env), limits, self._output)
        except TimedOut:
            raise StepFailed("The job ran longer than it may, and was ended.") from None
        except OSError as error:
            raise StepFailed(f"could not start {command[0]}: {error.strerror}") from None
        if code:
            raise StepFailed(f"Process completed with exit code {code}.")

    def _variables(self, env: dict[str, str]) -> dict[str, str]:
        """Return a step's whole environment: nothing of the sandbox's own but PATH and its mark."""
        return {
            "LANG": "C.UTF-8",
            "HOME": str(self._home),
            **default_variables(self._github),
            **{f"RUNNER_{name.upper()}": value for name, value in self._runner.items() if value},
            **self._identity(),
            **env,
            "PATH": os.environ.get("PATH", os.defpath),
            **mark.inherited(),
        }

    def _identity(self) -> dict[str, str]:
        """Return where the job asks for an OpenID Connect token, if it may have one.

        https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-cloud-providers
        """
        if not self._asking:
            return {}
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self._info.base_url}{REQUESTS}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._asking,
        }

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


def _now(*, fraction: bool = False) -> str:
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.now(UTC).strftime(form)
