"""The steps of the remediation state machine, which looks after one service at a time.

Every step re-reads the service's row, its entity and the policy, asks `next_step` what is to be
done, and answers with the machine's next state. So each can be repeated, and an execution that was
overtaken by another finds nothing to do.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway import aws
from slipway.actions.repair import repair_hash
from slipway.actions.text import BLUEPRINT, hidden_comment
from slipway.config import AlertsConfig, WatchConfig
from slipway.errors import GitHubError, ServiceLocked, SlipwayError
from slipway.health.admission import launch, let_go
from slipway.health.alerts import Alerts
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
from slipway.health.record import Record, execution_name, read_entity
from slipway.health.remediation import (
    LIMITED,
    NAMES,
    findings_of_phase,
    merges,
    next_step,
    window_of_phase,
)
from slipway.health.repairing import Repairer, Result
from slipway.health.report import (
    alert_title,
    entity_properties,
    issue_body,
    issue_marker,
    issue_title,
    timeline_lines,
)
from slipway.health.reviewed import read_reviewed
from slipway.health.state import (
    ApprovalNeeded,
    CoolDown,
    Decision,
    Escalate,
    Healthy,
    Holder,
    LastStep,
    Probe,
    Repair,
    Review,
    State,
    Step,
    Unknown,
    Wait,
)
from slipway.health.store import RemediationStore, Rows
from slipway.health.verdict import HealthSettings, not_probed, read_settings, verify
from slipway.observability import Metric, count, logger, measure
from slipway.reports.settings import DeployedConfig
from slipway.runs.ledger import Ledger
from slipway.runs.run import RunConfig, service_locks

if TYPE_CHECKING:
    from slipway.github.repairs import Repairs
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient
    from slipway.port.models import Entity

Answer = dict[str, Any]
# Between two looks at a repair that is under way.
_LOOK_AGAIN = timedelta(seconds=5)


class RemediationConfig(RunConfig, WatchConfig, AlertsConfig, DeployedConfig):
    """What Terraform tells the remediation function."""


class RemediationSteps:
    """Made for one invocation.

    Args:
        config: the function's environment.
        port: Port's API.
        repository: gives the services repository.
        alerts: tells people.
    """

    def __init__(
        self,
        config: RemediationConfig,
        port: "PortClient",
        repository: Callable[[], "ServicesRepository"],
        alerts: Alerts,
    ) -> None:
        self._config = config
        self._port = port
        self._repository = repository
        self._alerts = alerts
        self._store = RemediationStore(config.remediations_table)
        self._installation = Rows(config.remediations_table, InstallationRow)
        self._locks = service_locks(config, port)

    def take(self, step: str, event: dict[str, Any]) -> Answer:
        """Take one step.

        Args:
            step: its name, as in the machine's definition.
            event: the machine's payload: `service` and `execution`; after a probe `look`, its
                number and finding; after a request for approval `decision`.

        Returns:
            What is next: `Probe` with what to probe, `Wait` with `until`, `Repair`, `Ask` with what
            to ask for, `Finish` or `Done`.

        Raises:
            SlipwayError: the step is unknown.
            RetryableError: the machine repeats the step.
        """
        service, execution = str(event["service"]), str(event["execution"])
        logger.append_keys(service_name=service, execution=execution)
        record = self._store.get(service)
        if record is None or record.execution != execution:
            logger.info("Another execution looks after the service")
            if record:
                # Which this one may have admitted, and not have come to start.
                launch(self._store, self._config.remediation_machine_arn, record)
            return {"next": "Done"}
        steps: dict[str, Callable[[], Answer]] = {
            "decide": lambda: self._decide(record, event.get("look"), event.get("decision")),
            "repair": lambda: self._repair(record),
            "finish": lambda: self._finish(record),
        }
        if step not in steps:
            raise SlipwayError(f"The remediation function knows no step '{step[:40]}'.")
        return steps[step]()

    # -- the steps

    def _decide(
        self, record: Record, look: dict[str, Any] | None, decision: dict[str, Any] | None
    ) -> Answer:
        """Note what a probe has found, or what was decided, and say what is next."""
        record, settings, policy = self._reread(record)
        now, finding = datetime.now(UTC), None
        if look is not None and look["number"] == len(record.state.observations):
            finding = Finding.model_validate(look["finding"])
            record = self._observe(record, finding, policy, now)
        if decision is not None and record.state.decision is None:
            decided = _bound(record, Decision.model_validate(decision))
            record = self._save(record, record.state.decided(decided))
        record, step = self._next(record, policy, now)
        if isinstance(step, Probe) and settings.url is None:
            record = self._observe(record, not_probed(settings), policy, now)
            record, step = self._next(record, policy, now)
        if finding and not isinstance(step, LastStep):
            self._report(record, Probe(step="verify", reason=finding.sentence), now)
        return self._answer(record, step, settings, policy)

    def _answer(
        self, record: Record, step: Step, settings: HealthSettings, policy: Policy
    ) -> Answer:
        logger.info("Next step", extra={"step": step.step, "reason": step.reason})
        match step:
            case Probe():
                expectation = settings.expectation
                path = expectation.json_path
                return {
                    "next": "Probe",
                    "number": len(record.state.observations),
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
                self._report(record, step, datetime.now(UTC))
                reviewed = record.state.reviewed
                planned = self._repairer(record).plan(record.state, policy.strategies)
                shown = tuple(digest for each in planned for digest in each.digests)
                record = self._save(record, record.state.model_copy(update={"shown": shown}))
                repair = {
                    "service": record.service,
                    "environment": (reviewed and reviewed.environment) or "",
                    "reason": reason,
                    "strategies": [NAMES[strategy.kind] for strategy in policy.strategies],
                    "planned": [each.model_dump(mode="json") for each in planned],
                    "causes": list(record.causes),
                }
                return {"next": "Ask", "repair": repair}
            case CoolDown(until=until):
                self._cool_down(record, step)
                return _wait(until)
        return {"next": "Finish"}

    def _repair(self, record: Record) -> Answer:
        """Carry one repair out, as far as it goes now."""
        record, settings, policy = self._reread(record)
        now = datetime.now(UTC)
        record, step = self._next(record, policy, now)
        if not isinstance(step, Repair):
            return self._answer(record, step, settings, policy)
        holder = self._hold(record, step)
        if holder:
            logger.info("The service is held", extra={"owner": holder.owner})
            self._save(record, record.state.held(holder))
            return {"next": "Decide"}
        began = record.state.began(step, now)
        if began is not record.state:
            if until := self._limit(record, step, policy, now):
                return _wait(until)
            record = self._save(record, began)
            self._report(record, step, now)
        attempt = record.state.pending
        if attempt is None:
            raise SlipwayError("A repair that has begun is not under way.")
        repairer = self._repairer(record, merge=merges(step.step, record.state, policy))
        result = repairer.carry_out(record.state, attempt, now)
        if result.outcome is None:
            return _wait(now + _LOOK_AGAIN)
        self._note_outcome(record, step, result)
        return {"next": "Decide"}

    def _finish(self, record: Record) -> Answer:
        """Say in the catalogue what is true, hand over if need be, and let the service go."""
        if record.ending is None:
            record, settings, policy = self._reread(record)
            now = datetime.now(UTC)
            record, step = self._next(record, policy, now)
            if not isinstance(step, LastStep):
                return self._answer(record, step, settings, policy)
            record = self._update(record, lambda row: row.changed(ending=step, ended_at=now))
            self._measure(record.state, step, now)
        self._conclude(record)
        let_go(
            record.service,
            record.owner,
            # After the last word was written: `_overwritten` goes by it.
            datetime.now(UTC),
            store=self._store,
            locks=self._locks,
            port=self._port,
            machine_arn=self._config.remediation_machine_arn,
        )
        return {"next": "Done"}

    # -- what the steps do

    def _reread(self, record: Record) -> tuple[Record, HealthSettings, Policy]:
        """The row with the entity as it is now, how it is looked at, and the policy."""
        policy = self._policy()
        entity = self._port.get_entity(BLUEPRINT, record.service)
        properties = entity.properties if entity else {}
        state = record.state.reread(*read_entity(properties))
        if entity and policy.mode != "off" and _overwritten(record, entity):
            # Slipway's last word on the service was written over the change that this is about.
            state = state.restore()
            said = {"health_status": state.status, CHECK_ID: _check_id(record)}
            self._port.update_entity(BLUEPRINT, record.service, said)
        cause = entity.updated_by if entity else ""
        # What was seen before the entity was read is known; what comes now is not.
        known = record.changes
        record = self._update(
            record, lambda row: row.changed(state=state, known=known).caused_by(cause)
        )
        return record, read_settings(properties), policy

    def _policy(self) -> Policy:
        answer = aws.s3().get_object(
            Bucket=self._config.records_bucket, Key=self._config.remediation_policy_key
        )
        return parse_policy(answer["Body"].read())

    def _next(self, record: Record, policy: Policy, now: datetime) -> tuple[Record, Step]:
        """Decide what is next, with the service's files if that depends on them."""
        step = next_step(record.state, policy, now)
        if not isinstance(step, Review):
            return record, step
        reviewed = read_reviewed(record.service, self._repository)
        state = record.state.model_copy(update={"reviewed": reviewed})
        record = self._save(record, state)
        return record, next_step(state, policy, now)

    def _observe(self, record: Record, finding: Finding, policy: Policy, now: datetime) -> Record:
        before, state = record.state, record.state.observed(finding, now)
        window = window_of_phase(state, policy)
        verdicts = [verify(findings_of_phase(each), window) for each in (before, state)]
        if not state.attempts and verdicts[0] == "Undecided" != verdicts[1]:
            measure(Metric.TIME_TO_VERIFY, (now - state.started_at).total_seconds())
        return self._save(record, state)

    def _hold(self, record: Record, step: Repair) -> Holder | None:
        """Take the service's lock if the repair needs it; who has it, if it is taken."""
        if step.step not in NEEDS_LOCK:
            return None
        try:
            self._locks.take(record.service, record.owner, "remediation")
        except ServiceLocked as locked:
            row = Ledger(self._config.runs_table).get(locked.owner) or {}
            number = row.get("pr_number")
            return Holder(owner=locked.owner, pr_number=int(number) if number else None)
        return None

    def _limit(
        self, record: Record, step: Repair, policy: Policy, now: datetime
    ) -> datetime | None:
        """Count a repair that begins; if the limit over all services forbids it, say until when."""
        begun = Begun(
            repair=f"{record.owner}/{step.step}/{step.attempt}",
            service=record.service,
            strategy=NAMES[step.step],
            at=now,
        )
        row = self._installation.update(
            INSTALLATION, lambda row: let_begin(row, begun, policy.max_repairs)
        )
        if row is None or row.has(begun.repair):
            return None
        if step.step in NEEDS_LOCK:
            self._locks.release(record.service, record.owner)
        title = f"{policy.max_repairs} repairs within ten minutes: Slipway begins no more for now"
        lines = [f"{each.at:%H:%M:%S} {shown(each.service)}: {each.strategy}" for each in row.begun]
        self._alert_once("limit", record, title, LIMITED, lines)
        record = self._save(record, record.state.limit(row.free_at(policy.max_repairs, now)))
        self._report(record, Wait(until=now, reason=LIMITED), now)
        return record.state.limited_until if record.state.limited == 1 else now

    def _alert_once(
        self, kind: str, record: Record, title: str, reason: str, lines: list[str]
    ) -> None:
        """Send one alert for all services within `quiet_seconds`, whichever executions ask."""
        quiet, now = timedelta(seconds=self._policy().quiet_seconds), datetime.now(UTC)
        row = self._installation.update(
            INSTALLATION, lambda row: claim_alert(row, kind, record.owner, now, quiet)
        )
        if row is None or not row.due(kind, record.owner):
            return
        self._alerts.send(title, reason, lines, self._config.entity_url(BLUEPRINT, record.service))
        self._installation.update(INSTALLATION, lambda row: alert_sent(row, kind))

    def _repairer(self, record: Record, *, merge: bool = False) -> Repairer:
        repository = self._repository()
        url = self._config.entity_url(BLUEPRINT, record.service)
        deployed = self._config.deployed_service
        return Repairer(record.owner, repository, _repairs(repository), url, deployed, merge=merge)

    def _note_outcome(self, record: Record, step: Repair, result: Result) -> None:
        if result.outcome is None:
            return
        now = datetime.now(UTC)
        state = record.state.ended(result.outcome, now, result.detail, result.link)
        record = self._save(record, state)
        count(Metric.REPAIR_ENDED, strategy=step.step, outcome=result.outcome)
        if step.step in NEEDS_LOCK:
            self._locks.release(record.service, record.owner)
        said = step.model_copy(update={"reason": f"{step.reason} {result.detail}".rstrip()})
        self._report(record, said, now)

    def _cool_down(self, record: Record, step: CoolDown) -> None:
        now = datetime.now(UTC)
        self._report(record, step, now)
        if step.notify:
            url = self._config.entity_url(BLUEPRINT, record.service)
            lines = timeline_lines(record.state)
            self._alerts.send(alert_title(record.state), step.reason, lines, url)
        # Last, as it is what keeps all this from being said again.
        self._save(record, record.state.cooling(step, now))

    def _conclude(self, record: Record) -> None:
        """Say how it ended; repeatable, as its reason and its time are in the row."""
        ending, at = record.ending, record.ended_at
        if ending is None or at is None:
            raise SlipwayError("A remediation that has not ended cannot be concluded.")
        self._report(record, ending, at)
        if isinstance(ending, Escalate) and not ending.shared:
            self._hand_over(record, ending, at)
        if isinstance(ending, Unknown) and any(
            finding.kind == OWN_NETWORK for finding in findings_of_phase(record.state)
        ):
            title = "Slipway's probe reaches neither services nor its canary address"
            self._alert_once("network", record, title, ending.reason, [])

    def _hand_over(self, record: Record, step: Escalate, at: datetime) -> None:
        """Write the issue, and tell people unless they were told of this service not long ago."""
        state = record.state
        entity_url = self._config.entity_url(BLUEPRINT, state.service)
        lines = timeline_lines(state, step, at)
        try:
            url = (
                _repairs(self._repository())
                .escalate(
                    title=issue_title(state),
                    body=issue_body(state, step, at, entity_url),
                    labels=("slipway", "remediation"),
                    marker=hidden_comment(issue_marker(state)),
                    comment="\n".join(["The service is ill again.", "", *lines])
                    if step.notify
                    else None,
                )
                .url
            )
        except GitHubError as error:
            # A repository without issues, or a right that Slipway has not: people are told anyway.
            logger.warning("The issue was refused", extra={"why": str(error)})
            url = entity_url
        logger.info("Handed over", extra={"at": url})
        if step.notify and at not in state.escalations:
            self._alerts.send(alert_title(state), step.reason, lines, url)
            # At once, so that a repetition does not tell them again.
            self._save(record, state.told(at))

    def _report(self, record: Record, step: Step, now: datetime) -> None:
        properties = entity_properties(step, _check_id(record), now)
        if properties and not self._port.update_entity(BLUEPRINT, record.service, properties):
            logger.info("The entity is gone")

    @staticmethod
    def _measure(state: State, step: LastStep, now: datetime) -> None:
        count(Metric.REMEDIATION_ENDED, ending=step.step)
        if isinstance(step, Healthy) and step.repaired_by:
            measure(Metric.TIME_TO_REPAIR, (now - state.started_at).total_seconds())

    def _save(self, record: Record, state: State) -> Record:
        return self._update(record, lambda row: row.changed(state=state))

    def _update(self, record: Record, change: Callable[[Record], Record]) -> Record:
        """Change the row, as long as this execution is the one that is at work."""

        def note(row: Record | None) -> Record | None:
            return change(row) if row and row.execution == record.execution else None

        row = self._store.update(record.service, note)
        if row is None or row.execution != record.execution:
            raise SlipwayError("Another execution has taken the service over.")
        return row


def _repairs(repository: "ServicesRepository") -> "Repairs":
    # PyGithub takes as long to import as boto3: most steps do without it.
    from slipway.github.repairs import Repairs

    return Repairs(repository)


def _overwritten(record: Record, entity: "Entity") -> bool:
    """Whether the remediation before this one wrote the entity after the change that began this."""
    earlier = entity.properties.get(CHECK_ID)
    first_look = not record.state.observations and not record.state.attempts
    return (
        first_look
        and record.settled_at is not None
        and not record.touched(entity.updated_at)
        and isinstance(earlier, str)
        and earlier.startswith(f"{execution_name(record.service, record.number - 1)}.")
        and entity.properties.get("health_status") in {"Healthy", "Unknown"}
    )


def _bound(record: Record, decision: Decision) -> Decision:
    """A decision, which grants nothing if people were shown something else than is planned."""
    shown = record.state.shown
    if not decision.granted or shown is None:
        return decision
    if decision.change_hash == repair_hash(record.service, record.owner, shown):
        return decision
    refused = "What was approved is not what is planned now: a file of the service was changed."
    return decision.model_copy(update={"granted": False, "sentence": refused})


def _check_id(record: Record) -> str:
    """New for each write, and of the execution that writes."""
    return f"{record.execution}.{uuid.uuid4().hex}"


def _wait(until: datetime) -> Answer:
    # Rounded up: Step Functions waits until a whole second, and a look too early is for nothing.
    rounded = (until + timedelta(microseconds=999_999)).astimezone(UTC)
    return {"next": "Wait", "until": rounded.strftime("%Y-%m-%dT%H:%M:%SZ")}
