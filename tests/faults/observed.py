"""Read the final state of a case, which must be the same after any fault."""

import io
import json
import re
import subprocess
import tarfile

import boto3
from github.PullRequest import PullRequest
from slipway.health.limit import INSTALLATION
from slipway.health.row import execution_name

from tests.faults.installation import Json
from tests.faults.world import World
from tests.unit.conftest import TABLES, backend

_TIMES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"
    r"|(\d\d [A-Z][a-z]{2} )?\d\d:\d\d UTC"
)
_HASHES = re.compile(
    r"\b([0-9a-f]{64}|[0-9a-f]{40})\b|(?<=\[)[0-9a-f]{7}(?=\])|(?<=undo )[0-9a-f]{7}\b"
)


class Observed:
    """The final state of a case without its own names and times."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers: dict[int, str] = {}
        self._superseded = {
            row["id"] for row in self._rows("approvals") if row["status"] == "SUPERSEDED"
        }

    def everything(self) -> Json:
        """Return all state that must be the same after any fault.

        Legitimate differences are not compared:

        * Lines of a run's log and the label of a wait. Repeated work logs again, and an optional
          line may be lost (`RunReporter.remark`).
        * The number of e-mails of each kind.
        * The number of starts of the restart workflow: it restarts once (`Repairs.restart`).
        * An e-mail that SNS refuses on every attempt. The request or the issue has the same
          information (`Notifications`, `Alerts`).
        * The summary of a decision on a request that was superseded later.
        * Counters and times in rows (deliveries, postponements, versions, attempts of a wait).
        * `later/` records, and `deliver_later` executions that have ended.
        * Details of health findings: a fault may add or remove a probe.
        * The entity in the row of a run that ended before it asked or proposed anything. It is
          recorded once it is known, and nothing was locked before.
        """
        world = self._world
        pulls = [self._pull(pull) for pull in world.pulls()]
        found = {
            "runs": [self._run(run_id) for run_id in world.runs],
            "pulls": pulls,
            "branches": self._branches(),
            "main": self._folder(),
            "entity": self._entity("service", world.service),
            "requests": self._requests(),
            "ledger": [self._row(row) for row in self._rows("runs")],
            "locks": [(row["service"], row["owner"]) for row in self._rows("locks")],
            "approvals": [self._approval(row) for row in self._rows("approvals")],
            "remediations": [
                self._remediation(row)
                for row in self._rows("remediations")
                if row["service"] != INSTALLATION
            ],
            "executions": self._executions(),
            "audit": self._audit(),
            "issues": self._issues() if world.watches else [],
            "e-mails": self._emails(),
        }
        result: Json = json.loads(self._anonymous(json.dumps(found, default=str, sort_keys=True)))
        return result

    def _anonymous(self, text: str) -> str:
        world = self._world
        for number in range(1, 9):
            text = text.replace(
                execution_name(f"service/{world.service}", number), f"REMEDIATION-{number}"
            )
        for place, name in enumerate(world.names):
            text = text.replace(name, f"NAME-{place}")
        for number, alias in self._numbers.items():
            text = re.sub(rf"((?<!&)#|pull/|pulls/|issues/){number}\b", rf"\g<1>{alias}", text)
        return _HASHES.sub("HASH", _TIMES.sub("TIME", text))

    def _run(self, run_id: str) -> Json:
        answer = self._world.port.request(
            "GET", f"/v1/actions/runs/{run_id}", params={"version": "v2"}
        )
        run = answer["run"]
        if self._world.decisions.get(run_id) in self._superseded:
            run["summary"] = "decided"
        if str(run.get("statusLabel")).startswith("Waiting until "):
            run["statusLabel"] = None
        return {name: run.get(name) for name in ("status", "statusLabel", "summary", "link")}

    def _pull(self, pull: PullRequest) -> Json:
        self._numbers[pull.number] = f"PULL-{len(self._numbers)}"
        return {
            "number": f"#{pull.number}",
            "branch": pull.head.ref,
            "state": pull.state,
            "merged": pull.merged_at is not None,
            "title": pull.title,
            "body": pull.body,
            "labels": sorted(label.name for label in pull.labels),
            "commits": pull.commits,
            "files": sorted(file.filename for file in pull.get_files()),
            "comments": [comment.body for comment in pull.get_issue_comments()],
        }

    def _branches(self) -> list[str]:
        names = self._git("for-each-ref", "--format=%(refname)", "refs/heads/slipway").decode()
        ours = (*self._world.runs, execution_name(f"service/{self._world.service}", 1)[:32])
        return sorted(name for name in names.split() if any(one in name for one in ours))

    def _folder(self) -> dict[str, str]:
        """Read the service's files on the base branch."""
        folder = f"apps/{self._world.service}"
        if not self._git("ls-tree", "main", folder):
            return {}
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", "main", folder))) as archive:
            return {
                member.name: (archive.extractfile(member) or io.BytesIO()).read().decode()
                for member in archive.getmembers()
                if member.isfile()
            }

    def _git(self, *command: str) -> bytes:
        repository = self._world.at.bare_repository
        done = subprocess.run(["git", "-C", repository, *command], capture_output=True, check=True)
        return done.stdout

    def _entity(self, blueprint: str, identifier: str) -> Json | None:
        entity = self._world.port.get_entity(blueprint, identifier)
        if entity is None:
            return None
        volatile = {"health_check_id", "last_health_check", "health_detail"}
        return {k: v for k, v in entity.properties.items() if k not in volatile}

    def _requests(self) -> list[Json | None]:
        rows = self._rows("approvals")
        return [self._entity("approval_request", str(row["id"])) for row in rows]

    def _rows(self, table: str) -> list[Json]:
        items = boto3.resource("dynamodb").Table(table).scan()["Items"]
        return sorted(items, key=lambda row: self._anonymous(str(row[TABLES[table]])))

    @staticmethod
    def _row(row: Json) -> Json:
        kept = (
            "run_id", "action", "service", "ask", "verdict", "outcome", "open", "pr_number",
            "requested_by",
        )  # fmt: skip
        left_out = {"pr_number"} if {"ask", "pr_number"} & row.keys() else {"pr_number", "service"}
        return {name: row[name] for name in kept if name in row and name not in left_out} | {
            "pull request": f"#{row['pr_number']}" if "pr_number" in row else None
        }

    @staticmethod
    def _approval(row: Json) -> Json:
        votes = [(v["approver"], v["verdict"], v["door"]) for v in row["votes"].values()]
        return {"id": row["id"], "status": row["status"], "votes": votes}

    @staticmethod
    def _remediation(row: Json) -> Json:
        record = json.loads(row["record"])
        ending = record["ending"] or {}
        attempts = [(one["repair"]["step"], one["outcome"]) for one in record["state"]["attempts"]]
        return {
            "at work": record["execution"],
            "ending": ending.get("step"),
            "attempts": attempts,
        }

    def _executions(self) -> Json:
        return {
            f"{machine}/{name}": execution.status
            for (machine, name), execution in self._world.executions.items()
            if machine != "deliver_later" or execution.status != "SUCCEEDED"
        }

    @staticmethod
    def _audit() -> list[str]:
        found = boto3.client("s3").list_objects_v2(Bucket="audit").get("Contents", [])
        return sorted(item["Key"] for item in found)

    def _issues(self) -> list[Json]:
        found = []
        issues = self._world.at.repository.get_issues(state="all", sort="created", direction="desc")
        for issue in issues:
            if issue.number <= self._world.at.pull:
                break
            if "/pull/" not in issue.html_url:
                self._numbers[issue.number] = f"ISSUE-{len(self._numbers)}"
                found.append(
                    {"title": issue.title, "state": issue.state, "comments": issue.comments}
                )
        return found

    @staticmethod
    def _emails() -> list[str]:
        # (message id, message, subject, attributes, group)
        return sorted(
            {
                f"{sent[2]} {json.dumps(sent[3], sort_keys=True, default=str)}"
                for topic in backend("sns").topics.values()
                for sent in topic.sent_notifications
            }
        )
