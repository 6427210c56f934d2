"""Store one row for each run that Slipway has started: the ledger.

It is the `runs` table.

Rows of open runs have `open` and `open_since`, and so are in the sparse index `open_since`, which
lists them oldest first without a scan.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slipway import aws
from slipway.errors import RunEnded
from slipway.port.message import RunMessage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def timestamp(moment: datetime) -> str:
    """Format as ISO 8601 in UTC, for `TimestampPath` of Step Functions."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Ledger:
    """The `runs` table.

    Args:
        table_name: the table's name.
    """

    def __init__(self, table_name: str) -> None:
        self._name = table_name

    @cached_property
    def _table(self) -> "Table":
        # Made when it is needed: that takes a tenth of a cold start.
        return aws.dynamodb_table(self._name)

    @contextmanager
    def at_work(self, message: RunMessage, catalog: str = "") -> Iterator[int]:
        """Record that this delivery works on the run, and when it stopped.

        A process that is killed does not record the latter.

        Args:
            message: the run.
            catalog: version of the catalog; the first recorded one stays.

        Yields:
            How many deliveries in a row, up to this one, were interrupted.

        Raises:
            RunEnded: Slipway has ended this run before.
        """
        interruptions = self.open(message, catalog)
        try:
            yield interruptions
        finally:
            self._update(message.run_id, "SET updated_at = :now REMOVE at_work", values={})

    def open(self, message: RunMessage, catalog: str = "") -> int:
        """Record that this delivery works on the run; the first one opens it.

        Args:
            message: the run.
            catalog: as in `at_work`.

        Returns:
            How many deliveries in a row, up to this one, were interrupted.

        Raises:
            RunEnded: Slipway has ended this run before.
        """
        row = self._update_open(
            message.run_id,
            "SET #action = :action, blueprint = :blueprint, requested_by = :requester,"
            " #open = :yes, open_since = if_not_exists(open_since, :now), updated_at = :now,"
            " #catalog = if_not_exists(#catalog, :catalog)"
            " REMOVE held ADD deliveries :one, at_work :one",
            {
                ":action": message.action,
                ":catalog": catalog,
                ":blueprint": message.blueprint or "",
                ":requester": message.requester.email or message.requester.user_id,
                ":one": 1,
            },
            **{"#catalog": "catalog"},
        )
        return int(row["at_work"]) - 1

    def put_on_hold(self, run_id: str, action: str, reference: str, why: str) -> None:
        """Mark the run as on hold after an internal error, even without a row.

        Args:
            run_id: the run.
            action: its action.
            reference: the failure's reference on its page.
            why: the error, without secrets.

        Raises:
            RunEnded: Slipway has ended this run before.
        """
        now = timestamp(datetime.now(UTC))
        self._update_open(
            run_id,
            "SET #action = if_not_exists(#action, :action), #open = :yes,"
            " open_since = if_not_exists(open_since, :now), held = :held, updated_at = :now",
            {":action": action, ":held": {"reference": reference, "why": why, "at": now}},
        )

    def restart_retry_budget(self, run_id: str) -> None:
        """Record that the run is replayed, which resets its postponements."""
        self._update(
            run_id,
            "SET forgiven = if_not_exists(postponed, :none), updated_at = :now",
            values={":none": 0},
        )

    def record_target(self, run_id: str, key: str, repository: str) -> None:
        """Record the entity of a run, and the key of its repository."""
        self._update(
            run_id,
            "SET service = :key, repository = :repository, updated_at = :now",
            values={":key": key, ":repository": repository},
        )

    def record_pull_request(
        self, run_id: str, number: int, url: str, head: str = ""
    ) -> dict[str, Any]:
        """Record the run's pull request; the row stays open until that ends.

        Args:
            run_id: the run.
            number: the pull request's number.
            url: its page.
            head: the commit that Slipway proposed; the first recorded one stays.

        Returns:
            The row.
        """
        values = {":number": number, ":url": url}
        expression = "SET pr_number = :number, pr_url = :url"
        if head:
            expression += ", pr_head = if_not_exists(pr_head, :head)"
            values[":head"] = head
        return self._update(run_id, f"{expression}, updated_at = :now", values=values)

    def record_merge_attempt(self, run_id: str, head: str) -> datetime:
        """Record that GitHub does not merge the run's pull request yet.

        The run may then be postponed as often as a new one, because it waits for GitHub's checks or
        for reviewers.

        Args:
            run_id: the run.
            head: the compared commit, for example the update of a branch that was behind.

        Returns:
            Time of the first such attempt, in UTC.
        """
        row = self._update(
            run_id,
            "SET merge_tried_at = if_not_exists(merge_tried_at, :now), pr_head = :head,"
            " forgiven = if_not_exists(postponed, :none), updated_at = :now",
            values={":none": 0, ":head": head},
        )
        return datetime.fromisoformat(str(row["merge_tried_at"]))

    def get(self, run_id: str) -> dict[str, Any] | None:
        """Return the run's row; None if Slipway never started the run."""
        return self._table.get_item(Key={"run_id": run_id}, ConsistentRead=True).get("Item")

    def open_rows(self) -> Iterator[dict[str, Any]]:
        """List the rows of open runs, oldest first; a new one may be missing."""
        pages = self._table.meta.client.get_paginator("query").paginate(
            TableName=self._table.name,
            IndexName="open_since",
            KeyConditionExpression="#open = :yes",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":yes": "yes"},
        )
        for page in pages:
            yield from page["Items"]

    def record_reminder(self, run_id: str) -> None:
        """Record the sweep's reminder; `updated_at` stays unchanged."""
        self._update(run_id, "SET reminded_at = :now", values={})

    def record_workflow(self, run_id: str, file: str, blob: str, done: str) -> dict[str, Any]:
        """Record that a delivery starts the run's workflow; the first one stays.

        Args:
            run_id: the run.
            file: path of the workflow's file.
            blob: blob SHA of the allowed content.
            done: the result when the workflow succeeds; empty if the catalog has none.

        Returns:
            The row; `workflow_tries` counts the deliveries that came this far.
        """
        return self._update(
            run_id,
            "SET workflow_file = if_not_exists(workflow_file, :file),"
            " workflow_blob = if_not_exists(workflow_blob, :blob),"
            " workflow_done = if_not_exists(workflow_done, :done),"
            " workflow_since = if_not_exists(workflow_since, :now), updated_at = :now"
            " ADD workflow_tries :one",
            values={":file": file, ":blob": blob, ":done": done, ":one": 1},
        )

    def record_workflow_run(self, run_id: str, number: int | None, url: str = "") -> None:
        """Record the workflow's run, as far as GitHub returned it."""
        known = {"workflow_run": number, "workflow_url": url or None}
        there = {name: value for name, value in known.items() if value is not None}
        sets = "".join(f", {name} = :{name}" for name in there)
        self._update(
            run_id,
            f"SET workflow_asked = :now, updated_at = :now{sets}",
            values={f":{name}": value for name, value in there.items()},
        )

    def record_ask(self, run_id: str, ask: int) -> None:
        """Record which of the run's approval requests is the current one."""
        self._update(run_id, "SET ask = :ask, updated_at = :now", values={":ask": ask})

    def record_result(self, run_id: str, status: str, label: str, reason: str) -> None:
        """Record the run's result before the run is ended in Port."""
        self._update(
            run_id,
            "SET verdict = :verdict, updated_at = :now",
            values={":verdict": {"status": status, "label": label, "reason": reason}},
        )

    def record_node_result(self, run_id: str, status: str) -> None:
        """Record how a node run was ended in Port, which has no other record."""
        self._update(
            run_id,
            "SET node_result = :status, updated_at = :now",
            values={":status": status},
        )

    def record_resumption(self, run_id: str) -> int:
        """Count how often the run's state machine was restarted; from 1."""
        row = self._update(run_id, "SET updated_at = :now ADD resumed :one", values={":one": 1})
        return int(row["resumed"])

    def close(self, run_id: str, outcome: str) -> None:
        """Record that Slipway ended the run, with `SUCCESS` or `FAILURE`."""
        self._update(
            run_id,
            "SET outcome = :outcome, ended_at = :now, updated_at = :now REMOVE #open, open_since",
            names={"#open": "open"},
            values={":outcome": outcome},
        )

    def postpone(self, run_id: str, resume_at: datetime, function_arn: str) -> tuple[int, int]:
        """Record until when the run waits, and the function that continues it.

        Returns:
            How often the run has been postponed, from 1; and how often since it was replayed.
        """
        row = self._update(
            run_id,
            "SET resume_at = :resume_at, function_arn = :function, updated_at = :now"
            " ADD postponed :one",
            values={":resume_at": timestamp(resume_at), ":function": function_arn, ":one": 1},
        )
        number = int(row["postponed"])
        return number, number - int(row.get("forgiven", 0))

    def _update_open(
        self, run_id: str, expression: str, values: dict[str, Any], **names: str
    ) -> dict[str, Any]:
        """Update a row that has no outcome, even if it does not exist yet.

        Raises:
            RunEnded: it has one.
        """
        try:
            with aws.condition():
                return self._update(
                    run_id,
                    expression,
                    condition="attribute_not_exists(outcome)",
                    names={"#action": "action", "#open": "open", **names},
                    values={":yes": "yes", **values},
                )
        except aws.ConditionFailed as error:
            raise RunEnded(f"Run {run_id} was ended before.") from error

    def _update(
        self,
        run_id: str,
        expression: str,
        *,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        optional: dict[str, Any] = {}
        if names:
            optional["ExpressionAttributeNames"] = names
        if condition:
            optional["ConditionExpression"] = condition
        answer = self._table.update_item(
            Key={"run_id": run_id},
            UpdateExpression=expression,
            ExpressionAttributeValues={":now": timestamp(datetime.now(UTC)), **values}
            if ":now" in expression
            else values,
            ReturnValues="ALL_NEW",
            **optional,
        )
        return answer["Attributes"]
