"""What the routes share: the store, the outbox, and the caller of a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from sandbox.port import auth
from sandbox.port.outbox import Outbox
from sandbox.port.publication import publish_changes
from sandbox.port.settings import Settings
from sandbox.port.store import Store
from sandbox.port.work import Caller, Origin, Work


@dataclass(frozen=True)
class Services:
    """The parts of one server.

    Attributes:
        settings: of the server.
        store: the database.
        outbox: sends messages.
    """

    settings: Settings
    store: Store
    outbox: Outbox


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        services: the parts of the server.
        caller: who makes it.
    """

    services: Services
    caller: Caller

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Provide a transaction that publishes its changes, or does nothing."""
        with self.services.store.transaction() as db:
            work = Work(db, self.services.settings, self.caller)
            yield work
            publish_changes(work)
        self.services.outbox.wake()


def services_of(request: Request) -> Services:
    """Return the parts of the server that handles this request."""
    services: Services = request.app.state.services
    return services


def _authenticate(request: Request) -> Call:
    services = services_of(request)
    # Port shows by which door something came in; a browser is its user interface.
    user_agent = request.headers.get("user-agent", "")
    origin: Origin = "UI" if user_agent.startswith("Mozilla/") else "API"
    with services.store.transaction() as db:
        caller = auth.authenticate(db, request.headers.get("authorization"), origin)
    # For the log of requests.
    request.state.actor = caller.user_id
    return Call(services, replace(caller, user_agent=user_agent))


ServicesDep = Annotated[Services, Depends(services_of)]
CallDep = Annotated[Call, Depends(_authenticate)]
