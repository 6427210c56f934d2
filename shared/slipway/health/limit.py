"""Limit the repairs that begin within ten minutes, over all services.

Pure.

Services that become unhealthy at the same time usually share a cause, which a restart does not fix.
The row keeps the installation's newest repairs, and the alerts about all services.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from slipway.health.row import Row

# No entity of Port can have this identifier.
# https://docs.port.io/api-reference/create-an-entity
INSTALLATION = "*"
WINDOW = timedelta(minutes=10)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Begun(_Model):
    """A repair that began.

    Attributes:
        repair: its name, the same if its step is repeated.
        service: the service's identifier.
        strategy: its strategy.
        at: when.
    """

    repair: str
    service: str
    strategy: str
    at: datetime


class SharedAlert(_Model):
    """An alert about all services.

    Attributes:
        by: the only execution that sends it.
        at: when it was claimed.
        sent: whether it was sent.
    """

    by: str
    at: datetime
    sent: bool = False


class InstallationRow(Row):
    """The row.

    Attributes:
        begun: the repairs of the last ten minutes, oldest first.
        alerts: kind of alert → the newest one.
    """

    service: str = INSTALLATION
    begun: tuple[Begun, ...] = ()
    alerts: Mapping[str, SharedAlert] = {}

    def has(self, repair: str) -> bool:
        """Return whether a repair may begin."""
        return any(begun.repair == repair for begun in self.begun)

    def due(self, kind: str, execution: str) -> bool:
        """Return whether this execution must send an alert."""
        alert = self.alerts.get(kind)
        return alert is not None and alert.by == execution and not alert.sent

    def free_at(self, most: int, now: datetime) -> datetime:
        """Return when the next repair may begin."""
        return self.begun[-most].at + WINDOW if len(self.begun) >= most else now


def let_begin(row: InstallationRow | None, begun: Begun, most: int) -> InstallationRow:
    """Record a repair if the limit allows it; see `InstallationRow.has`."""
    row = row or InstallationRow()
    recent = tuple(each for each in row.begun if each.at > begun.at - WINDOW)
    if not row.has(begun.repair) and len(recent) < most:
        return row.changed(begun=(*recent, begun))
    return row


def claim_alert(
    row: InstallationRow | None, kind: str, execution: str, now: datetime, quiet: timedelta
) -> InstallationRow:
    """Claim an alert for an execution, at most one per quiet time."""
    row = row or InstallationRow()
    last = row.alerts.get(kind)
    if last and last.at > now - quiet:
        return row
    return row.changed(alerts={**row.alerts, kind: SharedAlert(by=execution, at=now)})


def alert_sent(row: InstallationRow | None, kind: str) -> InstallationRow | None:
    """Record that a claimed alert was sent."""
    if row is None or kind not in row.alerts:
        return row
    sent = row.alerts[kind].model_copy(update={"sent": True})
    return row.changed(alerts={**row.alerts, kind: sent})
