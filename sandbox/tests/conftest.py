"""LocalStack changes its process's environment when it is imported; here that is undone.

The `no_proxy` that it sets is one that httpx cannot read, and a test process holds them both.
"""

import os

_before = os.environ.get("no_proxy")

import localstack.config  # noqa: E402, F401  for its effect, which is undone below

if _before is None:
    os.environ.pop("no_proxy", None)
else:
    os.environ["no_proxy"] = _before
