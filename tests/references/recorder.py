"""Record requests and answers of a server, above the network."""

import io
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.response import addinfourl

import pytest
import requests


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    Attributes:
        method: the HTTP method, in capitals.
        url: with the query string.
        sent: the request's body.
        status: the answer's status.
        content_type: the answer's, without parameters; empty if there is none.
        answered: the answer's body.
    """

    method: str
    url: str
    sent: bytes
    status: int
    content_type: str
    answered: bytes


@contextmanager
def recording() -> Iterator[list[Exchange]]:
    """Record all that `requests` and `urllib` exchange with a server in this process.

    Slipway and its scripts use the first, also below PyGithub; the services repository's report
    the second.
    """
    found: list[Exchange] = []
    send, open_url = requests.Session.send, urllib.request.OpenerDirector.open

    def note(method: str, url: str, sent: Any, status: int, headers: Any, answered: bytes) -> None:
        # A server dates its answers; those that a test makes up in its place have no date.
        if headers.get("Date"):
            body = sent.encode() if isinstance(sent, str) else sent or b""
            content_type = (headers.get("Content-Type") or "").partition(";")[0]
            found.append(Exchange(method, url, body, status, content_type, answered))

    def sent_by_requests(
        session: requests.Session, request: requests.PreparedRequest, **more: Any
    ) -> requests.Response:
        said = send(session, request, **more)
        method, url = str(request.method), str(request.url)
        note(method, url, request.body, said.status_code, said.headers, said.content)
        return said

    def opened_by_urllib(
        opener: Any, request: urllib.request.Request, data: Any = None, timeout: Any = None
    ) -> Any:
        method, url = request.get_method(), request.full_url

        def read(said: Any) -> io.BytesIO:
            answered = said.read()
            note(method, url, request.data, said.status, said.headers, answered)
            return io.BytesIO(answered)

        try:
            said = open_url(opener, request, data, timeout)
        except HTTPError as refusal:
            headers: Message = refusal.headers
            raise HTTPError(url, refusal.code, refusal.msg, headers, read(refusal)) from None
        if not said.headers:
            return said
        return addinfourl(read(said), said.headers, url, said.status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", sent_by_requests)
        patch.setattr(urllib.request.OpenerDirector, "open", opened_by_urllib)
        yield found
