"""What became of a pull request, told to Port: first the entity, then the log, the status last.

A run that has ended cannot be written any more, and is not: the entity is then written alone. Only
what differs is written, so that a second report changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from slipway_report.api import Refused, ReportError
from slipway_report.catalogue import (
    Templates,
    changed_properties,
    created_properties,
    reviewed_properties,
)
from slipway_report.github import GitHub, PullRequest
from slipway_report.port import Port
from slipway_report.subject import (
    Claims,
    Subject,
    agree,
    claims_of_body,
    claims_of_branch,
    claims_of_file,
    claims_of_paths,
    claims_of_repair,
    claims_of_run,
    is_of_a_node,
)
from slipway_report.values import Values, read_values

Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a run ends.

    Attributes:
        status: the run's last status; None if no run belongs to the pull request.
        label: what the run's page shows in its place.
        message: what happened, as sentences for the log and the summary.
    """

    status: Literal["SUCCESS", "FAILURE"] | None
    label: str
    message: str


class Report:
    """The report of one pull request.

    Args:
        pull: the pull request.
        github: where the repository's files are read.
        port: where it is reported.
        templates: addresses of what a deployed service has.
        say: told each step, for the job's log.
    """

    def __init__(
        self,
        pull: PullRequest,
        github: GitHub,
        port: Port,
        templates: Templates,
        say: Callable[[str], None],
    ) -> None:
        self._pull = pull
        self._github = github
        self._port = port
        self._templates = templates
        self._say = say

    def make(self) -> Outcome:
        """Report.

        Returns:
            How the run ends, or would if it had not ended before.

        Raises:
            ReportError: nothing, or not all, could be reported; the text says what to do.
        """
        repair = claims_of_repair(self._pull.branch)
        if repair is not None:
            return self._repaired(repair)
        if is_of_a_node(self._pull.branch):
            told = "Slipway itself reports what a workflow's node has requested."
            return Outcome(None, "Workflow", f"{told} Nothing was reported.")
        branch = claims_of_branch(self._pull.branch)
        run = self._port.run(branch["run_id"])
        subject = self._identify(run)
        open_run = subject.run_id if run["status"] == "IN_PROGRESS" else None
        self._say(
            f"Run {subject.run_id} ({subject.action}, service {subject.service}) is {run['status']}"
        )
        outcome = self._entity(subject, open_run)
        self._say(outcome.message)
        if open_run is None:
            self._say("The run had ended before: only the entity was looked after")
        else:
            self._end(run, outcome)
        return outcome

    @cached_property
    def _base(self) -> str:
        """Where what is on the base branch now is read; only for a merged pull request."""
        return self._github.base_since(self._pull)

    def _repaired(self, repair: Claims) -> Outcome:
        """A pull request of a remediation, whose own execution reports what came of it.

        What it has deployed still belongs into the catalogue: people may merge it days later.
        """
        if self._pull.merge_sha is None:
            closed = f"{self._what()} of a remediation was closed without a merge."
            return Outcome(None, "Closed", f"{closed} Nothing was reported.")
        merged = f"{self._what()} of a remediation was merged by {self._pull.by}."
        folder = claims_of_paths(self._github.changed_files(self._pull.number))
        if folder is None:
            return Outcome(None, "Merged", f"{merged} It is not about one service: none reported.")
        path = f"apps/{folder['identifier']}/portData.json"
        text = self._github.file(path, self._base)
        if text is None:
            return Outcome(None, "Merged", f"{merged} The service has been removed since.")
        claims = {
            "the branch": repair,
            "the changed files": folder,
            path: claims_of_file(text, path, of_this_run=False),
        }
        subject = agree(claims)
        values = self._values(subject)
        said = {"replicas": values.replicas, "image_tag": values.image_tag}
        entity = self._port.entity(subject.blueprint, subject.service)
        if entity is not None:
            wanted = {name: value for name, value in said.items() if value is not None}
            self._write(subject, entity, wanted, None)
        return Outcome(None, "Merged", f"{merged} The entity has the figures of the base branch.")

    def _identify(self, run: Json) -> Subject:
        claims = {
            "the branch": claims_of_branch(self._pull.branch),
            "the pull request's text": claims_of_body(self._pull.body),
            "Port's run": claims_of_run(run),
        }
        subject = agree(claims)
        path = f"{subject.folder}/portData.json"
        text = self._github.file(path, self._commit_with_service(subject.action))
        if text is not None:
            own = subject.action == "create_service"
            return agree({**claims, path: claims_of_file(text, path, of_this_run=own)})
        if self._pull.merge_sha and subject.action != "delete_service":
            raise ReportError(
                f"{path} is not in the merged commit, so it is not certain what was deployed. "
                "Nothing was reported. Restore the file on the base branch."
            )
        return subject

    def _commit_with_service(self, action: str) -> str:
        """Where the pull request's own portData.json is: for a delete, before it."""
        if action == "delete_service":
            return self._pull.base_sha
        return self._pull.merge_sha or self._pull.head_sha

    def _entity(self, subject: Subject, open_run: str | None) -> Outcome:
        if self._pull.merge_sha is None:
            return self._closed(subject, open_run)
        match subject.action:
            case "create_service":
                return self._created(subject, open_run)
            case "delete_service":
                return self._deleted(subject, open_run)
            case "upscale_service" | "downscale_service":
                return self._scaled(subject, open_run)
        return self._changed(subject, open_run)

    def _created(self, subject: Subject, open_run: str | None) -> Outcome:
        merged = f"{self._what()} was merged by {self._pull.by}."
        path = f"{subject.folder}/portData.json"
        # The base branch as it is now: a report that comes late must not bring back old values.
        text = self._github.file(path, self._base)
        of_now = claims_of_file(text, path, of_this_run=True) if text is not None else {}
        if text is None or of_now.get("run_id") != subject.run_id:
            gone = f"{merged} The service has been removed or replaced since: its entity stays."
            return Outcome("SUCCESS", "Merged", gone)
        values = self._values(subject)
        entity = self._port.entity(subject.blueprint, subject.service)
        wanted = created_properties(text, self._pull.url, subject.service, self._templates, values)
        self._write(subject, entity, wanted, open_run)
        return Outcome("SUCCESS", "Merged", f"{merged} The service is being deployed.")

    def _scaled(self, subject: Subject, open_run: str | None) -> Outcome:
        message = f"{self._what()} was merged by {self._pull.by}."
        replicas = self._values(subject).replicas
        entity = self._port.entity(subject.blueprint, subject.service)
        if entity is None:
            message += f" Port has no entity {subject.service}, so none was changed."
        elif replicas is None:
            message += " The number of replicas cannot be read from the values: look there."
        else:
            self._write(subject, entity, {"replicas": replicas}, open_run)
            message += f" The service is set to {replicas} replica{'s' * (replicas != 1)}."
        return Outcome("SUCCESS", "Merged", message)

    def _changed(self, subject: Subject, open_run: str | None) -> Outcome:
        """Any other action: the entity says what the service's files say now."""
        merged = f"{self._what()} was merged by {self._pull.by}."
        path = f"{subject.folder}/portData.json"
        text = self._github.file(path, self._base)
        if text is None:
            gone = f"{merged} The service has been removed since: its entity stays."
            return Outcome("SUCCESS", "Merged", gone)
        claims_of_file(text, path, of_this_run=False)
        entity = self._port.entity(subject.blueprint, subject.service)
        if entity is None:
            none = f"{merged} Port has no entity {subject.service}, so none was changed."
            return Outcome("SUCCESS", "Merged", none)
        self._write(subject, entity, reviewed_properties(text, self._values(subject)), open_run)
        return Outcome("SUCCESS", "Merged", f"{merged} The entity is as on the base branch.")

    def _deleted(self, subject: Subject, open_run: str | None) -> Outcome:
        merged = f"{self._what()} was merged by {self._pull.by}."
        path = f"{subject.folder}/portData.json"
        if self._github.file(path, self._pull.merge_sha or "") is not None:
            raise ReportError(
                f"The pull request was merged, but {path} is still there. Nothing was reported. "
                "Remove the service's folder, or close the run in Port."
            )
        if self._github.file(path, self._base) is not None:
            made = f"{merged} The service has been created again since: its entity stays."
            return Outcome("SUCCESS", "Merged", made)
        try:
            self._port.delete_entity(subject.blueprint, subject.service, open_run)
        except Refused as error:
            if error.code != "has_dependents":
                raise
            return self._kept(subject, open_run, merged, error.said)
        return Outcome("SUCCESS", "Deleted", f"{merged} The service is out of the catalogue.")

    def _kept(self, subject: Subject, open_run: str | None, merged: str, said: str) -> Outcome:
        entity = self._port.entity(subject.blueprint, subject.service)
        if entity is not None:
            self._write(subject, entity, {"health_status": "Missing"}, open_run)
        names = self._port.dependents(subject.blueprint, subject.service)
        return Outcome(
            "FAILURE",
            "Has dependents",
            f"{merged} The entity stays in the catalogue as Missing, because others depend on it: "
            f"{', '.join(names) or said}. Change or remove these, then re-run the workflow "
            f"'Slipway report' for #{self._pull.number}.",
        )

    def _closed(self, subject: Subject, open_run: str | None) -> Outcome:
        closed = f"{self._what()} was closed without a merge by {self._pull.by}."
        if subject.action != "create_service":
            return Outcome("FAILURE", "Closed", f"{closed} The service stays as it is.")
        entity = self._port.entity(subject.blueprint, subject.service)
        properties = (entity or {}).get("properties", {})
        pending = properties.get("health_status") == "Pending"
        # Also what an earlier report has removed: the answer stays the same.
        gone = f"{closed} The pending service is out of the catalogue."
        if entity is None:
            return Outcome("FAILURE", "Closed", gone)
        if not pending or properties.get("pr_url") != self._pull.url:
            return Outcome("FAILURE", "Closed", f"{closed} There is no pending service to remove.")
        try:
            self._port.delete_entity(subject.blueprint, subject.service, open_run)
        except Refused as error:
            if error.code != "has_dependents":
                raise
            names = self._port.dependents(subject.blueprint, subject.service)
            kept = (
                f"The pending service stays, because {', '.join(names) or 'others'} depend on it."
            )
            return Outcome("FAILURE", "Closed", f"{closed} {kept}")
        return Outcome("FAILURE", "Closed", gone)

    def _values(self, subject: Subject) -> Values:
        for extension in ("json", "yaml"):
            path = f"{subject.folder}/common_values.{extension}"
            text = self._github.file(path, self._base)
            if text is not None:
                return read_values(text, extension)
        return Values()

    def _write(
        self, subject: Subject, entity: Json | None, wanted: Json, open_run: str | None
    ) -> None:
        properties = changed_properties(wanted, entity)
        if not properties:
            self._say("The entity is up to date")
            return
        body: Json = {"identifier": subject.service, "properties": properties}
        if entity is None:
            body["title"] = subject.service
        self._port.write_entity(subject.blueprint, body, open_run)
        self._say(f"Wrote {', '.join(sorted(properties))} of entity {subject.service}")

    def _end(self, run: Json, outcome: Outcome) -> None:
        run_id = run["id"]
        # Links are replaced as a whole: what is there already goes along.
        links = run.get("link") or []
        links = [links] if isinstance(links, str) else links
        changes: Json = {"summary": outcome.message, "statusLabel": outcome.label}
        if self._pull.url not in links:
            changes["link"] = [*links, self._pull.url]
        try:
            if outcome.message not in self._port.log_lines(run_id):
                self._port.add_log(run_id, outcome.message)
            self._port.end_run(run_id, changes, outcome.status)
        except Refused as error:
            if error.code != "run_exhausted":
                raise
            self._say("The run was ended by somebody else in the meantime")

    def _what(self) -> str:
        return f"Pull request #{self._pull.number}"
