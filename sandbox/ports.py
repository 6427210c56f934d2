"""Choose TCP ports of 127.0.0.1 for servers that listen on them later."""

import contextlib
import random
import socket

# Linux gives those above to outgoing connections, which would take them before the server does.
_OURS = range(10_000, 32_768)


def free_port() -> int:
    """A port that nothing listens on."""
    with contextlib.ExitStack() as held:
        return reserve(held)


def reserve(held: contextlib.ExitStack, *preferred: int) -> int:
    """Return a free port, a preferred one if possible.

    Args:
        held: keeps the port from other programs until it ends.
        preferred: are tried first.

    Raises:
        OSError: none is free.
    """
    for port in (*preferred, *random.SystemRandom().sample(_OURS, 100)):
        probe = held.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No free TCP port was found on 127.0.0.1.")
