"""One client for all requests of the tests: each new one would read the system's certificates.

It keeps no connection, as a server may close one at the moment of the next request.
"""

import httpx

from sandbox.testing import OWN_ROUTES
from sandbox.tests.waiting import LIMIT

HTTP = httpx.Client(
    headers=OWN_ROUTES,
    timeout=LIMIT,
    trust_env=False,
    limits=httpx.Limits(max_keepalive_connections=0),
)
