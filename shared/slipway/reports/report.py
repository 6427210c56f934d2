"""Report a pull request's outcome to Port: entity, log, then status.

This is the only implementation of what Port shows after a merge. The function behind `POST
/reports` and the sweep both use it. A run that has ended is never changed; then only the entity is
written. Only differences are written, so a second report changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slipway.catalog.entities import ReviewedEntity, read_entity
from slipway.catalog.keys import split_key
from slipway.catalog.model import PENDING, Catalog, Kind
from slipway.catalog.request import Resource, Tree, find_resource, resource_of
from slipway.changes.proposal import files_of
from slipway.errors import (
    NothingToReport,
    PortError,
    ReportTooEarly,
    RunEnded,
    RunNotFound,
    UserError,
)
from slipway.github.models import PullRequest
from slipway.github.roll_back import REPAIR_BRANCH
from slipway.observability import Metric, count, logger
from slipway.port.models import Entity, Run
from slipway.port.node_run import is_node_run
from slipway.reports.resources import Known, find_known
from slipway.reports.settings import ReportingConfig
from slipway.runs.catalogs import newest_catalog
from slipway.runs.ledger import Ledger

if TYPE_CHECKING:
    from slipway.github.ended import EndedPull, EndedPulls
    from slipway.port.client import PortClient

_STARTING = "Progressing"
_ADOPTION = "slipway/adopt/"
_RUN_BRANCH = re.compile(r"slipway/([a-z0-9_]{1,100})/((?:r|run)_[A-Za-z0-9]{1,64})")


@dataclass(frozen=True)
class Outcome:
    """The result of a report.

    Attributes:
        status: the run's last status; None if no run belongs to the pull request.
        label: what the run's page shows instead of it.
        message: what happened, as sentences.
    """

    status: Literal["SUCCESS", "FAILURE"] | None
    label: str
    message: str


@dataclass(frozen=True)
class Reports:
    """Reports pull requests of Slipway that were merged or closed.

    Attributes:
        pulls: the repository, the source of truth.
        port: receives the reports.
        ledger: Slipway's own records of runs; read only.
        config: where the catalog is, and the prefix of identifiers.
        settings: the installation's `catalog_settings`.
        keys: the repository's keys in the map of repositories.
    """

    pulls: "EndedPulls"
    port: "PortClient"
    ledger: Ledger
    config: ReportingConfig
    settings: Mapping[str, Any]
    keys: tuple[str, ...]

    @property
    def base_branch(self) -> str:
        """The branch into which a merge changes the entity."""
        return self.pulls.base_branch

    def report(self, number: int) -> Outcome:
        """Report a pull request by its number, the caller's only trusted input.

        Raises:
            NothingToReport: it is open, or not Slipway's; the text says which.
            ReportTooEarly: the ledger does not have the run's pull request yet.
            RetryableError: Port or GitHub does not answer.
        """
        pull = self.pulls.read(number)
        if pull is None:
            raise NothingToReport(f"Pull request #{number} does not exist.")
        _refuse_foreign(pull)
        if REPAIR_BRANCH.fullmatch(pull.branch):
            return self._repaired(pull)
        if pull.branch.startswith(_ADOPTION):
            return self._adopted(pull)
        if is_node_run(pull.branch.rpartition("/")[2]):
            # Ending it requires a write to the ledger, which only the sweep may do.
            later = "Nothing was reported: the sweep reports requests of workflow nodes."
            return Outcome(None, "Workflow", later)
        run = self._run_of(pull)
        row = self.ledger.get(run.id) or {}
        if "pr_number" not in row and run.ended:
            raise NothingToReport(
                f"Run {run.id} has ended, and Slipway has no record of its pull request. Nothing "
                "was reported."
            )
        if "pr_number" not in row:
            raise ReportTooEarly(
                f"Slipway has not recorded the pull request of run {run.id} yet. Retry the report "
                "later."
            )
        self._refuse_another(run, row, number)
        return self.end(run, row, pull)

    def report_run(self, run: Run, number: int) -> Outcome:
        """Report the pull request that the sweep has found for a run.

        Raises:
            NothingToReport: it is open, or not Slipway's; the text says which.
            RetryableError: Port or GitHub does not answer.
        """
        pull = self.pulls.read(number)
        if pull is None:
            raise NothingToReport(f"Pull request #{number} does not exist.")
        _refuse_foreign(pull)
        row = self.ledger.get(run.id) or {}
        self._refuse_another(run, row, number)
        return self.end(run, row, pull)

    def end(self, run: Run, row: Mapping[str, Any], pull: "EndedPull") -> Outcome:
        """Update the entity, then end the run unless it has ended.

        Args:
            run: the run that the pull request belongs to.
            row: its row of the ledger.
            pull: the pull request.

        Raises:
            NothingToReport: the ledger does not have the run's entity.
        """
        if "service" not in row:
            raise NothingToReport(
                f"The ledger does not have the entity of run {run.id}. Nothing was reported."
            )
        action = run.action.removeprefix(self.config.identifier_prefix)
        merged = pull.state == "merged" and pull.base == self.base_branch
        try:
            known = find_known(self.config, self.port, row, action)
        except UserError as error:
            how = "merged" if merged else "closed without a merge"
            what = f"{_what(pull)} was {how}{_by(pull)}. The entity was not changed. {error}"
            outcome = Outcome(
                "SUCCESS" if merged else "FAILURE", how.split(maxsplit=1)[0].title(), what
            )
        else:
            report = self._merged if merged else self._not_merged
            outcome = report(run, known, pull)
        if not run.ended:
            self._end(run, outcome, pull.url)
            count(Metric.RUN_REPORTED, action=run.action, status=str(outcome.status))
        return outcome

    def _run_of(self, pull: "EndedPull") -> Run:
        match = _RUN_BRANCH.fullmatch(pull.branch)
        if match is None:
            raise NothingToReport(
                f"Branch {pull.branch!r} is not 'slipway/<action>/<run id>'. Nothing was reported."
            )
        try:
            run = self.port.get_run(match[2])
        except RunNotFound as error:
            raise NothingToReport(f"{error} Nothing was reported.") from None
        if run.action != match[1]:
            raise NothingToReport(
                f"Run {run.id} belongs to action '{run.action}', but the branch names "
                f"'{match[1]}'. Nothing was reported."
            )
        return run

    def _refuse_another(self, run: Run, row: Mapping[str, Any], number: int) -> None:
        """Refuse a pull request that differs from the recorded one.

        A developer with push access can open another pull request from a run's branch, also in
        another repository of the installation.
        """
        noted = row.get("pr_number")
        if noted is not None and int(noted) != number:
            raise NothingToReport(
                f"The pull request of run {run.id} is #{noted}, not #{number}. Nothing was "
                "reported."
            )
        if noted is not None and row.get("repository") not in self.keys:
            raise NothingToReport(
                f"The pull request of run {run.id} is in another repository. Nothing was reported."
            )

    # -- what Port shows

    def adopt(self, resource: Resource, tree: Tree) -> str:
        """Write the entity of a resource whose metadata is on the base branch.

        Args:
            resource: the resource.
            tree: its files.

        Returns:
            What was done, as sentences.

        Raises:
            UserError: its metadata is not valid.
        """
        return self._tell(None, resource, tree, creates=True)

    def _merged(self, run: Run, known: Known, pull: "EndedPull") -> Outcome:
        merged = f"{_what(pull)} was merged{_by(pull)}."
        if known.operation == "delete":
            return self._deleted(known.resource, pull, merged)
        creates = known.operation == "create"
        done = self._follow(run, known.resource, pull, creates=creates)
        return Outcome("SUCCESS", "Merged", f"{merged} {done}")

    def _follow(
        self, run: Run | None, resource: Resource, pull: "EndedPull", *, creates: bool = False
    ) -> str:
        """Make the entity match its files; return what was done.

        Args:
            run: None after a repair.
            resource: the entity.
            pull: the merged pull request.
            creates: whether the run created it.
        """
        snapshot = self.pulls.read_files(files_of(resource), pull, resource.reads)
        if not snapshot.files:
            return "Its files were removed since then, so its entity was not changed."
        tree = Tree(snapshot.files, snapshot.texts)
        try:
            return self._tell(run, resource, tree, creates=creates, url=pull.url)
        except UserError as error:
            again = f"To retry, run the workflow 'Slipway report' for #{pull.number}."
            return f"The entity was not changed. {error} {again}"

    def _tell(
        self, run: Run | None, resource: Resource, tree: Tree, *, creates: bool, url: str = ""
    ) -> str:
        kind, parts = resource.kind, resource.parts
        reviewed = read_entity(kind, resource.identifier, parts, tree, self.settings)
        if run and creates and reviewed.metadata.get("run_id") != run.id:
            return "It was replaced since then, so its entity was not changed."
        wanted = dict(reviewed.entity["properties"])
        if creates:
            wanted |= {**reviewed.initial, **_created(kind, url)}
        if not self._write(run, resource, reviewed, wanted, creates=creates):
            return f"Port has no entity '{resource.identifier}', so nothing was changed."
        done = f"{kind.blueprint.title} {resource.identifier} is up to date in Port."
        return " ".join((done, *reviewed.notes.values()))

    def _deleted(self, resource: Resource, pull: "EndedPull", merged: str) -> Outcome:
        if self.pulls.read_files(files_of(resource), pull, lambda _: ()).files:
            there = "Its files are on the base branch, so its entity was not changed."
            return Outcome("SUCCESS", "Merged", f"{merged} {there}")
        if remove_entity(self.port, resource):
            return Outcome("SUCCESS", "Deleted", f"{merged} The entity was removed from Port.")
        if "health_status" in resource.kind.blueprint.properties:
            missing = {"health_status": "Missing"}
            self.port.update_entity(resource.blueprint, resource.identifier, missing)
        names = ", ".join(self.port.dependents(resource.blueprint, resource.identifier))
        return Outcome(
            "FAILURE",
            "Has dependents",
            f"{merged} The entity stays in Port, because others depend on it: {names}. Change or "
            f"remove these, then run the workflow 'Slipway report' for #{pull.number}.",
        )

    def _not_merged(self, _run: Run, known: Known, pull: "EndedPull") -> Outcome:
        """Report a pull request that was not merged into the base branch."""
        label, what = "Closed", f"{_what(pull)} was closed without a merge{_by(pull)}."
        if pull.state == "merged":
            label = "Merged elsewhere"
            what = (
                f"{_what(pull)} was merged into '{pull.base}'{_by(pull)}, not into "
                f"'{self.base_branch}', so nothing was changed."
            )
        elif pull.base != self.base_branch:
            label = "Retargeted"
            what = (
                f"{_what(pull)} went to '{pull.base}' instead of '{self.base_branch}' and was "
                f"closed{_by(pull)}, so nothing was changed."
            )
        if known.operation != "create":
            return Outcome("FAILURE", label, f"{what} The entity was not changed.")
        gone = remove_pending(self.port, known.resource, pull.url)
        left = "No pending entity was found." if gone else "The entity stays."
        return Outcome("FAILURE", label, f"{what} {left}")

    def _repaired(self, pull: "EndedPull") -> Outcome:
        """Report a remediation's pull request; its execution reports the result.

        The entity still gets the values of the merged files, because a person may merge days later.
        """
        if pull.state != "merged" or pull.base != self.base_branch:
            ended = f"{_what(pull)} of a repair was not merged into '{self.base_branch}'."
            return Outcome(None, "Closed", f"{ended} Nothing was reported.")
        merged = f"{_what(pull)} of a repair was merged{_by(pull)}."
        resource = resource_of(newest_catalog(self.config), self.pulls.paths_of(pull), self.keys)
        if resource is None:
            return Outcome(
                None,
                "Merged",
                f"{merged} It does not concern exactly one entity, so nothing was changed.",
            )
        return Outcome(None, "Merged", f"{merged} {self._follow(None, resource, pull)}")

    def _adopted(self, pull: "EndedPull") -> Outcome:
        """Report a pull request of `scripts/adopt`, which adds metadata.

        The resource exists already. The branch names the entity, and the files on the base branch
        decide.
        """
        if pull.state != "merged" or pull.base != self.base_branch:
            ended = f"{_what(pull)} of an adoption was not merged into '{self.base_branch}'."
            return Outcome(None, "Closed", f"{ended} Nothing was reported.")
        merged, key = f"{_what(pull)} was merged{_by(pull)}.", pull.branch.removeprefix(_ADOPTION)
        catalog = newest_catalog(self.config)
        try:
            resource = find_resource(catalog, key, self._hints(catalog, key, pull))
        except UserError as error:
            return Outcome(None, "Merged", f"{merged} {error}")
        if resource.repository not in self.keys:
            elsewhere = f"{resource.name} belongs to another repository, so nothing was changed."
            return Outcome(None, "Merged", f"{merged} {elsewhere}")
        done = self._follow(None, resource, pull, creates=True)
        return Outcome(None, "Merged", f"{merged} {done}")

    def _hints(self, catalog: Catalog, key: str, pull: "EndedPull") -> dict[str, str]:
        """Read the hints in the metadata's path, for partial identifiers."""
        kind = catalog.kind_of(split_key(key)[0])
        if kind is None or not kind.spec.locate:
            return {}
        found = (kind.parts_at(path) or {} for path in self.pulls.paths_of(pull))
        parts = next(found, {})
        return {hint: parts[part] for part, hint in kind.spec.locate.items() if part in parts}

    def _write(
        self,
        run: Run | None,
        resource: Resource,
        reviewed: ReviewedEntity,
        wanted: Mapping[str, Any],
        *,
        creates: bool,
    ) -> bool:
        """Write the differences; return whether the entity exists afterwards."""
        entity = self.port.get_entity(resource.blueprint, resource.identifier)
        if entity is None and not creates:
            return False
        properties = changed_properties(resource.kind, wanted, entity)
        has = entity.relations if entity else {}
        relations = {
            name: value
            for name, value in reviewed.entity["relations"].items()
            if has.get(name) != value
        }
        if properties or relations or entity is None:
            body: dict[str, Any] = {
                "identifier": resource.identifier,
                "properties": properties,
                **({"relations": relations} if relations else {}),
                **({"title": reviewed.entity["title"]} if entity is None else {}),
            }
            run_id = run.id if run and not run.ended else None
            self.port.upsert_entity(resource.blueprint, body, run_id=run_id)
        return True

    def _end(self, run: Run, outcome: Outcome, url: str) -> None:
        # Links are replaced as a whole, so the existing links are included.
        link = None if url in run.link else [*run.link, url]
        try:
            self.port.add_log(run.id, outcome.message)
            self.port.update_run(
                run.id,
                status=outcome.status,
                status_label=outcome.label,
                summary=outcome.message,
                link=link,
            )
        except RunEnded:
            logger.info("Another report or user already ended the run")


def adoption_branch(resource: Resource) -> str:
    """Return the branch of the pull request that adds a resource's metadata."""
    return f"{_ADOPTION}{resource.key}"


def _created(kind: Kind, url: str) -> dict[str, Any]:
    """Return the properties of a new entity only; see `changed_properties`."""
    own = {"health_status": _STARTING} | ({"pr_url": url} if url else {})
    return {name: value for name, value in own.items() if name in kind.blueprint.properties}


def changed_properties(
    kind: Kind, wanted: Mapping[str, Any], entity: Entity | None
) -> dict[str, Any]:
    """Return the subset of `wanted` that must be written.

    The health checker may be faster than a report, or this may be a second report. So an entity
    that is not pending any more is not set back to Progressing. Properties that other systems
    update after the create stay.

    Args:
        kind: the entity's kind.
        wanted: property → value.
        entity: the entity in Port; None if there is none.
    """
    has = entity.properties if entity else {}
    keep = {name for name in kind.spec.initial if has.get(name) is not None}
    if wanted.get("health_status") == _STARTING and has.get("health_status") not in {None, PENDING}:
        keep.add("health_status")
    return {
        name: value for name, value in wanted.items() if has.get(name) != value and name not in keep
    }


def remove_pending(port: "PortClient", resource: Resource, url: str) -> bool:
    """Remove an entity whose creating pull request was closed.

    Only a pending entity of this pull request is removed. It stays if others relate to it.

    Args:
        port: where the entity is.
        resource: the entity.
        url: the pull request's page.

    Returns:
        Whether the entity is gone.
    """
    entity = port.get_entity(resource.blueprint, resource.identifier)
    known = entity.properties if entity else {}
    has_status = "health_status" in resource.kind.blueprint.properties
    if (has_status and known.get("health_status") != PENDING) or known.get("pr_url") != url:
        return entity is None
    return remove_entity(port, resource)


def remove_entity(port: "PortClient", resource: Resource) -> bool:
    """Remove an entity; return whether it is gone.

    It stays if others depend on it.
    """
    try:
        port.delete_entity(resource.blueprint, resource.identifier)
    except PortError as error:
        if error.code != "has_dependents":
            raise
        return False
    return True


def _refuse_foreign(pull: "EndedPull") -> None:
    if not pull.from_here:
        raise NothingToReport(
            f"Pull request #{pull.number} comes from another repository, so Slipway did not open "
            "it. Nothing was reported."
        )
    if pull.state == "open":
        raise NothingToReport(
            f"Pull request #{pull.number} is open. Slipway reports it when it is merged or closed."
        )


def _what(pull: "EndedPull | PullRequest") -> str:
    return f"Pull request #{pull.number}"


def _by(pull: "EndedPull") -> str:
    return f" by {pull.by}" if pull.by else ""
