"""List what is on hold after an internal error; retry it or end it.

That is: Kafka records that Lambda gave up, runs whose delayed delivery failed, and runs whose
approval execution failed. Every action here is safe to repeat, even by several operators at the
same time. The functions' work is get-or-create, and settled records are in the archive.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from rich.table import Table
from slipway.approvals.settings import ApprovalConfig
from slipway.changes.change import request_key
from slipway.errors import ConfigurationError, RunEnded, RunNotFound, SkippedMessage, SlipwayError
from slipway.kafka import REPLAY, KafkaRecord
from slipway.observability import MASK, mask
from slipway.port.models import Run
from slipway.runs.clients import port_client
from slipway.runs.failed import FailedRecord
from slipway.runs.later import record_key
from slipway.runs.records import delete_record

from scripts.cancel import cancel
from scripts.cli import add_names, start, table_console
from scripts.installed import ALIAS, EnvFile, NamePrefix, connect, refusals
from scripts.on_hold import OnHold, OnHoldList, settle_notices
from scripts.resume import continue_run
from scripts.words import request_of

app = typer.Typer(
    help="Retry what is on hold, or end it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = table_console()
# An invocation lasts at most 15 minutes, and must happen only once.
_PATIENT = Config(read_timeout=900, retries={"total_max_attempts": 1})
_AGO = {"m": "minutes", "h": "hours", "d": "days"}

References = Annotated[
    list[str] | None,
    typer.Argument(help="References from `list`, or run ids.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="Everything on hold.")]
Function = Annotated[str | None, typer.Option(help="Only items for this function.")]
Since = Annotated[
    str | None, typer.Option(help="Only failures since: ISO 8601, or 90m, 2h, 3d ago.")
]
Until = Annotated[str | None, typer.Option(help="Only failures until: as --since.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")
]


@dataclass(frozen=True)
class Selection:
    """Selects items on hold.

    Attributes:
        names: references or runs; empty: all that match the other filters.
        function: only items for this function.
        since: the earliest time of the failure.
        until: the latest time of the failure.
    """

    names: tuple[str, ...] = ()
    function: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of(self, found: Iterable[OnHold]) -> list[OnHold]:
        """Return the selected items.

        Raises:
            SlipwayError: a name does not match an item.
        """
        held = list(found)
        known = frozenset[str]().union(*(each.names for each in held))
        if unknown := [name for name in self.names if name not in known]:
            raise SlipwayError(
                f"{', '.join(unknown)}: not on hold. Another operator may have settled it: see "
                "its run in Port, and `scripts/replay list`."
            )
        return [each for each in held if self._fits(each)]

    def _fits(self, held: OnHold) -> bool:
        return (
            (not self.names or not held.names.isdisjoint(self.names))
            and self.function in (None, held.function)
            and (self.since is None or held.failed_at >= self.since)
            and (self.until is None or held.failed_at <= self.until)
        )


@dataclass(frozen=True)
class Result:
    """The result for one item.

    Attributes:
        dealt_with: whether it is settled.
        message: how, or why not.
    """

    dealt_with: bool
    message: str


class Operator:
    """Retries or ends what is on hold in one installation.

    Args:
        config: the installation's.
        name_prefix: Terraform's.
    """

    def __init__(self, config: ApprovalConfig, name_prefix: str) -> None:
        self._config = config
        self._prefix = name_prefix
        self.list = OnHoldList(config, name_prefix)

    def replay(self, held: OnHold) -> Result:
        """Have the function retry; archive the record if it succeeds."""
        if held.record is None:
            return self._continue(held)
        record = self.list.read_again(held.record)
        if record is None:
            return Result(dealt_with=True, message="Another operator settled it at the same time.")
        if record.event is None or not held.function:
            return Result(dealt_with=False, message=f"It can only be discarded: {held.why}")
        done = self._done(record)
        left = record.without(done)
        if done and not left.records:
            message = " ".join([*done.values(), "There is nothing left to do for it."])
            result = Result(dealt_with=True, message=message)
        else:
            result = self._invoke(held.function, left)
        if result.dealt_with:
            self.list.put_away(record, discarded=False)
        return result

    def discard(self, held: OnHold, reason: str) -> Result:
        """End the runs with FAILURE, clean up after them, archive the record."""
        runs = [run.run_id for run in held.runs if not run.notice]
        if held.record and (on := [run_id for run_id in runs if self.list.goes_on(run_id)]):
            return Result(
                dealt_with=False,
                message=f"{', '.join(on)}: another delivery of this record got further. Replay it "
                f"to archive the record. To end the run: scripts/cancel {on[0]}",
            )
        messages = [self._end(run_id, reason) for run_id in runs]
        if held.record:
            self.list.put_away(held.record, discarded=True)
        return Result(
            dealt_with=True, message=" ".join(messages) or "Its record is in the archive."
        )

    def settle(self) -> None:
        """Remove settled items from the queue, and so from the alarm."""
        name = f"{self._prefix}-failed-records"
        settle_notices(boto3.client("sqs").get_queue_url(QueueName=name)["QueueUrl"], self._config)

    def _continue(self, held: OnHold) -> Result:
        try:
            message = continue_run(held.runs[0].run_id, self._config)
        except SlipwayError as error:
            return Result(dealt_with=False, message=str(error))
        return Result(dealt_with=True, message=message)

    def _done(self, record: FailedRecord) -> dict[str, str]:
        """Return the runs that need no more work, each with its state.

        An on-demand mapping stores the whole batch of a failed record, so most runs of a batch are
        complete. A record that is alone has failed, regardless of its run's row.
        """
        done: dict[str, str] = {}
        for run_id in [subject.run_id for subject in record.subjects if not subject.notice]:
            with suppress(RunNotFound):  # the function decides
                run = port_client().get_run(run_id)
                if run.ended:
                    done[run_id] = f"Run {run_id} has ended with {_state(run)}."
                elif len(record.records) > 1 and self.list.goes_on(run_id):
                    done[run_id] = f"Run {run_id} continues: {_state(run)}."
        return done

    def _invoke(self, function: str, record: FailedRecord) -> Result:
        event = {**(record.event or {}), REPLAY: True}
        answer = boto3.client("lambda", config=_PATIENT).invoke(
            FunctionName=f"{self._prefix}-{function}", Qualifier=ALIAS, Payload=json.dumps(event)
        )
        text = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            error = json.loads(text)
            message = (
                f"{error.get('errorType', 'Error')}: {error.get('errorMessage', 'no message')}"
            )
            return Result(dealt_with=False, message=mask(message))
        return self._judge(json.loads(text), record)

    def _judge(self, answer: Mapping[str, Any], record: FailedRecord) -> Result:
        replayed = answer.get("replayed", [])
        wrong = [each for each in replayed if each["outcome"] in {"failed", "rejected"}]
        if wrong or answer["batchItemFailures"]:
            why = "; ".join(dict.fromkeys(each["why"] for each in wrong))
            return Result(dealt_with=False, message=why or "The function's log says why.")
        messages = [each["why"] for each in replayed if each["why"]]
        messages += [self._now(run.run_id) for run in record.subjects if not run.notice]
        return Result(dealt_with=True, message=" ".join(dict.fromkeys(messages)) or "Done.")

    @staticmethod
    def _now(run_id: str) -> str:
        with suppress(RunNotFound):
            port = port_client()
            run = port.get_run(run_id)
            return f"{request_of(run, port)}: {_state(run)}."
        return ""

    def _end(self, run_id: str, reason: str) -> str:
        with suppress(RunEnded, RunNotFound):
            message = cancel(run_id, reason, self._prefix, label="Discarded")
            for key in (record_key(run_id), request_key(run_id)):
                delete_record(self._config.records_bucket, key)
            return message
        return f"Port does not know run {run_id}."


def _state(run: Run) -> str:
    return f"{run.status} ({run.status_label})" if run.status_label else run.status


def read_time(text: str | None) -> datetime | None:
    """Read a point in time: ISO 8601 (default UTC), or `2h` ago.

    Raises:
        ConfigurationError: it is neither.
    """
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_AGO[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"'{text}' is not a time: write 2026-11-23T10:00, or 90m, 2h, 3d for a time ago."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def describe(record: FailedRecord) -> list[dict[str, Any]]:
    """Return a failed record's Kafka records, decoded and without secrets."""
    return [_describe(each) for each in record.records]


def _describe(record: KafkaRecord) -> dict[str, Any]:
    facts = {"record": record.place, "written": record.published_at.isoformat()}
    try:
        value = record.value
    except SkippedMessage as skipped:
        return {**facts, "value": str(skipped)}
    if isinstance(value, dict):
        value = _without_secrets(value)
    shown = json.loads(mask(json.dumps(value, ensure_ascii=False)))
    return {**facts, "value": shown}


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    """Remove the signature, and the inputs that Port encrypted."""
    shown = dict(value)
    if isinstance(headers := value.get("headers"), dict):
        shown["headers"] = {
            name: MASK if "signature" in name.lower() else text for name, text in headers.items()
        }
    payload = value.get("payload")
    inputs = payload.get("properties") if isinstance(payload, dict) else None
    if isinstance(payload, dict) and isinstance(inputs, dict):
        censored = payload.get("censoredProperties") or ()
        hidden = {name: MASK if name in censored else text for name, text in inputs.items()}
        shown["payload"] = {**payload, "properties": hidden}
    return shown


def table(found: list[OnHold]) -> Table:
    """Return what is on hold as a table for people."""
    shown = Table()
    add_names(shown, "Reference", [held.reference for held in found])
    add_names(shown, "Run", [line for held in found for line in _run_names(held)])
    for title in ("Function", "Service", "Failed at (UTC)"):
        shown.add_column(title)
    shown.add_column("Why", overflow="fold")
    for held in found:
        runs = "\n".join(_run_names(held))
        moment = f"{held.failed_at.astimezone(UTC):%d %b %H:%M:%S}"
        shown.add_row(held.reference, runs or "–", held.function, held.service, moment, held.why)
    return shown


def _run_names(held: OnHold) -> list[str]:
    return [f"end of {run.run_id}" if run.notice else run.run_id for run in held.runs]


def _select(
    names: list[str] | None,
    *,
    everything: bool,
    function: str | None,
    since: str | None,
    until: str | None,
) -> Selection:
    filters = (function, since, until)
    if not names and not everything and not any(filters):
        raise ConfigurationError(
            "Select items: references or runs (`scripts/replay list` shows them), --function, "
            "--since, --until, or --all."
        )
    return Selection(tuple(names or ()), function, read_time(since), read_time(until))


def _work(
    operator: Operator, selection: Selection, act: Callable[[OnHold], Result] | None, verb: str
) -> None:
    """Process each selected item in turn, and print its result."""
    with console.status("Looking for items on hold") as spinner:
        meant = selection.of(operator.list.find(spinner.update))
    if not meant:
        console.print(
            "Nothing is on hold." if selection == Selection() else "No item on hold matches that."
        )
        return
    if act is None:
        console.print(table(meant))
        console.print(f"{len(meant)} would be {verb}.")
        return
    left = 0
    try:
        for number, held in enumerate(meant, start=1):
            title = f"{number}/{len(meant)} {held.reference} {held.function}"
            with console.status(title):
                result = act(held)
            left += not result.dealt_with
            mark, style = ("✓", "green") if result.dealt_with else ("✗", "red")
            console.print(f"[{style}]{mark}[/{style}] {title}: ", end="")
            console.print(result.message, markup=False, soft_wrap=True)
    finally:
        with console.status("Updating the queue"):
            operator.settle()
    console.print(f"{len(meant) - left} {verb}, {left} still on hold.")
    if left:
        raise typer.Exit(1)


@app.command(name="list")
def list_(
    function: Function = None,
    since: Since = None,
    until: Until = None,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Show what is on hold, the oldest first."""
    with refusals("replay", console):
        selection = Selection((), function, read_time(since), read_time(until))
        held_list = OnHoldList(connect(env_file, name_prefix), name_prefix)
        with console.status("Looking for items on hold") as spinner:
            found = selection.of(held_list.find(spinner.update))
        if found:
            console.print(table(found))
        console.print(f"{len(found)} on hold." if found else "Nothing is on hold.")


@app.command()
def show(
    reference: Annotated[str, typer.Argument(help="A reference, or a run id.")],
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Show one item with its record, decoded; secrets are masked."""
    with refusals("replay", console):
        config = connect(env_file, name_prefix)
        found = OnHoldList(config, name_prefix).find()
        for held in Selection((reference,)).of(found):
            console.print(table([held]))
            if held.record is None:
                continue
            console.print(
                f"s3://{config.records_bucket}/{held.record.place.key}",
                markup=False,
                soft_wrap=True,
            )
            for each in describe(held.record):
                console.print_json(data=each)


@app.command()
def run(
    *,
    references: References = None,
    everything: All = False,
    function: Function = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Retry items in their functions. A repeated failure stays on hold."""
    with refusals("replay", console):
        selection = _select(
            references, everything=everything, function=function, since=since, until=until
        )
        operator = Operator(connect(env_file, name_prefix), name_prefix)
        _work(operator, selection, None if dry_run else operator.replay, "replayed")


@app.command()
def discard(  # noqa: PLR0913  an option each
    *,
    reason: Annotated[str, typer.Option(help="Shown on the run's page.")],
    references: References = None,
    everything: All = False,
    function: Function = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """End the runs with FAILURE and a reason, and free their services."""
    with refusals("replay", console):
        selection = _select(
            references, everything=everything, function=function, since=since, until=until
        )
        operator = Operator(connect(env_file, name_prefix), name_prefix)
        act = None if dry_run else (lambda held: operator.discard(held, reason))
        _work(operator, selection, act, "discarded")


if __name__ == "__main__":
    start(app, "run r_0123456789abcdef")
