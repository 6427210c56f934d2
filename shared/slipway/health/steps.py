"""Run the remediation state machine's steps, one service per execution.

Every step re-reads the service's row, its entity and the policy, asks `next_step` for the next
action, and returns the machine's next state. So each step can be repeated, and a stale execution
finds nothing to do.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, override

from slipway import aws
from slipway.catalog.addresses import named_url
from slipway.catalog.keys import split_key
from slipway.catalog.model import Kind
from slipway.changes.policy_document import read_policy
from slipway.changes.repair import repair_hash
from slipway.config import AlertsConfig, RemediationsConfig
from slipway.errors import EntityLocked, ExpressionRefused, GitHubError, SlipwayError, UserError
from slipway.health.admission import launch, release
from slipway.health.alerts import Alerts
from slipway.health.assessment import HealthSettings, assess, not_probed, read_settings
from slipway.health.changes import CHECK_ID
from slipway.health.finding import OWN_NETWORK, Finding, shown
from slipway.health.limit import (
    INSTALLATION,
    Begun,
    InstallationRow,
    alert_sent,
    claim_alert,
    let_begin,
)
from slipway.health.policy import NEEDS_LOCK, Policy, parse_policy
from slipway.health.remediation import (
    LIMITED,
    NAMES,
    findings_of_phase,
    merges,
    next_step,
    window_of_phase,
)
from slipway.health.repairable import Repairable, find_repairable
from slipway.health.repairing import Repairer, Result
from slipway.health.report import (
    alert_title,
    entity_properties,
    issue_body,
    issue_marker,
    issue_title,
    timeline_lines,
)
from slipway.health.row import ServiceRow, execution_name, read_entity
from slipway.health.state import (
    ApprovalNeeded,
    CoolDown,
    Decision,
    Escalate,
    Healthy,
    LastStep,
    LockOwner,
    Probe,
    Repair,
    Review,
    Reviewed,
    State,
    Step,
    Unknown,
    Wait,
)
from slipway.health.store import RemediationStore, Rows
from slipway.markdown import hidden_comment
from slipway.observability import Metric, count, logger, measure
from slipway.runs.catalogs import newest_catalog
from slipway.runs.ledger import Ledger
from slipway.runs.run import RunConfig, service_locks
from slipway.runs.steps import Answer, Event, Steps, step

if TYPE_CHECKING:
    from slipway.github.models import Place
    from slipway.github.repairs import Repairs
    from slipway.github.repository import ServicesRepository
    from slipway.github.workflows import Workflows
    from slipway.port.client import PortClient
    from slipway.port.models import Entity

# Pause between two checks of a repair in progress.
_LOOK_AGAIN = timedelta(seconds=5)


class RemediationConfig(RunConfig, RemediationsConfig, AlertsConfig):
    """Settings of the remediation function."""


class RemediationSteps(Steps):
    """The steps, made for one invocation.

    The machine's payload has `service` and `execution`. After a probe it has `look`, with number
    and finding; after a request for approval `decision`. A step's answer is `next`: `Probe` with
    its target, `Wait` with `until`, `Repair`, `Ask` with the request, `Finish` or `Done`.

    Args:
        config: the function's environment.
        port: Port's API.
        repository: gives a repository.
        alerts: sends alerts.
    """

    def __init__(
        self,
        config: RemediationConfig,
        port: "PortClient",
        repository: Callable[["Place"], "ServicesRepository"],
        alerts: Alerts,
    ) -> None:
        self._config = config
        self._port = port
        self._repository = repository
        self._alerts = alerts
        self._store = RemediationStore(config.remediations_table)
        self._installation = Rows(config.remediations_table, InstallationRow)
        self._locks = service_locks(config, port)

    @override
    def run(self, event: Event, *subject: Any) -> Answer | None:
        """Run a step, unless another execution handles the service."""
        service, execution = str(event["service"]), str(event["execution"])
        logger.append_keys(service_name=service, execution=execution)
        row = self._store.get(service)
        if row is None or row.execution != execution:
            logger.info("Another execution handles the service")
            if row:
                # This execution may have admitted it without starting it.
                launch(self._store, self._config.remediation_machine_arn, row)
            return {"next": "Done"}
        return super().run(event, row)

    # -- the steps

    @step("decide")
    def _decide(self, row: ServiceRow, event: Event) -> Answer:
        """Store a finding or a decision, and return the next state."""
        look, decision = event.get("look"), event.get("decision")
        row, settings, policy = self._reread(row)
        now, finding = datetime.now(UTC), None
        if look is not None and look["number"] == len(row.state.observations):
            finding = Finding.model_validate(look["finding"])
            row = self._observe(row, finding, policy, now)
        if decision is not None and row.state.decision is None:
            decided = _bound(row, Decision.model_validate(decision))
            row = self._save(row, row.state.decided(decided))
        row, step = self._next(row, policy, now)
        if isinstance(step, Probe) and settings.url is None:
            row = self._observe(row, not_probed(settings), policy, now)
            row, step = self._next(row, policy, now)
        if finding and not isinstance(step, LastStep):
            self._report(row, Probe(step="verify", reason=finding.sentence), now)
        return self._answer(row, step, settings, policy)

    def _answer(
        self, row: ServiceRow, step: Step, settings: HealthSettings, policy: Policy
    ) -> Answer:
        logger.info("Next step", extra={"step": step.step, "reason": step.reason})
        match step:
            case Probe():
                expectation = settings.expectation
                path = expectation.json_path
                return {
                    "next": "Probe",
                    "number": len(row.state.observations),
                    "probe": {
                        "url": settings.url,
                        "status": expectation.status,
                        "json_path": path.text if path else None,
                        "json_value": expectation.json_value,
                    },
                }
            case Wait(until=until):
                return _wait(until)
            case Repair():
                return {"next": "Repair"}
            case ApprovalNeeded(reason=reason):
                self._report(row, step, datetime.now(UTC))
                reviewed = row.state.reviewed
                planned = self._repairer(row).plan(policy.strategies)
                shown = tuple(digest for each in planned for digest in each.digests)
                row = self._save(row, row.state.model_copy(update={"shown": shown}))
                repair = {
                    "service": row.service,
                    "environment": (reviewed and reviewed.environment) or "",
                    "reason": reason,
                    "strategies": [NAMES[strategy.kind] for strategy in policy.strategies],
                    "planned": [each.model_dump(mode="json") for each in planned],
                    "causes": list(row.causes),
                }
                return {"next": "Ask", "repair": repair}
            case CoolDown(until=until):
                self._cool_down(row, step)
                return _wait(until)
        return {"next": "Finish"}

    @step("repair")
    def _repair(self, row: ServiceRow, _event: Event) -> Answer:
        """Start a repair, or check on the one in progress."""
        row, settings, policy = self._reread(row)
        now = datetime.now(UTC)
        row, step = self._next(row, policy, now)
        if not isinstance(step, Repair):
            return self._answer(row, step, settings, policy)
        owner = self._take_lock(row, step)
        if owner:
            logger.info("The service is locked", extra={"owner": owner.owner})
            self._save(row, row.state.blocked(owner))
            return {"next": "Decide"}
        began = row.state.began(step, now)
        if began is not row.state:
            if until := self._limit(row, step, policy, now):
                return _wait(until)
            row = self._save(row, began)
            self._report(row, step, now)
        attempt = row.state.pending
        if attempt is None:
            raise SlipwayError("A repair that has begun is not in progress.")
        repairer = self._repairer(row, merge=merges(step.step, row.state, policy))
        result = repairer.carry_out(row.state, attempt, now)
        if result.outcome is None:
            return _wait(now + _LOOK_AGAIN)
        self._note_outcome(row, step, result)
        return {"next": "Decide"}

    @step("finish")
    def _finish(self, row: ServiceRow, _event: Event) -> Answer:
        """Write the outcome to the catalogue, escalate, and release the service."""
        if row.ending is None:
            row, settings, policy = self._reread(row)
            now = datetime.now(UTC)
            row, step = self._next(row, policy, now)
            if not isinstance(step, LastStep):
                return self._answer(row, step, settings, policy)
            row = self._update(row, lambda stored: stored.changed(ending=step, ended_at=now))
            self._measure(row.state, step, now)
        self._conclude(row)
        release(
            row.service,
            row.owner,
            # Read after the last write to the entity, because `_overwritten` compares with it.
            datetime.now(UTC),
            store=self._store,
            locks=self._locks,
            port=self._port,
            machine_arn=self._config.remediation_machine_arn,
        )
        return {"next": "Done"}

    # -- what the steps do

    def _reread(self, row: ServiceRow) -> tuple[ServiceRow, HealthSettings, Policy]:
        """Read the current entity and policy; return row, settings and policy."""
        policy = self._policy()
        entity = self._port.get_entity(*split_key(row.service))
        properties = entity.properties if entity else {}
        url = self._url(row, properties)
        state = row.state.reread(*read_entity(properties, url))
        if entity and policy.mode != "off" and _overwritten(row, entity):
            # Slipway's previous write replaced the change that started this execution.
            state = state.restore()
            restored = {"health_status": state.status, CHECK_ID: _check_id(row)}
            self._port.update_entity(*split_key(row.service), restored)
        cause = entity.updated_by if entity else ""
        # Later changes were not part of the entity that was read.
        known = row.changes
        row = self._update(
            row, lambda stored: stored.changed(state=state, known=known).caused_by(cause)
        )
        return row, read_settings(properties, url), policy

    def _kind(self, row: ServiceRow) -> Kind | None:
        return newest_catalog(self._config).kind_of(split_key(row.service)[0])

    def _url(self, row: ServiceRow, properties: Mapping[str, Any]) -> Any:
        """Return the health URL in Port's properties, which is untrusted."""
        kind, config = self._kind(row), self._config
        if kind is None:
            return None
        settings = read_policy(config.records_bucket, config.policy_key).policy.settings
        entity = {"identifier": split_key(row.service)[1], "properties": properties}
        try:
            return named_url(kind, entity, settings)
        except ExpressionRefused as error:
            logger.info("The health URL cannot be read", extra={"why": str(error)})
            return None

    def _policy(self) -> Policy:
        answer = aws.s3().get_object(
            Bucket=self._config.records_bucket, Key=self._config.remediation_policy_key
        )
        return parse_policy(answer["Body"].read())

    def _next(self, row: ServiceRow, policy: Policy, now: datetime) -> tuple[ServiceRow, Step]:
        """Decide on the next step, and read the service's files if needed."""
        step = next_step(row.state, policy, now)
        if not isinstance(step, Review):
            return row, step
        reviewed = self._review(row)
        state = row.state.model_copy(update={"reviewed": reviewed})
        row = self._save(row, state)
        return row, next_step(state, policy, now)

    def _observe(
        self, row: ServiceRow, finding: Finding, policy: Policy, now: datetime
    ) -> ServiceRow:
        before, state = row.state, row.state.observed(finding, now)
        window = window_of_phase(state, policy)
        assessments = [assess(findings_of_phase(each), window) for each in (before, state)]
        if not state.attempts and assessments[0] == "Undecided" != assessments[1]:
            measure(Metric.TIME_TO_VERIFY, (now - state.started_at).total_seconds())
        return self._save(row, state)

    def _take_lock(self, row: ServiceRow, step: Repair) -> LockOwner | None:
        """Lock the service if needed; return the owner if it is locked."""
        if step.step not in NEEDS_LOCK:
            return None
        try:
            self._locks.acquire(row.service, row.owner, "remediation")
        except EntityLocked as locked:
            run = Ledger(self._config.runs_table).get(locked.owner) or {}
            number = run.get("pr_number")
            return LockOwner(owner=locked.owner, pr_number=int(number) if number else None)
        return None

    def _limit(
        self, row: ServiceRow, step: Repair, policy: Policy, now: datetime
    ) -> datetime | None:
        """Count a new repair; return when to retry if the limit forbids it."""
        begun = Begun(
            repair=f"{row.owner}/{step.step}/{step.attempt}",
            service=row.service,
            strategy=NAMES[step.step],
            at=now,
        )
        shared = self._installation.update(
            INSTALLATION, lambda shared: let_begin(shared, begun, policy.max_repairs)
        )
        if shared is None or shared.has(begun.repair):
            return None
        if step.step in NEEDS_LOCK:
            self._locks.release(row.service, row.owner)
        title = f"{policy.max_repairs} repairs within ten minutes: Slipway pauses further repairs"
        lines = [
            f"{each.at:%H:%M:%S} {shown(split_key(each.service)[1])}: {each.strategy}"
            for each in shared.begun
        ]
        self._alert_once("limit", row, title, LIMITED, lines)
        row = self._save(row, row.state.limit(shared.free_at(policy.max_repairs, now)))
        self._report(row, Wait(until=now, reason=LIMITED), now)
        return row.state.limited_until if row.state.limited == 1 else now

    def _alert_once(
        self, kind: str, row: ServiceRow, title: str, reason: str, lines: list[str]
    ) -> None:
        """Send one alert for all services within `quiet_seconds`."""
        quiet, now = timedelta(seconds=self._policy().quiet_seconds), datetime.now(UTC)
        shared = self._installation.update(
            INSTALLATION, lambda shared: claim_alert(shared, kind, row.owner, now, quiet)
        )
        if shared is None or not shared.due(kind, row.owner):
            return
        self._alerts.send(title, reason, lines, self._config.entity_url(*split_key(row.service)))
        self._installation.update(INSTALLATION, lambda shared: alert_sent(shared, kind))

    def _repairable(self, row: ServiceRow) -> Repairable:
        """The entity, by the newest catalog and the current approval policy.

        Raises:
            UserError: the catalog does not have it.
        """
        config = self._config
        policy = read_policy(config.records_bucket, config.policy_key).policy
        catalog = newest_catalog(config)
        return find_repairable(row.service, catalog, policy, self._port, self._repository)

    def _review(self, row: ServiceRow) -> Reviewed:
        try:
            return self._repairable(row).review()
        except UserError as error:
            return Reviewed(fault=str(error))

    def _repairer(self, row: ServiceRow, *, merge: bool = False) -> Repairer:
        repairable, url = self._repairable(row), self._config.entity_url(*split_key(row.service))
        repository = repairable.repository
        repairs, workflows = _repairs(repository), _workflows(repository)
        return Repairer(row.owner, repairable, repairs, workflows, url, merge=merge)

    def _note_outcome(self, row: ServiceRow, step: Repair, result: Result) -> None:
        if result.outcome is None:
            return
        now = datetime.now(UTC)
        state = row.state.ended(result.outcome, now, result.detail, result.link)
        row = self._save(row, state)
        count(Metric.REPAIR_ENDED, strategy=step.step, outcome=result.outcome)
        if step.step in NEEDS_LOCK:
            self._locks.release(row.service, row.owner)
        explained = step.model_copy(update={"reason": f"{step.reason} {result.detail}".rstrip()})
        self._report(row, explained, now)

    def _cool_down(self, row: ServiceRow, step: CoolDown) -> None:
        now = datetime.now(UTC)
        self._report(row, step, now)
        if step.notify:
            url = self._config.entity_url(*split_key(row.service))
            lines = timeline_lines(row.state)
            self._alerts.send(alert_title(row.state), step.reason, lines, url)
        # Stored last, because it keeps a repeated step from sending the alert again.
        self._save(row, row.state.cooling(step, now))

    def _conclude(self, row: ServiceRow) -> None:
        """Report the ending. Safe to repeat: its reason and time are in the row."""
        ending, at = row.ending, row.ended_at
        if ending is None or at is None:
            raise SlipwayError("A remediation that has not ended cannot be concluded.")
        self._report(row, ending, at)
        if isinstance(ending, Escalate) and not ending.shared:
            self._escalate(row, ending, at)
        if isinstance(ending, Unknown) and any(
            finding.kind == OWN_NETWORK for finding in findings_of_phase(row.state)
        ):
            title = "Slipway's probe reaches neither services nor its canary address"
            self._alert_once("network", row, title, ending.reason, [])

    def _escalate(self, row: ServiceRow, step: Escalate, at: datetime) -> None:
        """Write the issue, and notify people once within `quiet_seconds`."""
        state = row.state
        entity_url = self._config.entity_url(*split_key(state.service))
        lines = timeline_lines(state, step, at)
        try:
            url = (
                _repairs(self._repairable(row).repository)
                .escalate(
                    title=issue_title(state),
                    body=issue_body(state, step, at, entity_url),
                    labels=("slipway", "remediation"),
                    marker=hidden_comment(issue_marker(state)),
                    comment="\n".join(["The service is unhealthy again.", "", *lines])
                    if step.notify
                    else None,
                )
                .url
            )
        except (GitHubError, UserError) as error:
            # Issues may be disabled, or the permission missing: the alert is sent anyway.
            logger.warning("GitHub refused the issue", extra={"why": str(error)})
            url = entity_url
        logger.info("The service was escalated", extra={"at": url})
        if step.notify and at not in state.escalations:
            self._alerts.send(alert_title(state), step.reason, lines, url)
            # Stored at once, so that a repeated step does not notify them again.
            self._save(row, state.notified(at))

    def _report(self, row: ServiceRow, step: Step, now: datetime) -> None:
        kind, written = self._kind(row), entity_properties(step, _check_id(row), now)
        known = kind.blueprint.properties if kind else written
        properties = {name: value for name, value in written.items() if name in known}
        if properties and not self._port.update_entity(*split_key(row.service), properties):
            logger.info("The entity is gone")

    @staticmethod
    def _measure(state: State, step: LastStep, now: datetime) -> None:
        count(Metric.REMEDIATION_ENDED, ending=step.step)
        if isinstance(step, Healthy) and step.repaired_by:
            measure(Metric.TIME_TO_REPAIR, (now - state.started_at).total_seconds())

    def _save(self, row: ServiceRow, state: State) -> ServiceRow:
        return self._update(row, lambda stored: stored.changed(state=state))

    def _update(self, row: ServiceRow, change: Callable[[ServiceRow], ServiceRow]) -> ServiceRow:
        """Change the row while this execution is the running one.

        Raises:
            SlipwayError: another execution handles the service.
        """

        def change_ours(stored: ServiceRow | None) -> ServiceRow | None:
            return change(stored) if stored and stored.execution == row.execution else None

        updated = self._store.update(row.service, change_ours)
        if updated is None or updated.execution != row.execution:
            raise SlipwayError("Another execution has taken over the service.")
        return updated


def _repairs(repository: "ServicesRepository") -> "Repairs":
    # Imported late: PyGithub takes as long to import as boto3, and most steps do not need it.
    from slipway.github.repairs import Repairs

    return Repairs(repository)


def _workflows(repository: "ServicesRepository") -> "Workflows":
    from slipway.github.workflows import Workflows

    return Workflows(repository)


def _overwritten(row: ServiceRow, entity: "Entity") -> bool:
    """Return whether the previous execution overwrote this one's change."""
    earlier = entity.properties.get(CHECK_ID)
    first_look = not row.state.observations and not row.state.attempts
    return (
        first_look
        and row.settled_at is not None
        and not row.touched(entity.updated_at)
        and isinstance(earlier, str)
        and earlier.startswith(f"{execution_name(row.service, row.number - 1)}.")
        and entity.properties.get("health_status") in {"Healthy", "Unknown"}
    )


def _bound(row: ServiceRow, decision: Decision) -> Decision:
    """Bind a decision to the current plan; other approvals grant nothing."""
    shown = row.state.shown
    if not decision.granted or shown is None:
        return decision
    if decision.change_hash == repair_hash(row.service, row.owner, shown):
        return decision
    refused = "The approved plan differs from the current one: a file of the service was changed."
    return decision.model_copy(update={"granted": False, "sentence": refused})


def _check_id(row: ServiceRow) -> str:
    """Make an identifier for one write, prefixed by the execution's name."""
    return f"{row.execution}.{uuid.uuid4().hex}"


def _wait(until: datetime) -> Answer:
    # Rounded up, because Step Functions waits until a whole second.
    rounded = (until + timedelta(microseconds=999_999)).astimezone(UTC)
    return {"next": "Wait", "until": rounded.strftime("%Y-%m-%dT%H:%M:%SZ")}
