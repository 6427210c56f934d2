"""What routes have in common: the transaction, sign-in, pages of results."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from sandbox.github import permissions, urls
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError
from sandbox.github.server import RepoSession, Server, teams_of

Json = dict[str, Any]


class Body(BaseModel):
    """Base of request bodies: GitHub ignores fields that it does not know."""

    model_config = ConfigDict(extra="ignore")


def get_server(request: Request) -> Server:
    """Return the state that all requests share."""
    server: Server = request.app.state.server
    return server


def get_actor(request: Request) -> Actor:
    """Return who calls, as the gateway found."""
    actor: Actor = request.state.actor
    return actor


@dataclass
class Call:
    """A call that is not about one repository."""

    server: Server
    session: Session
    actor: Actor


ServerDep = Annotated[Server, Depends(get_server)]
ActorDep = Annotated[Actor, Depends(get_actor)]


def get_call(request: Request, server: ServerDep, actor: ActorDep) -> Iterator[Call]:
    """Open a transaction for a signed-in caller.

    Raises:
        ApiError: 401, the caller is not signed in.
    """
    if actor.kind == "anonymous":
        raise ApiError(401, "Requires authentication")
    writes = request.method != "GET"
    with server.store.write() if writes else server.store.read() as session:
        yield Call(server, session, actor)
        session.commit()


def get_here(
    owner: str, name: str, request: Request, server: ServerDep, actor: ActorDep
) -> Iterator[RepoSession]:
    """Open a transaction on the repository of the path, if the actor may do what it asks."""
    writes = request.method not in {"GET", "HEAD"}
    # The path that was routed: percent signs must not hide it from the permissions' table.
    path = request.scope["path"]
    below = path.split("/repos/", 1)[1].split("/", 2)[2:]
    with server.open(owner, name, actor, write=writes) as here:
        teams = teams_of(here.session, here.repo.owner, actor.login)
        permissions.check(actor, here.repo, teams, request.method, "/" + below[0] if below else "")
        yield here


# Closed before the answer is sent, so that its receiver sees the changes.
CallDep = Annotated[Call, Depends(get_call, scope="function")]
Here = Annotated[RepoSession, Depends(get_here, scope="function")]


@dataclass(frozen=True)
class Page:
    """Which page of a list is asked for."""

    number: int
    size: int
    url: str

    def of(
        self, items: list[Any], shape: Callable[[Any], Any] = lambda item: item, key: str = ""
    ) -> JSONResponse:
        """Return the page, with GitHub's `Link` header.

        Args:
            items: the whole list.
            shape: makes one item's JSON; called for the page's items only.
            key: for lists that come as `{"total_count": …, key: […]}`.
        """
        last = max(1, -(-len(items) // self.size))
        start = (self.number - 1) * self.size
        content: Any = [shape(item) for item in items[start : start + self.size]]
        if key:
            content = {"total_count": len(items), key: content}
        links: dict[str, int] = {}
        if self.number > 1:
            links |= {"prev": min(self.number - 1, last), "first": 1}
        if self.number < last:
            links |= {"next": self.number + 1, "last": last}
        text = ", ".join(f'<{self._address(number)}>; rel="{rel}"' for rel, number in links.items())
        return JSONResponse(content, headers={"Link": text} if text else {})

    def _address(self, number: int) -> str:
        base, _, query = self.url.partition("?")
        kept = [(k, v) for k, v in parse_qsl(query) if k != "page"]
        return f"{base}?{urlencode([*kept, ('page', number)])}"


def get_page(
    request: Request, page: Annotated[str, Query()] = "1", per_page: Annotated[str, Query()] = "30"
) -> Page:
    """Return the page asked for; nonsense counts as the default, as GitHub has it."""
    number, size = 1, 30
    with suppress(ValueError):
        number = max(1, int(page))
    with suppress(ValueError):
        size = min(100, max(1, int(per_page)))
    query = f"?{request.url.query}" if request.url.query else ""
    path = request.url.path.removeprefix(urls.API_PREFIX)
    return Page(number, size, urls.api(path) + query)


PageDep = Annotated[Page, Depends(get_page)]
