"""End or finish the runs that nothing works on any more."""

import random
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import Field, Json

from slipway.approvals.cleanup import Cleanup
from slipway.changes.policy import Policy
from slipway.changes.policy_document import read_policy
from slipway.config import load
from slipway.errors import RunEnded, SkippedMessage, SlipwayError, SweepIncomplete
from slipway.github.models import PullRequest, run_branch
from slipway.github.pull_requests import PullRequests
from slipway.observability import Metric, count, logger
from slipway.port.models import Run
from slipway.port.node_run import is_node_run
from slipway.runs import executions
from slipway.runs.clients import port_client, services_repository
from slipway.runs.failed import FailedRecords, Place
from slipway.runs.ledger import Ledger
from slipway.runs.lock import Lock, ServiceLocks
from slipway.runs.models import Execution
from slipway.runs.owners import is_over
from slipway.runs.queues import keep_dead_letters, read_queues
from slipway.runs.run import RunConfig, RunReporter
from slipway.sweep.actions import Case, SweepActions, SweepActionsConfig
from slipway.sweep.decide import Facts, Limits, Pull, SweepAction, choose_action
from slipway.sweep.doorbells import Doorbells
from slipway.sweep.event_sources import Mappings
from slipway.sweep.stopped import StoppedConfig, StoppedRemediations

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository

# Share of the invocation's time; the rest is for work in progress.
_SHARE = 0.6
# A run that has just locked an entity may not be visible everywhere yet.
_SETTLED = timedelta(minutes=1)
_NAMED = 3  # failures in the text of the error
# Runs of an automation that one sweep ends.
_AUTOMATION_RUNS = 200


class SweepConfig(SweepActionsConfig, StoppedConfig):
    """Settings of the sweep."""

    limits: Json[Limits] = Field(alias="SWEEP_LIMITS")


def own_actions(config: RunConfig) -> dict[str, str]:
    """Return each action of this installation with the alias of the function of its runs.

    Raises:
        ConfigurationError: the policy is not valid.
    """
    return _policy(config).own_actions


def _policy(config: RunConfig) -> Policy:
    return read_policy(config.records_bucket, config.policy_key).policy


def sweep(seconds: float) -> None:
    """Check every run of ours in progress, every open row, and every lock.

    Args:
        seconds: the time limit; the next sweep does the rest.

    Raises:
        SweepIncomplete: a part failed. All other parts were still processed.
    """
    Sweep(load(SweepConfig), seconds * _SHARE).run()


def stopped_remediations() -> StoppedRemediations:
    """Return the object that releases services of stopped remediations."""
    config, port = load(SweepConfig), port_client()
    return StoppedRemediations(config, port, Cleanup(config, port).cancel_request)


def stopped(execution: str, status: str) -> None:
    """Handle the run of an execution that did not end by itself.

    A failed execution puts its run on hold: an operator resumes or cancels it. An aborted or timed
    out one cannot continue, so its run ends, its request is withdrawn and its service is unlocked.
    A run with a pull request is left to that.

    Args:
        execution: the execution's name: the run id, or `<run id>-<n>` of a resumed one.
        status: FAILED, ABORTED or TIMED_OUT.
    """
    run_id = execution.partition("-")[0]
    logger.append_keys(run_id=run_id)
    config = load(SweepConfig)
    port, ledger = port_client(), Ledger(config.runs_table)
    row = ledger.get(run_id)
    if row is None or row.get("outcome") or port.get_run(run_id).ended:
        logger.info("The run has already ended", extra={"execution": execution})
        return
    report = RunReporter(run_id, str(row["action"]), port, ledger)
    if status == "FAILED":
        report.put_on_hold(execution, f"Execution {execution} failed; its history says why.")
    elif row.get("pr_number"):
        report.remark(f"Execution {execution} has {status}; the pull request stays unchanged.")
    else:
        policy = _policy(config)
        cleanup = Cleanup(config, port)
        actions = SweepActions(config, config.limits, port, ledger, policy, cleanup)
        actions.end_stopped(run_id, aborted=status == "ABORTED")


class Sweep:
    """One sweep over everything.

    Args:
        config: this installation.
        seconds: after which it starts nothing new.
    """

    def __init__(self, config: SweepConfig, seconds: float) -> None:
        self._config = config
        self._ends = time.monotonic() + seconds
        self._now = datetime.now(UTC)
        self._port = port_client()
        self._ledger = Ledger(config.runs_table)
        self._locks = ServiceLocks(config.locks_table, lambda _: False)
        policy = _policy(config)
        cleanup = Cleanup(config, self._port)
        self._actions = SweepActions(
            config, config.limits, self._port, self._ledger, policy, cleanup
        )
        self._repositories = {
            place.name.casefold(): services_repository(config, place, retry_budget=seconds)
            for place in policy.places()
        }
        self._policy = policy
        self._remediations = StoppedRemediations(config, self._port, cleanup.cancel_request)
        self._failures: list[str] = []
        self._pulls: dict[str, PullRequest] | None = None
        self._own_actions, self._automations = policy.own_actions, policy.own_automations
        self._doorbells = Doorbells(config.idempotency_table)
        self._has_encrypted_inputs = cache(self._port.has_encrypted_inputs)
        self._mappings = Mappings(config.records_bucket)
        self._reading = cache(self._mappings.reading)
        self._failed_records = FailedRecords(config.records_bucket)
        self._subjects = cache(self._read_subjects)

    def run(self) -> None:
        """Sweep everything, in an order in which each gets its turn.

        Raises:
            SweepIncomplete: a part failed.
        """
        with self._collected("event source mappings"):
            self._each(sorted(self._mappings.uuids), lambda alias: alias, self._check_mapping)
        with self._collected("dead-letter queues"):
            # Before the runs: one whose message was given up is on hold, not never received.
            dead_letters = read_queues(self._config.records_bucket).dead_letters
            self._each(list(dead_letters.items()), lambda each: each[1], self._keep_dead_letters)
        open_rows: list[dict[str, Any]] = []
        with self._collected("open rows"):
            open_rows.extend(self._ledger.open_rows())
        with self._collected("open pull requests"):
            self._pulls = {
                branch: pull
                for repository in self._repositories.values()
                for branch, pull in PullRequests(repository).open().items()
            }
        # Read after the rows: a run with a row that is not among these has ended.
        known = {str(row["run_id"]) for row in open_rows}
        active = {run.id: run for action in self._own_actions for run in self._runs(action, known)}
        active |= {run.id: run for run in self._node_runs(open_rows)}
        gone = {str(row["run_id"]) for row in open_rows if self._is_gone(row, active)}
        left = {str(row["run_id"]) for row in open_rows if self._is_left(row)} - set(active) - gone
        followed = [run for run in active.values() if run.id not in gone]
        self._each(followed, lambda run: run.id, self._check_run)
        self._each(sorted(gone), lambda run_id: run_id, self._end_gone)
        self._each(sorted(left), lambda run_id: run_id, self._clean_up)
        with self._collected("services"):
            services = self._remediations.services_at_work()
            self._each(services, lambda service: service, self._remediations.check)
        with self._collected("locks"):
            left_locks = [lock for lock in self._locks.all() if lock.owner.id not in active]
            self._each(left_locks, lambda lock: lock.service, self._unlock)
        for repository in self._repositories.values():
            with self._collected(f"branches of {repository.place.name}"):
                # GitHub deletes the branch of a merged pull request only if that setting is on.
                branches = PullRequests(repository).branches()
                finished = [name for name in branches if name not in (self._pulls or {})]
                self._each(finished, lambda name: name, repository.delete_finished)
        self._each(sorted(self._automations), lambda name: name, self._end_runs_of_automation)
        logger.info(
            "Swept",
            extra={"runs": len(active), "ended": len(left), "failures": len(self._failures)},
        )
        if self._failures:
            more = f" and {len(self._failures) - _NAMED} more" if self._failures[_NAMED:] else ""
            named = "; ".join(self._failures[:_NAMED])
            raise SweepIncomplete(f"The sweep is incomplete: {named}{more}.")

    def _check_mapping(self, alias_arn: str) -> None:
        """Count a mapping that cannot read its topic; Lambda has no metric for it."""
        found = self._reading(alias_arn)
        if found and found.has_problem:
            name = alias_arn.split(":")[6]
            logger.error(
                "An event source mapping reports a problem",
                extra={"function": name, "result": found.result},
            )
            count(Metric.MAPPING_PROBLEM, function_name=name)

    def _keep_dead_letters(self, queue: tuple[str, str]) -> None:
        if kept := keep_dead_letters(*queue, self._config.records_bucket):
            logger.error("Messages were given up", extra={"function": queue[1], "number": kept})

    def _end_runs_of_automation(self, automation: str) -> None:
        """End the automation's runs whose messages no function received; the rest later."""
        oldest = self._now - self._config.limits.automation
        late = (
            run
            for run in self._port.active_runs(automation)
            if run.created_at and run.created_at <= oldest
        )
        for run in list(islice(late, _AUTOMATION_RUNS)):
            if time.monotonic() > self._ends:
                return
            with suppress(RunEnded):
                self._port.update_run(
                    run.id,
                    status="FAILURE",
                    status_label="Never received",
                    summary="Slipway did not receive this event. The sweep does without it.",
                )
                count(Metric.RUN_SWEPT, sweep_action="END_AUTOMATION")

    def _runs(self, action: str, known: set[str]) -> list[Run]:
        """Return the runs of an action that are in progress.

        Others wait for an approval of Port's own, and need a check only if Slipway has started
        them.
        """
        found: list[Run] = []
        with self._collected(f"runs of {action}"):
            found.extend(
                run
                for run in self._port.active_runs(action)
                if run.status == "IN_PROGRESS" or run.id in known
            )
        return found

    def _node_runs(self, open_rows: list[dict[str, Any]]) -> list[Run]:
        """Return the node runs in progress, which Port does not list."""
        ids = [str(row["run_id"]) for row in open_rows if is_node_run(str(row["run_id"]))]
        found: list[Run] = []
        for run_id in ids:
            with self._collected(run_id):
                run = self._port.get_run(run_id)
                found += [] if run.ended else [run]
        return found

    def _is_left(self, row: dict[str, Any]) -> bool:
        """Return whether a row was unchanged for so long that the sweep checks it."""
        return self._now - _moment(row["updated_at"]) >= self._config.limits.report

    def _is_gone(self, row: dict[str, Any], active: Container[str]) -> bool:
        """Return whether a run cannot end by itself: its action or its repository was removed."""
        if "repository" in row and self._policy.place_of(row) is None:
            return self._is_left(row)
        removed = str(row.get("action")) not in self._own_actions
        return removed and str(row["run_id"]) not in active and self._is_left(row)

    def _end_gone(self, run_id: str) -> None:
        logger.append_keys(run_id=run_id)
        self._actions.end_gone(run_id)
        count(Metric.RUN_SWEPT, sweep_action="END_GONE")

    def _check_run(self, run: Run) -> None:
        logger.append_keys(run_id=run.id)
        case, facts = self._gather(run)
        action = choose_action(facts, self._now, self._config.limits)
        if action is SweepAction.LEAVE or (facts.seen_at and self._pulls is None):
            return  # Or GitHub did not answer, which is among the failures.
        logger.info("Sweeping a run", extra={"sweep_action": action, "action": run.action})
        if action is SweepAction.RING:
            self._doorbells.ring(run.id, self._own_actions[run.action])
        else:
            self._actions.carry_out(action, case)
        count(Metric.RUN_SWEPT, sweep_action=action)

    def _gather(self, run: Run) -> tuple[Case, Facts]:
        published_at = run.updated_at or run.created_at
        if published_at is None:
            raise SlipwayError(f"Port does not show when run {run.id} was created.")
        row = self._ledger.get(run.id)
        if row is None:
            return self._look_for(run, Facts(published_at))
        branch = run_branch(run.action, run.id)
        pull = (self._pulls or {}).get(branch)
        execution: Execution | None = None
        if pull is None and "pr_number" not in row:
            machine = self._config.approval_machine_arn
            execution = executions.status(machine, executions.latest(run.id, row))
        facts = Facts(
            published_at=published_at,
            seen_at=_moment(row["updated_at"]),
            resume_at=_optional(row.get("resume_at")),
            execution=execution,
            pull=_pull(pull),
            reminded="reminded_at" in row,
            reported=not is_node_run(run.id),
        )
        repository = self._repository_of(row)
        if pull is None and repository and self._is_to_be_found(row, facts):
            pull = repository.find(branch, number=row.get("pr_number"))
            facts = replace(facts, pull=_pull(pull))
        return Case(run, repository, execution, pull), facts

    def _repository_of(self, row: dict[str, Any]) -> "ServicesRepository | None":
        """Return the repository that a run has recorded; None means no pull request."""
        place = self._policy.place_of(row)
        return self._repositories[place.name.casefold()] if place else None

    def _look_for(self, run: Run, facts: Facts) -> tuple[Case, Facts]:
        """Find out why a late run was never seen."""
        if choose_action(facts, self._now, self._config.limits) is SweepAction.LEAVE:
            return Case(run), facts
        if found := self._reading(self._own_actions[run.action]):
            facts = replace(
                facts,
                paused=found.paused,
                unreadable=found.has_problem,
                resumed_at=found.since,
            )
        reference = self._failed_record(run.id, facts.published_at)
        encrypted = self._has_encrypted_inputs(run.action)
        case = Case(run, reference=reference, encrypted=encrypted)
        return case, replace(
            facts,
            failed=bool(reference),
            encrypted=encrypted,
            doorbells=self._doorbells.count(run.id),
        )

    def _failed_record(self, run_id: str, since: datetime) -> str:
        """Return the reference of the run's failed record, or an empty text.

        Raises:
            SweepIncomplete: there are too many to search.
        """
        for place in self._failed_records.places():
            # Clocks differ, and S3 has whole seconds.
            if place.failed_at < since - _SETTLED:
                continue
            if time.monotonic() > self._ends:
                raise SweepIncomplete("There are too many failed records to search.")
            if run_id in self._subjects(place):
                return place.reference
        return ""

    def _read_subjects(self, place: Place) -> frozenset[str]:
        record = self._failed_records.read(place)
        return frozenset(subject.run_id for subject in record.subjects) if record else frozenset()

    def _is_to_be_found(self, row: dict[str, Any], facts: Facts) -> bool:
        """Return whether a run's pull request must be checked before its end."""
        if self._pulls is None:
            return False
        return (
            "pr_number" in row
            or choose_action(facts, self._now, self._config.limits) != SweepAction.LEAVE
        )

    def _clean_up(self, run_id: str) -> None:
        logger.append_keys(run_id=run_id)
        if action := self._actions.clean_up(run_id):
            count(Metric.RUN_CLEANED_UP, action=action)

    def _unlock(self, lock: Lock) -> None:
        owner = lock.owner
        if self._now - lock.taken_at < _SETTLED:
            return
        if not is_over(owner, self._port, self._config.remediation_machine_arn):
            return
        logger.info("Unlocking an entity", extra={"entity": lock.service, "owner": owner.id})
        self._locks.release(lock.service, owner.id)
        count(Metric.LOCK_RELEASED, kind=owner.kind)

    def _each[T](self, items: list[T], name: Callable[[T], str], act: Callable[[T], None]) -> None:
        """Process each item while there is time; a failure does not stop others."""
        # In random order, so that slow items do not always delay the same others.
        for item in random.sample(items, len(items)):
            if time.monotonic() > self._ends:
                logger.warning("No time left; the next sweep continues")
                return
            with self._collected(name(item)):
                act(item)

    @contextmanager
    def _collected(self, what: str) -> Iterator[None]:
        """Record a failure, and continue."""
        try:
            yield
        except SkippedMessage as skipped:
            logger.info("There is nothing left to do", extra={"why": str(skipped)})
        except Exception as error:  # noqa: BLE001  all of them are raised together at the end
            logger.exception("Part of the sweep failed", extra={"part": what})
            self._failures.append(f"{what}: {error}")
        finally:
            logger.remove_keys(["run_id"])


def _pull(pull: PullRequest | None) -> Pull | None:
    if pull is None:
        return None
    return Pull(pull.number, pull.state, pull.opened_at, pull.ended_at, pull.retargeted_to)


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _optional(text: object) -> datetime | None:
    return _moment(text) if text else None
