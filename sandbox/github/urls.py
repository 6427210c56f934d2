"""Make absolute addresses, as the current client addresses the server.

PyGithub refuses an address whose host differs from the one that it was given.
"""

from contextvars import ContextVar
from urllib.parse import quote

API_PREFIX = "/api/v3"
_base: ContextVar[str] = ContextVar("base", default="http://127.0.0.1")


def use(base: str) -> None:
    """Set scheme, host and port for the current context, as `http://127.0.0.1:3200`."""
    _base.set(base)


def api(path: str) -> str:
    """Return the address of an API resource."""
    return f"{_base.get()}{API_PREFIX}{quote(path, safe='/:@!$&()*+,;=~[]{}')}"


def web(path: str) -> str:
    """Return the address of a page for people."""
    return f"{_base.get()}{quote(path, safe='/:@~.')}"
