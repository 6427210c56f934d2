"""Port's API, as far as a report needs it.

https://docs.port.io/api-reference/port-api
"""

from typing import Any, Literal
from urllib.parse import quote, urlencode

from slipway_report.api import Patience, Refused, ReportError, call

Json = dict[str, Any]
_LOG_LINES = 50  # the most that Port gives in one answer


class Port:
    """A client of Port's API.

    Args:
        base_url: as `https://api.port.io`; the `/v1` of all routes may be at its end.
        client_id: the organisation's client id.
        client_secret: its secret.
        patience: for all calls together.
    """

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, patience: Patience
    ) -> None:
        self._base_url = base_url.strip().rstrip("/").removesuffix("/v1")
        self._login = {"clientId": client_id, "clientSecret": client_secret}
        self._patience = patience
        self._token = ""

    def run(self, run_id: str) -> Json:
        """Read a run.

        Raises:
            ReportError: Port does not know it.
        """
        try:
            answer = self._call("GET", _run(run_id), {"version": "v2"})
        except Refused as error:
            if not error.not_found:
                raise
            raise ReportError(
                f"Port does not know run {run_id}, which the branch is named after. "
                "Nothing was reported. Does PORT_BASE_URL name the right organisation's region?"
            ) from None
        return dict(answer["run"])

    def entity(self, blueprint: str, identifier: str) -> Json | None:
        """Read an entity; None if there is none."""
        try:
            return dict(self._call("GET", _entities(blueprint, identifier))["entity"])
        except Refused as error:
            if not error.not_found:
                raise
            return None

    def write_entity(self, blueprint: str, body: Json, run_id: str | None) -> None:
        """Create an entity, or change just the given fields, in the name of a run if it is open."""
        query = {"upsert": "true", "merge": "true"}
        self._linked("POST", _entities(blueprint), query, run_id, body)

    def delete_entity(self, blueprint: str, identifier: str, run_id: str | None) -> None:
        """Remove an entity; one that is not there is fine.

        Raises:
            Refused: with code `has_dependents` if other entities are related to it.
        """
        query = {"delete_dependents": "false"}
        try:
            self._linked("DELETE", _entities(blueprint, identifier), query, run_id)
        except Refused as error:
            if not error.not_found:
                raise

    def dependents(self, blueprint: str, identifier: str) -> list[str]:
        """The entities that depend on one, as `blueprint/identifier`.

        https://docs.port.io/search-and-query/relation-operators#direction
        """
        rule = {
            "operator": "relatedTo",
            "blueprint": blueprint,
            "value": identifier,
            "direction": "downstream",
        }
        answer = self._call(
            "POST", "/v1/entities/search", body={"combinator": "and", "rules": [rule]}
        )
        return [f"{found['blueprint']}/{found['identifier']}" for found in answer["entities"]]

    def log_lines(self, run_id: str) -> set[str]:
        """The run's log, as far as one answer holds it."""
        answer = self._call("GET", f"{_run(run_id)}/logs", {"limit": str(_LOG_LINES)})
        return {line["message"] for line in answer["runLogs"]}

    def add_log(self, run_id: str, message: str) -> None:
        """Add a line to the run's log."""
        self._call("POST", f"{_run(run_id)}/logs", body={"message": message})

    def end_run(self, run_id: str, changes: Json, status: Literal["SUCCESS", "FAILURE"]) -> None:
        """Set the run's last status together with other changes."""
        self._call("PATCH", _run(run_id), {"version": "v2"}, {**changes, "status": status})

    def _linked(
        self, method: str, path: str, query: dict[str, str], run_id: str | None, body: object = None
    ) -> None:
        """A write in the name of a run; once the run has ended, Port takes it only without."""
        linked = {**query, "run_id": run_id} if run_id else query
        try:
            self._call(method, path, linked, body)
        except Refused as error:
            if error.code != "run_exhausted":
                raise
            self._call(method, path, query, body)

    def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: object = None
    ) -> Any:
        url = f"{self._base_url}{path}"
        if query:
            url += f"?{urlencode(query)}"
        for renewed in (False, True):
            if renewed or not self._token:
                self._sign_in()
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                return call(method, url, patience=self._patience, headers=headers, body=body)
            except Refused as error:
                if error.status != 401 or renewed:
                    raise
        raise AssertionError("unreachable")

    def _sign_in(self) -> None:
        url = f"{self._base_url}/v1/auth/access_token"
        try:
            answer = call("POST", url, patience=self._patience, headers={}, body=self._login)
        except Refused as error:
            if error.status < 400 or error.status in {404, 405}:
                raise ReportError(
                    f"{error}. What answers is not Port's API: set the repository variable "
                    "PORT_BASE_URL to https://api.port.io, or to https://api.us.port.io for "
                    "organisations in the US, then re-run this job."
                ) from None
            raise ReportError(
                f"Port refused the credentials ({error.status}). Set the repository secrets "
                "PORT_CLIENT_ID and PORT_CLIENT_SECRET to valid ones, then re-run this job."
            ) from None
        self._token = str(answer["accessToken"])


def _run(run_id: str) -> str:
    return f"/v1/actions/runs/{quote(run_id, safe='')}"


def _entities(blueprint: str, identifier: str | None = None) -> str:
    path = f"/v1/blueprints/{quote(blueprint, safe='')}/entities"
    return path if identifier is None else f"{path}/{quote(identifier, safe='')}"
