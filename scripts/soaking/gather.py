"""Read the state after a soak, through an operator's interfaces."""

import base64
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from github.PullRequest import PullRequest
from github.Repository import Repository
from slipway.port.client import PortClient

from scripts.soaking.audit import ENDED, PullFacts, RunFacts, ServiceFacts, World
from scripts.soaking.installation import Installation
from scripts.soaking.workload import CREATE, DECIDE, DELETE, DOWNSCALE, UPSCALE, Ask

# Reason of a person who ends a run in Port.
CHANGED_MIND = "I have changed my mind."
ACTIONS = (CREATE, UPSCALE, DOWNSCALE, DELETE)
_REPLICAS = re.compile(r"^replicas: (\d+)", re.M)


class Checkout:
    """A copy of the services repository, with the heads of its pull requests."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        address = env["GITHUB_API_URL"].removesuffix("/api/v3")
        login = base64.b64encode(f"x-access-token:{env['GITHUB_TOKEN']}".encode()).decode()
        header = f"http.extraHeader=Authorization: Basic {login}"
        source = f"{address}/{env['SERVICES_REPO']}.git"
        subprocess.run(
            ["git", "-c", header, "clone", "--quiet", "--mirror", source, folder], check=True
        )

    def main(self) -> list[str]:
        """Return the base branch's commits, oldest first."""
        return self._git("rev-list", "--first-parent", "--reverse", "main").split()

    def commits(self, pull: PullRequest) -> int:
        """Return how many commits a pull request has."""
        return int(self._git("rev-list", "--count", f"{pull.base.sha}..{pull.head.sha}"))

    def branches(self) -> list[str]:
        """Slipway's branches."""
        shown = "--format=%(refname:lstrip=2)"
        return self._git("for-each-ref", shown, "refs/heads/slipway").split()

    def replicas(self, service: str) -> int | None:
        """Return a service's replicas on the base branch; None without a folder."""
        path = f"apps/{service}/common_values.yaml"
        if not self._git("ls-tree", "main", path):
            return None
        found = _REPLICAS.search(self._git("show", f"main:{path}"))
        return int(found[1]) if found else None

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self._folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@dataclass(frozen=True)
class Asked:
    """A request of the soak.

    Attributes:
        run_id: the run.
        ask: the request; None for a decision.
        decided: for a decision, the answer, the run, and which of its requests.
    """

    run_id: str
    ask: Ask | None
    decided: tuple[str, str, int] | None = None

    @property
    def action(self) -> str:
        """Identifier of the action."""
        return self.ask.action if self.ask else DECIDE


def gather(
    port: PortClient,
    services_repo: Repository,
    installation: Installation,
    asked: Iterable[Asked],
    watch: Callable[[list[Asked]], Iterable[Asked]] = iter,
) -> World:
    """Read everything.

    Args:
        port: Port.
        services_repo: the services repository.
        installation: AWS.
        asked: the runs.
        watch: shows the progress through the runs.
    """
    runs = list(asked)
    services = sorted({one.ask.service for one in runs if one.ask})
    pulls: dict[str, list[PullRequest]] = defaultdict(list)
    for pull in services_repo.get_pulls(state="all", sort="created", direction="asc"):
        pulls[pull.head.ref.rpartition("/")[2]].append(pull)
    approvals: dict[str, dict[int, str]] = defaultdict(dict)
    for row in installation.rows("approvals"):
        approvals[row["run_id"]][int(row["ask"])] = row["status"]
    rows = {row["run_id"]: row for row in installation.rows("runs")}
    listed = {run["id"]: run for run in listed_runs(port)}
    known = {one.run_id for one in runs}
    executions: dict[str, dict[str, str]] = defaultdict(dict)
    for name, status in installation.executions("approval").items():
        executions[name.partition("-")[0]][name] = status
    held = installation.held_records()
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(installation.env, Path(folder) / "services.git")
        main = checkout.main()
        facts = [
            RunFacts(
                ask=one.ask,
                run_id=one.run_id,
                action=one.action,
                status=listed[one.run_id]["status"] if one.run_id in listed else "",
                label=listed.get(one.run_id, {}).get("statusLabel") or "",
                summary=listed.get(one.run_id, {}).get("summary") or "",
                ends=_ends(port, one.run_id),
                pulls=tuple(_pull(pull, checkout, main) for pull in pulls[one.run_id]),
                approvals=tuple(status for _ask, status in sorted(approvals[one.run_id].items())),
                executions=executions[one.run_id],
                row=rows.get(one.run_id),
                cancelled=listed.get(one.run_id, {}).get("summary") == CHANGED_MIND,
                held=held.get(one.run_id),
                decided=one.decided,
            )
            for one in watch(runs)
        ]
        order = {commit: place for place, commit in enumerate(main)}
        merged = sorted(
            (order[pull.merge_commit_sha], run_id)
            for run_id in known
            for pull in pulls[run_id]
            if pull.merge_commit_sha in order
        )
        service_of = {one.run_id: one.ask.service for one in runs if one.ask}
        service_facts = tuple(
            ServiceFacts(
                name,
                tuple(run_id for _, run_id in merged if service_of[run_id] == name),
                checkout.replicas(name),
                entity.properties if (entity := port.get_entity("service", name)) else None,
            )
            for name in services
        )
        branches = checkout.branches()
    later = installation.executions("deliver_later", "RUNNING")
    return World(
        runs=tuple(facts),
        services=service_facts,
        locks={
            row["service"]: row["owner"]
            for row in installation.rows("locks")
            if row["service"] in services
        },
        branches=tuple(b for b in branches if b.rpartition("/")[2] in known),
        postponed=frozenset(name.partition("-")[0] for name in later),
        looked_after=frozenset(
            row["service"]
            for row in installation.rows("remediations")
            if row["service"] in services and "at_work" in row
        ),
        strangers=tuple(
            run_id
            for run_id, run in listed.items()
            if run_id not in known and _service_of(run) in services
        ),
    )


def listed_runs(port: PortClient) -> Iterator[dict[str, Any]]:
    """Yield all runs of actions and decisions, ended or not."""
    for action in (*ACTIONS, DECIDE):
        query: dict[str, Any] = {"action": action, "version": "v2", "limit": 100}
        while True:
            answer = port.request("GET", "/v1/actions/runs", params=query)
            yield from answer["runs"]
            if not answer.get("next"):
                break
            query["next"] = answer["next"]


def _service_of(run: dict[str, Any]) -> str:
    typed = str(run["properties"].get("service_name", ""))
    return str((run.get("entity") or {}).get("identifier") or typed)


def _ends(port: PortClient, run_id: str) -> int:
    """Return how often Port received an end of the run."""
    query = {"run_id": run_id, "resources": ["run"], "limit": 1000, "includes": ["diff"]}
    events = port.request("GET", "/v1/audit-log", params=query)["audits"]

    def ended(run: dict[str, Any] | None) -> bool:
        return run is not None and run["status"] in ENDED

    return sum(ended(e["diff"]["after"]) and not ended(e["diff"]["before"]) for e in events)


def _pull(pull: PullRequest, checkout: Checkout, main: list[str]) -> PullFacts:
    state: Any = "merged" if pull.merged_at else pull.state
    return PullFacts(
        number=pull.number,
        state=state,
        commits=checkout.commits(pull),
        on_main=main.count(pull.merge_commit_sha or ""),
    )
