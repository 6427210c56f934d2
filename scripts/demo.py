"""Play the main story here: create, review, merge and fill in a service.

Then the service, which is in Production, is scaled up and deleted: both wait for a second person.
Another service, in Staging, becomes unhealthy twice: Slipway repairs it once, and fails once. That
story plays at the same time, and the demo shows it when the first story has ended.

Every step uses a public interface (Port's REST API, GitHub's REST API, Terraform), as it would with
real accounts. The sandbox stays up afterwards.
"""

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import requests
import typer
from botocore.exceptions import BotoCoreError, ClientError
from github import Auth, Github, GithubException
from github.Issue import Issue
from github.PullRequest import PullRequest
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from slipway.config import PortCredentials
from slipway.errors import SlipwayError
from slipway.port.client import PortClient

from scripts.apply_sandbox import (
    ROOT,
    Stack,
    StackError,
    host_architecture,
    knob,
    read_environment,
)
from scripts.cli import start
from scripts.environment import person_client

_UNREACHABLE = (
    requests.RequestException,
    GithubException,
    BotoCoreError,
    ClientError,
    subprocess.CalledProcessError,
    OSError,
)
WAIT_SECONDS = 600  # reached only by a hanging part
REQUESTER = "developer@acme.example"
APPROVER = "devops@acme.example"
REVIEWER = "devops"
CHANGES = "service_health_changes"
INPUTS = {
    "owner": REQUESTER,
    "team": "payments",
    "project": "shop",
    "environment": "Production",
    "service_type": "backend",
    "replicas": 2,
    "image_tag": "1.4.0",
    "values_format": "YAML",
    "common_values_yaml": "# typed by hand, kept as typed\nlog:\n  level: info   # not debug\n",
    "consumers_values_yaml": "queues:\n  - orders\n",
}

# Without a terminal, wide enough that no address is broken.
console = Console(highlight=False, record=True, width=None if sys.stdout.isatty() else 110)


# Output of a background story, kept until it is shown.
_written: ContextVar[list[Any] | None] = ContextVar("written", default=None)


def show(*parts: Any, **style: Any) -> None:
    """Print to the terminal, or keep output of a background story."""
    written = _written.get()
    if written is None:
        console.print(*parts, **style)
    else:
        written.append((parts, style))


class DemoError(Exception):
    """A step did not have its expected result; the text says where to look."""


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show a step while it runs, and its time when it is done."""
    started = time.monotonic()
    if _written.get() is None:
        with console.status(title) as spinner:
            yield lambda detail: spinner.update(f"{title} [dim]{detail[:90]}[/dim]")
    else:
        yield lambda _: None
    show(f"[green]✓[/green] {title:<64} [dim]{time.monotonic() - started:6.1f} s[/dim]")


class Background:
    """A part of the story that plays in the background.

    Args:
        play: plays it.
    """

    def __init__(self, play: Callable[[], None]) -> None:
        self._written: list[tuple[Sequence[Any], Mapping[str, Any]]] = []
        self._ended: Future[None] = Future()
        # A daemon, so that Ctrl-C does not wait for it.
        threading.Thread(target=self._run, args=(play,), daemon=True).start()

    def _run(self, play: Callable[[], None]) -> None:
        _written.set(self._written)
        try:
            play()
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def finish(self) -> None:
        """Wait for its end, show its output, and raise its error."""
        with console.status("The other story continues"):
            fault = self._ended.exception()
        for parts, style in self._written:
            console.print(*parts, **style)
        if fault:
            raise fault


def wait_for[T](what: str, probe: Callable[[], T | None]) -> T:
    """Poll until there is an answer.

    Raises:
        DemoError: there was none in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if (found := probe()) is not None:
            return found
        time.sleep(0.2)
    raise DemoError(
        f"{what} did not happen within {WAIT_SECONDS} s. Look at the logs: scripts/sandbox logs aws"
    )


class Story:
    """The story's people and places."""

    def __init__(self, folder: Path) -> None:
        env = read_environment(folder)
        credentials = PortCredentials.model_validate(
            {"client_id": env["PORT_CLIENT_ID"], "client_secret": env["PORT_CLIENT_SECRET"]}
        )
        self.port = PortClient(env["PORT_BASE_URL"], lambda _fresh: credentials)
        self._person = cache(partial(person_client, env["PORT_BASE_URL"]))
        # The reviewer is a person of the sandbox's GitHub, which issues the token.
        base = env["GITHUB_API_URL"]
        token = knob(env, "github", "POST", "tokens", {"login": REVIEWER})["token"]
        github = Github(base_url=base, auth=Auth.Token(token))
        self.services = github.get_repo(env["SERVICES_REPO"])
        self._cluster = env["CLUSTER_URL"]

    def free_name(self, first: str) -> str:
        """Return an unused service name, so that the demo can be repeated."""
        for name in [first, *(f"{first}-{n}" for n in range(2, 1000))]:
            if self.port.get_entity("service", name) is None:
                return name
        raise DemoError("The sandbox is full of demo services. Empty it: scripts/sandbox down")

    def execute(
        self,
        action: str,
        inputs: dict[str, Any],
        *,
        entity: str | None = None,
        person: str = REQUESTER,
    ) -> str:
        """Execute an action with the person's access token; return the run's id."""
        answer = self._person(person).request(
            "POST",
            f"/v1/actions/{action}/runs",
            json={"properties": inputs} | ({"entity": entity} if entity else {}),
        )
        return str(answer["run"]["id"])

    def decide(self, run_id: str, decision: str, person: str, comment: str) -> dict[str, Any]:
        """Decide the run's request with *Decide Approval*; return its run."""
        request = f"{run_id}.1"
        shown = self.port.get_entity("approval_request", request)
        if shown is None:
            raise DemoError(f"Port does not show request {request}.")
        # As Port's form fills it in when it opens.
        change = shown.properties["change_hash"]
        inputs = {"decision": decision, "comment": comment, "change": change}
        decision_run = self.execute("decide_approval", inputs, entity=request, person=person)
        return wait_for("The outcome of a decision", lambda: self.ended(decision_run))

    def waiting(self, run_id: str) -> dict[str, Any] | None:
        """Return the run's approval request, once it exists."""
        run = self.run(run_id)
        if run["status"] != "IN_PROGRESS":
            raise DemoError("The run ended:\n" + "\n".join(self.logs(run_id)))
        if not (run["statusLabel"] or "").startswith("Waiting for approval"):
            return None
        entity = self.port.get_entity("approval_request", f"{run_id}.1")
        return entity.properties if entity else None

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the run as Port shows it."""
        answer = self.port.request("GET", f"/v1/actions/runs/{run_id}", params={"version": "v2"})
        run: dict[str, Any] = answer["run"]
        return run

    def logs(self, run_id: str) -> list[str]:
        """Return the run's log."""
        answer = self.port.request("GET", f"/v1/actions/runs/{run_id}/logs", params={"limit": 50})
        return [line["message"] for line in answer["runLogs"]]

    def proposed(self, run_id: str) -> dict[str, Any] | None:
        """Return the run, once it links to its pull request."""
        run = self.run(run_id)
        if run["status"] == "FAILURE":
            raise DemoError("The run failed:\n" + "\n".join(self.logs(run_id)))
        return run if run["link"] else None

    def ended(self, run_id: str) -> dict[str, Any] | None:
        """Return the run, once it has ended."""
        run = self.run(run_id)
        return run if run["status"] != "IN_PROGRESS" else None

    def reported_change(self, name: str) -> dict[str, Any] | None:
        """Return the run that reported a service's newest change, once ended."""
        params = {"action": CHANGES, "version": "v2", "limit": 50}
        runs = self.port.request("GET", "/v1/actions/runs", params=params)["runs"]
        newest = next((run for run in runs if f'"{name}"' in json.dumps(run["payload"])), None)
        return newest if newest and newest["status"] != "IN_PROGRESS" else None

    def pull_request(self, run: dict[str, Any]) -> PullRequest:
        """Return the pull request that the run links to."""
        return self.services.get_pull(int(run["link"][0].rsplit("/", 1)[1]))

    def break_service(self, name: str, cure: str) -> None:
        """Make the cluster's service unhealthy; only this strategy fixes it."""
        url = f"{self._cluster}/services/{name}/break"
        requests.post(url, json={"cure": cure}, timeout=10).raise_for_status()

    def issue(self, name: str) -> Issue | None:
        """Return the open issue that escalates the service to people."""
        issues = self.services.get_issues(state="open", labels=["remediation"])
        return next((issue for issue in issues if f" {name} " in issue.title), None)

    def properties(self, name: str) -> dict[str, Any]:
        """Return the service's properties in the catalogue."""
        entity = self.port.get_entity("service", name)
        return entity.properties if entity else {}


def prepare(folder: Path) -> None:
    """Build, start the sandbox, apply the stack, set up Port."""
    with step("Build the layer and the functions"):
        _command("scripts/build", "--arch", host_architecture())
    with step("Start the sandbox: AWS, Kafka, Port, GitHub, a cluster"):
        _command("scripts/sandbox", "up", "--folder", str(folder))
    with step("terraform apply") as detail:
        stack = Stack(folder, say=detail)
        stack.init()
        stack.apply()
    with step("Install blueprint and actions in Port"):
        settings = stack.outputs()["port_setup"]
        env_file = str(folder / "env")
        _command("scripts/port_setup", "--apply", "--env-file", env_file, settings=settings)


def create(story: Story) -> str:
    """Create a service, wait for merge and report, and return its name."""
    name = story.free_name("my-demo-service")
    with step(f"Execute 'Create New Service' for {name} in Port"):
        run_id = story.execute("create_service", {"service_name": name, **INPUTS})
    with step("Kafka → Lambda → pull request"):
        run = wait_for("A pull request", lambda: story.proposed(run_id))
    pull = story.pull_request(run)
    _show_run(run, story.logs(run_id))
    _show_pull(pull)
    before = story.properties(name)
    with step(f"Pull request #{pull.number} is approved and merged by {REVIEWER}"):
        merge(pull)
    with step("Report after the merge → Port"):
        run = wait_for("End of the run", lambda: story.ended(run_id))
    _show_run(run, story.logs(run_id))
    _show_entity(name, before, story.properties(name))
    _expect(run, "SUCCESS")
    return name


def upscale(story: Story, name: str) -> None:
    """Scale the service up: the requester may not approve, another may."""
    with step(f"Execute 'Upscale Service' for {name}, which is in Production"):
        run_id = story.execute("upscale_service", {"step": 1}, entity=name)
        request = wait_for("The approval request", lambda: story.waiting(run_id))
    _show_run(story.run(run_id), [])
    _show_request(request)
    with step(f"{REQUESTER} tries to approve their own request"):
        answer = story.decide(run_id, "APPROVE", REQUESTER, "It is only one more.")
    _show_answer(answer)
    _expect(answer, "FAILURE")
    with step(f"{APPROVER} approves it"):
        answer = story.decide(run_id, "APPROVE", APPROVER, "Looks right.")
    _show_answer(answer)
    before = story.properties(name)
    with step("Pull request, merged by Slipway → report → Port"):
        run = wait_for("End of the run", lambda: story.ended(run_id))
    _show_run(run, _without_diffs(story.logs(run_id)))
    after = story.properties(name)
    shown = {key for key in after if after[key] != before.get(key)}
    _show_entity(name, {k: before.get(k) for k in shown}, {k: after[k] for k in shown})
    _expect(run, "SUCCESS")


def delete_in_vain(story: Story, name: str) -> None:
    """Request the deletion of the service, which the approver declines."""
    with step(f"Execute 'Delete Service' for {name}"):
        run_id = story.execute("delete_service", {"service_name": name}, entity=name)
        wait_for("The approval request", lambda: story.waiting(run_id))
    with step(f"{APPROVER} declines it"):
        answer = story.decide(run_id, "DECLINE", APPROVER, "It still takes orders.")
        run = wait_for("End of the run", lambda: story.ended(run_id))
    _show_answer(answer)
    _show_run(run, _without_diffs(story.logs(run_id)))
    _expect(run, "FAILURE")
    if not story.properties(name):
        raise DemoError(f"{name} is gone, although its deletion was declined.")


def create_quietly(story: Story) -> str:
    """Create a service in Staging, where Slipway may repair it unasked."""
    name = story.free_name("my-demo-worker")
    inputs = {**INPUTS, "service_name": name, "environment": "Staging"}
    with step(f"Create {name} in Staging, merge it, and wait until it is Healthy"):
        run_id = story.execute("create_service", inputs)
        run = wait_for("A pull request", lambda: story.proposed(run_id))
        merge(story.pull_request(run))
        _expect(wait_for("End of the run", lambda: story.ended(run_id)), "SUCCESS")
        _wait_for_health(story, name, "Healthy")
    return name


def repair(story: Story, name: str) -> None:
    """Break the service so that a restart fixes it; follow the entity."""
    with step(f"{name} becomes unhealthy: its health URL answers 503"):
        story.break_service(name, "restart")
        _wait_for_health(story, name, "Degraded")
    with step(f"Port's automation {CHANGES} → Kafka → health_checker"):
        run = wait_for("The end of the automation's run", lambda: story.reported_change(name))
    show(f"    run {run['id']} of {CHANGES} reported the change: {run['status']}\n")
    with step("Probes → restart → probes → catalogue") as detail:
        states = _follow_health(story, name, detail, lambda now: now["health_status"] == "Healthy")
    _show_health(states)


def hand_over(story: Story, name: str) -> None:
    """Break the service permanently: Slipway escalates it to people."""
    with step(f"{name} becomes unhealthy again, and no strategy will fix it"):
        story.break_service(name, "never")
        _wait_for_health(story, name, "Degraded")
    with step("Every strategy in turn, then an issue for people") as detail:
        states = _follow_health(story, name, detail, lambda _now: story.issue(name) is not None)
    _show_health(states)
    issue = wait_for("The issue", lambda: story.issue(name))
    show(f"    [red]✗[/red] issue [bold]#{issue.number} {issue.title}[/bold]")
    show(f"      {issue.html_url}", markup=False, soft_wrap=True)
    show()


def care(story: Story) -> None:
    """Play the story of the service in Staging."""
    name = create_quietly(story)
    repair(story, name)
    hand_over(story, name)


def _wait_for_health(story: Story, name: str, status: str) -> None:
    def reached() -> bool | None:
        return story.properties(name).get("health_status") == status or None

    wait_for(f"{name} {status}", reached)


def _follow_health(
    story: Story,
    name: str,
    detail: Callable[[str], None],
    ends: Callable[[dict[str, Any]], bool],
) -> list[tuple[str, str]]:
    """Return the successive states in the catalogue until the last one."""
    known = story.properties(name).get("health_detail")
    states: list[tuple[str, str]] = []

    def look() -> bool | None:
        now = story.properties(name)
        state = (str(now["health_status"]), str(now.get("health_detail", "")))
        if state[1] != known and state not in states:
            states.append(state)
            detail(state[1])
        return ends(now) or None

    wait_for(f"The end of the check of {name}", look)
    look()
    return states


def _show_health(states: list[tuple[str, str]]) -> None:
    for status, detail in states:
        colour = {"Healthy": "green", "Degraded": "red"}.get(status, "yellow")
        show(f"    [{colour}]{status:<9}[/{colour}]", end="")
        show(f" {detail}", markup=False, soft_wrap=True)
    show()


def _expect(run: dict[str, Any], status: str) -> None:
    if run["status"] != status:
        raise DemoError(f"Run {run['id']} ended with {run['status']}: {run.get('summary')}")


def merge(pull: PullRequest) -> None:
    """Approve and merge a pull request, as the reviewer.

    Raises:
        DemoError: GitHub refused.
    """
    try:
        pull.create_review(event="APPROVE", body="Looks right.")
        pull.merge(merge_method="squash", sha=pull.head.sha)
    except GithubException as error:
        raise DemoError(f"GitHub refused the merge: {error.status} {error.message}") from error


def _command(*command: str, settings: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(ROOT / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, **(settings or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _show_run(run: dict[str, Any], logs: list[str]) -> None:
    colour = {"SUCCESS": "green", "FAILURE": "red"}.get(run["status"], "yellow")
    label = f" · {run['statusLabel']}" if run.get("statusLabel") else ""
    show(f"\n  run [bold]{run['id']}[/bold]  [{colour}]{run['status']}{label}[/{colour}]")
    for line in logs:
        show(f"    {line}", markup=False, soft_wrap=True)
    show()


def _without_diffs(logs: list[str]) -> list[str]:
    """Return each entry's first line; the change was shown before."""
    return [line.partition("\n")[0] for line in logs]


def _show_request(request: dict[str, Any]) -> None:
    show(f"  approval request [bold]{request['summary']}[/bold]  ({request['status']})")
    show(f"    may decide: {', '.join(request['approvers'])}", markup=False)
    for line in request["change"].splitlines()[1:-1]:  # without the fence
        style = {"+": "green", "-": "red"}.get(line[:1], "dim")
        show(f"    {line}", markup=False, soft_wrap=True, style=style)
    show()


def _show_answer(run: dict[str, Any]) -> None:
    mark, colour = ("✓", "green") if run["status"] == "SUCCESS" else ("✗", "red")
    show(f"    [{colour}]{mark}[/{colour}] {run['summary']}", soft_wrap=True)
    show()


def _show_pull(pull: PullRequest) -> None:
    show(f"  pull request [bold]#{pull.number} {pull.title}[/bold]")
    for file in pull.get_files():
        show(f"    [green]+{file.additions:<3}[/green] {file.filename}")
    show()


def _show_entity(name: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    table = Table("Property", "Before the merge", "After", title=f"Entity {name}")
    for column in table.columns:
        column.overflow = "fold"
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None and new is None:
            continue
        style = None if old == new else "green"
        table.add_row(key, _text(old), _text(new), style=style)
    show(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def main(
    folder: Annotated[Path, typer.Option(envvar="SANDBOX_DIR", help="The sandbox's folder.")] = ROOT
    / ".sandbox",
    picture: Annotated[
        Path | None, typer.Option(help="Save what was printed as an SVG picture.")
    ] = None,
) -> None:
    """Play the main story on this machine, without any account."""
    started = time.monotonic()
    try:
        prepare(folder)
        story = Story(folder)
        other = Background(lambda: care(Story(folder)))
        name = create(story)
        upscale(story, name)
        delete_in_vain(story, name)
        other.finish()
        env = read_environment(folder)
    except (DemoError, StackError, SlipwayError) as error:
        console.print("[red]demo:[/red]", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except _UNREACHABLE as error:
        console.print(
            f"[red]demo:[/red] the sandbox gave an unexpected answer "
            f"({type(error).__name__}: {escape(str(error))}). Read its logs with scripts/sandbox "
            "logs PART, then run make demo again.",
            soft_wrap=True,
        )
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("\nInterrupted. The sandbox may still be up: scripts/sandbox down")
        sys.exit(130)
    console.print(f"\nDone after {time.monotonic() - started:.0f} s. The sandbox is still up:")
    console.print(
        f"  Port   {env['PORT_BASE_URL']}, with its pages: sign in as Dana Developer, who "
        "requests, or Devin Ops, who approves",
        soft_wrap=True,
    )
    console.print(f"  GitHub {env['GITHUB_API_URL'].removesuffix('/api/v3')}")
    console.print("  scripts/sandbox status | logs PART | down")
    if picture:
        picture.write_text(_draw(console.export_text(styles=True)))


def _draw(printed: str) -> str:
    """Draw a terminal's text as an SVG picture, with long lines wrapped."""
    canvas = Console(record=True, width=110, file=io.StringIO())
    canvas.print(Text.from_ansi(printed))
    # Without the web fonts, so that viewing the picture fetches nothing.
    return re.sub(r"@font-face \{.*?\}", "", canvas.export_svg(title="make demo"), flags=re.S)


if __name__ == "__main__":
    start(main, "--picture demo.svg")
